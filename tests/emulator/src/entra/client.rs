//! Which application asks, and how it proves that.

use crate::directory::App;
use crate::odd_answers::EntraError;
use crate::world::World;

use super::{Realm, assertion, field, optional, refuse};

/// The one kind of assertion that Entra takes.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// On whose behalf an application asks for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// Its own; only a proven application may.
    ForItself,
    /// A user's; a public client may, without proof.
    ForUser,
}

/// What an application shows.
enum Proof<'a> {
    Secret(&'a str),
    Assertion(&'a str),
}

/// The application of the form, if it is allowed here and proved to be itself.
pub(super) fn identify(
    world: &mut World,
    form: &[(String, String)],
    realm: &Realm,
    asking: Asking,
) -> Result<App, EntraError> {
    let app = named(world, form, realm)?;
    match proof(form)? {
        None if app.public && asking == Asking::ForUser => {}
        None => return Err(unproven(asking)),
        Some(_) if app.public => {
            let said = "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
            return Err(refuse(401, "invalid_client", 700_025, said));
        }
        Some(Proof::Secret(secret)) => check(&app, secret)?,
        Some(Proof::Assertion(text)) => assertion::check(world, &app, realm, text)?,
    }
    Ok(app)
}

/// The application of the form, if it is allowed here.
pub(super) fn named(world: &World, form: &[(String, String)], realm: &Realm) -> Result<App, EntraError> {
    let client_id = field(form, "client_id")?;
    let app = world.app(client_id).filter(|app| is_registered(app, realm)).ok_or_else(|| {
        let directory = realm.name();
        let said = format!("Application with identifier '{client_id}' was not found in the directory '{directory}'.");
        refuse(400, "unauthorized_client", 700_016, said)
    })?;
    if *realm == Realm::Consumers && !app.personal_accounts {
        let said = format!(
            "Application '{client_id}' is configured for use by Microsoft Entra users only. Please do not use the \
             /consumers endpoint to serve this request."
        );
        return Err(refuse(400, "invalid_request", 9_002_332, said));
    }
    Ok(app.clone())
}

fn is_registered(app: &App, realm: &Realm) -> bool {
    match (realm, &app.tenant) {
        (Realm::Tenant(id), Some(home)) => home.eq_ignore_ascii_case(id),
        _ => true,
    }
}

fn proof(form: &[(String, String)]) -> Result<Option<Proof<'_>>, EntraError> {
    let malformed = |said| Err(refuse(400, "invalid_request", 9_002_313, said));
    match (optional(form, "client_secret"), optional(form, "client_assertion")) {
        (Some(_), Some(_)) => {
            malformed("Invalid request. Only one of 'client_secret' and 'client_assertion' may be presented.")
        }
        (Some(secret), None) => Ok(Some(Proof::Secret(secret))),
        (None, Some(_)) if field(form, "client_assertion_type")? != JWT_BEARER => {
            malformed("Invalid request. The value of 'client_assertion_type' is not supported.")
        }
        (None, Some(assertion)) => Ok(Some(Proof::Assertion(assertion))),
        (None, None) => Ok(None),
    }
}

fn unproven(asking: Asking) -> EntraError {
    let (code, said) = match asking {
        Asking::ForItself => (
            7_000_216,
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
        ),
        Asking::ForUser => {
            (7_000_218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
        }
    };
    refuse(401, "invalid_client", code, said)
}

fn check(app: &App, secret: &str) -> Result<(), EntraError> {
    if app.expired_secrets.iter().any(|expired| expired == secret) {
        let said = format!("The provided client secret keys for app '{}' are expired.", app.client_id);
        return Err(refuse(401, "invalid_client", 7_000_222, said));
    }
    if !app.secrets.iter().any(|valid| valid == secret) {
        let said = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                    value, not the client secret ID.";
        return Err(refuse(401, "invalid_client", 7_000_215, said));
    }
    Ok(())
}
