//! Entra: paths and forms here, each grant in a file of its own.

mod assertion;
mod client;
mod delegated;
mod device;
mod discovery;
mod keys;
mod realm;
mod scopes;

use axum::body::Body;
use http::{Method, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::answer::{self, Ids};
use crate::exchange::Arrived;
use crate::faults::Operation;
use crate::grants::Holder;
use crate::odd_answers::EntraError;
use crate::world::World;

pub(crate) use device::decide;
pub(crate) use realm::Realm;

use client::Asking;

/// Every field that some grant knows, and what the SDKs add for their own use.
const FIELDS: [&str; 13] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "refresh_token",
    "device_code",
    // MSAL sends the device code under this name as well.
    "code",
    "scope",
    "client_info",
    "claims",
    "resource",
    "client-request-id",
];

/// What MSAL says about itself.
const TELEMETRY: [&str; 2] = ["x-client-", "x-ms-"];

const FORM: &str = "application/x-www-form-urlencoded";

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a path of the sign-in host leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Token,
    DeviceCode,
    Configuration,
    Instances,
}

/// A path that Entra knows, with the segment that names the tenant.
#[derive(Debug)]
pub(crate) struct Place {
    endpoint: Endpoint,
    pub(crate) realm: String,
}

impl Place {
    pub(crate) fn operation(&self) -> Operation {
        match self.endpoint {
            Endpoint::Token => Operation::Token,
            Endpoint::DeviceCode => Operation::DeviceCode,
            Endpoint::Configuration | Endpoint::Instances => Operation::Discovery,
        }
    }
}

/// The answer to one request, and the tokens that it adds to the world.
pub(crate) fn answer(world: &mut World, arrived: &Arrived, ids: &Ids) -> Response<Body> {
    let Some(place) = place(&arrived.path) else {
        return answer::bare(404);
    };
    let answered = match place.endpoint {
        Endpoint::Token => token(world, arrived, &place.realm),
        Endpoint::DeviceCode => device_code(world, arrived, &place.realm),
        Endpoint::Configuration => discovery::configuration(world, arrived, &place.realm),
        Endpoint::Instances => discovery::instances(world, arrived),
    };
    match answered {
        Ok(body) => {
            let mut response = answer::json(200, &body);
            answer::put(&mut response, "cache-control", "no-store, no-cache");
            response
        }
        Err(error) => answer::entra(&error, ids),
    }
}

/// Reads a path; the first segment is decoded once.
pub(crate) fn place(path: &str) -> Option<Place> {
    let (realm, rest) = path.strip_prefix('/')?.split_once('/')?;
    let endpoint = match (realm, rest) {
        ("", _) => return None,
        (_, "oauth2/v2.0/token") => Endpoint::Token,
        (_, "oauth2/v2.0/devicecode") => Endpoint::DeviceCode,
        (_, "v2.0/.well-known/openid-configuration") => Endpoint::Configuration,
        ("common", "discovery/instance") => Endpoint::Instances,
        _ => return None,
    };
    Some(Place { endpoint, realm: percent_decode_str(realm).decode_utf8().ok()?.into_owned() })
}

/// The form's fields; empty for what is not a form.
pub(crate) fn form(content_type: Option<&str>, body: &[u8]) -> Vec<(String, String)> {
    if !is_form(content_type) {
        return Vec::new();
    }
    url::form_urlencoded::parse(body).into_owned().collect()
}

fn is_form(content_type: Option<&str>) -> bool {
    let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case(FORM)
}

fn token(world: &mut World, arrived: &Arrived, realm: &str) -> Result<Value, EntraError> {
    let form = posted(arrived)?;
    let realm = Realm::find(world, realm)?;
    match field(form, "grant_type")? {
        "client_credentials" => client_credentials(world, form, &realm),
        "refresh_token" => delegated::refresh(world, form, &realm),
        DEVICE_CODE => device::redeem(world, form, &realm),
        other => {
            let said = format!("The app requested an unsupported grant type '{other}'.");
            Err(refuse(400, "unsupported_grant_type", 70_003, said))
        }
    }
}

fn device_code(world: &mut World, arrived: &Arrived, realm: &str) -> Result<Value, EntraError> {
    let form = posted(arrived)?;
    let realm = Realm::find(world, realm)?;
    device::begin(world, form, &realm)
}

/// The form of a request that is one.
fn posted(arrived: &Arrived) -> Result<&[(String, String)], EntraError> {
    if arrived.method != Method::POST {
        let said = format!("The endpoint only accepts POST requests. Received a {} request.", arrived.method);
        return Err(refuse(400, "invalid_request", 900_561, said));
    }
    if !is_form(arrived.header("content-type")) {
        let said = format!("The request body must be of the content type '{FORM}'.");
        return Err(refuse(400, "invalid_request", 900_144, said));
    }
    well_formed(&arrived.form)?;
    Ok(&arrived.form)
}

/// No field twice and none that means nothing: either is a bug of the client.
fn well_formed(form: &[(String, String)]) -> Result<(), EntraError> {
    for (index, (name, _)) in form.iter().enumerate() {
        let lower = name.to_lowercase();
        if !FIELDS.contains(&name.as_str()) && !TELEMETRY.iter().any(|prefix| lower.starts_with(prefix)) {
            let said = format!("The request body contains the unknown parameter '{name}'.");
            return Err(refuse(400, "invalid_request", 900_144, said));
        }
        if form[..index].iter().any(|(earlier, _)| earlier == name) {
            let said = format!("The request body contains the parameter '{name}' more than once.");
            return Err(refuse(400, "invalid_request", 900_144, said));
        }
    }
    Ok(())
}

fn client_credentials(world: &mut World, form: &[(String, String)], realm: &Realm) -> Result<Value, EntraError> {
    let Realm::Tenant(tenant) = realm else {
        let said =
            "No tenant-identifying information found in either the request or implied by any provided credentials.";
        return Err(refuse(400, "invalid_request", 50_059, said));
    };
    let app = client::identify(world, form, realm, Asking::ForItself)?;
    scopes::default_of_graph(field(form, "scope")?, &world.hosts.graph, tenant)?;
    let token = world.issue(tenant, &app.client_id, Holder::Application, app.roles);
    Ok(granted(world, &token))
}

/// What every token answer holds.
fn granted(world: &World, token: &str) -> Value {
    let seconds = world.behaviour.token_lifetime.as_secs();
    json!({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token})
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> Result<&'a str, EntraError> {
    optional(form, name).ok_or_else(|| {
        let said = format!("The request body must contain the following parameter: '{name}'.");
        refuse(400, "invalid_request", 900_144, said)
    })
}

fn optional<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let value = form.iter().find(|(field, value)| field == name && !value.is_empty());
    value.map(|(_, value)| value.as_str())
}

fn refuse(status: u16, error: &str, code: u32, said: impl Into<String>) -> EntraError {
    EntraError { status, error: error.to_owned(), codes: vec![code], description: Some(said.into()), retry_after: None }
}

/// A refusal whose AADSTS number is on no record.
fn unnumbered(error: &str, said: &str) -> EntraError {
    EntraError { codes: Vec::new(), ..refuse(400, error, 0, said) }
}
