//! What clients call the two hosts when a proxy stands in between.

use emulator::Roots;
use reqwest::Method;
use serde_json::json;

use crate::world::{TENANT, World, body, refused, verdict};

#[tokio::test]
async fn behind_a_proxy_every_name_is_the_proxys() {
    let world = World::new().await;
    let graph = "https://graph.example.com";
    let roots = json!({"graph": graph, "signIn": "https://login.example.com"});
    assert_eq!(world.control(Method::PUT, "roots", roots).await.status(), 204);
    assert_eq!(world.emulator.cloud_flag(), format!("Global=https://login.example.com,{graph}"));

    refused(&world, TENANT, &world.form(), (400, "invalid_resource", 500_011)).await;
    let mut form = world.form();
    form.iter_mut().filter(|(name, _)| *name == "scope").for_each(|(_, scope)| *scope = format!("{graph}/.default"));
    let token = body(world.token_request(TENANT, &form).await).await["access_token"].clone();
    let token = token.as_str().expect("a token");
    let path = "v1.0/users/jane.doe@contoso.com?$select=id";
    assert_eq!(verdict(world.graph_as(token, Method::GET, path)).await.0, 200);

    world.emulator.set_roots(&Roots::default());
    let foreign = world.graph_as(token, Method::GET, path).send().await.expect("an answer");
    assert_eq!(foreign.status(), 401);
    let error = body(foreign).await;
    assert_eq!(error["error"]["code"], "InvalidAuthenticationToken");
    assert!(error["error"]["message"].as_str().unwrap_or_default().contains("Invalid audience."), "{error}");
}
