//! What odd answers are made of: statuses, headers, bodies, errors in Microsoft's shapes, `Retry-After` in all its forms.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{
    SignedDuration, Timestamp,
    fmt::rfc2822::{DateTimeParser, DateTimePrinter},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::settings::InnerErrorName;

/// A whole answer, byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Further headers; they win over those that the body brings.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The `Retry-After`; absent: none.
    #[serde(default)]
    pub retry_after: Option<RetryAfter>,
    /// The body and its content type.
    #[serde(default)]
    pub body: Payload,
}

impl Answer {
    /// A status and a body.
    #[must_use]
    pub fn new(status: u16, body: Payload) -> Self {
        Self { status, headers: BTreeMap::new(), retry_after: None, body }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }
}

/// A body, with the content type that goes with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Payload {
    /// Nothing.
    #[default]
    Empty,
    /// JSON, `application/json`.
    Json(Value),
    /// A page, `text/html`.
    Html(String),
    /// Text that may be anything, `application/json` all the same: broken JSON goes here.
    Text(String),
    /// Raw bytes, `application/octet-stream`; as JSON an array of numbers.
    Bytes(Vec<u8>),
    /// Compressed JSON that nothing says is compressed, as seen on 503 answers.
    Gzip,
}

/// Graph's error object with everything that has been seen to vary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GraphError {
    /// The HTTP status.
    pub status: u16,
    /// `error.code`; may be empty.
    pub code: String,
    /// `error.message`; may be empty, or JSON.
    #[serde(default)]
    pub message: String,
    /// The object inside.
    #[serde(default)]
    pub inner: Inner,
    /// More precise codes, each inside the one before: `["throttledRequest", "quota"]`.
    #[serde(default)]
    pub inner_codes: Vec<String>,
    /// The `Retry-After`; absent: none.
    #[serde(default)]
    pub retry_after: Option<RetryAfter>,
    /// Further headers, such as a `WWW-Authenticate` with claims.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl GraphError {
    /// An error with this status, code and message, and the usual object inside.
    #[must_use]
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            inner: Inner::default(),
            inner_codes: Vec::new(),
            retry_after: None,
            headers: BTreeMap::new(),
        }
    }
}

/// Whether and under which name an error carries its inner object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Inner {
    /// As `Behaviour::inner_error` says.
    #[default]
    AsSet,
    /// Under this name.
    Named(InnerErrorName),
    /// Not at all, as `MailboxInfoStale` came.
    Absent,
}

/// Entra's error object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntraError {
    /// The HTTP status.
    pub status: u16,
    /// `error`, such as `invalid_client`.
    pub error: String,
    /// `error_codes`, the AADSTS numbers.
    #[serde(default)]
    pub codes: Vec<u32>,
    /// `error_description`; absent: one that begins with the first AADSTS number.
    #[serde(default)]
    pub description: Option<String>,
    /// The `Retry-After`; absent: none.
    #[serde(default)]
    pub retry_after: Option<RetryAfter>,
}

/// The ordinary token answer with one thing wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OddToken {
    /// `expires_in` is not there.
    WithoutExpiresIn,
    /// `expires_in` is text: `"3599"`.
    ExpiresInAsText,
    /// `access_token` is not there.
    WithoutAccessToken,
    /// `token_type` is something else than `Bearer`.
    OtherTokenType,
    /// `access_token` is no JWT, and works all the same.
    Opaque,
}

/// The value of a `Retry-After` header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryAfter {
    /// As it stands: `"0"`, `"2.128"`, `"100000"`, or rubbish.
    Text(String),
    /// An HTTP date so many seconds from now; negative: in the past.
    DateInSeconds(i64),
}

impl RetryAfter {
    /// A whole number of seconds.
    #[must_use]
    pub fn seconds(seconds: u64) -> Self {
        Self::Text(seconds.to_string())
    }

    /// The header as it is sent now.
    pub(crate) fn now(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::DateInSeconds(offset) => date(*offset).unwrap_or_default(),
        }
    }

    /// The time that a client has to stay away; `None` for what no client can understand, and for the past.
    pub(crate) fn read(header: &str) -> Option<Duration> {
        if let Ok(seconds) = header.parse() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let then = DateTimeParser::new().parse_timestamp(header).ok()?;
        let wait = Duration::try_from(then.duration_since(Timestamp::now())).ok()?;
        Some(wait.saturating_sub(CLOCK_READING))
    }
}

/// Client and emulator read the clock at different moments; who is early by less than this is not early.
const CLOCK_READING: Duration = Duration::from_millis(20);

fn date(offset: i64) -> Result<String, jiff::Error> {
    let then = Timestamp::now().checked_add(SignedDuration::from_secs(offset))?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&then)
}
