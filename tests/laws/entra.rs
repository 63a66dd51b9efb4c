//! Entra's errors, number by number: what an object says of each, how the sign-in is retried, and in which words.
//!
//! The classes are those of <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>. The HTTP status
//! and `error` decide and the number refines, so that each row also holds with a number that nobody knows.

use std::collections::BTreeSet;
use std::time::Duration;

use emulator::FaultKind;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use photo_removal_operator::api::Reason;
use photo_removal_operator::identity::{Grant, SignInError, judge};
use serde_json::json;

const MINUTE: Duration = Duration::from_secs(60);

/// How a sign-in that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Retry {
    /// Soon, by the back-off of things that pass.
    BackOff,
    /// Not before that long.
    After(Duration),
    /// As [`Retry::BackOff`] for a quarter of an hour, then as [`Retry::Looks`].
    Patience,
    /// From a minute on ever less often, and at once when the Secret changes: a person must act.
    Looks,
}

/// Numbers, the HTTP status and `error` that they come with, how they are retried, and a part of what is said.
type Row = (&'static [u64], u16, &'static str, Retry, &'static str);

const PASSES: &str = "Microsoft Entra could not be reached or gave no usable answer to the sign-in. The operator tries";
const SPREADS: &str = "Microsoft Entra does not take the sign-in yet, which passes by itself";

const ROWS: [Row; 27] = [
    (
        &[50033, 50087, 90006, 90012, 90024, 90033, 90055, 90090, 90091],
        400,
        "temporarily_unavailable",
        Retry::BackOff,
        PASSES,
    ),
    (&[50033, 90033], 400, "invalid_request", Retry::BackOff, PASSES),
    (&[50196], 400, "invalid_grant", Retry::After(Duration::from_secs(600)), PASSES),
    (&[70021, 700_211, 700_212, 700_213], 401, "invalid_client", Retry::Patience, SPREADS),
    (&[700_024], 401, "invalid_client", Retry::Patience, SPREADS),
    (
        &[7_000_215],
        401,
        "invalid_client",
        Retry::Looks,
        "Put the secret's value, not its id, into AZURE_CLIENT_SECRET.",
    ),
    (&[7_000_222], 401, "invalid_client", Retry::Looks, "The client secret has expired. Create a new one"),
    (
        &[700_016],
        400,
        "unauthorized_client",
        Retry::Looks,
        "no application with this client id in the tenant. Check the cred",
    ),
    (
        &[90002, 50059],
        400,
        "invalid_request",
        Retry::Looks,
        "knows no such tenant in this cloud. Check the credential's",
    ),
    (&[7_000_112], 401, "unauthorized_client", Retry::Looks, "disabled in the tenant. Enable its service principal"),
    (&[70001], 400, "unauthorized_client", Retry::Looks, "disabled in the tenant. Enable its service principal"),
    (
        &[700_027, 700_030],
        401,
        "invalid_client",
        Retry::Looks,
        "signature of the client assertion. Register the credential's",
    ),
    (&[5_002_738], 401, "invalid_client", Retry::Looks, "an RSA key"),
    (&[50166, 501_661], 400, "invalid_request", Retry::Looks, "Publish the cluster's issuer where Microsoft can reach"),
    (
        &[7_000_216],
        401,
        "invalid_client",
        Retry::Looks,
        "Add its client secret or certificate to the Secret, or the refresh",
    ),
    (&[7_000_218], 401, "invalid_client", Retry::Looks, "wants proof. Add its client secret or certificate"),
    (
        &[700_025],
        401,
        "invalid_client",
        Retry::Looks,
        "takes no proof. Take the client secret or certificate out of the Secret",
    ),
    (
        &[70011, 1_002_012],
        400,
        "invalid_scope",
        Retry::Looks,
        "knows no Microsoft Graph under this name in the tenant. Check",
    ),
    (
        &[500_011],
        400,
        "invalid_resource",
        Retry::Looks,
        "knows no Microsoft Graph under this name in the tenant. Check",
    ),
    (&[65001], 400, "invalid_grant", Retry::Looks, "Have the tenant's administrator grant consent."),
    (
        &[53003, 530_032],
        400,
        "access_denied",
        Retry::Looks,
        "Exempt the application from the policy, or allow the address",
    ),
    (&[90038, 900_382, 900_432], 400, "invalid_request", Retry::Looks, "another national cloud. Correct spec.cloud"),
    (&[9_002_332], 400, "invalid_request", Retry::Looks, "not meant for personal Microsoft accounts."),
    (
        &[50173, 700_082, 70008, 700_084, 70043, 70000],
        400,
        "invalid_grant",
        Retry::Looks,
        "no longer valid. Sign in again with photo-removal-operator login and put",
    ),
    (
        &[50076, 50079],
        400,
        "interaction_required",
        Retry::Looks,
        "wants the user to sign in in person. Sign in again with",
    ),
    (
        &[50057, 50034],
        400,
        "invalid_grant",
        Retry::Looks,
        "The user who signed in is gone or disabled. Sign in as another",
    ),
    (&[50020], 400, "invalid_grant", Retry::Looks, "does not belong to this tenant. Check the credential's tenant id."),
];

fn ask(status: u16, retry_after: Option<&'static str>, body: &str) -> Result<Grant, SignInError> {
    let mut headers = HeaderMap::new();
    headers.extend(retry_after.map(|value| (http::header::RETRY_AFTER, HeaderValue::from_static(value))));
    judge(status, &headers, body.as_bytes(), Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)
}

/// Entra's own text, which is never looked at, says something else.
fn body(error: &str, codes: &[u64]) -> String {
    json!({"error": error, "error_codes": codes, "error_description": "AADSTS50034: jane@contoso.com"}).to_string()
}

/// How it is retried, and what is said at once.
fn read(error: &SignInError) -> (Retry, String) {
    let retry = match error.retry_after() {
        Some(pause) => Retry::After(pause),
        None if error.is_final(Duration::ZERO) => Retry::Looks,
        None if error.is_final(15 * MINUTE) => Retry::Patience,
        None => Retry::BackOff,
    };
    (retry, error.trouble(Duration::ZERO).message)
}

#[test]
fn each_number_has_its_retry_and_its_words() {
    for (codes, status, error, retry, said) in ROWS {
        for code in codes {
            let error = ask(status, None, &body(error, &[*code])).unwrap_err();
            let (came, message) = read(&error);
            assert_eq!(came, retry, "{code}");
            assert!(message.contains(said), "{code}: wanted {said:?}, came {message:?}");
            assert!(!message.contains("jane") && message.ends_with(['.', ')']), "{code}: {message}");
            let final_reason = error.trouble(Duration::MAX).reason;
            let now = error.trouble(Duration::ZERO).reason;
            let expected = match retry {
                Retry::BackOff | Retry::After(_) => (Reason::SignInUnavailable, Reason::SignInUnavailable),
                Retry::Patience => (Reason::SignInUnavailable, Reason::CredentialInvalid),
                Retry::Looks => (Reason::CredentialInvalid, Reason::CredentialInvalid),
            };
            assert_eq!((now, final_reason), expected, "{code}");
            let names = error.trouble(Duration::MAX).message.contains(&format!("(AADSTS{code})"));
            assert_eq!(names, expected.1 == Reason::CredentialInvalid, "{code}: {message}");
        }
    }
}

/// A number that Microsoft invents tomorrow changes nothing of what `error` says.
#[test]
fn error_decides_where_the_number_is_new() {
    for (status, error, expected) in [
        (400, "temporarily_unavailable", Retry::BackOff),
        (400, "server_error", Retry::BackOff),
        (401, "invalid_client", Retry::Looks),
        (400, "invalid_grant", Retry::Looks),
        (400, "unauthorized_client", Retry::Looks),
        (400, "interaction_required", Retry::Looks),
        (500, "invalid_client", Retry::BackOff),
        (429, "invalid_client", Retry::After(MINUTE)),
    ] {
        for codes in [&[][..], &[999_999_999]] {
            let came = read(&ask(status, None, &body(error, codes)).unwrap_err()).0;
            assert_eq!(came, expected, "{status} {error} {codes:?}");
        }
    }
}

#[test]
fn what_is_no_error_of_entras_passes() {
    for (status, retry_after, body, expected) in [
        (429, Some("60"), "", Retry::After(MINUTE)),
        (429, None, "", Retry::After(MINUTE)),
        (503, None, "<html>Service Unavailable</html>", Retry::BackOff),
        (503, Some("5"), "<html>Service Unavailable</html>", Retry::After(Duration::from_secs(5))),
        (500, None, "", Retry::BackOff),
        (400, None, "<html>Bad Request</html>", Retry::BackOff),
        (200, None, "<html>sign in to the guest network</html>", Retry::BackOff),
    ] {
        let error = ask(status, retry_after, body).unwrap_err();
        assert_eq!(read(&error), (expected, error.trouble(Duration::MAX).message), "{status} {body}");
        assert!(error.trouble(Duration::MAX).message.starts_with(PASSES), "{status} {body}");
    }
}

/// Who learns of a number that Entra answers with writes it down here.
#[test]
fn every_number_that_the_emulator_knows_has_a_row() {
    let known = |(_, what)| match what {
        FaultKind::Entra(error) => error.codes.into_iter().map(u64::from).collect(),
        _ => Vec::new(),
    };
    let emulated: BTreeSet<u64> = emulator::catalogue::sign_in().into_iter().flat_map(known).collect();
    let listed: BTreeSet<u64> = ROWS.iter().flat_map(|(codes, ..)| codes.iter().copied()).collect();
    assert!(emulated.len() > 40, "{emulated:?}");
    let missing: Vec<_> = emulated.difference(&listed).collect();
    assert_eq!(missing, Vec::<&u64>::new(), "numbers of the emulator without a row");
}
