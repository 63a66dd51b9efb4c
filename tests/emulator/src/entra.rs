//! Entra's token endpoint: one grant today, each in a function of its own.

use axum::body::Body;
use http::{Method, Response};
use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::answer::{self, Ids};
use crate::directory::App;
use crate::exchange::Arrived;
use crate::grants::Holder;
use crate::odd_answers::EntraError;
use crate::world::World;

/// Every field that some grant of the endpoint knows. What the SDKs add for their own use is let through.
const FIELDS: [&str; 7] = ["grant_type", "client_id", "client_secret", "scope", "client_info", "claims", "resource"];

const FORM: &str = "application/x-www-form-urlencoded";

/// A granted sign-in, before there is a token for it.
struct Granted {
    tenant: String,
    client_id: String,
    permissions: Vec<String>,
}

/// The answer to one request, and the token that it adds to the world.
pub(crate) fn answer(world: &mut World, arrived: &Arrived, ids: &Ids) -> Response<Body> {
    let Some(tenant) = tenant(&arrived.path) else {
        return answer::bare(404);
    };
    match grant(world, arrived, &tenant) {
        Ok(granted) => token(world, granted),
        Err(error) => answer::entra(&error, ids),
    }
}

/// The tenant in `/{tenant}/oauth2/v2.0/token`.
pub(crate) fn tenant(path: &str) -> Option<String> {
    let tenant = path.strip_prefix('/')?.strip_suffix("/oauth2/v2.0/token")?;
    if tenant.is_empty() || tenant.contains('/') {
        return None;
    }
    Some(percent_decode_str(tenant).decode_utf8().ok()?.into_owned())
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

fn grant(world: &World, arrived: &Arrived, tenant: &str) -> Result<Granted, EntraError> {
    if arrived.method != Method::POST {
        let said = format!("The endpoint only accepts POST requests. Received a {} request.", arrived.method);
        return Err(refuse(400, "invalid_request", 900_561, said));
    }
    if !is_form(arrived.header("content-type")) {
        let said = format!("The request body must be of the content type '{FORM}'.");
        return Err(refuse(400, "invalid_request", 900_144, said));
    }
    well_formed(&arrived.form)?;
    let tenant = world.tenant(tenant).map(|tenant| tenant.id.clone()).ok_or_else(|| {
        let said = format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.");
        refuse(400, "invalid_request", 90_002, said)
    })?;
    match field(&arrived.form, "grant_type")? {
        "client_credentials" => client_credentials(world, &arrived.form, tenant),
        other => {
            let said = format!("The app requested an unsupported grant type '{other}'.");
            Err(refuse(400, "unsupported_grant_type", 70_003, said))
        }
    }
}

/// No field twice and none that means nothing: either is a bug of the client.
fn well_formed(form: &[(String, String)]) -> Result<(), EntraError> {
    for (index, (name, _)) in form.iter().enumerate() {
        if !FIELDS.contains(&name.as_str()) {
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

fn client_credentials(world: &World, form: &[(String, String)], tenant: String) -> Result<Granted, EntraError> {
    let client_id = field(form, "client_id")?;
    let registered = |app: &&App| app.tenant.as_ref().is_none_or(|home| home.eq_ignore_ascii_case(&tenant));
    let app = world.app(client_id).filter(registered).ok_or_else(|| {
        let said = format!("Application with identifier '{client_id}' was not found in the directory '{tenant}'.");
        refuse(400, "unauthorized_client", 700_016, said)
    })?;
    let secret = field(form, "client_secret").map_err(|_| {
        let said = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        refuse(401, "invalid_client", 7_000_218, said)
    })?;
    if app.expired_secrets.iter().any(|expired| expired == secret) {
        let said = format!("The provided client secret keys for app '{client_id}' are expired.");
        return Err(refuse(401, "invalid_client", 7_000_222, said));
    }
    if !app.secrets.iter().any(|valid| valid == secret) {
        let said = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                    value, not the client secret ID.";
        return Err(refuse(401, "invalid_client", 7_000_215, said));
    }
    let scope = field(form, "scope")?;
    default_of_graph(scope, &world.hosts.graph, &tenant)?;
    Ok(Granted { client_id: app.client_id.clone(), permissions: app.roles.clone(), tenant })
}

/// The scope of an application that asks for itself: Graph's `.default` and nothing else.
fn default_of_graph(scope: &str, graph: &str, tenant: &str) -> Result<(), EntraError> {
    match scope.strip_suffix("/.default") {
        Some(resource) if resource == graph => Ok(()),
        Some(resource) if !resource.contains(' ') => Err(unknown_resource(resource, tenant)),
        _ => {
            let said = format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value \
                 with /.default suffixed to the resource identifier (application ID URI)."
            );
            Err(refuse(400, "invalid_scope", 1_002_012, said))
        }
    }
}

fn unknown_resource(resource: &str, tenant: &str) -> EntraError {
    let said = format!(
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the \
         application has not been installed by the administrator of the tenant or consented to by any user in the \
         tenant. You might have sent your authentication request to the wrong tenant."
    );
    refuse(400, "invalid_resource", 500_011, said)
}

fn token(world: &mut World, granted: Granted) -> Response<Body> {
    let seconds = world.behaviour.token_lifetime.as_secs();
    let token = world.issue(&granted.tenant, &granted.client_id, Holder::Application, granted.permissions);
    let mut response = answer::json(
        200,
        &json!({
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token,
        }),
    );
    answer::put(&mut response, "cache-control", "no-store, no-cache");
    response
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> Result<&'a str, EntraError> {
    let value = form.iter().find(|(field, value)| field == name && !value.is_empty());
    value.map(|(_, value)| value.as_str()).ok_or_else(|| {
        let said = format!("The request body must contain the following parameter: '{name}'.");
        refuse(400, "invalid_request", 900_144, said)
    })
}

fn refuse(status: u16, error: &str, code: u32, said: impl Into<String>) -> EntraError {
    EntraError { status, error: error.to_owned(), codes: vec![code], description: Some(said.into()), retry_after: None }
}
