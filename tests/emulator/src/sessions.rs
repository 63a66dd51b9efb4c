//! What Entra remembers between two requests: refresh tokens, device codes, and assertions that were used.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use crate::grants::noise;
use crate::jwt;

/// A user who signed in to an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) tenant: String,
    pub(crate) client_id: String,
    /// The object id.
    pub(crate) user: String,
    pub(crate) scopes: Vec<String>,
}

/// Whether a refresh token still works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Valid,
    /// By an administrator, or by a new password: `AADSTS50173`.
    Revoked,
    /// Nobody used it for 90 days: `AADSTS700082`.
    Aged,
}

/// Chooses refresh tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RefreshTokens {
    /// This one.
    RefreshToken(String),
    /// All of a user, by object id.
    User(String),
}

/// What the user does who was shown a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The user of this id or principal name signs in and agrees.
    Approve(String),
    /// The user declines.
    Decline,
}

/// How far a device code has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Pending,
    /// By the user of this object id.
    Approved(String),
    Declined,
    Redeemed,
}

/// A device code and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct DeviceCode {
    /// What the client shows, and nobody else may know.
    pub(crate) secret: String,
    pub(crate) user_code: String,
    pub(crate) client_id: String,
    /// The path segment that it was asked for at; the token must be asked for there too.
    pub(crate) realm: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) progress: Progress,
    pub(crate) expires: Instant,
    interval: Duration,
    polled: Option<Instant>,
}

impl DeviceCode {
    /// A fresh one, which nobody has seen.
    pub(crate) fn new(client_id: &str, realm: &str, scopes: Vec<String>, life: Duration, interval: Duration) -> Self {
        let user_code = Uuid::new_v4().simple().to_string().to_uppercase();
        Self {
            secret: jwt::encode(&noise(8)),
            user_code: user_code.chars().take(9).collect(),
            client_id: client_id.to_owned(),
            realm: realm.to_owned(),
            scopes,
            progress: Progress::Pending,
            expires: Instant::now() + life,
            interval,
            polled: None,
        }
    }

    /// Notes that the client asked, and says whether it came too soon after the last time.
    pub(crate) fn poll(&mut self) -> bool {
        let now = Instant::now();
        let too_soon = self.polled.is_some_and(|polled| now < polled + self.interval);
        self.polled = Some(now);
        too_soon
    }
}

/// Refresh tokens, device codes and used assertions. They outlive a change of the directory, as tokens do.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    refresh_tokens: HashMap<String, (Session, Life)>,
    issued: Vec<String>,
    device_codes: Vec<DeviceCode>,
    assertions: HashSet<(String, String)>,
}

impl Sessions {
    /// A refresh token in Entra's form.
    pub(crate) fn issue(&mut self, session: Session) -> String {
        let token = format!("{FORM}{}.{}", jwt::encode(&noise(2)), jwt::encode(&noise(16)));
        self.refresh_tokens.insert(token.clone(), (session, Life::Valid));
        self.issued.push(token.clone());
        token
    }

    pub(crate) fn refresh_token(&self, token: &str) -> Option<&(Session, Life)> {
        self.refresh_tokens.get(token)
    }

    pub(crate) fn issued(&self) -> &[String] {
        &self.issued
    }

    /// Ends the chosen tokens that are valid and says how many those were.
    pub(crate) fn end(&mut self, which: &RefreshTokens, how: Life) -> usize {
        let chosen = |token: &str, session: &Session| match which {
            RefreshTokens::RefreshToken(one) => one == token,
            RefreshTokens::User(id) => session.user.eq_ignore_ascii_case(id),
        };
        let mut ended = 0;
        for (token, (session, life)) in &mut self.refresh_tokens {
            if *life == Life::Valid && chosen(token, session) {
                *life = how;
                ended += 1;
            }
        }
        ended
    }

    pub(crate) fn add_device_code(&mut self, code: DeviceCode) {
        self.device_codes.push(code);
    }

    pub(crate) fn device_code(&mut self, device_code: &str) -> Option<&mut DeviceCode> {
        self.device_codes.iter_mut().find(|code| code.secret == device_code)
    }

    pub(crate) fn by_user_code(&mut self, user_code: &str) -> Option<&mut DeviceCode> {
        self.device_codes.iter_mut().find(|code| code.user_code.eq_ignore_ascii_case(user_code))
    }

    /// Remembers an assertion by its `jti`; false if it was seen before.
    pub(crate) fn first_use(&mut self, client_id: &str, jti: &str) -> bool {
        self.assertions.insert((client_id.to_lowercase(), jti.to_owned()))
    }
}

/// What every refresh token of Entra begins with.
pub(crate) const FORM: &str = "1.A";
