//! The control API: everything that tests tell the emulator, over HTTP and JSON.

mod signing_in;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Held};
use axum::routing::{get, post, put};
use axum::{Router, response::Response};
use http::{Method, StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::answer;
use crate::catalogue;
use crate::directory::{App, Group, Tenant, User};
use crate::exchange::{Shared, lock};
use crate::faults::{Fault, FaultKind};
use crate::settings::{Behaviour, Limits};
use crate::world::State;

type Emulated = Held<Arc<Shared>>;
type Outcome = Result<Response<Body>, Refused>;

/// A request that was not understood: the whole sentence goes to the client.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("The body is not what {path} takes: {source}.")]
    Body { path: String, source: serde_json::Error },
    #[error("The path says {path}, but the body's field {field} says {body}.")]
    Id { field: &'static str, path: String, body: String },
    #[error("There is no {kind} {name}.")]
    Unknown { kind: &'static str, name: String },
    #[error("A fault's status must be between 200 and 599.")]
    Status,
    #[error("A person either approves, as {{\"approve\": \"user\"}}, or declines, as {{\"decline\": true}}.")]
    Decision,
    #[error("No device code {0} waits for that user: it is unknown, decided, expired, or asked for elsewhere.")]
    DeviceCode(String),
    #[error("There is no known fault {0:?}. GET /catalogue lists them.")]
    Fault(String),
}

impl axum::response::IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let status = match self {
            Self::Unknown { .. } | Self::DeviceCode(_) => 404,
            Self::Body { .. } | Self::Id { .. } | Self::Status | Self::Fault(_) | Self::Decision => 400,
        };
        answer::json(status, &json!({"error": self.to_string()}))
    }
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/state", get(read_state).put(write_state))
        .route("/tenants/{id}", put(put_tenant).delete(delete_tenant))
        .route("/apps/{id}", put(put_app).delete(delete_app))
        .route("/users/{id}", get(read_user).put(put_user).delete(delete_user))
        .route("/groups/{id}", get(read_group).put(put_group).delete(delete_group))
        .route("/faults", get(read_faults).post(add_fault).delete(delete_faults))
        .route("/requests", get(read_requests).delete(delete_requests))
        .route("/counters", get(read_counters))
        .route("/limits", put(put_limits))
        .route("/behaviour", put(put_behaviour))
        .route("/tokens/expire", post(expire_tokens))
        .route("/pauses/forgive", post(forgive))
        .route("/catalogue", get(read_catalogue))
        .merge(signing_in::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(shared)
}

async fn read_state(Held(shared): Emulated) -> Outcome {
    written(&shared.state())
}

async fn write_state(Held(shared): Emulated, body: Bytes) -> Outcome {
    let state: State = parsed("PUT /state", &body)?;
    state.faults.iter().try_for_each(playable)?;
    shared.set_state(state);
    Ok(answer::bare(204))
}

async fn put_tenant(Held(shared): Emulated, Path(id): Path<String>, body: Bytes) -> Outcome {
    let tenant: Tenant = named("PUT /tenants/{id}", "id", &id, &body)?;
    lock(&shared.world).put_tenant(tenant);
    Ok(answer::bare(204))
}

async fn delete_tenant(Held(shared): Emulated, Path(id): Path<String>) -> Outcome {
    gone(lock(&shared.world).remove_tenant(&id), "tenant", id)
}

async fn put_app(Held(shared): Emulated, Path(id): Path<String>, body: Bytes) -> Outcome {
    let app: App = named("PUT /apps/{clientId}", "clientId", &id, &body)?;
    lock(&shared.world).put_app(app);
    Ok(answer::bare(204))
}

async fn delete_app(Held(shared): Emulated, Path(id): Path<String>) -> Outcome {
    gone(lock(&shared.world).remove_app(&id), "application", id)
}

/// The path may hold the object id or the principal name: whichever the body leaves out is taken from it.
async fn put_user(Held(shared): Emulated, Path(name): Path<String>, body: Bytes) -> Outcome {
    let field = if name.contains('@') { "userPrincipalName" } else { "id" };
    let user: User = named("PUT /users/{id}", field, &name, &body)?;
    let mut world = lock(&shared.world);
    world.put_user(user);
    found(world.user(&name), "user", &name)
}

async fn read_user(Held(shared): Emulated, Path(name): Path<String>) -> Outcome {
    found(lock(&shared.world).user(&name), "user", &name)
}

async fn delete_user(Held(shared): Emulated, Path(name): Path<String>) -> Outcome {
    gone(lock(&shared.world).remove_user(&name), "user", name)
}

async fn put_group(Held(shared): Emulated, Path(id): Path<String>, body: Bytes) -> Outcome {
    let group: Group = named("PUT /groups/{id}", "id", &id, &body)?;
    lock(&shared.world).put_group(group);
    Ok(answer::bare(204))
}

async fn read_group(Held(shared): Emulated, Path(id): Path<String>) -> Outcome {
    found(lock(&shared.world).group(&id), "group", &id)
}

async fn delete_group(Held(shared): Emulated, Path(id): Path<String>) -> Outcome {
    gone(lock(&shared.world).remove_group(&id), "group", id)
}

async fn read_faults(Held(shared): Emulated) -> Outcome {
    written(&lock(&shared.faults).list())
}

async fn add_fault(Held(shared): Emulated, body: Bytes) -> Outcome {
    let fault: Fault = parsed("POST /faults", &body)?;
    playable(&fault)?;
    lock(&shared.faults).add(fault);
    Ok(answer::bare(204))
}

async fn delete_faults(Held(shared): Emulated) -> Outcome {
    lock(&shared.faults).clear();
    Ok(answer::bare(204))
}

async fn read_requests(Held(shared): Emulated) -> Outcome {
    let requests = lock(&shared.log).requests().to_vec();
    written(&requests)
}

async fn delete_requests(Held(shared): Emulated) -> Outcome {
    lock(&shared.log).clear();
    lock(&shared.throttle).clear();
    Ok(answer::bare(204))
}

async fn read_counters(Held(shared): Emulated) -> Outcome {
    let requests = lock(&shared.log).requests().len();
    let throttle = lock(&shared.throttle);
    let counters = json!({
        "requests": requests,
        "earlyReturns": throttle.early_returns(),
        "maxInFlight": throttle.max_in_flight(),
    });
    written(&counters)
}

async fn put_limits(Held(shared): Emulated, body: Bytes) -> Outcome {
    let limits: Limits = parsed("PUT /limits", &body)?;
    lock(&shared.throttle).limits = limits;
    Ok(answer::bare(204))
}

async fn put_behaviour(Held(shared): Emulated, body: Bytes) -> Outcome {
    let behaviour: Behaviour = parsed("PUT /behaviour", &body)?;
    lock(&shared.world).behaviour = behaviour;
    Ok(answer::bare(204))
}

async fn expire_tokens(Held(shared): Emulated) -> Outcome {
    let expired = lock(&shared.world).grants.expire();
    written(&json!({"expired": expired}))
}

async fn forgive(Held(shared): Emulated) -> Outcome {
    lock(&shared.throttle).forgive();
    Ok(answer::bare(204))
}

async fn read_catalogue() -> Outcome {
    let table: BTreeMap<_, _> =
        [catalogue::graph(), catalogue::sign_in(), catalogue::patience()].into_iter().flatten().collect();
    written(&table)
}

async fn unknown_path(uri: Uri) -> Response<Body> {
    let said = format!("The control API has no path {}.", uri.path());
    answer::json(404, &json!({"error": said}))
}

async fn wrong_method(method: Method, uri: Uri) -> Response<Body> {
    let said = format!("The control API does not take {method} at {}.", uri.path());
    answer::json(StatusCode::METHOD_NOT_ALLOWED.as_u16(), &json!({"error": said}))
}

fn parsed<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|source| Refused::Body { path: path.to_owned(), source })
}

