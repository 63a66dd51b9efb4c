//! Each answer of the flow, when to ask next, and what never reaches a terminal.

use serde_json::json;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn code(changes: &[(&str, Value)]) -> Result<DeviceCode, DeviceError> {
    let mut body = json!({
        "user_code": "A1B2-C3D4",
        "device_code": "GAQABAAEAAAD--_",
        "verification_uri": "https://microsoft.com/devicelogin",
        "expires_in": 900,
        "interval": 5,
        "message": "\u{1b}]0;never shown",
    });
    for (key, value) in changes {
        body[*key] = value.clone();
    }
    judge_code(200, body.to_string().as_bytes())
}

fn poll(status: u16, body: &Value) -> Poll {
    let epoch = Timestamp::UNIX_EPOCH;
    judge_poll(status, &HeaderMap::new(), body.to_string().as_bytes(), epoch, epoch)
}

fn failure(poll: Poll) -> DeviceError {
    match poll {
        Poll::Failed(error) => error,
        other => panic!("expected a failure, came {other:?}"),
    }
}

fn again(poll: Poll) -> Again {
    match poll {
        Poll::Again(again) => again,
        other => panic!("expected to be told to ask again, came {other:?}"),
    }
}

#[test]
fn a_code_is_read_as_it_comes() {
    let read = code(&[]).unwrap();
    assert_eq!((read.page.as_str(), read.user_code.as_str()), ("https://microsoft.com/devicelogin", "A1B2-C3D4"));
    assert_eq!((read.life, read.interval), (900 * SECOND, 5 * SECOND));
    assert_eq!(read.secret.expose_secret(), "GAQABAAEAAAD--_");
    assert!(!format!("{read:?}").contains("GAQAB"), "{read:?}");
}

#[test]
fn times_are_what_is_said_within_reason() {
    for (key, said, life, interval) in [
        ("interval", json!(null), 900, 5),
        ("interval", json!("7"), 900, 7),
        ("interval", json!(0), 900, 1),
        ("interval", json!(-3), 900, 5),
        ("expires_in", json!(null), 900, 5),
        ("expires_in", json!("60"), 60, 5),
        ("expires_in", json!(1e300), 900, 5),
        ("expires_in", json!(10_000_000), 86400, 5),
    ] {
        let read = code(&[(key, said.clone())]).unwrap();
        assert_eq!((read.life, read.interval), (life * SECOND, interval * SECOND), "{key}: {said}");
    }
}

#[test]
fn what_no_person_can_use_or_a_terminal_would_obey_is_no_code() {
    for (key, said) in [
        ("user_code", json!("")),
        ("user_code", json!("A1\u{1b}[2J")),
        ("user_code", json!("A1 B2")),
        ("user_code", json!("A\u{202e}B")),
        ("user_code", json!("A".repeat(33))),
        ("user_code", json!(7)),
        ("device_code", json!("")),
        ("device_code", json!("a\nb")),
        ("verification_uri", json!("http://microsoft.com/devicelogin")),
        ("verification_uri", json!("https://me:secret@login.example/")),
        ("verification_uri", json!("javascript:alert(1)")),
        ("verification_uri", json!("microsoft.com/devicelogin")),
    ] {
        let error = code(&[(key, said.clone())]).unwrap_err();
        assert!(error.to_string().contains("cannot be understood"), "{key}: {said}: {error}");
    }
    let odd = code(&[("verification_uri", json!("https://b\u{fc}cher.example/\u{1b}[2J?q=\u{202e}"))]).unwrap();
    assert!(odd.page.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{}", odd.page);
    assert!(code(&[("verification_uri", json!("http://127.0.0.1:9/device"))]).is_ok());
}

#[test]
fn the_flows_own_errors_are_told_apart() {
    let failed = |error: &str| failure(poll(400, &json!({"error": error, "error_codes": [70018]})));
    assert_eq!(failed("authorization_declined"), DeviceError::Declined);
    assert_eq!(failure(poll(400, &json!({"error": "access_denied"}))), DeviceError::Declined);
    assert_eq!(failed("expired_token"), DeviceError::Expired);
    assert_eq!(failed("bad_verification_code"), DeviceError::Unknown);
    assert_eq!(again(poll(400, &json!({"error": "authorization_pending", "error_codes": [70016]}))), Again::Pending);
    assert_eq!(again(poll(400, &json!({"error": "slow_down"}))), Again::SlowDown);
    let granted = poll(200, &json!({"access_token": "a", "refresh_token": "0.AX", "token_type": "Bearer"}));
    assert!(matches!(&granted, Poll::Granted(Grant { refresh_token: Some(_), .. })), "{granted:?}");
}

#[test]
fn an_answer_that_says_nothing_is_asked_for_again() {
    for (status, body) in [
        (503, json!({"error": "temporarily_unavailable"})),
        (500, json!(null)),
        (408, json!({})),
        (200, json!({"access_token": ""})),
        (400, json!("rubbish")),
        (302, json!({})),
    ] {
        let again = again(poll(status, &body));
        let Again::Unanswered { retry_after: None, error } = again else { panic!("{status} {body}: {again:?}") };
        assert!(error.to_string().contains(&format!("(HTTP status {status})")), "{error}");
    }
    let paused = again(poll(429, &json!({})));
    assert!(matches!(paused, Again::Unanswered { retry_after: Some(pause), .. } if pause == 60 * SECOND), "{paused:?}");
}

#[test]
fn other_refusals_say_what_to_do_and_repeat_no_text() {
    for (error, codes, expected) in [
        ("invalid_client", &[7_000_218][..], "Allow public client flows"),
        ("unauthorized_client", &[700_016], "Check --client-id, --tenant-id"),
        ("invalid_request", &[90002], "Check --tenant-id and --cloud. (AADSTS90002)"),
        ("invalid_grant", &[7, 65001], "grant the application consent"),
        ("access_denied", &[53003], "A conditional access policy"),
        ("invalid_grant", &[7_000_112], "The application is disabled"),
        ("invalid_grant", &[424_242], "https://login.microsoftonline.com/error?code=424242."),
        ("invalid_grant", &[], "refuses the sign-in (invalid_grant)"),
        ("In\u{1b}[2J", &[], "refuses the sign-in (no known error)"),
    ] {
        let body = json!({"error": error, "error_codes": codes, "error_description": "of jane@contoso.com"});
        let message = failure(poll(400, &body)).to_string();
        assert!(message.contains(expected) && !message.contains("jane"), "{error} {codes:?}: {message}");
        assert_eq!(judge_code(400, body.to_string().as_bytes()).unwrap_err().to_string(), message);
    }
}

#[test]
fn the_pace_is_the_servers_slower_on_demand_and_doubles_only_while_nothing_comes() {
    let silence = |retry_after| Again::Unanswered { retry_after, error: DeviceError::Unknown };
    let mut pace = Pace::new(5 * SECOND);
    for (again, pause) in [
        (Again::Pending, 5),
        (Again::SlowDown, 10),
        (Again::Pending, 10),
        (Again::SlowDown, 15),
        (silence(None), 30),
        (silence(None), 60),
        (silence(None), 60),
        (silence(Some(600 * SECOND)), 600),
        (silence(Some(SECOND)), 60),
        (Again::Pending, 15),
    ] {
        pace = pace.after(&again);
        assert_eq!(pace.pause(), pause * SECOND, "after {again:?}");
    }
    let patient = Pace::new(100 * SECOND).after(&silence(None));
    assert_eq!(patient.pause(), 100 * SECOND, "an interval is never undercut");
}
