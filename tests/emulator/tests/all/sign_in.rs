//! What Entra's token endpoint refuses, and what it grants.

use std::time::Duration;

use emulator::{App, Behaviour, Tenant, TokenFormat};
use reqwest::header;
use serde_json::{Value, json};

use crate::world::{CLIENT, Form, JANE, SECRET, TENANT, World, body, claims, refused, verdict};

/// The form with one field changed, or without it for `None`.
fn with(mut form: Form, field: &str, value: Option<&str>) -> Form {
    match value {
        Some(value) => form.iter_mut().filter(|(name, _)| *name == field).for_each(|(_, old)| value.clone_into(old)),
        None => form.retain(|(name, _)| *name != field),
    }
    form
}

#[tokio::test]
async fn a_client_secret_buys_a_token_for_its_lifetime() {
    let world = World::new().await;
    world.emulator.set_behaviour(Behaviour { token_lifetime: Duration::from_secs(77), ..Behaviour::default() });
    let answer = body(world.token_request("Contoso.OnMicrosoft.com", &world.form()).await).await;
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!((&answer["expires_in"], &answer["ext_expires_in"]), (&77.into(), &77.into()));
    assert_eq!((&answer["refresh_token"], &answer["scope"]), (&Value::Null, &Value::Null), "no user signed in");
    let token = answer["access_token"].as_str().expect("a token").to_owned();
    assert!(world.emulator.issued_tokens().contains(&token));
    let claims = claims(&token);
    let expected = json!({
        "aud": world.emulator.graph_url().as_str().trim_end_matches('/'),
        "iss": format!("https://sts.windows.net/{TENANT}/"),
        "appid": CLIENT,
        "tid": TENANT,
        "idtyp": "app",
        "roles": ["ProfilePhoto.ReadWrite.All", "User.Read.All", "Group.Read.All"],
        "ver": "1.0",
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&claims[name], value, "{name} of {claims}");
    }
    let time = |name: &str| claims[name].as_i64().expect("seconds");
    assert_eq!((time("exp") - time("iat"), time("nbf")), (77, time("iat")));
    assert!(claims["uti"].is_string() && claims["oid"].is_string() && claims["scp"].is_null(), "{claims}");
}

#[tokio::test]
async fn a_token_that_is_no_jwt_works_as_well() {
    let mut world = World::new().await;
    world.emulator.set_behaviour(Behaviour { token_format: TokenFormat::Opaque, ..Behaviour::default() });
    world.token = world.sign_in().await;
    assert!(!world.token.contains('.'), "{}", world.token);
    assert_eq!(verdict(world.delete(JANE)).await.0, 200);
}

#[tokio::test]
async fn every_mistake_in_the_form_has_entras_own_error() {
    let world = World::new().await;
    let mut app = App::new(CLIENT, SECRET);
    app.expired_secrets.push("old".to_owned());
    world.emulator.put_app(app);
    world.emulator.put_tenant(Tenant::new("other"));
    world.emulator.put_app(App::new("elsewhere", SECRET).in_tenant("other"));

    let table = [
        ("client_secret", Some("wrong"), 401, "invalid_client", 7_000_215),
        ("client_secret", Some("old"), 401, "invalid_client", 7_000_222),
        ("client_secret", None, 401, "invalid_client", 7_000_216),
        ("client_id", Some("unknown"), 400, "unauthorized_client", 700_016),
        ("client_id", Some("elsewhere"), 400, "unauthorized_client", 700_016),
        ("client_id", None, 400, "invalid_request", 900_144),
        ("scope", Some("https://graph.microsoft.com/.default"), 400, "invalid_resource", 500_011),
        ("scope", Some("User.ReadWrite"), 400, "invalid_scope", 1_002_012),
        ("scope", None, 400, "invalid_request", 900_144),
        ("grant_type", Some("password"), 400, "unsupported_grant_type", 70_003),
        ("grant_type", None, 400, "invalid_request", 900_144),
    ];
    for (field, value, status, error, code) in table {
        let form = with(world.form(), field, value);
        refused(&world, TENANT, &form, (status, error, code)).await;
    }
    refused(&world, "nowhere", &world.form(), (400, "invalid_request", 90_002)).await;
    for many in ["common", "organizations", "consumers"] {
        refused(&world, many, &world.form(), (400, "invalid_request", 50_059)).await;
    }
    let twice = [world.form(), vec![("scope", "again".to_owned())]].concat();
    refused(&world, TENANT, &twice, (400, "invalid_request", 900_144)).await;
    let unknown = [world.form(), vec![("colour", "blue".to_owned())]].concat();
    refused(&world, TENANT, &unknown, (400, "invalid_request", 900_144)).await;
}

#[tokio::test]
async fn only_a_posted_form_at_the_token_path_is_taken() {
    let world = World::new().await;
    let root = world.emulator.sign_in_url();
    let url = format!("{root}{TENANT}/oauth2/v2.0/token");
    let get = world.client.get(&url).send().await.expect("an answer");
    assert_eq!((get.status().as_u16(), body(get).await["error_codes"][0].as_u64()), (400, Some(900_561)));
    let json = world.client.post(&url).header(header::CONTENT_TYPE, "application/json").body("{}");
    let json = json.send().await.expect("an answer");
    assert_eq!((json.status().as_u16(), &body(json).await["error"]), (400, &"invalid_request".into()));
    for path in [format!("{TENANT}/oauth2/token"), format!("a/{TENANT}/oauth2/v2.0/token"), String::new()] {
        let answer = world.client.post(format!("{root}{path}")).send().await.expect("an answer");
        assert_eq!(answer.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_token_without_roles_is_issued_all_the_same_and_opens_nothing() {
    let mut world = World::new().await;
    world.emulator.put_app(App::new(CLIENT, SECRET).with_roles(&[]));
    world.token = world.sign_in().await;
    assert_eq!(verdict(world.delete(JANE)).await, (403, "ErrorAccessDenied".to_owned()));
}
