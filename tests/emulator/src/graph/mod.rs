//! Microsoft Graph: who may do what, and what it answers.

mod permissions;
mod route;

use axum::body::{Body, Bytes};
use http::Response;
use serde_json::json;

use crate::answer::{self, Ids};
use crate::directory::{Group, GroupKind, Mailbox, Target, User};
use crate::exchange::Arrived;
use crate::faults::Operation;
use crate::grants::{Grant, Holder};
use crate::jwt;
use crate::odd_answers::GraphError;
use crate::record::bearer;
use crate::settings::{NotFoundAs, Success};
use crate::world::World;

pub(crate) use route::{Owner, Route, route};

/// The least picture that a client will take for a JPEG: its start and its end.
const PICTURE: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xd9];

/// Why Graph does not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refused {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

impl From<Refused> for GraphError {
    fn from(refused: Refused) -> Self {
        Self::new(refused.status, refused.code, refused.message)
    }
}

/// The answer to one request, and whatever it changes in the world.
pub(crate) fn answer(world: &mut World, arrived: &Arrived, ids: &Ids) -> Response<Body> {
    let spelling = world.behaviour.inner_error;
    serve(world, arrived).unwrap_or_else(|refused| {
        let unauthorized = refused.status == 401;
        let mut response = answer::graph(&refused.into(), ids, spelling);
        if unauthorized {
            answer::put(&mut response, "www-authenticate", "Bearer realm=\"\"");
        }
        response
    })
}

/// The grant behind a token that Graph would accept.
pub(crate) fn authenticate<'a>(world: &'a World, authorization: Option<&str>) -> Result<&'a Grant, Refused> {
    let refused = |message: &str| Refused::new(401, "InvalidAuthenticationToken", message);
    let token = authorization
        .and_then(bearer)
        .filter(|token| !token.is_empty())
        .ok_or_else(|| refused("Access token is empty."))?;
    let foreign = || refused("Access token validation failure. Invalid audience.");
    let grant = match world.grants.get(token) {
        Some(grant) if grant.audience == world.hosts.graph => grant,
        Some(_) => return Err(foreign()),
        None if is_for_another(token, &world.hosts.graph) => return Err(foreign()),
        None => return Err(refused("CompactToken parsing failed with error code: 80049217")),
    };
    if grant.is_expired() {
        return Err(refused("Lifetime validation failed, the token is expired."));
    }
    Ok(grant)
}

/// Whether a token that nobody here issued says itself that it is not for this Graph.
fn is_for_another(token: &str, graph: &str) -> bool {
    jwt::read(token).is_some_and(|jwt| jwt.claims["aud"].is_string() && jwt.claims["aud"] != graph)
}

fn serve(world: &mut World, arrived: &Arrived) -> Result<Response<Body>, Refused> {
    let grant = authenticate(world, arrived.authorization())?.clone();
    let route = arrived.route()?;
    if !arrived.body.is_empty() {
        return Err(Refused::new(400, "BadRequest", "This request takes no body."));
    }
    let target = owner(&grant, &route.owner)?;
    permissions::permit(world, &grant, route.operation, &target)?;
    match route.operation {
        Operation::Confirm => confirm(world, &grant, &target),
        operation => {
            photo(world, &grant, operation, &target)?;
            Ok(done(world, operation, &target))
        }
    }
}

fn owner(grant: &Grant, owner: &Owner) -> Result<Target, Refused> {
    match (owner, &grant.holder) {
        (Owner::Named(target), _) => Ok(target.clone()),
        (Owner::Me, Holder::User(id)) => Ok(Target::user(id)),
        (Owner::Me, Holder::Application) => {
            let message = "/me request is only valid with delegated authentication flow.";
            Err(Refused::new(400, "BadRequest", message))
        }
    }
}

fn confirm(world: &World, grant: &Grant, target: &Target) -> Result<Response<Body>, Refused> {
    let (kind, id) = match target {
        Target::User(name) => ("users", visible_user(world, grant, name).map(|user| &user.id)),
        Target::Group(id) => ("groups", visible_group(world, grant, id).map(|group| &group.id)),
    };
    let id = id.ok_or_else(|| not_found(NotFoundAs::RequestResourceNotFound, target.name()))?;
    let context = format!("{}/v1.0/$metadata#{kind}(id)/$entity", world.hosts.graph);
    Ok(answer::json(200, &json!({"@odata.context": context, "id": id})))
}

