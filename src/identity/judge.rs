//! What an answer of the token endpoint means. The HTTP status and `error` decide, `error_codes` refine, and the text is
//! never looked at (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Token, refusal, token};
use crate::api::Reason;
use crate::graph::retry_after;
use crate::lifecycle::Trouble;
use crate::wire::Failure;

/// The pause after a 429 that does not say how long: what Entra says where it does
/// (<https://learn.microsoft.com/entra/msal/dotnet/advanced/client-and-server-throttling>).
const PAUSE: Duration = Duration::from_secs(60);

/// The pause after Entra's loop detection, which looks at five minutes: twice that, so that nothing of it is left.
const LOOP_PAUSE: Duration = Duration::from_secs(10 * 60);

const UNAVAILABLE: &str = "Microsoft Entra could not be reached or gave no usable answer to the sign-in. The operator \
    tries again by itself. If it lasts, look at proxies and firewalls.";

const TOLERATED: &str = "Microsoft Entra does not take the sign-in yet, which passes by itself while a new federated \
    credential spreads or a clock is set. The operator tries again, for 15 minutes at least.";

/// Why there is no token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SignInError {
    /// Trying again later may help by itself.
    #[error("the token endpoint is unavailable")]
    Unavailable {
        /// How long the sign-in must be left alone, at most a day. `None`: the caller's back-off says.
        retry_after: Option<Duration>,
        /// What went wrong underneath, if no answer came at all.
        #[source]
        source: Option<Failure>,
    },
    /// Entra refuses the credential: it, or something in Entra, must change.
    #[error("the token endpoint refuses the credential")]
    Refused {
        /// What to tell the objects that use the credential; [`Reason::CredentialInvalid`].
        trouble: Trouble,
        /// For how long, since this credential first failed, it counts as [`SignInError::Unavailable`] all the same.
        /// Zero: it is final at once.
        tolerated: Duration,
    },
}

impl SignInError {
    /// Whether it counts as [`SignInError::Unavailable`] for some time.
    #[must_use]
    pub fn is_tolerated(&self) -> bool {
        matches!(self, Self::Refused { tolerated, .. } if !tolerated.is_zero())
    }

    /// Whether only a change of the credential, or in Entra, helps. `failing_for`: how long this version of the
    /// credential has now failed in a row; zero the first time.
    #[must_use]
    pub fn is_final(&self, failing_for: Duration) -> bool {
        match self {
            Self::Unavailable { .. } => false,
            Self::Refused { tolerated, .. } => failing_for >= *tolerated,
        }
    }

    /// What to tell the objects that use the credential; `failing_for` as in [`SignInError::is_final`]. The message is
    /// the same for the same error.
    #[must_use]
    pub fn trouble(&self, failing_for: Duration) -> Trouble {
        match self {
            Self::Unavailable { .. } => passing(UNAVAILABLE),
            Self::Refused { trouble, .. } if self.is_final(failing_for) => trouble.clone(),
            Self::Refused { .. } => passing(TOLERATED),
        }
    }

    /// How long the sign-in must be left alone, at most a day. `None`: the caller's back-off says.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Refused { .. } => None,
        }
    }

    /// Final at once.
    pub(super) fn refused(message: String) -> Self {
        let trouble = Trouble { reason: Reason::CredentialInvalid, message };
        Self::Refused { trouble, tolerated: Duration::ZERO }
    }

    fn unavailable(retry_after: Option<Duration>) -> Self {
        Self::Unavailable { retry_after, source: None }
    }
}

impl From<Failure> for SignInError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable { retry_after: None, source: Some(failure) }
    }
}

fn passing(message: &str) -> Trouble {
    Trouble { reason: Reason::SignInUnavailable, message: message.to_owned() }
}

/// What a sign-in brought.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What Graph wants to see.
    pub token: Token,
    /// What replaces the refresh token that was redeemed, if the answer held one.
    pub refresh_token: Option<SecretString>,
    /// What a user consented to, as the answer names it; an application's answer names nothing.
    pub scope: Option<String>,
}

/// Judges an answer of the token endpoint. `asked` is when the request was about to be sent, from which the token's life
/// counts; `arrived` is when the answer came.
///
/// # Errors
/// See [`SignInError`].
pub fn judge(
    http_status: u16,
    headers: &HeaderMap,
    body: &[u8],
    asked: Timestamp,
    arrived: Timestamp,
) -> Result<Grant, SignInError> {
    let retry_after = retry_after::of(headers, arrived);
    match http_status {
        200..=299 => granted(body, asked).ok_or(SignInError::unavailable(retry_after)),
        429 => Err(SignInError::unavailable(retry_after.or(Some(PAUSE)))),
        408 => Err(SignInError::unavailable(retry_after)),
        400..=499 => Err(refused(body, retry_after)),
        _ => Err(SignInError::unavailable(retry_after)),
    }
}

