//! Refresh tokens: what users' sign-ins are worth, and when they are worth nothing.

use emulator::{App, Behaviour, CONSUMERS, Fault, FaultKind, Matcher, Operation, RefreshTokens, Tenant, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{CLIENT, Form, JANE, JANE_ID, SECRET, TENANT, World, body, claims, refused, verdict};

const PUBLIC: &str = "cccccccc-2222-4333-8444-555555555555";
const OTHER_TENANT: &str = "22222222-2222-4333-8444-555555555555";
const SCOPES: [&str; 2] = ["User.ReadWrite", "offline_access"];

/// A world with a public client too, and a refresh token of Jane's for it.
async fn world() -> (World, String) {
    let world = World::new().await;
    world.emulator.put_app(App::public(PUBLIC).with_personal_accounts());
    let token = world.emulator.issue_refresh_token(TENANT, PUBLIC, JANE_ID, &SCOPES);
    (world, token)
}

fn form(client: &str, token: &str) -> Form {
    let fields = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
    fields.map(|(name, value)| (name, value.to_owned())).to_vec()
}

fn and(mut form: Form, field: &'static str, value: &str) -> Form {
    form.push((field, value.to_owned()));
    form
}

async fn granted(world: &World, tenant: &str, form: &Form) -> Value {
    let answer = world.token_request(tenant, form).await;
    let status = answer.status();
    let answer = body(answer).await;
    assert_eq!(status, 200, "{form:?}: {answer}");
    answer
}

#[tokio::test]
async fn a_refresh_token_buys_a_users_token_and_a_new_refresh_token_while_the_old_one_stays_good() {
    let (world, first) = world().await;
    let answer = granted(&world, TENANT, &form(PUBLIC, &first)).await;
    let access = answer["access_token"].as_str().expect("a token");
    let second = answer["refresh_token"].as_str().expect("a token").to_owned();
    assert_ne!(first, second);
    assert_eq!(answer["scope"], "User.ReadWrite");
    let claims = claims(access);
    let shown = [&claims["scp"], &claims["oid"], &claims["upn"], &claims["idtyp"], &claims["appid"]];
    assert_eq!(shown, ["User.ReadWrite", JANE_ID, JANE, "user", PUBLIC]);
    assert!(claims["roles"].is_null(), "{claims}");
    let mine = world.graph_as(access, Method::DELETE, "v1.0/me/photo/$value");
    assert_eq!(verdict(mine).await.0, 200);
    for token in [&first, &second] {
        granted(&world, TENANT, &form(PUBLIC, token)).await;
    }
    assert_eq!(world.emulator.issued_refresh_tokens().len(), 4);

    world.emulator.set_behaviour(Behaviour { refresh_rotation: false, ..Behaviour::default() });
    assert_eq!(granted(&world, "common", &form(PUBLIC, &first)).await["refresh_token"], Value::Null);
}

#[tokio::test]
async fn a_confidential_client_proves_itself_and_a_public_one_must_not() {
    let (world, public) = world().await;
    let own = world.emulator.issue_refresh_token(TENANT, CLIENT, JANE_ID, &SCOPES);
    granted(&world, TENANT, &and(form(CLIENT, &own), "client_secret", SECRET)).await;
    refused(&world, TENANT, &form(CLIENT, &own), (401, "invalid_client", 7_000_218)).await;
    let wrong = and(form(CLIENT, &own), "client_secret", "wrong");
    refused(&world, TENANT, &wrong, (401, "invalid_client", 7_000_215)).await;
    let too_much = and(form(PUBLIC, &public), "client_secret", SECRET);
    refused(&world, TENANT, &too_much, (401, "invalid_client", 700_025)).await;
    let foreign = and(form(CLIENT, &public), "client_secret", SECRET);
    refused(&world, TENANT, &foreign, (400, "invalid_grant", 70_000)).await;
}

#[tokio::test]
async fn a_refresh_token_that_ended_says_how() {
    let (world, revoked) = world().await;
    assert_eq!(world.emulator.revoke(&RefreshTokens::User(JANE_ID.to_owned())), 1);
    let aged = world.emulator.issue_refresh_token(TENANT, PUBLIC, JANE_ID, &SCOPES);
    assert_eq!(world.emulator.age(&RefreshTokens::RefreshToken(aged.clone())), 1);
    let fresh = world.emulator.issue_refresh_token(TENANT, PUBLIC, JANE_ID, &SCOPES);
    for (token, code) in [(revoked.as_str(), 50_173), (&aged, 700_082), ("rubbish", 9_002_313), ("1.Aunknown", 70_000)]
    {
        refused(&world, TENANT, &form(PUBLIC, token), (400, "invalid_grant", code)).await;
    }
    world.emulator.put_user(User { disabled: true, ..User::new(JANE).with_id(JANE_ID) });
    refused(&world, TENANT, &form(PUBLIC, &fresh), (400, "invalid_grant", 50_057)).await;
    world.emulator.remove_user(JANE);
    refused(&world, TENANT, &form(PUBLIC, &fresh), (400, "invalid_grant", 50_034)).await;
    let nothing = form(PUBLIC, "");
    refused(&world, TENANT, &nothing, (400, "invalid_request", 900_144)).await;
}

#[tokio::test]
async fn a_scope_can_be_less_than_what_was_agreed_to_but_not_more() {
    let (world, token) = world().await;
    let root = world.emulator.graph_url();
    let same = [
        format!("{root}.default"),
        format!("{root}User.ReadWrite"),
        format!("{root}User.ReadWrite offline_access"),
        "User.ReadWrite".to_owned(),
        "offline_access".to_owned(),
    ];
    for scope in same {
        let answer = granted(&world, TENANT, &and(form(PUBLIC, &token), "scope", &scope)).await;
        assert_eq!(answer["scope"], "User.ReadWrite", "{scope}");
    }
    let table = [
        ("User.ReadWrite.All".to_owned(), "invalid_grant", 65_001),
        (format!("{root}Mail.Read User.ReadWrite"), "invalid_grant", 65_001),
        ("https://graph.microsoft.com/.default".to_owned(), "invalid_resource", 500_011),
        (format!("{root}.default User.ReadWrite"), "invalid_scope", 70_011),
    ];
    for (scope, error, code) in table {
        refused(&world, TENANT, &and(form(PUBLIC, &token), "scope", &scope), (400, error, code)).await;
    }
}

#[tokio::test]
async fn personal_and_other_accounts_do_not_mix() {
    let (world, work) = world().await;
    let personal = User::new("jane@example.com").personal().with_photo();
    let id = personal.id.clone();
    world.emulator.put_user(personal);
    world.emulator.put_tenant(Tenant::new(OTHER_TENANT));
    let own = world.emulator.issue_refresh_token("consumers", PUBLIC, &id, &SCOPES);
    for realm in ["consumers", CONSUMERS, "common"] {
        let answer = granted(&world, realm, &form(PUBLIC, &own)).await;
        let access = answer["access_token"].as_str().expect("a token");
        assert_eq!(claims(access)["tid"], CONSUMERS, "{realm}");
        let entry = world.graph_as(access, Method::GET, "v1.0/me?$select=id");
        assert_eq!(body(entry.send().await.expect("an answer")).await["id"], id, "{realm}");
    }
    for realm in ["common", "organizations", TENANT] {
        granted(&world, realm, &form(PUBLIC, &work)).await;
    }
    let table = [
        ("consumers", &work, 70_000),
        (TENANT, &own, 70_000),
        ("organizations", &own, 70_000),
        (OTHER_TENANT, &work, 50_020),
    ];
    for (realm, token, code) in table {
        refused(&world, realm, &form(PUBLIC, token), (400, "invalid_grant", code)).await;
    }
    world.emulator.put_app(App::public(PUBLIC));
    refused(&world, "consumers", &form(PUBLIC, &own), (400, "invalid_request", 9_002_332)).await;
}

#[tokio::test]
async fn faults_and_counters_find_a_users_sign_ins() {
    let (world, token) = world().await;
    world.emulator.add_fault(Fault::on(Operation::Token, FaultKind::html(503)).about(JANE).times(1));
    assert_eq!(world.token_request(TENANT, &world.form()).await.status(), 200, "the application's own");
    assert_eq!(world.token_request(TENANT, &form(PUBLIC, &token)).await.status(), 503);
    assert_eq!(world.token_request(TENANT, &form(PUBLIC, &token)).await.status(), 200);
    assert_eq!(world.emulator.count(&Matcher::of(Operation::Token).about(JANE_ID)), 2);
}

#[tokio::test]
async fn msal_finds_who_signed_in() {
    let (world, _) = world().await;
    let token = world.emulator.issue_refresh_token(TENANT, PUBLIC, JANE_ID, &["User.ReadWrite", "openid", "profile"]);
    let answer = granted(&world, TENANT, &and(form(PUBLIC, &token), "client_info", "1")).await;
    let id_token = claims(answer["id_token"].as_str().expect("an id token"));
    assert_eq!((&id_token["aud"], &id_token["preferred_username"]), (&json!(PUBLIC), &json!(JANE)));
    assert_eq!(
        claims(&format!(".{}.", answer["client_info"].as_str().expect("text"))),
        json!({"uid": JANE_ID, "utid": TENANT})
    );
}

#[tokio::test]
async fn the_control_api_issues_and_ends_them_and_no_record_shows_one() {
    let (world, _) = world().await;
    let body_of = json!({"clientId": PUBLIC, "user": JANE, "scopes": SCOPES});
    let issued = body(world.control(Method::POST, "refresh-tokens", body_of).await).await;
    let token = issued["refreshToken"].as_str().expect("a token").to_owned();
    granted(&world, TENANT, &form(PUBLIC, &token)).await;
    let everything = serde_json::to_string(&world.emulator.requests()).expect("JSON");
    assert!(!everything.contains(&token) && everything.contains("present"), "{everything}");

    let aged = world.control(Method::POST, "refresh-tokens/age", json!({"refreshToken": token})).await;
    assert_eq!(body(aged).await, json!({"ended": 1}));
    refused(&world, TENANT, &form(PUBLIC, &token), (400, "invalid_grant", 700_082)).await;
    let revoked = world.control(Method::POST, "refresh-tokens/revoke", json!({"user": JANE})).await;
    assert_eq!(body(revoked).await, json!({"ended": 2}), "the first one and the one that replaced the aged");
    let nobody = json!({"clientId": PUBLIC, "user": "nobody@contoso.com", "scopes": SCOPES});
    assert_eq!(world.control(Method::POST, "refresh-tokens", nobody).await.status(), 404);
}
