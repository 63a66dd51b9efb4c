//! `login`: from the code that a person types to a Secret that the operator uses.

mod person;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use emulator::{Answer, App, Decision, Emulator, Fault, FaultKind, Matcher, Operation, Payload, User};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use photo_removal_operator::api::{CredentialRef, Holder, Reason};
use photo_removal_operator::identity::{Credential, Proof};
use secrecy::ExposeSecret;
use serde_json::json;
use testbed::{SECRET, World};

use self::person::{ADMIN, CLIENT, Ended, Login, TENANT, microsoft, paced, welcome};
use crate::Outcome;
use crate::program::PROGRAM;

const USER: &str = "jane.doe@contoso.com";
const PERSONAL: &str = "jane@example.com";

fn codes(emulator: &Emulator) -> usize {
    emulator.count(&Matcher::of(Operation::DeviceCode))
}

/// The credential that the operator reads out of a Secret, which must hold the refresh token that was issued last.
fn credential(emulator: &Emulator, data: &BTreeMap<String, ByteString>) -> Credential {
    let reference = CredentialRef { holder: Holder::Secret("s".to_owned()), tenant: None, client: None };
    let credential = Credential::from_secret(data, &reference).expect("a credential");
    let token = credential.refresh_token().map(|token| token.expose_secret().to_owned());
    assert_eq!(token, emulator.issued_refresh_tokens().last().cloned());
    assert!(matches!(credential.proof(), Proof::Public), "{credential:?}");
    credential
}

/// The Secret that was printed, and its values as the API server would keep them.
fn printed(ended: &Ended) -> (Secret, BTreeMap<String, ByteString>) {
    let secret: Secret = serde_saphyr::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let values = secret.string_data.clone().unwrap_or_default().into_iter();
    let data = values.map(|(key, value)| (key, ByteString(value.into_bytes()))).collect();
    (secret, data)
}

#[tokio::test]
async fn whoever_signs_in_gets_the_manifest_of_a_secret_and_nothing_else_on_standard_output() {
    let emulator = microsoft().await;
    let mut login = Login::alone(&emulator, &["--name", "jane", "-n", "offboarding"]);
    login.approve(&emulator).await;
    let ended = login.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let (secret, data) = printed(&ended);
    let place = (secret.metadata.namespace.as_deref(), secret.metadata.name.as_deref());
    assert_eq!(place, (Some("offboarding"), Some("jane")));
    let credential = credential(&emulator, &data);
    assert_eq!((credential.tenant().as_str(), credential.client().as_str()), (TENANT, CLIENT));
    assert!(ended.stderr.contains("To sign in, open https://microsoft.com/devicelogin in a browser"), "{ended:?}");
    for token in emulator.issued_tokens().iter().chain(&emulator.issued_refresh_tokens()) {
        assert!(!ended.stderr.contains(token.as_str()), "a token is told: {}", ended.stderr);
    }
    assert!(!ended.stdout.contains(&emulator.issued_tokens()[0]), "the access token is printed");
}

#[tokio::test]
async fn a_personal_account_signs_in_for_its_own_photo() {
    let emulator = microsoft().await;
    emulator.put_app(App::public(CLIENT).with_personal_accounts());
    emulator.put_user(User::new(PERSONAL).personal());
    let mut login = Login::start(&emulator, "consumers", Path::new("/nowhere"), &[]);
    let code = login.code().await;
    assert!(emulator.decide(&code, &Decision::Approve(PERSONAL.to_owned())));
    let ended = login.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(credential(&emulator, &printed(&ended).1).tenant().as_str(), "consumers");
}

#[tokio::test]
async fn what_does_not_last_is_waited_out() {
    let emulator = microsoft().await;
    let unavailable = FaultKind::html(503);
    emulator.add_fault(Fault::on(Operation::Token, unavailable).about(CLIENT).times(1));
    emulator.add_fault(Fault::on(Operation::Token, FaultKind::ResetBeforeHead).about(CLIENT).times(1));
    let mut login = Login::alone(&emulator, &["--for", "me"]);
    login.approve(&emulator).await;
    let ended = login.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    credential(&emulator, &printed(&ended).1);
}