/// Whether there is a photo to speak of; the error says why not.
fn photo(world: &World, grant: &Grant, operation: Operation, target: &Target) -> Result<(), Refused> {
    let photo = match target {
        Target::User(name) => match visible_user(world, grant, name) {
            Some(user) => mailbox(user.mailbox).map(|()| user.photo)?,
            None => return Err(not_found(world.behaviour.unknown_target, name)),
        },
        Target::Group(id) => match visible_group(world, grant, id) {
            Some(group) if group.kind == GroupKind::DelegatedOnly && grant.holder == Holder::Application => {
                return Err(application_refused(operation));
            }
            Some(group) => group.photo,
            None => return Err(not_found(world.behaviour.unknown_target, id)),
        },
    };
    if !photo {
        return Err(not_found(world.behaviour.absent_photo, target.name()));
    }
    Ok(())
}

fn done(world: &mut World, operation: Operation, target: &Target) -> Response<Body> {
    if operation == Operation::GetPhoto {
        let mut response = Response::new(Body::from(Bytes::from_static(PICTURE)));
        answer::put(&mut response, "content-type", "image/jpeg");
        return response;
    }
    world.set_photo(target, false);
    match world.behaviour.success {
        Success::Ok => answer::bare(200),
        Success::NoContent => answer::bare(204),
        Success::OkWithBody => answer::json(200, &json!({"deleted": true})),
    }
}

fn visible_user<'a>(world: &'a World, grant: &Grant, name: &str) -> Option<&'a User> {
    let itself = |user: &User| matches!(&grant.holder, Holder::User(id) if id.eq_ignore_ascii_case(&user.id));
    world.user(name).filter(|user| match (user.is_personal(), grant.is_personal()) {
        (false, false) => is_visible(user.tenant.as_deref(), grant),
        _ => user.is_personal() && itself(user),
    })
}

fn visible_group<'a>(world: &'a World, grant: &Grant, id: &str) -> Option<&'a Group> {
    world.group(id).filter(|group| is_visible(group.tenant.as_deref(), grant))
}

fn is_visible(tenant: Option<&str>, grant: &Grant) -> bool {
    tenant.is_none_or(|tenant| tenant.eq_ignore_ascii_case(&grant.tenant))
}

/// Reading and changing were refused to applications with different codes.
fn application_refused(operation: Operation) -> Refused {
    let (code, message) = match operation {
        Operation::Delete => (
            "AppOnlyTokenNotSupportedForGroupUpdate",
            "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ProfileAccessDeniedException' was thrown.",
        ),
        _ => ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    };
    Refused::new(403, code, message)
}

fn mailbox(mailbox: Mailbox) -> Result<(), Refused> {
    let (status, code, message) = match mailbox {
        Mailbox::ExchangeOnline => return Ok(()),
        Mailbox::None => (400, "AuthenticationError", "Error authenticating with resource"),
        Mailbox::OnPremises => (
            400,
            "MailboxNotHostedInExchangeOnline",
            "Mailbox is hosted by an on-premise or non-Exchange server, which is not supported.",
        ),
        Mailbox::Extension => (400, "extensionError", "The mailbox could not be reached."),
        Mailbox::PersonalAccount => (400, "ConsumerPhotoIsNotSupported", "Consumer photo is not supported."),
        Mailbox::ProfileMissing => return Err(not_found(NotFoundAs::UserResolutionFailed, "")),
    };
    Err(Refused::new(status, code, message))
}

/// One of the 404 answers that Graph has been seen to give.
pub(crate) fn not_found(answer: NotFoundAs, name: &str) -> Refused {
    const NO_IMAGE: &str =
        "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ImageNotFoundException' was thrown.";
    const NO_PHOTO: &str = "The photo wasn't found.";
    let no_resource = || {
        format!("Resource '{name}' does not exist or one of its queried reference-property objects are not present.")
    };
    let (code, message) = match answer {
        NotFoundAs::ErrorEntityNotFound => ("ErrorEntityNotFound", NO_IMAGE.to_owned()),
        NotFoundAs::ImageNotFound => ("ImageNotFound", NO_IMAGE.to_owned()),
        NotFoundAs::ErrorItemNotFound => ("ErrorItemNotFound", NO_PHOTO.to_owned()),
        NotFoundAs::GetUserPhoto => ("GetUserPhoto", NO_PHOTO.to_owned()),
        NotFoundAs::ItemNotFound => ("itemNotFound", NO_PHOTO.to_owned()),
        NotFoundAs::RequestResourceNotFound => ("Request_ResourceNotFound", no_resource()),
        NotFoundAs::ResourceNotFound => ("ResourceNotFound", no_resource()),
        NotFoundAs::ErrorInvalidUser => ("ErrorInvalidUser", "The requested user is invalid.".to_owned()),
        NotFoundAs::UserResolutionFailed => {
            let inside = json!({
                "errorCode": "ErrorUserResolutionFailedUserDoesNotExist",
                "message": "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ProfileNotFoundException' was thrown.",
            });
            ("UnknownError", inside.to_string())
        }
    };
    Refused::new(404, code, message)
}
