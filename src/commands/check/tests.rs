//! What is told of what was found.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::api::{ClientId, Cloud};
use crate::lifecycle::Trouble;

const CLIENT: &str = "2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10";

fn client() -> ClientId {
    ClientId::parse(CLIENT).unwrap()
}

fn found(who: Who, permissions: Option<&[&str]>) -> SignedIn {
    let permissions: Option<Vec<String>> =
        permissions.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    SignedIn {
        application: Some("Offboarding".to_owned()),
        tenant: Some("72f988bf-86f1-41af-91ab-2d7cd011db47".to_owned()),
        expires_in: 3599,
        delegated: who != Who::Application,
        verdicts: Verdicts::of(who, permissions.as_deref(), &client()),
        permissions,
    }
}

#[test]
fn a_refusal_is_certain_only_if_it_does_not_pass_by_itself() {
    let trouble = Trouble { reason: Reason::CredentialInvalid, message: "Wrong.".to_owned() };
    let refused = |tolerated| SignInError::Refused { trouble: trouble.clone(), tolerated };
    assert_eq!(refusal(&refused(Duration::ZERO)), Problem::of(trouble.clone()));
    let message = "Wrong. What was set up in the last 15 minutes may not have spread inside Microsoft Entra yet: check again then.";
    assert_eq!(refusal(&refused(Duration::from_secs(900))), Problem::unknown("SignInUnavailable", message.to_owned()));
    let throttled = SignInError::Unavailable { retry_after: Some(Duration::from_secs(60)), source: None };
    let message = "Microsoft Entra gave no usable answer. Check again in 60 seconds.";
    assert_eq!(refusal(&throttled), Problem::unknown("SignInUnavailable", message.to_owned()));
}

#[test]
fn signing_in_is_enough_only_if_the_token_is_known_to_serve_somebody() {
    for (who, permissions, expected) in [
        (Who::Application, Some(&["ProfilePhoto.ReadWrite.All"][..]), None),
        (Who::User, Some(&["User.ReadWrite"]), None),
        (Who::Application, Some(&["User.ReadWrite"]), Some(1)),
        (Who::Application, Some(&[]), Some(1)),
        (Who::Application, None, Some(2)),
        (Who::PersonalAccount, None, Some(2)),
    ] {
        let told = shortfall(&found(who, permissions));
        let code = told.map(|problem| if problem == unknown_permissions() { 2 } else { 1 });
        assert_eq!(code, expected, "{who:?} {permissions:?}");
    }
}

fn unknown_permissions() -> Problem {
    let message = "The sign-in works, but the token cannot be read, so what it allows is not known.";
    Problem::unknown("PermissionsUnknown", message.to_owned())
}

#[test]
fn a_personal_account_is_one_by_its_tenant() {
    let tenant = |text| TenantId::parse(text).unwrap();
    let (consumers, work) = (tenant("consumers"), tenant("contoso.com"));
    let personal = tenant("9188040D-6C67-4C5B-B112-36A304B66DAD");
    assert_eq!(who(true, [&work, &work]), Who::User);
    assert_eq!(who(true, [&personal, &work]), Who::PersonalAccount);
    assert_eq!(who(true, [&consumers, &consumers]), Who::PersonalAccount);
    assert_eq!(who(false, [&work, &consumers]), Who::Application);
}

fn report(signed_in: Option<SignedIn>, problem: Option<Problem>) -> Report {
    let mut report = Report::new(Cloud::Global, Timestamp::UNIX_EPOCH);
    (report.signed_in, report.problem) = (signed_in, problem);
    report
}

#[test]
fn json_has_every_key_whatever_was_found() {
    let nothing = report(None, Some(Problem::unknown("FileUnusable", "It is gone.".to_owned()))).json();
    let expected = json!({
        "result": "unknown",
        "signIn": {
            "ok": null, "method": null, "tenantId": null, "clientId": null, "displayName": null, "cloud": "Global",
            "expiresInSeconds": null, "certificateExpires": null, "federation": null,
        },
        "permissions": null,
        "targets": null,
        "problem": {"reason": "FileUnusable", "message": "It is gone."},
    });
    assert_eq!(nothing, expected);
    let all = report(Some(found(Who::Application, Some(&["ProfilePhoto.ReadWrite.All"]))), None).json();
    assert_eq!((&all["result"], &all["signIn"]["ok"], &all["problem"]), (&json!("works"), &json!(true), &json!(null)));
    assert_eq!(all["targets"]["me"]["allowed"], json!(false));
    let users = json!({"allowed": true, "missing": [], "optional": ["User.Read.All"], "note": null, "grant": null});
    assert_eq!(all["targets"]["users"], users);
}

#[test]
fn text_says_each_way_to_grant_something_once() {
    let nothing = report(Some(found(Who::Application, Some(&[]))), None);
    let nothing = text::of(&nothing);
    assert_eq!(nothing.matches("az ad app permission add").count(), 1, "{nothing}");
    assert!(
        nothing.contains("To grant what is missing for users and groups:\n  In the Microsoft Entra admin center: "),
        "{nothing}"
    );
}