#[tokio::test]
async fn whoever_is_told_to_slow_down_does() {
    let emulator = microsoft().await;
    let slow_down = FaultKind::Answer(Answer::new(400, Payload::Json(json!({"error": "slow_down"}))));
    emulator.add_fault(Fault::on(Operation::Token, slow_down).about(CLIENT).times(1));
    let mut login = Login::alone(&emulator, &[]);
    login.approve(&emulator).await;
    let began = Instant::now();
    let ended = login.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    // One second to the first question, and then five more than that.
    let waited = began.elapsed();
    assert!((6..14).contains(&waited.as_secs()), "waited {waited:?}, expected seven seconds");
    assert_eq!(emulator.count(&Matcher::of(Operation::Token)), 2, "questions");
}

#[tokio::test]
async fn whoever_declines_is_heard() {
    let emulator = microsoft().await;
    let mut login = Login::alone(&emulator, &[]);
    assert!(emulator.decide(&login.code().await, &Decision::Decline));
    login.ended().await.failed_with(&["The sign-in was declined."]);
}

#[tokio::test]
async fn a_code_that_nobody_uses_expires() {
    let emulator = microsoft().await;
    paced(&emulator, Duration::from_secs(3));
    let login = Login::alone(&emulator, &[]);
    login.ended().await.failed_with(&["The code expired before anybody signed in with it."]);
}

#[tokio::test]
async fn each_refusal_is_one_sentence_with_the_way_out() {
    let json = |status, body| FaultKind::Answer(Answer::new(status, Payload::Json(body)));
    let lasting = json!({"token_type": "Bearer", "access_token": "a", "expires_in": 3600});
    let rows = [
        (Operation::Token, FaultKind::entra(400, "bad_verification_code", 70_018), "does not know the code"),
        (Operation::Token, json(200, lasting), "offline_access was not granted"),
        (Operation::Token, FaultKind::entra(401, "invalid_client", 7_000_218), "\"Allow public client flows\""),
        (Operation::Token, FaultKind::entra(400, "access_denied", 53_003), "conditional access policy"),
        (Operation::DeviceCode, FaultKind::html(503), "gave no usable answer (HTTP status 503)"),
        (Operation::DeviceCode, FaultKind::ResetBeforeHead, "cannot be reached (reset)"),
        (Operation::DeviceCode, json(200, json!({})), "gave an answer that cannot be understood"),
        (Operation::DeviceCode, FaultKind::entra(400, "unauthorized_client", 700_016), "Check --client-id"),
    ];
    for (operation, what, expected) in rows {
        let emulator = microsoft().await;
        emulator.add_fault(Fault::on(operation, what).about(CLIENT));
        let login = Login::alone(&emulator, &[]);
        login.ended().await.failed_with(&[expected]);
    }
}

#[tokio::test]
async fn an_unknown_tenant_is_found_out_before_anybody_signs_in() {
    let emulator = microsoft().await;
    let login = Login::start(&emulator, "fabrikam.com", Path::new("/nowhere"), &[]);
    login.ended().await.failed_with(&["knows no such tenant", "Check --tenant-id and --cloud.", "AADSTS90002"]);
}

#[tokio::test]
async fn without_a_cluster_nobody_is_asked_to_sign_in_for_it() {
    let emulator = microsoft().await;
    let login = Login::alone(&emulator, &["--apply"]);
    let ended = login.ended().await;
    ended.failed_with(&["No cluster was found", "leave out --apply"]);
    assert_eq!((ended.stderr.lines().count(), codes(&emulator)), (1, 0), "{ended:?}");
}

#[tokio::test]
async fn control_c_ends_it_at_once_with_nothing_written() {
    let emulator = microsoft().await;
    let mut login = Login::alone(&emulator, &[]);
    login.code().await;
    login.signal("INT").await;
    let ended = login.ended().await;
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (None, ""), "{ended:?}");
}

