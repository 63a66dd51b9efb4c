//! Where libraries learn the endpoints from.

use emulator::{Operation, Roots};
use serde_json::{Value, json};

use crate::world::{TENANT, World, body};

const CONFIGURATION: &str = "v2.0/.well-known/openid-configuration";

async fn configuration(world: &World, tenant: &str) -> (u16, Value) {
    let url = format!("{}{tenant}/{CONFIGURATION}", world.emulator.sign_in_url());
    let answer = world.client.get(url).send().await.expect("an answer");
    (answer.status().as_u16(), body(answer).await)
}

#[tokio::test]
async fn the_endpoints_are_those_of_the_tenant_under_its_id() {
    let world = World::new().await;
    let root = world.emulator.sign_in_url();
    for name in [TENANT, "contoso.onmicrosoft.com"] {
        let (status, found) = configuration(&world, name).await;
        assert_eq!(status, 200, "{name}");
        assert_eq!(found["token_endpoint"], format!("{root}{TENANT}/oauth2/v2.0/token"));
        assert_eq!(found["device_authorization_endpoint"], format!("{root}{TENANT}/oauth2/v2.0/devicecode"));
        assert_eq!(found["authorization_endpoint"], format!("{root}{TENANT}/oauth2/v2.0/authorize"));
        assert_eq!(found["jwks_uri"], format!("{root}{TENANT}/discovery/v2.0/keys"));
        assert_eq!(found["issuer"], format!("{root}{TENANT}/v2.0"));
    }
    let (_, common) = configuration(&world, "common").await;
    assert_eq!(common["issuer"], format!("{root}{{tenantid}}/v2.0"));
    let (status, unknown) = configuration(&world, "nowhere").await;
    assert_eq!((status, &unknown["error_codes"]), (400, &json!([90_002])));
    assert!(world.emulator.requests().iter().all(|request| request.operation == Operation::Discovery));
}

#[tokio::test]
async fn an_instance_is_known_by_its_own_name_only() {
    let world = World::new().await;
    let root = world.emulator.sign_in_url();
    let url = format!(
        "{root}common/discovery/instance?api-version=1.1&authorization_endpoint={root}{TENANT}/oauth2/v2.0/authorize"
    );
    let found = body(world.client.get(&url).send().await.expect("an answer")).await;
    assert_eq!(found["tenant_discovery_endpoint"], format!("{root}{TENANT}/{CONFIGURATION}"));
    assert_eq!(found["metadata"][0]["aliases"], json!([format!("127.0.0.1:{}", root.port().expect("a port"))]));
    assert_eq!(world.client.post(&url).send().await.expect("an answer").status(), 405);
}

#[tokio::test]
async fn behind_a_proxy_the_endpoints_are_the_proxys() {
    let world = World::new().await;
    let roots = Roots { graph: None, sign_in: Some("https://login.example.com".parse().expect("a URL")) };
    world.emulator.set_roots(&roots);
    let (_, found) = configuration(&world, TENANT).await;
    assert_eq!(found["token_endpoint"], format!("https://login.example.com/{TENANT}/oauth2/v2.0/token"));
}
