//! What each answer means, as tables.

use http::HeaderMap;
use jiff::Timestamp;

use super::*;

fn answer(status: u16, body: &str, retry_after: Option<&str>) -> Answer {
    let mut headers = HeaderMap::new();
    if let Some(value) = retry_after {
        headers.insert(http::header::RETRY_AFTER, value.parse().unwrap());
    }
    Answer::read(status, &headers, body.as_bytes(), Timestamp::UNIX_EPOCH)
}

fn coded(code: &str) -> String {
    serde_json::json!({"error": {"code": code, "message": "m"}}).to_string()
}

const IMAGE: &str = r#"{"error":{"code":"","message":"Exception of type 'Microsoft.Fast.Profile.Core.Exception.ImageNotFoundException' was thrown."}}"#;
const IMAGE_OF_NOBODY: &str = r#"{"error":{"code":"ErrorInvalidUser","message":"ImageNotFoundException"}}"#;
const NESTED: &str = r#"{"error":{"code":"UnknownError","message":"{\"errorCode\":\"ErrorUserResolutionFailedUserDoesNotExist\",\"message\":\"ProfileNotFoundException\"}"}}"#;
const INNER: &str = r#"{"error":{"code":"ErrorItemNotFound","innerError":{"code":"Request_ResourceNotFound"}}}"#;
const OUTER: &str = r#"{"error":{"code":"Request_ResourceNotFound","innerError":{"code":"ErrorItemNotFound"}}}"#;
const BUSY: &str = r#"{"error":{"code":"generalException","message":"Service Unavailable"}}"#;
const HTML: &str = "<html><body>Service moved</body></html>";

#[test]
fn a_status_means_the_same_whatever_else_the_answer_says() {
    for body in ["", HTML, NESTED, IMAGE, BUSY, "\u{1}\u{2}"] {
        for (status, expected) in [
            (200, Reading::Removed),
            (204, Reading::Removed),
            (202, Reading::Removed),
            (299, Reading::Removed),
            (302, Reading::Rejected),
            (401, Reading::Unauthorized),
            (403, Reading::Forbidden),
            (408, Reading::Unavailable),
            (429, Reading::Throttled),
            (500, Reading::Unavailable),
            (502, Reading::Unavailable),
            (503, Reading::Unavailable),
            (504, Reading::Unavailable),
            (507, Reading::Unavailable),
            (509, Reading::Unavailable),
            (700, Reading::Unavailable),
        ] {
            assert_eq!(judge(&answer(status, body, None)), expected, "{status} {body}");
        }
    }
}

#[test]
fn a_404_means_what_its_most_detailed_code_says_and_a_message_counts_only_without_one() {
    for (body, expected) in [
        (coded("ImageNotFound"), Reading::NoPhoto),
        (coded("ErrorItemNotFound"), Reading::NoPhoto),
        (coded("ErrorEntityNotFound"), Reading::NoPhoto),
        (coded("GetUserPhoto"), Reading::NoPhoto),
        (coded("itemNotFound"), Reading::NoPhoto),
        (IMAGE.to_owned(), Reading::NoPhoto),
        (coded("Request_ResourceNotFound"), Reading::TargetNotFound),
        (coded("ResourceNotFound"), Reading::TargetNotFound),
        (coded("ErrorInvalidUser"), Reading::TargetNotFound),
        (coded("ErrorUserResolutionFailedUserDoesNotExist"), Reading::TargetNotFound),
        (NESTED.to_owned(), Reading::TargetNotFound),
        (INNER.to_owned(), Reading::TargetNotFound),
        (OUTER.to_owned(), Reading::Unclear),
        (IMAGE_OF_NOBODY.to_owned(), Reading::TargetNotFound),
        (coded("MailboxNotHostedInExchangeOnline"), Reading::TargetNotSupported(Obstacle::ForeignMailbox)),
        (coded("UnknownError"), Reading::Unclear),
        (coded(""), Reading::Unclear),
        (String::new(), Reading::Unclear),
        (HTML.to_owned(), Reading::Unclear),
        ("ImageNotFoundException".to_owned(), Reading::Unclear),
    ] {
        assert_eq!(judge(&answer(404, &body, None)), expected, "{body}");
    }
}

#[test]
fn what_cannot_be_supported_is_told_from_what_is_refused_and_what_is_down() {
    for (status, body, expected) in [
        (400, coded("AuthenticationError"), Reading::TargetNotSupported(Obstacle::NoMailbox)),
        (400, coded("MailboxNotHostedInExchangeOnline"), Reading::TargetNotSupported(Obstacle::ForeignMailbox)),
        (400, coded("extensionError"), Reading::TargetNotSupported(Obstacle::ForeignMailbox)),
        (400, coded("ConsumerPhotoIsNotSupported"), Reading::TargetNotSupported(Obstacle::PersonalAccount)),
        (
            403,
            coded("AppOnlyTokenNotSupportedForGroupUpdate"),
            Reading::TargetNotSupported(Obstacle::ApplicationOnGroup),
        ),
        (403, coded("ErrorAccessDenied"), Reading::Forbidden),
        (400, coded("serviceNotAvailable"), Reading::Unavailable),
        (400, BUSY.to_owned(), Reading::Unavailable),
        (400, "Service unavailable".to_owned(), Reading::Unavailable),
        (400, HTML.to_owned(), Reading::Unavailable),
        (400, coded("BadRequest"), Reading::Rejected),
        (400, String::new(), Reading::Rejected),
        (405, coded("Request_BadRequest"), Reading::Rejected),
        (409, coded("ImageNotFound"), Reading::Rejected),
        (500, coded("ErrorItemNotFound"), Reading::Unavailable),
    ] {
        assert_eq!(judge(&answer(status, &body, None)), expected, "{status} {body}");
    }
}

#[test]
fn a_503_asks_for_a_pause_only_if_it_says_how_long() {
    for (retry_after, expected) in
        [(Some("5"), Reading::Throttled), (Some("whenever"), Reading::Unavailable), (None, Reading::Unavailable)]
    {
        assert_eq!(judge(&answer(503, "", retry_after)), expected, "{retry_after:?}");
    }
    assert_eq!(judge_existence(&answer(503, "", Some("5"))), Existence::Throttled);
}

#[test]
fn only_an_id_confirms_that_the_target_exists_and_only_a_code_that_it_does_not() {
    for (status, body, expected) in [
        (200, r#"{"id":"9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d"}"#.to_owned(), Existence::Exists),
        (200, r#"{"id":""}"#.to_owned(), Existence::Unavailable),
        (200, HTML.to_owned(), Existence::Unavailable),
        (200, String::new(), Existence::Unavailable),
        (302, String::new(), Existence::Unavailable),
        (400, coded("BadRequest"), Existence::Unavailable),
        (401, coded("InvalidAuthenticationToken"), Existence::Unauthorized),
        (403, coded("Authorization_RequestDenied"), Existence::Forbidden),
        (404, coded("Request_ResourceNotFound"), Existence::Missing),
        (404, NESTED.to_owned(), Existence::Missing),
        (404, coded("ImageNotFound"), Existence::Unavailable),
        (404, HTML.to_owned(), Existence::Unavailable),
        (404, String::new(), Existence::Unavailable),
        (429, String::new(), Existence::Throttled),
        (503, String::new(), Existence::Unavailable),
    ] {
        assert_eq!(judge_existence(&answer(status, &body, None)), expected, "{status} {body}");
    }
}