/// A success, as RFC 6749 section 5.1 has it.
#[derive(Deserialize)]
struct Success {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    #[serde(default, deserialize_with = "perhaps_secret")]
    refresh_token: Option<SecretString>,
    #[serde(default, deserialize_with = "perhaps_text")]
    scope: Option<String>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<Value>,
}

pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// Whatever is a text; an odd one must not cost the token that came with it.
fn perhaps_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(match value {
        Value::String(text) => Some(SecretString::from(text)).filter(|token| fits(token.expose_secret())),
        _ => None,
    })
}

fn perhaps_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_str().map(str::to_owned))
}

/// A token goes into a header or a form; what does not fit there is none.
pub(super) fn fits(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The token, if the answer holds one that can be used.
fn granted(body: &[u8], asked: Timestamp) -> Option<Grant> {
    let success: Success = serde_json::from_slice(body).ok()?;
    let bearer = success.token_type.is_none_or(|kind| kind.eq_ignore_ascii_case("Bearer"));
    let life = life(success.expires_in.as_ref())?;
    let usable = bearer && fits(success.access_token.expose_secret());
    let Success { access_token, refresh_token, scope, .. } = success;
    usable.then(|| Grant { token: Token::new(access_token, life, asked), refresh_token, scope })
}

/// How long the token lives: a number of seconds, or, as older endpoints of Entra have it, a string that holds one.
/// Anything else counts as not said. None for a token that is over before it begins: using it would mean to sign in
/// again at once, and again.
fn life(expires_in: Option<&Value>) -> Option<Duration> {
    let said = expires_in.and_then(|value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()));
    match said {
        None => Some(token::UNSAID),
        Some(seconds) if seconds.is_nan() => Some(token::UNSAID),
        Some(seconds) if seconds < 1.0 => None,
        Some(seconds) => Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
    }
}

/// An error, as RFC 6749 section 5.2 has it, with Entra's numbers.
#[derive(Deserialize)]
pub(super) struct Refusal {
    pub(super) error: String,
    #[serde(default, deserialize_with = "numbers")]
    pub(super) error_codes: Vec<u64>,
}

/// Whatever is a number among them; a form that is new to us must not hide the error itself.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_array().into_iter().flatten().filter_map(Value::as_u64).collect())
}

fn refused(body: &[u8], retry_after: Option<Duration>) -> SignInError {
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else {
        return SignInError::unavailable(retry_after);
    };
    let codes = &refusal.error_codes;
    if codes.iter().copied().any(refusal::is_loop) {
        return SignInError::unavailable(retry_after.max(Some(LOOP_PAUSE)));
    }
    let passing_error = matches!(refusal.error.as_str(), "temporarily_unavailable" | "server_error");
    if passing_error || codes.iter().copied().any(refusal::is_passing) {
        return SignInError::unavailable(retry_after);
    }
    let known = codes.iter().find_map(|code| refusal::advice(*code).map(|advice| (*code, advice)));
    let (message, tolerated) = match known {
        Some((code, advice)) => (format!("{advice} (AADSTS{code})"), refusal::tolerated(code)),
        None => (unknown(&refusal), Duration::ZERO),
    };
    SignInError::Refused { trouble: Trouble { reason: Reason::CredentialInvalid, message }, tolerated }
}

/// For a number that is new to us, or none.
fn unknown(refusal: &Refusal) -> String {
    match refusal.error_codes.first() {
        Some(code) => format!(
            "Microsoft Entra refuses the sign-in (AADSTS{code}). Look the number up at \
             https://login.microsoftonline.com/error?code={code} and correct the credential or the application."
        ),
        None => format!(
            "Microsoft Entra refuses the sign-in ({}). Check the credential and the application's registration.",
            oauth_error(&refusal.error)
        ),
    }
}

/// OAuth's errors are words of letters and underscores; anything else is not passed on.
pub(super) fn oauth_error(error: &str) -> &str {
    let is_word = error.len() <= 64 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_word && !error.is_empty() { error } else { "no known error" }
}

#[cfg(test)]
mod tests;
