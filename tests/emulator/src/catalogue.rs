//! Faults that were seen in the wild or are documented, by name: the table that a client is held against.

use serde_json::json;

use crate::faults::FaultKind;
use crate::graph::not_found;
use crate::odd_answers::{Answer, EntraError, GraphError, Inner, OddToken, Payload, RetryAfter};
use crate::settings::{InnerErrorName, NotFoundAs};

/// A fault of this name, from any of the tables.
#[must_use]
pub fn named(name: &str) -> Option<FaultKind> {
    let mut all = graph().into_iter().chain(sign_in()).chain(patience());
    all.find(|(known, _)| known == name).map(|(_, kind)| kind)
}

/// Everything that Graph can answer instead of the ordinary, each under a name that a test can print.
#[must_use]
pub fn graph() -> Vec<(String, FaultKind)> {
    let parts = [successes(), absences(), refusals(), throttling(), service_trouble(), wire_trouble()];
    parts.into_iter().flatten().collect()
}

/// Everything that the token endpoint can answer instead of a token.
#[must_use]
pub fn sign_in() -> Vec<(String, FaultKind)> {
    let rows = [&PASSING[..], &OF_THE_APPLICATION, &OF_THE_USER].into_iter().flatten();
    let errors = rows.map(|&(status, error, code, about)| {
        (format!("entra AADSTS{code} {about}"), FaultKind::entra(status, error, code))
    });
    errors.chain(sign_in_oddities()).collect()
}

/// What never ends by itself, for tests about patience.
#[must_use]
pub fn patience() -> Vec<(String, FaultKind)> {
    named_rows(vec![("hang", FaultKind::Hang), ("entra hang", FaultKind::Hang)])
}

/// HTTP status, `error`, AADSTS number, and what it is about.
type Row = (u16, &'static str, u32, &'static str);

/// What passes by itself, at once or in minutes.
const PASSING: [Row; 14] = [
    (400, "temporarily_unavailable", 50_033, "a retryable error"),
    (400, "temporarily_unavailable", 50_087, "a transient error"),
    (400, "temporarily_unavailable", 90_006, "an external server's retryable error"),
    (400, "temporarily_unavailable", 90_012, "request timed out"),
    (400, "temporarily_unavailable", 90_024, "request budget exceeded"),
    (400, "temporarily_unavailable", 90_033, "directory unavailable"),
    (400, "temporarily_unavailable", 90_055, "tenant throttled"),
    (400, "temporarily_unavailable", 90_090, "an internal error"),
    (400, "temporarily_unavailable", 90_091, "an internal error of the directory"),
    (400, "invalid_grant", 50_196, "loop detected"),
    (400, "invalid_request", 70_021, "federation record not found"),
    (401, "invalid_client", 700_211, "federated issuer not found"),
    (401, "invalid_client", 700_212, "federated audience not found"),
    (401, "invalid_client", 700_213, "federated subject not found"),
];

/// What an administrator has to put right, in Entra or in the Secret; the first also passes with the clocks.
const OF_THE_APPLICATION: [Row; 24] = [
    (401, "invalid_client", 700_024, "assertion outside its validity"),
    (401, "invalid_client", 7_000_215, "secret invalid"),
    (401, "invalid_client", 7_000_222, "secret expired"),
    (400, "unauthorized_client", 700_016, "application not found"),
    (400, "invalid_request", 90_002, "tenant not found"),
    (400, "invalid_request", 50_059, "no tenant information"),
    (401, "unauthorized_client", 7_000_112, "application disabled"),
    (400, "unauthorized_client", 70_001, "application disabled"),
    (401, "invalid_client", 700_027, "assertion signature invalid"),
    (401, "invalid_client", 700_030, "certificate invalid"),
    (401, "invalid_client", 7_000_216, "proof missing"),
    (401, "invalid_client", 7_000_218, "secret or assertion missing"),
    (401, "invalid_client", 700_025, "public client sent a secret"),
    (400, "invalid_scope", 70_011, "scope invalid"),
    (400, "invalid_scope", 1_002_012, "scope without .default"),
    (400, "invalid_resource", 500_011, "resource not found"),
    (400, "invalid_grant", 65_001, "consent missing"),
    (400, "access_denied", 53_003, "blocked by conditional access"),
    (400, "access_denied", 530_032, "blocked by a security policy"),
    (400, "invalid_request", 90_038, "another national cloud"),
    (400, "invalid_request", 900_382, "confidential client across clouds"),
    (400, "invalid_request", 900_432, "confidential client across clouds"),
    (401, "invalid_client", 5_002_738, "assertion algorithm not supported"),
    (400, "invalid_request", 9_002_332, "application not for personal accounts"),
];

