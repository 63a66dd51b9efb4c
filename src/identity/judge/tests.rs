//! What each answer of the token endpoint means, as tables.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn ask(status: u16, retry_after: Option<&str>, body: &str) -> Result<Grant, SignInError> {
    let mut headers = HeaderMap::new();
    if let Some(value) = retry_after {
        headers.insert(http::header::RETRY_AFTER, value.parse().unwrap());
    }
    judge(status, &headers, body.as_bytes(), Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)
}

fn refusal(error: &str, codes: &[u64]) -> String {
    serde_json::json!({"error": error, "error_description": "AADSTS7000215: jane@contoso.com", "error_codes": codes})
        .to_string()
}

/// The pause of an answer that must mean that the sign-in is unavailable.
fn pause(status: u16, retry_after: Option<&str>, body: &str) -> Option<Duration> {
    let error = ask(status, retry_after, body).unwrap_err();
    assert!(!error.is_final(Duration::MAX), "{status} {body}: {error:?}");
    assert_eq!(error.trouble(Duration::MAX).reason, Reason::SignInUnavailable, "{status} {body}");
    error.retry_after()
}

#[test]
fn a_token_lives_as_long_as_entra_says_in_whatever_form() {
    for (expires_in, seconds) in [
        ("3599", 3599),
        ("\"3599\"", 3599),
        ("3599.9", 3599),
        ("1e300", 86400),
        ("99999999999999999999999999", 86400),
        ("\"inf\"", 86400),
        ("null", 600),
        ("\"soon\"", 600),
        ("\"NaN\"", 600),
        ("[]", 600),
    ] {
        let body = [r#"{"token_type":"Bearer","access_token":"a.b-c","expires_in":"#, expires_in, "}"].concat();
        let token = ask(200, None, &body).unwrap().token;
        assert_eq!(token.expires_at().as_second(), seconds, "{expires_in}");
        assert_eq!(token.secret().expose_secret(), "a.b-c");
    }
    assert_eq!(ask(200, None, r#"{"access_token":"opaque"}"#).unwrap().token.expires_at().as_second(), 600);
}

#[test]
fn a_new_refresh_token_comes_with_the_token_and_an_odd_one_costs_nothing() {
    for (refresh_token, expected) in
        [("\"0.AX-b_c\"", Some("0.AX-b_c")), ("\"\"", None), ("\"a b\"", None), ("7", None)]
    {
        let body = [r#"{"access_token":"a","refresh_token":"#, refresh_token, "}"].concat();
        let grant = ask(200, None, &body).unwrap();
        assert_eq!(grant.refresh_token.as_ref().map(ExposeSecret::expose_secret), expected, "{refresh_token}");
    }
    assert!(ask(200, None, r#"{"access_token":"a"}"#).unwrap().refresh_token.is_none());
}

#[test]
fn what_a_user_consented_to_comes_with_the_token_and_an_odd_form_of_it_costs_nothing() {
    for (scope, expected) in [("\"User.Read openid\"", Some("User.Read openid")), ("[]", None), ("null", None)] {
        let body = [r#"{"access_token":"a","scope":"#, scope, "}"].concat();
        assert_eq!(ask(200, None, &body).unwrap().scope.as_deref(), expected, "{scope}");
    }
}

#[test]
fn a_success_without_a_usable_token_is_no_success() {
    for body in [
        "",
        "<html>sign in to the guest network</html>",
        "{}",
        r#"{"access_token":""}"#,
        r#"{"access_token":7}"#,
        r#"{"access_token":"a b"}"#,
        r#"{"access_token":"a\r\nx: y"}"#,
        r#"{"access_token":"a","token_type":"pop"}"#,
        r#"{"access_token":"a","expires_in":0}"#,
        r#"{"access_token":"a","expires_in":"-5"}"#,
        r#"{"access_token":"a","expires_in":3599"#,
    ] {
        assert_eq!(pause(200, None, body), None, "{body}");
    }
}

#[test]
fn what_may_pass_by_itself_is_unavailable_and_says_how_long_to_wait() {
    let throttled = refusal("invalid_request", &[90055]);
    let looped = refusal("invalid_grant", &[50196]);
    for (status, retry_after, body, expected) in [
        (429, None, "", Some(MINUTE)),
        (429, Some("7"), "", Some(Duration::from_secs(7))),
        (429, Some("rubbish"), "", Some(MINUTE)),
        (429, Some("99999999"), "", Some(retry_after::LONGEST)),
        (400, None, looped.as_str(), Some(10 * MINUTE)),
        (400, Some("900"), &looped, Some(15 * MINUTE)),
        (400, None, &throttled, None),
        (400, None, &refusal("temporarily_unavailable", &[]), None),
        (400, None, "<html></html>", None),
        (401, None, "", None),
        (404, None, r#"{"error":{"code":"NotFound"}}"#, None),
        (408, None, "", None),
        (302, None, "", None),
        (500, None, &refusal("invalid_client", &[7_000_215]), None),
        (503, Some("30"), "<html></html>", Some(Duration::from_secs(30))),
        (504, None, "", None),
    ] {
        assert_eq!(pause(status, retry_after, body), expected, "{status} {body}");
    }
}

#[test]
fn a_refusal_says_what_to_do_and_never_what_entra_wrote() {
    for (status, error, codes, expected) in [
        (401, "invalid_client", &[7_000_215][..], "Put the secret's value, not its id, into AZURE_CLIENT_SECRET."),
        (401, "invalid_client", &[7_000_222], "The client secret has expired."),
        (400, "unauthorized_client", &[700_016], "There is no application with this client id in the tenant."),
        (400, "invalid_request", &[90002], "knows no such tenant in this cloud."),
        (401, "unauthorized_client", &[7_000_112], "The application is disabled in the tenant."),
        (400, "access_denied", &[53003], "A conditional access policy of the tenant blocks the sign-in."),
        (400, "invalid_grant", &[700_082], "The refresh token is no longer valid."),
        (400, "invalid_client", &[1, 7_000_222], "(AADSTS7000222)"),
        (400, "invalid_client", &[1_234_567], "refuses the sign-in (AADSTS1234567). Look the number up"),
        (400, "invalid_client", &[], "refuses the sign-in (invalid_client)."),
        (400, "jane@contoso.com", &[], "refuses the sign-in (no known error)."),
    ] {
        let refused = ask(status, None, &refusal(error, codes)).unwrap_err();
        assert!(refused.is_final(Duration::ZERO), "{codes:?}");
        let trouble = refused.trouble(Duration::ZERO);
        assert_eq!(trouble.reason, Reason::CredentialInvalid, "{codes:?}");
        assert!(trouble.message.contains(expected), "wanted {expected}, got {}", trouble.message);
        assert!(!trouble.message.contains("jane"), "{}", trouble.message);
    }
}

#[test]
fn an_error_whose_numbers_have_a_new_form_is_still_an_error() {
    for codes in ["null", "\"7000215\"", "[\"7000215\"]", "{}"] {
        let body = [r#"{"error":"invalid_client","error_codes":"#, codes, "}"].concat();
        assert!(ask(401, None, &body).unwrap_err().is_final(Duration::ZERO), "{codes}");
    }
}

#[test]
fn what_needs_time_to_spread_is_unavailable_for_fifteen_minutes_and_then_refused() {
    for code in [70021, 700_213, 700_024] {
        let error = ask(400, None, &refusal("invalid_request", &[code])).unwrap_err();
        for (failing_for, expected) in [
            (Duration::ZERO, Reason::SignInUnavailable),
            (14 * MINUTE, Reason::SignInUnavailable),
            (15 * MINUTE, Reason::CredentialInvalid),
        ] {
            assert_eq!(error.trouble(failing_for).reason, expected, "{code} after {failing_for:?}");
        }
    }
}
