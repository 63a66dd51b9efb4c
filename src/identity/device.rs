//! The device code flow, pure: what Entra's answers mean while a person signs in elsewhere, and when to ask again
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>, RFC 8628).

mod advice;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::judge::{Refusal, fits, secret};
use super::{Grant, SignInError, judge};
use crate::graph::is_private;
use crate::wire::Failure;

/// How long a code is good for if Entra does not say: what its documentation says.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// The longest life that is believed: nobody waits longer for a person.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The pause between two questions if Entra does not say (RFC 8628, section 3.2).
const INTERVAL: Duration = Duration::from_secs(5);

/// The shortest pause, whatever is said: a question a second is as much as anybody should ask.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// What `slow_down` adds to every further pause (RFC 8628, section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// The longest pause that failures alone lead to; the person may be done meanwhile.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// The longest code that a person is asked to type. Entra's have nine characters.
const LONGEST_CODE: usize = 32;

/// A sign-in that waits for a person.
#[derive(Debug)]
pub struct DeviceCode {
    /// Where the person signs in: https, or http on a loopback address; safe to print.
    pub page: Url,
    /// What the person types there: ASCII letters, digits and hyphens.
    pub user_code: String,
    /// How long it is good for, counted from before it was asked for.
    pub life: Duration,
    /// How long to wait before each question.
    pub interval: Duration,
    /// What only the client knows.
    pub(super) secret: SecretString,
}

/// Why a sign-in in person brought nothing, in whole sentences for that person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The person said no.
    #[error("The sign-in was declined. Run the command again and agree to it in the browser.")]
    Declined,
    /// Nobody came.
    #[error("The code expired before anybody signed in with it. Run the command again.")]
    Expired,
    /// Entra does not know its own code (any more), or it belongs to another tenant.
    #[error("Microsoft Entra does not know the code of this sign-in. Run the command again.")]
    Unknown,
    /// There was no answer, or none that can be used.
    #[error("Microsoft Entra {what}. Check the network, the proxy and --cloud, and run the command again.")]
    Unavailable {
        /// Completes "Microsoft Entra ...".
        what: String,
    },
    /// Something must change in Entra, or in how the program was called.
    #[error("{0}")]
    Refused(String),
}

/// What a question brought.
#[derive(Debug)]
pub enum Poll {
    /// The person has signed in.
    Granted(Grant),
    /// Ask again.
    Again(Again),
    /// It is over.
    Failed(DeviceError),
}

/// Why to ask again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// The person is not done.
    Pending,
    /// The questions come too fast.
    SlowDown,
    /// This time there was no answer, or none that can be used.
    Unanswered {
        /// How long Entra wants to be left alone, if it says.
        retry_after: Option<Duration>,
        /// Why, should it stay so until the code has expired.
        error: DeviceError,
    },
}

/// When to ask again.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Duration,
    pause: Duration,
}

impl Pace {
    /// The pace of a code with that interval.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self { interval, pause: interval }
    }

    /// How long to wait now.
    #[must_use]
    pub const fn pause(&self) -> Duration {
        self.pause
    }

    /// The pace after an answer that asks to come again. Failures double the pause, `slow_down` lengthens every further
    /// one.
    #[must_use]
    pub fn after(self, again: &Again) -> Self {
        match again {
            Again::Pending => Self::new(self.interval),
            Again::SlowDown => Self::new(self.interval.saturating_add(SLOWER)),
            Again::Unanswered { retry_after, .. } => {
                let doubled = self.pause.saturating_mul(2).min(LONGEST_BACKOFF).max(self.interval);
                Self { pause: doubled.max(retry_after.unwrap_or_default()), ..self }
            }
        }
    }
}

/// A code as Entra hands it out (RFC 8628, section 3.2).
#[derive(Deserialize)]
struct Handed {
    #[serde(deserialize_with = "secret")]
    device_code: SecretString,
    user_code: String,
    verification_uri: String,
    #[serde(default)]
    expires_in: Option<Value>,
    #[serde(default)]
    interval: Option<Value>,
}

