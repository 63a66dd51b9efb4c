//! What Entra's token endpoint refuses, and what it grants.

use std::time::Duration;

use emulator::{App, Behaviour, Tenant};
use reqwest::header;

use crate::world::{CLIENT, JANE, SECRET, TENANT, World, body, verdict};

/// The form with one field changed, or without it for `None`.
fn with(mut form: Vec<(&'static str, String)>, field: &str, value: Option<&str>) -> Vec<(&'static str, String)> {
    match value {
        Some(value) => form.iter_mut().filter(|(name, _)| *name == field).for_each(|(_, old)| value.clone_into(old)),
        None => form.retain(|(name, _)| *name != field),
    }
    form
}

#[tokio::test]
async fn a_client_secret_buys_an_opaque_token_for_its_lifetime() {
    let world = World::new().await;
    world.emulator.set_behaviour(Behaviour { token_lifetime: Duration::from_secs(77), ..Behaviour::default() });
    let answer = body(world.token_request("Contoso.OnMicrosoft.com", &world.form()).await).await;
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!((&answer["expires_in"], &answer["ext_expires_in"]), (&77.into(), &77.into()));
    let token = answer["access_token"].as_str().expect("a token").to_owned();
    assert!(!token.contains('.'), "opaque: {token}");
    assert!(world.emulator.issued_tokens().contains(&token));
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
        ("client_secret", None, 401, "invalid_client", 7_000_218),
        ("client_id", Some("unknown"), 400, "unauthorized_client", 700_016),
        ("client_id", Some("elsewhere"), 400, "unauthorized_client", 700_016),
        ("client_id", None, 400, "invalid_request", 900_144),
        ("scope", Some("https://graph.microsoft.com/.default"), 400, "invalid_scope", 70_011),
        ("scope", None, 400, "invalid_request", 900_144),
        ("grant_type", Some("password"), 400, "unsupported_grant_type", 70_003),
        ("grant_type", None, 400, "invalid_request", 900_144),
    ];
    for (field, value, status, error, code) in table {
        let form = with(world.form(), field, value);
        expect(&world, TENANT, &form, (status, error, code)).await;
    }
    expect(&world, "nowhere", &world.form(), (400, "invalid_request", 90_002)).await;
    let twice = [world.form(), vec![("scope", "again".to_owned())]].concat();
    expect(&world, TENANT, &twice, (400, "invalid_request", 900_144)).await;
    let unknown = [world.form(), vec![("colour", "blue".to_owned())]].concat();
    expect(&world, TENANT, &unknown, (400, "invalid_request", 900_144)).await;
}

async fn expect(world: &World, tenant: &str, form: &[(&str, String)], expected: (u16, &str, u32)) {
    let answer = world.token_request(tenant, form).await;
    let status = answer.status().as_u16();
    let error = body(answer).await;
    let (status_expected, name, code) = expected;
    assert_eq!(status, status_expected, "{form:?} in {tenant}: {error}");
    assert_eq!(error["error"], name, "{form:?} in {tenant}");
    assert_eq!(error["error_codes"], serde_json::json!([code]), "{form:?} in {tenant}");
    let description = error["error_description"].as_str().unwrap_or_default();
    assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
    for field in ["timestamp", "trace_id", "correlation_id"] {
        assert!(error[field].is_string(), "{field} of {error}");
    }
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
