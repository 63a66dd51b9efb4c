//! What an answer of Graph says, without yet saying what it means.
//!
//! What is kept goes into the status and into logs, so everything that comes out of here is an identifier or a number:
//! nothing of a message, which may name a person.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;

use super::{retry_after, verdict};

/// How deep `innererror` may be nested; Microsoft shows three levels.
const DEPTH: usize = 8;

/// The longest error code or request id that is kept, in characters.
const LONGEST_IDENTIFIER: usize = 128;

/// From this share of its limit on, Graph tells a credential that it comes close: as of 0.8, says
/// <https://learn.microsoft.com/graph/throttling-limits>.
const NEAR_LIMIT: f64 = 0.8;

/// What Graph answered, reduced to what decides, and to what may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub http_status: u16,
    /// The error codes, from the outermost to the innermost, the most detailed one. Letters, digits, `_`, `.` and `-`
    /// only, at most 128 of them; a code that is anything else, or empty, is not among them.
    pub codes: Vec<String>,
    /// Whether an error message names the exception that stands for a missing photo.
    pub mentions_missing_image: bool,
    /// Whether an error message, or a body that is no JSON, says that the service is unavailable.
    pub mentions_unavailable: bool,
    /// What kind of body came along.
    pub body: Body,
    /// Graph's `request-id`, from the header, else from the body. The same characters as in a code.
    pub request_id: Option<String>,
    /// How long Graph asks to be left alone, at most a day.
    pub retry_after: Option<Duration>,
    /// Whether Graph says that the credential comes close to a limit (`x-ms-throttle-limit-percentage`).
    pub near_limit: bool,
}

/// A body, as far as it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// There is none, or it was not read.
    #[default]
    Empty,
    /// JSON with an `id`, as that of a user or a group is.
    Entity,
    /// Other JSON.
    Json,
    /// HTML, garbage, or JSON that was cut off.
    Illegible,
}

impl Answer {
    /// Reads an answer; every answer can be read. `now` is when it arrived.
    #[must_use]
    pub fn read(http_status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Self {
        let mut answer = Self {
            http_status,
            request_id: header(headers, "request-id").and_then(identifier),
            retry_after: retry_after::of(headers, now),
            near_limit: header(headers, "x-ms-throttle-limit-percentage").is_some_and(is_near_limit),
            ..Self::default()
        };
        let body = body.trim_ascii();
        if let Ok(json) = serde_json::from_slice(body) {
            answer.understand(&json);
        } else if !body.is_empty() {
            answer.body = Body::Illegible;
            answer.mentions_unavailable = says_unavailable(&String::from_utf8_lossy(body));
        }
        answer
    }

    /// The code to show: the most detailed one that means something for this status, as Microsoft asks
    /// (<https://learn.microsoft.com/graph/errors>), else the outermost.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        let understood = self.codes.iter().rev().find(|code| verdict::is_understood(self.http_status, code));
        understood.or(self.codes.first()).map(String::as_str)
    }

    fn understand(&mut self, body: &Value) {
        let has_id = body.get("id").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
        self.body = if has_id { Body::Entity } else { Body::Json };
        match body.get("error") {
            Some(Value::String(code)) => self.codes.extend(identifier(code)),
            Some(error) => self.descend(error, DEPTH),
            None => {}
        }
    }

    fn descend(&mut self, error: &Value, depth: usize) {
        let text = |key: &str| error.get(key).and_then(Value::as_str);
        self.codes.extend(text("code").and_then(identifier));
        if let Some(message) = text("message") {
            self.listen(message);
        }
        if self.request_id.is_none() {
            self.request_id = text("request-id").and_then(identifier);
        }
        if depth > 0 {
            // Graph's documentation has both spellings, and Graph sends both.
            for inner in ["innererror", "innerError"].iter().filter_map(|key| error.get(key)) {
                self.descend(inner, depth - 1);
            }
        }
    }

