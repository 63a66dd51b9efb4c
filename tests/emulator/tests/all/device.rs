//! The device code flow, from the code to the token.

use std::time::Duration;

use emulator::{App, Behaviour, Decision, Fault, FaultKind, Operation, User};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::world::{CLIENT, Form, JANE, JANE_ID, SECRET, TENANT, World, body, claims, refused};

const PUBLIC: &str = "cccccccc-2222-4333-8444-555555555555";
const PERSONAL: &str = "jane@example.com";

/// A world with a public client, where nobody has to wait between two questions.
async fn world() -> World {
    let world = World::new().await;
    world.emulator.put_app(App::public(PUBLIC).with_personal_accounts());
    world.emulator.put_user(User::new(PERSONAL).personal());
    paced(&world, Duration::ZERO, Duration::from_secs(900));
    world
}

fn paced(world: &World, device_code_interval: Duration, device_code_lifetime: Duration) {
    let behaviour = Behaviour { device_code_interval, device_code_lifetime, ..Behaviour::default() };
    world.emulator.set_behaviour(behaviour);
}

async fn asked(world: &World, realm: &str, client: &str, scope: &str) -> Response {
    let form = [("client_id", client.to_owned()), ("scope", scope.to_owned())];
    world.post_form(&format!("{realm}/oauth2/v2.0/devicecode"), &form).await
}

async fn begun(world: &World, realm: &str, scope: &str) -> Value {
    let answer = asked(world, realm, PUBLIC, scope).await;
    assert_eq!(answer.status(), 200);
    body(answer).await
}

fn form(client: &str, begun: &Value) -> Form {
    let device_code = begun["device_code"].as_str().expect("a code");
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", client),
        ("device_code", device_code),
    ];
    fields.map(|(name, value)| (name, value.to_owned())).to_vec()
}

fn decide(world: &World, begun: &Value, decision: &Decision) -> bool {
    world.emulator.decide(begun["user_code"].as_str().expect("a code"), decision)
}

fn by(user: &str) -> Decision {
    Decision::Approve(user.to_owned())
}

#[tokio::test]
async fn a_code_that_is_approved_buys_both_tokens_once() {
    let world = world().await;
    let begun = begun(&world, TENANT, "User.ReadWrite offline_access openid profile").await;
    assert_eq!((&begun["expires_in"], &begun["interval"]), (&json!(900), &json!(0)));
    let message = begun["message"].as_str().unwrap_or_default();
    for part in ["user_code", "verification_uri"] {
        assert!(message.contains(begun[part].as_str().expect("text")), "{part} in {message}");
    }
    let form = form(PUBLIC, &begun);
    for _ in 0..2 {
        refused(&world, TENANT, &form, (400, "authorization_pending", 70_016)).await;
    }
    assert!(decide(&world, &begun, &by(JANE)));
    let answer = world.token_request(TENANT, &form).await;
    assert_eq!(answer.status(), 200);
    let answer = body(answer).await;
    let claims = claims(answer["access_token"].as_str().expect("a token"));
    assert_eq!((&claims["oid"], &claims["scp"]), (&json!(JANE_ID), &json!("User.ReadWrite")));
    assert!(answer["refresh_token"].is_string() && answer["id_token"].is_string(), "{answer}");
    refused(&world, TENANT, &form, (400, "invalid_grant", 54_005)).await;
    let operations: Vec<_> = world.emulator.requests().iter().map(|request| request.operation).collect();
    assert_eq!(operations[0], Operation::DeviceCode);
    assert!(operations[1..].iter().all(|operation| *operation == Operation::Token), "{operations:?}");
    let everything = serde_json::to_string(&world.emulator.requests()).expect("JSON");
    assert!(!everything.contains(begun["device_code"].as_str().expect("a code")), "{everything}");
}

#[tokio::test]
async fn without_offline_access_there_is_no_refresh_token() {
    let world = world().await;
    let begun = begun(&world, TENANT, &format!("{}User.ReadWrite", world.emulator.graph_url())).await;
    assert!(decide(&world, &begun, &by(JANE_ID)));
    let answer = body(world.token_request(TENANT, &form(PUBLIC, &begun)).await).await;
    assert_eq!((&answer["scope"], &answer["refresh_token"]), (&json!("User.ReadWrite"), &Value::Null));
}

