//! Access tokens: what they look like and what they stand for.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::directory::{App, CONSUMERS, User};
use crate::jwt;
use crate::settings::TokenFormat;

/// The name of a key that nobody has: Graph's tokens are signed for Graph alone.
const KEY: &str = "ZW11bGF0b3ItaGFzLW5vLWtleQ";

/// Whom a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The application itself.
    Application,
    /// A signed-in user, by object id.
    User(String),
}

/// What a token stands for: a snapshot taken when it was issued.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) tenant: String,
    pub(crate) client_id: String,
    pub(crate) holder: Holder,
    pub(crate) permissions: Vec<String>,
    /// Graph's root when the token was issued.
    pub(crate) audience: String,
    expires: Instant,
}

impl Grant {
    pub(crate) fn new(tenant: &str, client_id: &str, holder: Holder, permissions: Vec<String>, audience: &str) -> Self {
        Self {
            tenant: tenant.to_owned(),
            client_id: client_id.to_owned(),
            holder,
            permissions,
            audience: audience.to_owned(),
            expires: Instant::now(),
        }
    }

    pub(crate) fn may(&self, any_of: &[&str]) -> bool {
        self.permissions.iter().any(|held| any_of.contains(&held.as_str()))
    }

    pub(crate) fn is_expired(&self) -> bool {
        Instant::now() >= self.expires
    }

    /// Whether a personal account signed in.
    pub(crate) fn is_personal(&self) -> bool {
        self.tenant.eq_ignore_ascii_case(CONSUMERS)
    }

    /// The application in its tenant: what Microsoft throttles.
    pub(crate) fn scope(&self) -> String {
        format!("graph {}/{}", self.tenant, self.client_id)
    }
}

/// Every access token that was ever issued.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    by_token: HashMap<String, Grant>,
    /// A JWT's last part opens the same doors: a client that got it in place of the whole has an opaque token.
    by_last_part: HashMap<String, String>,
    issued: Vec<String>,
}

impl Grants {
    /// Writes a token for the grant, whose life begins now.
    pub(crate) fn issue(&mut self, mut grant: Grant, who: &Names<'_>, format: TokenFormat, life: Duration) -> String {
        grant.expires = Instant::now() + life;
        let token = match format {
            TokenFormat::Jwt => written(&claims(&grant, who, life)),
            TokenFormat::Opaque => jwt::encode(&noise(4)),
        };
        self.by_last_part.insert(last_part(&token).to_owned(), token.clone());
        self.by_token.insert(token.clone(), grant);
        self.issued.push(token.clone());
        token
    }

    pub(crate) fn get(&self, token: &str) -> Option<&Grant> {
        self.by_token.get(self.by_last_part.get(token).map_or(token, String::as_str))
    }

    pub(crate) fn issued(&self) -> &[String] {
        &self.issued
    }

    /// Ends every token now and says how many were alive.
    pub(crate) fn expire(&mut self) -> usize {
        let now = Instant::now();
        let alive = self.by_token.values_mut().filter(|grant| !grant.is_expired());
        alive.map(|grant| grant.expires = now).count()
    }
}

/// What a token says beyond its grant.
pub(crate) struct Names<'a> {
    pub(crate) app: Option<&'a App>,
    pub(crate) user: Option<&'a User>,
}

/// The part that makes a token opaque when it stands alone.
pub(crate) fn last_part(token: &str) -> &str {
    token.rsplit('.').next().unwrap_or(token)
}

/// A JWT in Graph's manner; the signature is noise.
pub(crate) fn written(claims: &Value) -> String {
    let nonce = jwt::encode(&noise(2));
    let header = json!({"typ": "JWT", "nonce": nonce, "alg": "RS256", "x5t": KEY, "kid": KEY});
    jwt::write(&header, claims, &noise(16))
}

/// The claims of a v1.0 access token for Graph
/// (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>).
fn claims(grant: &Grant, who: &Names<'_>, life: Duration) -> Value {
    let now = Timestamp::now().as_second();
    let tenant = &grant.tenant;
    let mut claims = json!({
        "aud": grant.audience,
        "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": now,
        "nbf": now,
        "exp": now.saturating_add_unsigned(life.as_secs()),
        "appid": grant.client_id,
        "tid": tenant,
        "uti": jwt::encode(&noise(1)),
        "ver": "1.0",
    });
    if let Some(name) = who.app.and_then(|app| app.display_name.as_ref()) {
        claims["app_displayname"] = json!(name);
    }
    match &grant.holder {
        Holder::Application => {
            // The service principal's object id, which the emulator does not keep, is made from its client id.
            let principal = Uuid::from_u128(Uuid::try_parse(&grant.client_id).unwrap_or_default().as_u128() ^ 1);
            claims["idtyp"] = json!("app");
            claims["oid"] = json!(principal.to_string());
            if !grant.permissions.is_empty() {
                claims["roles"] = json!(grant.permissions);
            }
        }
        Holder::User(id) => {
            claims["idtyp"] = json!("user");
            claims["oid"] = json!(id);
            claims["scp"] = json!(grant.permissions.join(" "));
            if let Some(user) = who.user {
                claims["upn"] = json!(user.user_principal_name);
            }
        }
    }
    claims
}

/// So many times 16 bytes that nobody can guess.
pub(crate) fn noise(times: usize) -> Vec<u8> {
    (0..times).flat_map(|_| Uuid::new_v4().into_bytes()).collect()
}