    /// A message may itself be JSON, whose `errorCode` is the one that counts: Graph passes on what the photo service
    /// said of a user without a profile.
    fn listen(&mut self, message: &str) {
        self.mentions_missing_image |= message.contains("ImageNotFoundException");
        self.mentions_unavailable |= says_unavailable(message);
        if let Ok(Value::Object(inner)) = serde_json::from_str(message) {
            self.codes.extend(inner.get("errorCode").and_then(Value::as_str).and_then(identifier));
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_near_limit(share: &str) -> bool {
    share.trim().parse::<f64>().is_ok_and(|share| share >= NEAR_LIMIT)
}

fn says_unavailable(text: &str) -> bool {
    text.to_ascii_lowercase().contains("service unavailable")
}

/// Only what cannot be a name, an address or a sentence is passed on.
fn identifier(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let fits = (1..=LONGEST_IDENTIFIER).contains(&text.len()) && text.bytes().all(allowed);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap()));
        Answer::read(status, &headers.collect(), body.as_bytes(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn codes_come_from_the_outermost_to_the_innermost_in_every_spelling_that_graph_uses() {
        for (body, expected) in [
            ("", &[][..]),
            ("null", &[]),
            ("[]", &[]),
            (r#"{"error":7}"#, &[]),
            (r#"{"error":{"code":"","message":""}}"#, &[]),
            (r#"{"error":{"code":["a"],"message":{"value":"b"}}}"#, &[]),
            (r#"{"error":"invalid_request"}"#, &["invalid_request"]),
            (r#"{"error":{"code":"a","innererror":{"code":"b","innererror":{"code":"c"}}}}"#, &["a", "b", "c"]),
            (r#"{"error":{"code":"a","innerError":{"code":"b","innererror":{"code":"c"}}}}"#, &["a", "b", "c"]),
            (r#"{"error":{"code":"a","message":"{\"errorCode\":\"b\"}","innerError":{"code":"c"}}}"#, &["a", "b", "c"]),
            (r#"{"error":{"code":"jane@contoso.com","innerError":{"code":"Jane Doe"}}}"#, &[]),
            ("<html>{\"error\":{\"code\":\"a\"}}</html>", &[]),
            (r#"{"error":{"code":"a","#, &[]),
        ] {
            assert_eq!(read(404, &[], body).codes, expected, "{body}");
        }
    }

    #[test]
    fn a_code_that_is_too_long_and_an_error_that_is_too_deep_are_dropped() {
        let long = ["{\"error\":{\"code\":\"", &"a".repeat(129), "\"}}"].concat();
        assert!(read(404, &[], &long).codes.is_empty());
        let mut deep = String::from(r#"{"code":"a"}"#);
        for _ in 0..100 {
            deep = [r#"{"code":"a","innererror":"#, &deep, "}"].concat();
        }
        assert_eq!(read(404, &[], &["{\"error\":", &deep, "}"].concat()).codes.len(), DEPTH + 1);
    }

    #[test]
    fn the_code_shown_is_the_most_detailed_one_understood_else_the_outermost() {
        for (status, body, expected) in [
            (404, r#"{"error":{"code":"UnknownError","innererror":{"code":"ImageNotFound"}}}"#, Some("ImageNotFound")),
            (404, r#"{"error":{"code":"ImageNotFound","innererror":{"code":"Newer"}}}"#, Some("ImageNotFound")),
            (
                429,
                r#"{"error":{"code":"activityLimitReached","innererror":{"code":"quota"}}}"#,
                Some("activityLimitReached"),
            ),
            (403, r#"{"error":{"code":"","innererror":{"code":"Inner"}}}"#, Some("Inner")),
            (500, "", None),
        ] {
            assert_eq!(read(status, &[], body).code(), expected, "{body}");
        }
    }

    #[test]
    fn the_request_id_comes_from_the_header_else_from_the_body() {
        let body = r#"{"error":{"code":"a","innerError":{"request-id":"body-1"}}}"#;
        assert_eq!(read(404, &[("request-id", "head-1")], body).request_id.as_deref(), Some("head-1"));
        assert_eq!(read(404, &[], body).request_id.as_deref(), Some("body-1"));
        assert_eq!(read(404, &[("request-id", "not an id")], "").request_id, None);
    }

    #[test]
    fn headers_tell_how_long_to_wait_and_whether_a_limit_is_near() {
        let answer = read(429, &[("retry-after", "2.5"), ("x-ms-throttle-limit-percentage", "0.8")], "");
        assert_eq!((answer.retry_after, answer.near_limit), (Some(Duration::from_millis(2500)), true));
        for share in ["0.79", "NaN", "much"] {
            assert!(!read(200, &[("x-ms-throttle-limit-percentage", share)], "").near_limit, "{share}");
        }
    }
}