/// Judges the answer to the request for a code.
pub(super) fn judge_code(http_status: u16, body: &[u8]) -> Result<DeviceCode, DeviceError> {
    match http_status {
        200..=299 => handed(body).ok_or_else(|| unavailable("gave an answer that cannot be understood".to_owned())),
        400..=499 if let Ok(refusal) = serde_json::from_slice(body) => Err(refused(&refusal)),
        _ => Err(unavailable(answered(http_status))),
    }
}

/// Judges the answer to a question whether the person has signed in. `asked` and `arrived` as for [`judge()`].
pub(super) fn judge_poll(
    http_status: u16,
    headers: &HeaderMap,
    body: &[u8],
    asked: Timestamp,
    arrived: Timestamp,
) -> Poll {
    match judge(http_status, headers, body, asked, arrived) {
        Ok(grant) => Poll::Granted(grant),
        Err(SignInError::Unavailable { retry_after, .. }) => {
            Poll::Again(Again::Unanswered { retry_after, error: unavailable(answered(http_status)) })
        }
        // It is a refusal because it could be read as one.
        Err(SignInError::Refused { .. }) => {
            serde_json::from_slice(body).map_or(Poll::Failed(DeviceError::Unknown), |refusal| of(&refusal))
        }
    }
}

/// What a failed exchange says to whoever waits.
pub(super) fn unanswered(failure: &Failure) -> DeviceError {
    unavailable(format!("cannot be reached ({})", failure.kind()))
}

/// The flow's own errors, Microsoft's words for them beside those of RFC 8628, and all the others.
fn of(refusal: &Refusal) -> Poll {
    match refusal.error.as_str() {
        "authorization_pending" => Poll::Again(Again::Pending),
        "slow_down" => Poll::Again(Again::SlowDown),
        "authorization_declined" => Poll::Failed(DeviceError::Declined),
        // With a number it is a policy that says no.
        "access_denied" if refusal.error_codes.is_empty() => Poll::Failed(DeviceError::Declined),
        "expired_token" | "code_expired" => Poll::Failed(DeviceError::Expired),
        "bad_verification_code" => Poll::Failed(DeviceError::Unknown),
        _ => Poll::Failed(refused(refusal)),
    }
}

fn refused(refusal: &Refusal) -> DeviceError {
    DeviceError::Refused(advice::sentence(refusal))
}

fn unavailable(what: String) -> DeviceError {
    DeviceError::Unavailable { what }
}

fn answered(http_status: u16) -> String {
    format!("gave no usable answer (HTTP status {http_status})")
}

/// The code, if a person can use it.
fn handed(body: &[u8]) -> Option<DeviceCode> {
    let handed: Handed = serde_json::from_slice(body).ok()?;
    let life = seconds(handed.expires_in.as_ref()).unwrap_or(LIFE).min(LONGEST_LIFE);
    let interval = seconds(handed.interval.as_ref()).unwrap_or(INTERVAL).max(SHORTEST_INTERVAL);
    let page = Url::parse(&handed.verification_uri).ok().filter(is_a_safe_page)?;
    let can_be_typed = typeable(&handed.user_code) && fits(handed.device_code.expose_secret());
    can_be_typed.then_some(DeviceCode { page, user_code: handed.user_code, life, interval, secret: handed.device_code })
}

/// A number, or a text that holds one.
fn seconds(said: Option<&Value>) -> Option<Duration> {
    let seconds = said.and_then(|value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// It ends up on a terminal: nothing in it may be a command to one.
fn typeable(code: &str) -> bool {
    (1..=LONGEST_CODE).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A page where a person may type a password. A parsed URL prints as plain ASCII, whatever it was made of.
fn is_a_safe_page(url: &Url) -> bool {
    let nobody = url.username().is_empty() && url.password().is_none();
    nobody && is_private(url)
}
