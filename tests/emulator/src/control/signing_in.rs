//! The control API's routes about signing in: what users do, and what becomes of their tokens.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Held};
use axum::routing::{post, put};
use serde::Deserialize;
use serde_json::json;

use crate::answer;
use crate::directory::Issuer;
use crate::entra::{self, Realm};
use crate::exchange::{Shared, lock};
use crate::sessions::{Decision, Life, RefreshTokens, Session};
use crate::settings::Roots;

use super::{Emulated, Outcome, Refused, gone, parsed, written};

/// A user who signed in, as it is written in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignedIn {
    client_id: String,
    /// Object id or principal name.
    user: String,
    scopes: Vec<String>,
    /// Absent: the user's own.
    tenant: Option<String>,
}

/// What a person does with a code: one of the two.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Decided {
    approve: Option<String>,
    decline: bool,
}

/// The name of an issuer, which is a URL and so can't stand in a path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IssuerName {
    issuer: String,
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/issuers", put(put_issuer).delete(delete_issuer))
        .route("/refresh-tokens", post(issue))
        .route("/refresh-tokens/revoke", post(revoke))
        .route("/refresh-tokens/age", post(age))
        .route("/device-codes/{user_code}", post(decide))
        .route("/roots", put(put_roots))
}

async fn put_issuer(Held(shared): Emulated, body: Bytes) -> Outcome {
    let issuer: Issuer = parsed("PUT /issuers", &body)?;
    lock(&shared.world).put_issuer(issuer);
    Ok(answer::bare(204))
}

async fn delete_issuer(Held(shared): Emulated, body: Bytes) -> Outcome {
    let IssuerName { issuer } = parsed("DELETE /issuers", &body)?;
    gone(lock(&shared.world).remove_issuer(&issuer), "issuer", issuer)
}

async fn issue(Held(shared): Emulated, body: Bytes) -> Outcome {
    let SignedIn { client_id, user, scopes, tenant } = parsed("POST /refresh-tokens", &body)?;
    let mut world = lock(&shared.world);
    let Some(found) = world.user(&user) else {
        return Err(Refused::Unknown { kind: "user", name: user });
    };
    let Some(tenant) = tenant.or_else(|| Realm::Common.tenant_of(&world, found)) else {
        return Err(Refused::Unknown { kind: "tenant of", name: user });
    };
    let session = Session { tenant, client_id, user: found.id.clone(), scopes };
    let token = world.sessions.issue(session);
    written(&json!({"refreshToken": token}))
}

async fn revoke(Held(shared): Emulated, body: Bytes) -> Outcome {
    ended(&shared, parsed("POST /refresh-tokens/revoke", &body)?, Life::Revoked)
}

async fn age(Held(shared): Emulated, body: Bytes) -> Outcome {
    ended(&shared, parsed("POST /refresh-tokens/age", &body)?, Life::Aged)
}

fn ended(shared: &Shared, which: RefreshTokens, how: Life) -> Outcome {
    let mut world = lock(&shared.world);
    let which = match which {
        RefreshTokens::User(name) => RefreshTokens::User(world.user(&name).map_or(name, |user| user.id.clone())),
        one @ RefreshTokens::RefreshToken(_) => one,
    };
    written(&json!({"ended": world.sessions.end(&which, how)}))
}

async fn decide(Held(shared): Emulated, Path(user_code): Path<String>, body: Bytes) -> Outcome {
    let decision = match parsed("POST /device-codes/{userCode}", &body)? {
        Decided { approve: Some(user), decline: false } => Decision::Approve(user),
        Decided { approve: None, decline: true } => Decision::Decline,
        _ => return Err(Refused::Decision),
    };
    if !entra::decide(&mut lock(&shared.world), &user_code, &decision) {
        return Err(Refused::DeviceCode(user_code));
    }
    Ok(answer::bare(204))
}

async fn put_roots(Held(shared): Emulated, body: Bytes) -> Outcome {
    let roots: Roots = parsed("PUT /roots", &body)?;
    shared.set_roots(&roots);
    Ok(answer::bare(204))
}