/// What only the user can put right, by signing in again.
const OF_THE_USER: [Row; 10] = [
    (400, "invalid_grant", 50_173, "grant revoked"),
    (400, "invalid_grant", 700_082, "refresh token inactive"),
    (400, "invalid_grant", 70_008, "refresh token expired"),
    (400, "invalid_grant", 700_084, "refresh token over 24 hours old"),
    (400, "invalid_grant", 70_043, "sign-in frequency"),
    (400, "interaction_required", 50_076, "second factor needed"),
    (400, "interaction_required", 50_079, "second factor registration needed"),
    (400, "invalid_grant", 50_057, "user disabled"),
    (400, "invalid_grant", 50_034, "user not found"),
    (400, "invalid_grant", 70_000, "grant invalid"),
];

fn sign_in_oddities() -> Vec<(String, FaultKind)> {
    let unnumbered = |status, error: &str, retry_after| {
        FaultKind::Entra(EntraError { status, error: error.to_owned(), codes: vec![], description: None, retry_after })
    };
    let bare = json!({"error": "invalid_client", "error_description": "The client could not be authenticated."});
    let minute = Some(RetryAfter::seconds(60));
    named_rows(vec![
        ("entra 429 with Retry-After 60", unnumbered(429, "temporarily_unavailable", minute)),
        ("entra 429 without Retry-After", unnumbered(429, "temporarily_unavailable", None)),
        ("entra 503 HTML", FaultKind::html(503)),
        ("entra 500 empty", FaultKind::bare(500)),
        ("entra 503 temporarily_unavailable", unnumbered(503, "temporarily_unavailable", None)),
        ("entra 500 server_error", unnumbered(500, "server_error", None)),
        ("entra invalid_client without error_codes", FaultKind::Answer(Answer::new(401, Payload::Json(bare)))),
        ("entra token that is opaque", FaultKind::OddToken(OddToken::Opaque)),
        ("entra token without expires_in", FaultKind::OddToken(OddToken::WithoutExpiresIn)),
        ("entra token with expires_in as text", FaultKind::OddToken(OddToken::ExpiresInAsText)),
        ("entra token without access_token", FaultKind::OddToken(OddToken::WithoutAccessToken)),
        ("entra token of another type", FaultKind::OddToken(OddToken::OtherTokenType)),
    ])
}

fn successes() -> Vec<(String, FaultKind)> {
    let body = Answer::new(200, Payload::Json(json!({"deleted": true})));
    named_rows(vec![
        ("200 empty", FaultKind::bare(200)),
        ("200 with a body", FaultKind::Answer(body)),
        ("204", FaultKind::bare(204)),
    ])
}

fn absences() -> Vec<(String, FaultKind)> {
    let seen = |answer| FaultKind::Graph(not_found(answer, "jane.doe@contoso.com").into());
    named_rows(vec![
        ("404 ErrorEntityNotFound", seen(NotFoundAs::ErrorEntityNotFound)),
        ("404 ImageNotFound", seen(NotFoundAs::ImageNotFound)),
        ("404 ErrorItemNotFound", seen(NotFoundAs::ErrorItemNotFound)),
        ("404 GetUserPhoto", seen(NotFoundAs::GetUserPhoto)),
        ("404 itemNotFound", seen(NotFoundAs::ItemNotFound)),
        ("404 Request_ResourceNotFound", seen(NotFoundAs::RequestResourceNotFound)),
        ("404 ResourceNotFound", seen(NotFoundAs::ResourceNotFound)),
        ("404 ErrorInvalidUser", seen(NotFoundAs::ErrorInvalidUser)),
        ("404 UnknownError with JSON inside", seen(NotFoundAs::UserResolutionFailed)),
        ("404 empty code", FaultKind::graph(404, "", "")),
        ("404 no body", FaultKind::bare(404)),
        ("404 HTML", FaultKind::html(404)),
        ("404 broken JSON", FaultKind::Answer(Answer::new(404, Payload::Text("{\"error\":".to_owned())))),
    ])
}