#[test]
fn whoever_calls_it_wrongly_is_told_in_one_line() {
    for (arguments, expected) in [
        (&["login"][..], "Missing: --tenant-id <ID>, --client-id <ID>"),
        (&["login", "--tenant-id", "contoso.com"], "Missing: --client-id <ID>"),
        (&["login", "--tenant-id", "contoso", "--client-id", CLIENT], "--tenant-id is \"contoso\""),
        (&["login", "--tenant-id", "consumers", "--client-id", CLIENT, "--for", "users"], "--for is \"users\""),
    ] {
        let mut program = Command::new(PROGRAM);
        let ended = program.args(arguments).env_remove("AZURE_TENANT_ID").env_remove("AZURE_CLIENT_ID").output();
        let ended = ended.expect("the program starts");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!((ended.status.code(), said.lines().count()), (Some(2), 1), "{arguments:?}: {said}");
        assert!(said.contains(expected) && ended.stdout.is_empty(), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn with_apply_the_operator_works_with_the_secret_at_once() -> Outcome {
    let world = World::start().await?;
    let (emulator, tenant) = (world.emulator(), world.credential().0);
    welcome(emulator, tenant);
    let other = [("note", b"kept".to_vec()), ("AZURE_REFRESH_TOKEN", b"old".to_vec())];
    world.put_secret(world.namespace(), "graph-user", &other).await?;
    let flags = ["--apply", "-n", world.namespace()];
    let mut login = Login::start(emulator, tenant, &world.plane().kubeconfig(), &flags);
    login.approve(emulator).await;
    let ended = login.ended().await;
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    let line = format!("Signed in. The Secret {}/graph-user holds the refresh token.", world.namespace());
    assert_eq!(ended.stderr.lines().last(), Some(line.as_str()));

    let secrets = Api::<Secret>::namespaced(world.client().clone(), world.namespace());
    let data = secrets.get("graph-user").await?.data.unwrap_or_default();
    assert_eq!(data.get("note"), Some(&ByteString(b"kept".to_vec())));
    credential(emulator, &data);
    world.user(USER);
    let mut manifest = world.manifest("jane", USER);
    manifest["spec"]["credentials"]["secretRef"]["name"] = json!("graph-user");
    world.apply(&manifest).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

#[tokio::test]
async fn kubectl_takes_what_is_printed() -> Outcome {
    let world = World::builder().build().await?;
    let (emulator, tenant) = (world.emulator(), world.credential().0);
    welcome(emulator, tenant);
    let mut login = Login::start(emulator, tenant, Path::new("/nowhere"), &[]);
    login.approve(emulator).await;
    let ended = login.ended().await;
    let arguments = ["apply", "-n", world.namespace(), "-f", "-"];
    world.plane().kubectl_with(&arguments, &ended.stdout).await?.ok()?;
    let secrets = Api::<Secret>::namespaced(world.client().clone(), world.namespace());
    credential(emulator, &secrets.get("graph-user").await?.data.unwrap_or_default());
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_does_not_take_the_secret_says_so_before_anybody_signs_in() -> Outcome {
    let world = World::builder().build().await?;
    let emulator = world.emulator();
    welcome(emulator, world.credential().0);
    let own = world.plane().kubeconfig();
    let stranger = world.plane().kubeconfig_as("jane", &[])?;
    let here = world.namespace();
    for (kubeconfig, flags, expected) in [
        (&stranger, ["-n", here, "--name", "a"], "does not let you write the Secret"),
        (&own, ["-n", "nowhere", "--name", "a"], "The cluster has no namespace nowhere (404)."),
        (&own, ["-n", here, "--name", SECRET], "holds a client secret or a certificate"),
    ] {
        let flags = [&["--apply"], &flags[..]].concat();
        let ended = Login::start(emulator, world.credential().0, kubeconfig, &flags).ended().await;
        ended.failed_with(&[expected]);
        assert_eq!((ended.stderr.lines().count(), codes(emulator)), (1, 0), "{ended:?}");
    }
    let secrets = Api::<Secret>::namespaced(world.client().clone(), here);
    assert!(secrets.get_opt("a").await?.is_none(), "something was written");
    Ok(())
}

#[tokio::test]
async fn a_sign_in_that_the_cluster_does_not_take_after_all_is_printed() -> Outcome {
    let world = World::builder().build().await?;
    let (emulator, tenant) = (world.emulator(), world.credential().0);
    welcome(emulator, tenant);
    let api = world.plane().faults().await?;
    let flags = ["--apply", "-n", world.namespace()];
    let mut login = Login::start(emulator, tenant, api.kubeconfig(), &flags);
    let code = login.code().await;
    api.inject(testbed::Matcher::any().containing("/secrets/"), testbed::Fault::Status(http::StatusCode::FORBIDDEN));
    assert!(emulator.decide(&code, &Decision::Approve(ADMIN.to_owned())));
    let ended = login.ended().await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let (secret, data) = printed(&ended);
    assert_eq!(secret.metadata.namespace.as_deref(), Some(world.namespace()));
    credential(emulator, &data);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("(403)") && last.contains("The sign-in is not lost"), "{last}");
    Ok(())
}