#[tokio::test]
async fn who_asks_too_often_too_late_in_vain_or_for_another_is_told_so() {
    let world = world().await;
    let declined = begun(&world, TENANT, "User.ReadWrite").await;
    assert!(decide(&world, &declined, &Decision::Decline));
    assert!(!decide(&world, &declined, &by(JANE)), "a decision is final");
    refused(&world, TENANT, &form(PUBLIC, &declined), (400, "authorization_declined", 0)).await;

    let waiting = begun(&world, TENANT, "User.ReadWrite").await;
    let unknown = json!({"device_code": "unknown"});
    refused(&world, TENANT, &form(PUBLIC, &unknown), (400, "bad_verification_code", 70_018)).await;
    refused(&world, "common", &form(PUBLIC, &waiting), (400, "bad_verification_code", 70_018)).await;
    world.emulator.put_app(App::public(CLIENT));
    refused(&world, TENANT, &form(CLIENT, &waiting), (400, "bad_verification_code", 70_018)).await;

    paced(&world, Duration::from_secs(3600), Duration::from_secs(900));
    let hurried = begun(&world, TENANT, "User.ReadWrite").await;
    refused(&world, TENANT, &form(PUBLIC, &hurried), (400, "authorization_pending", 70_016)).await;
    refused(&world, TENANT, &form(PUBLIC, &hurried), (400, "slow_down", 0)).await;

    paced(&world, Duration::ZERO, Duration::ZERO);
    let late = begun(&world, TENANT, "User.ReadWrite").await;
    assert!(!decide(&world, &late, &by(JANE)));
    refused(&world, TENANT, &form(PUBLIC, &late), (400, "expired_token", 70_020)).await;
}

#[tokio::test]
async fn what_needs_an_administrator_is_not_for_everyone_to_give() {
    let world = world().await;
    let scope = "ProfilePhoto.ReadWrite.All";
    for (user, expected) in [(User::new(JANE).with_id(JANE_ID), 400), (User::new(JANE).with_id(JANE_ID).admin(), 200)] {
        world.emulator.put_user(user);
        let begun = begun(&world, TENANT, scope).await;
        assert!(decide(&world, &begun, &by(JANE)));
        assert_eq!(world.token_request(TENANT, &form(PUBLIC, &begun)).await.status(), expected);
    }
    world.emulator.put_user(User::new(JANE).with_id(JANE_ID));
    world.emulator.put_app(App { scopes: vec![scope.to_owned()], ..App::public(PUBLIC) });
    let begun = begun(&world, TENANT, &format!("{}.default", world.emulator.graph_url())).await;
    assert!(decide(&world, &begun, &by(JANE)));
    let answer = body(world.token_request(TENANT, &form(PUBLIC, &begun)).await).await;
    assert_eq!(answer["scope"], scope, "consented to for everyone");
}

#[tokio::test]
async fn each_account_signs_in_where_it_lives() {
    let world = world().await;
    let table = [
        ("consumers", PERSONAL, true),
        ("common", PERSONAL, true),
        ("organizations", PERSONAL, false),
        (TENANT, PERSONAL, false),
        ("consumers", JANE, false),
        ("common", JANE, true),
        ("organizations", JANE, true),
        (TENANT, "nobody@contoso.com", false),
    ];
    for (realm, user, allowed) in table {
        let begun = begun(&world, realm, "User.ReadWrite").await;
        assert_eq!(decide(&world, &begun, &by(user)), allowed, "{user} at {realm}");
        let status = world.token_request(realm, &form(PUBLIC, &begun)).await.status();
        assert_eq!(status, if allowed { 200 } else { 400 }, "{user} at {realm}");
    }
}

#[tokio::test]
async fn a_confidential_client_proves_itself_for_the_token() {
    let world = world().await;
    let answer = asked(&world, TENANT, CLIENT, "User.ReadWrite").await;
    let begun = body(answer).await;
    assert!(decide(&world, &begun, &by(JANE)));
    refused(&world, TENANT, &form(CLIENT, &begun), (401, "invalid_client", 7_000_218)).await;
    let mut proven = form(CLIENT, &begun);
    proven.push(("client_secret", SECRET.to_owned()));
    assert_eq!(world.token_request(TENANT, &proven).await.status(), 200);
}

#[tokio::test]
async fn codes_are_refused_to_strangers_and_decided_over_the_control_api() {
    let world = world().await;
    let unknown = asked(&world, TENANT, "unknown", "User.ReadWrite").await;
    assert_eq!((unknown.status().as_u16(), &body(unknown).await["error"]), (400, &json!("unauthorized_client")));
    let scopeless = asked(&world, TENANT, PUBLIC, "").await;
    assert_eq!((scopeless.status().as_u16(), &body(scopeless).await["error"]), (400, &json!("invalid_request")));
    world.emulator.add_fault(Fault::on(Operation::DeviceCode, FaultKind::html(503)).about(PUBLIC).times(1));
    assert_eq!(asked(&world, TENANT, PUBLIC, "User.ReadWrite").await.status(), 503);

    let begun = begun(&world, TENANT, "User.ReadWrite").await;
    let path = format!("device-codes/{}", begun["user_code"].as_str().expect("a code"));
    let table = [
        (json!({}), 400),
        (json!({"approve": JANE, "decline": true}), 400),
        (json!({"approve": "nobody@contoso.com"}), 404),
        (json!({"approve": JANE}), 204),
        (json!({"decline": true}), 404),
    ];
    for (decision, status) in table {
        assert_eq!(world.control(Method::POST, &path, decision.clone()).await.status(), status, "{decision}");
    }
    assert_eq!(world.token_request(TENANT, &form(PUBLIC, &begun)).await.status(), 200);
}