fn refusals() -> Vec<(String, FaultKind)> {
    let invalid_role = FaultKind::graph(403, "ForbiddenByPolicy", "invalid_role");
    let lower = GraphError {
        inner: Inner::Named(InnerErrorName::Lower),
        ..GraphError::new(403, "ErrorAccessDenied", "AccessDeniedException")
    };
    let mut claims =
        GraphError::new(401, "InvalidAuthenticationToken", "Continuous access evaluation resulted in challenge.");
    let challenge = "Bearer realm=\"\", error=\"insufficient_claims\", claims=\"eyJhY2Nlc3NfdG9rZW4iOnt9fQ==\"";
    claims.headers.insert("www-authenticate".to_owned(), challenge.to_owned());
    let on_group = "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ProfileAccessDeniedException' was thrown.";
    named_rows(vec![
        ("400 AuthenticationError", FaultKind::graph(400, "AuthenticationError", "Error authenticating with resource")),
        (
            "400 MailboxNotHostedInExchangeOnline",
            FaultKind::graph(
                400,
                "MailboxNotHostedInExchangeOnline",
                "Mailbox is hosted by an on-premise or non-Exchange server, which is not supported.",
            ),
        ),
        ("400 extensionError", FaultKind::graph(400, "extensionError", "")),
        ("400 ConsumerPhotoIsNotSupported", FaultKind::graph(400, "ConsumerPhotoIsNotSupported", "")),
        ("400 service unavailable", FaultKind::graph(400, "BadRequest", "Service unavailable.")),
        ("400 BadRequest", FaultKind::graph(400, "BadRequest", "The request URI is not valid.")),
        (
            "401 InvalidAuthenticationToken",
            FaultKind::graph(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."),
        ),
        ("401 with claims", FaultKind::Graph(claims)),
        (
            "403 ErrorAccessDenied",
            FaultKind::graph(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."),
        ),
        ("403 ErrorAccessDenied with innererror", FaultKind::Graph(lower)),
        (
            "403 Authorization_RequestDenied",
            FaultKind::graph(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
        ),
        (
            "403 AppOnlyTokenNotSupportedForGroupUpdate",
            FaultKind::graph(403, "AppOnlyTokenNotSupportedForGroupUpdate", on_group),
        ),
        ("403 ForbiddenByPolicy", invalid_role),
        ("403 insufficient_claims", FaultKind::graph(403, "insufficient_claims", "")),
        ("403 empty code", FaultKind::graph(403, "", "Forbidden")),
        (
            "405",
            FaultKind::graph(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."),
        ),
    ])
}

fn throttling() -> Vec<(String, FaultKind)> {
    let texts = ["0", "1", "2.128", "315", "100000", "soon"];
    let texts = texts.map(|text| (format!("429 Retry-After {text}"), Some(RetryAfter::Text(text.to_owned()))));
    let dates = [("past", -60), ("future", 2)];
    let dates = dates
        .map(|(when, offset)| (format!("429 Retry-After date in the {when}"), Some(RetryAfter::DateInSeconds(offset))));
    let missing = ("429 without Retry-After".to_owned(), None);
    let chain = GraphError {
        inner_codes: vec!["throttledRequest".to_owned(), "quota".to_owned()],
        retry_after: Some(RetryAfter::seconds(41)),
        ..GraphError::new(429, "activityLimitReached", "The request has been throttled.")
    };
    let seen = named_rows(vec![
        (
            "429 ApplicationThrottled",
            FaultKind::graph(429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit."),
        ),
        ("429 activityLimitReached with codes inside", FaultKind::Graph(chain)),
        ("429 UnknownError", FaultKind::graph(429, "UnknownError", "")),
    ]);
    let timed = texts.into_iter().chain(dates).chain([missing]);
    timed.map(|(name, retry_after)| (name, FaultKind::throttled(retry_after))).chain(seen).collect()
}

fn service_trouble() -> Vec<(String, FaultKind)> {
    let stale =
        GraphError { inner: Inner::Absent, ..GraphError::new(503, "MailboxInfoStale", "Mailbox info is stale.") };
    let busy = GraphError {
        retry_after: Some(RetryAfter::seconds(1)),
        ..GraphError::new(
            503,
            "ErrorServiceUnavailable",
            "Active Directory operation did not succeed. Try again later.",
        )
    };
    named_rows(vec![
        ("408", FaultKind::bare(408)),
        ("500", FaultKind::graph(500, "InternalServerError", "")),
        ("502 HTML", FaultKind::html(502)),
        ("503 MailboxInfoStale", FaultKind::Graph(stale)),
        ("503 with Retry-After 1", FaultKind::Graph(busy)),
        ("503 gzip", FaultKind::Answer(Answer::new(503, Payload::Gzip))),
        ("503 binary", FaultKind::Answer(Answer::new(503, Payload::Bytes(vec![0, 159, 146, 150, 255])))),
        ("504 HTML", FaultKind::html(504)),
        ("504 UnknownError", FaultKind::graph(504, "UnknownError", "")),
        ("507", FaultKind::graph(507, "InsufficientStorage", "")),
        ("509", FaultKind::graph(509, "BandwidthLimitExceeded", "")),
    ])
}

/// Without those that never end by themselves, see [`patience`].
fn wire_trouble() -> Vec<(String, FaultKind)> {
    let redirect = |status| FaultKind::Redirect { status, to: "http://127.0.0.1:9/elsewhere".to_owned() };
    named_rows(vec![
        ("reset before the head", FaultKind::ResetBeforeHead),
        ("reset inside an error's body", FaultKind::ResetMidBody { status: 503 }),
        ("endless error body", FaultKind::EndlessBody { status: 503 }),
        ("huge error body", FaultKind::HugeBody { status: 503, gibibytes: 4 }),
        ("302 to another host", redirect(302)),
        ("307 to another host", redirect(307)),
    ])
}

fn named_rows(rows: Vec<(&str, FaultKind)>) -> Vec<(String, FaultKind)> {
    rows.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect()
}
