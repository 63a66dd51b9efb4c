//! How the emulated Microsoft behaves where the real one is known to differ, and the limits it enforces.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use url::Url;

/// Answers that Microsoft has been seen to give in more than one way, plus the pace of the whole.
///
/// As JSON the names are in camel case and durations carry their unit: `latencyMilliseconds`, `tokenLifetimeSeconds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Behaviour {
    /// How long every answer takes at least; zero by default.
    #[serde(rename = "latencyMilliseconds", with = "milliseconds")]
    pub latency: Duration,
    /// `expires_in` of new tokens, which really do end then; one hour by default, as Entra's.
    #[serde(rename = "tokenLifetimeSeconds", with = "seconds")]
    pub token_lifetime: Duration,
    /// What access tokens look like.
    pub token_format: TokenFormat,
    /// Whether every use of a refresh token hands out a new one, as Entra does; true by default.
    pub refresh_rotation: bool,
    /// Whether a `jti` that was seen before is refused; true by default, which is stricter than Entra can be: MSAL for
    /// Python sends the same assertion until shortly before it ends.
    pub single_use_assertions: bool,
    /// How far Entra's clock is ahead of this machine's, or behind it, when it looks at the times of an assertion; in JSON
    /// whole seconds, zero by default.
    #[serde(rename = "clockAheadSeconds", with = "signed_seconds")]
    pub clock_ahead: SignedDuration,
    /// `expires_in` of device codes; 15 minutes by default, as Entra's.
    #[serde(rename = "deviceCodeLifetimeSeconds", with = "seconds")]
    pub device_code_lifetime: Duration,
    /// `interval` of device codes, which a client must keep; 5 seconds by default, as Entra's.
    #[serde(rename = "deviceCodeIntervalSeconds", with = "seconds")]
    pub device_code_interval: Duration,
    /// What a successful DELETE answers.
    pub success: Success,
    /// How the object inside `error` is spelled; Microsoft's documentation uses both.
    pub inner_error: InnerErrorName,
    /// The 404 for a user or group that is there but has no photo.
    pub absent_photo: NotFoundAs,
    /// The 404 on a photo path for a user or group that is not there. By default the same as
    /// `absent_photo`: Graph says "only returned when the user has not updated profile photo or if user does not exist".
    pub unknown_target: NotFoundAs,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            token_lifetime: Duration::from_secs(3600),
            token_format: TokenFormat::default(),
            refresh_rotation: true,
            single_use_assertions: true,
            clock_ahead: SignedDuration::ZERO,
            device_code_lifetime: Duration::from_secs(900),
            device_code_interval: Duration::from_secs(5),
            success: Success::default(),
            inner_error: InnerErrorName::default(),
            absent_photo: NotFoundAs::default(),
            unknown_target: NotFoundAs::default(),
        }
    }
}

/// What an access token looks like. Clients must not care
/// (<https://learn.microsoft.com/entra/identity-platform/access-tokens>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenFormat {
    /// A JWT with the claims of Graph's own tokens, whose signature nobody can verify.
    #[default]
    Jwt,
    /// A string that says nothing.
    Opaque,
}

/// Where clients find the two hosts when something stands in between, such as a proxy that speaks https.
/// Scopes, audiences and endpoints are made from these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Roots {
    /// Graph's root; absent: the listener's.
    pub graph: Option<Url>,
    /// The sign-in host's root; absent: the listener's.
    pub sign_in: Option<Url>,
}

/// The answer to a DELETE that removed a photo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Success {
    /// `200 OK` without a body, as documented since 2023.
    #[default]
    Ok,
    /// `204 No Content`, as documented before.
    NoContent,
    /// `200 OK` with a JSON body that nobody asked for.
    OkWithBody,
}

/// The two spellings of the object with dates and request ids inside an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InnerErrorName {
    /// `innerError`, as in the samples and in what people paste.
    #[default]
    #[serde(rename = "innerError")]
    Camel,
    /// `innererror`, as in the table of Microsoft's error page.
    #[serde(rename = "innererror")]
    Lower,
}

/// The ways in which Graph has been seen to say 404 about a photo or its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NotFoundAs {
    /// `ErrorEntityNotFound` with the `ImageNotFoundException` message: the ambiguous one, seen in 2024.
    #[default]
    ErrorEntityNotFound,
    /// `ImageNotFound`, with the same message.
    ImageNotFound,
    /// `ErrorItemNotFound`, "The photo wasn't found.", seen in 2018.
    ErrorItemNotFound,
    /// `GetUserPhoto`, with that same message.
    GetUserPhoto,
    /// `itemNotFound`.
    ItemNotFound,
    /// `Request_ResourceNotFound`: the directory speaks, and means the owner.
    RequestResourceNotFound,
    /// `ResourceNotFound`, likewise.
    ResourceNotFound,
    /// `ErrorInvalidUser`, likewise.
    ErrorInvalidUser,
    /// `UnknownError` whose message is JSON that holds `ErrorUserResolutionFailedUserDoesNotExist`.
    UserResolutionFailed,
}

/// What one application may ask of Graph at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Requests in flight per application; one more answers 429 `ApplicationThrottled`. Zero: no limit.
    /// Microsoft documents four for the Outlook service, which photos belong to.
    pub in_flight: u32,
    /// Requests per application and window; one more answers 429 with `Retry-After`. Zero (the default): no limit.
    pub requests_per_window: u32,
    /// The length of that window; ten minutes by default, as documented for the Outlook service.
    #[serde(rename = "windowSeconds", with = "seconds")]
    pub window: Duration,
    /// The `Retry-After` of a full window, in whole seconds; 10 by default, as in Microsoft's sample.
    #[serde(rename = "retryAfterSeconds", with = "seconds")]
    pub retry_after: Duration,
    /// Whether answers say with `x-ms-throttle-limit-percentage` how much of the window is used, from 0.8 of it on, as
    /// Microsoft documents; true by default.
    pub tells_share: bool,
    /// A request that arrives so soon after the throttling answer was on its way already and is not
    /// counted as an early return (it is throttled all the same); 250 ms by default.
    #[serde(rename = "graceMilliseconds", with = "milliseconds")]
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 4,
            requests_per_window: 0,
            window: Duration::from_secs(600),
            retry_after: Duration::from_secs(10),
            tells_share: true,
            grace: Duration::from_millis(250),
        }
    }
}

impl Limits {
    /// No limit at all, for tests that measure something else.
    #[must_use]
    pub fn off() -> Self {
        Self { in_flight: 0, ..Self::default() }
    }
}

/// A duration as a whole number of seconds.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(span: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(span.as_secs())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

/// A duration, ahead or back, as a whole number of seconds.
mod signed_seconds {
    use jiff::SignedDuration;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(span: &SignedDuration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_i64(span.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SignedDuration, D::Error> {
        i64::deserialize(from).map(SignedDuration::from_secs)
    }
}

/// A duration as a whole number of milliseconds.
pub(crate) mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(span: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