/// The body with its name from the path; a body that names another object is a mistake.
fn named<T: DeserializeOwned>(path: &str, field: &'static str, name: &str, body: &[u8]) -> Result<T, Refused> {
    let mut object: Map<String, Value> = parsed(path, body)?;
    let given = object.entry(field).or_insert_with(|| json!(name));
    if !given.as_str().is_some_and(|given| given.eq_ignore_ascii_case(name)) {
        return Err(Refused::Id { field, path: name.to_owned(), body: given.to_string() });
    }
    serde_json::from_value(Value::Object(object)).map_err(|source| Refused::Body { path: path.to_owned(), source })
}

fn playable(fault: &Fault) -> Result<(), Refused> {
    if let FaultKind::Known(name) = &fault.what
        && catalogue::named(name).is_none()
    {
        return Err(Refused::Fault(name.clone()));
    }
    match fault.what.status() {
        Some(status) if !(200..600).contains(&status) => Err(Refused::Status),
        _ => Ok(()),
    }
}

fn gone(removed: bool, kind: &'static str, name: String) -> Outcome {
    if !removed {
        return Err(Refused::Unknown { kind, name });
    }
    Ok(answer::bare(204))
}

fn found<T: serde::Serialize>(object: Option<&T>, kind: &'static str, name: &str) -> Outcome {
    let object = object.ok_or_else(|| Refused::Unknown { kind, name: name.to_owned() })?;
    written(object)
}

fn written<T: serde::Serialize>(value: &T) -> Outcome {
    let value =
        serde_json::to_value(value).map_err(|source| Refused::Body { path: "the answer".to_owned(), source })?;
    Ok(answer::json(200, &value))
}
