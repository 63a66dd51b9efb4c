//! Tokens of users: the refresh token grant, and the answer that every such grant ends in.

use serde_json::{Value, json};

use crate::directory::User;
use crate::grants::{self, Holder};
use crate::jwt;
use crate::odd_answers::EntraError;
use crate::sessions::{FORM, Life, Session};
use crate::world::World;

use super::client::{self, Asking};
use super::scopes::{self, Asked, SIGN_IN};
use super::{Realm, field, granted, optional, refuse};

/// Whether an answer carries a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    Yes,
    No,
}

/// `grant_type=refresh_token`. The old token stays valid: "the Microsoft identity platform doesn't revoke old refresh
/// tokens when used" (<https://learn.microsoft.com/entra/identity-platform/refresh-tokens>).
pub(super) fn refresh(world: &mut World, form: &[(String, String)], realm: &Realm) -> Result<Value, EntraError> {
    let app = client::identify(world, form, realm, Asking::ForUser)?;
    let token = field(form, "refresh_token")?;
    let (session, life) = world.sessions.refresh_token(token).ok_or_else(|| unknown(token))?.clone();
    if !session.client_id.eq_ignore_ascii_case(&app.client_id) {
        let said = "Provided grant is invalid or malformed: it was issued to another client.";
        return Err(refuse(400, "invalid_grant", 70_000, said));
    }
    at_home(&session, realm)?;
    let user = able(world, &session.user)?;
    alive(life)?;
    let scopes = match optional(form, "scope") {
        Some(scope) => narrowed(&Asked::read(scope, &world.hosts.graph, realm.name())?, &session)
            .ok_or_else(|| scopes::not_consented(&app))?,
        None => session.scopes.clone(),
    };
    let refresh = if world.behaviour.refresh_rotation { Refresh::Yes } else { Refresh::No };
    Ok(signed_in(world, form, (&session, &user), &scopes, refresh))
}

/// The answer for a signed-in user. The permissions are those of the access token; a refresh token keeps all of the
/// session's.
pub(super) fn signed_in(
    world: &mut World,
    form: &[(String, String)],
    (session, user): (&Session, &User),
    scopes: &[String],
    refresh: Refresh,
) -> Value {
    let Session { tenant, client_id, .. } = session;
    let is_permission = |scope: &&String| !SIGN_IN.contains(&scope.as_str());
    let permissions: Vec<String> = scopes.iter().filter(is_permission).cloned().collect();
    let access = world.issue(tenant, client_id, Holder::User(user.id.clone()), permissions);
    let mut answer = granted(world, &access);
    let visible: Vec<&str> = scopes.iter().map(String::as_str).filter(|scope| *scope != "offline_access").collect();
    answer["scope"] = json!(visible.join(" "));
    if visible.contains(&"openid") {
        answer["id_token"] = json!(id_token(world, session, user));
    }
    if optional(form, "client_info") == Some("1") {
        let info = json!({"uid": user.id, "utid": tenant});
        answer["client_info"] = json!(jwt::encode(info.to_string().as_bytes()));
    }
    if refresh == Refresh::Yes {
        answer["refresh_token"] = json!(world.sessions.issue(session.clone()));
    }
    answer
}

/// The user, if there is one who may sign in.
pub(super) fn able(world: &World, id: &str) -> Result<User, EntraError> {
    let user = world.user(id).ok_or_else(|| {
        let said = "The user account does not exist in the directory. To sign into this application, the account must \
                    be added to the directory.";
        refuse(400, "invalid_grant", 50_034, said)
    })?;
    if user.disabled {
        return Err(refuse(400, "invalid_grant", 50_057, "The user account is disabled."));
    }
    Ok(user.clone())
}

fn unknown(token: &str) -> EntraError {
    let (code, said) = if token.starts_with(FORM) {
        (70_000, "Provided grant is invalid or malformed.")
    } else {
        (9_002_313, "Invalid request. Request is malformed or invalid.")
    };
    refuse(400, "invalid_grant", code, said)
}

/// A token is good at its own tenant; personal and other accounts never mix.
fn at_home(session: &Session, realm: &Realm) -> Result<(), EntraError> {
    if realm.holds(&session.tenant) {
        return Ok(());
    }
    let personal = [Realm::Consumers.holds(&session.tenant), *realm == Realm::Consumers];
    let (code, said) = match personal {
        [false, false] => (50_020, "User account from identity provider does not exist in tenant."),
        _ => {
            (70_000, "Provided grant is invalid or malformed: personal accounts and those of organizations do not mix.")
        }
    };
    Err(refuse(400, "invalid_grant", code, said))
}

fn alive(life: Life) -> Result<(), EntraError> {
    let (code, said) = match life {
        Life::Valid => return Ok(()),
        Life::Revoked => (
            50_173,
            "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have \
             changed or reset their password.",
        ),
        Life::Aged => {
            (700_082, "The refresh token has expired due to inactivity. The token was inactive for 90.00:00:00.")
        }
    };
    Err(refuse(400, "invalid_grant", code, said))
}

/// The part of the session's scopes that is asked for; `None` if more is.
fn narrowed(asked: &Asked, session: &Session) -> Option<Vec<String>> {
    if !asked.permissions.iter().all(|permission| session.scopes.contains(permission)) {
        return None;
    }
    if asked.everything || asked.permissions.is_empty() {
        return Some(session.scopes.clone());
    }
    Some([asked.permissions.clone(), asked.sign_in.clone()].concat())
}

/// Who signed in, for the client to read; MSAL looks at issuer, audience and time, not at the signature.
fn id_token(world: &World, session: &Session, user: &User) -> String {
    let Session { tenant, client_id, .. } = session;
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "aud": client_id,
        "iss": format!("{}/{tenant}/v2.0", world.hosts.sign_in),
        "iat": now,
        "nbf": now,
        "exp": now.saturating_add_unsigned(world.behaviour.token_lifetime.as_secs()),
        "oid": user.id,
        "sub": user.id,
        "tid": tenant,
        "preferred_username": user.user_principal_name,
        "ver": "2.0",
    });
    grants::written(&claims)
}
