//! Client assertions of another issuer: what a cluster says of its `ServiceAccount`s.

use emulator::{App, Issuer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::signer::{Signer, in_seconds, with};
use crate::world::{CLIENT, JANE, SECRET, TENANT, World, body, refused, verdict};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const SUBJECT: &str = "system:serviceaccount:default:operator";
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// A world whose application trusts one `ServiceAccount` of one cluster, and the cluster's key.
async fn world() -> (World, Signer) {
    let world = World::new().await;
    let signer = Signer::new();
    world.emulator.put_app(App::new(CLIENT, SECRET).with_federated_credential(ISSUER, SUBJECT, AUDIENCE));
    world.emulator.put_issuer(Issuer { issuer: ISSUER.to_owned(), jwks: signer.jwks("one") });
    (world, signer)
}

fn header() -> Value {
    json!({"alg": "RS256", "kid": "one"})
}

/// What an API server issues for a `ServiceAccount`.
fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE],
        "iat": in_seconds(0), "nbf": in_seconds(0), "exp": in_seconds(600),
    })
}

#[tokio::test]
async fn a_service_accounts_token_buys_a_token_for_graph_as_often_as_it_likes() {
    let (mut world, signer) = world().await;
    let token = signer.sign(&header(), &claims());
    for again in [false, true] {
        let answer = world.token_request(TENANT, &world.form_with_assertion(&token)).await;
        assert_eq!(answer.status(), 200, "again: {again}");
        world.token = body(answer).await["access_token"].as_str().expect("a token").to_owned();
    }
    assert_eq!(verdict(world.delete(JANE)).await.0, 200);
    let alone = signer.sign(&json!({"alg": "RS256"}), &with(&claims(), &json!({"aud": AUDIENCE})));
    assert_eq!(world.token_request(TENANT, &world.form_with_assertion(&alone)).await.status(), 200, "text, no kid");
}

#[tokio::test]
async fn issuer_audience_and_subject_match_to_the_letter_or_not_at_all() {
    let (world, signer) = world().await;
    let table = [
        (json!({"iss": format!("{ISSUER}/")}), (401, "invalid_client", 700_211)),
        (json!({"aud": ["api://azureadtokenexchange"]}), (401, "invalid_client", 700_212)),
        (json!({"aud": []}), (401, "invalid_client", 700_212)),
        (json!({"sub": "system:serviceaccount:default:Operator"}), (401, "invalid_client", 700_213)),
        (json!({"exp": in_seconds(-310)}), (401, "invalid_client", 700_024)),
        (json!({"nbf": in_seconds(310)}), (401, "invalid_client", 700_024)),
        (json!({"sub": null}), (400, "invalid_request", 90_014)),
    ];
    for (changed, expected) in table {
        let token = signer.sign(&header(), &with(&claims(), &changed));
        refused(&world, TENANT, &world.form_with_assertion(&token), expected).await;
    }
}

#[tokio::test]
async fn a_signature_counts_only_if_one_of_the_published_keys_made_it() {
    let (world, signer) = world().await;
    let table = [
        (Signer::new(), header(), (400, "invalid_request", 50_027)),
        (Signer::new(), json!({"alg": "RS256"}), (400, "invalid_request", 50_027)),
        (Signer::new(), json!({"alg": "ES256", "kid": "one"}), (401, "invalid_client", 5_002_738)),
        (Signer::new(), json!({"alg": "PS256", "kid": "one"}), (401, "invalid_client", 5_002_738)),
    ];
    for (key, header, expected) in table {
        let token = key.sign(&header, &claims());
        refused(&world, TENANT, &world.form_with_assertion(&token), expected).await;
    }
    let token = signer.sign(&json!({"alg": "RS256", "kid": "two"}), &claims());
    refused(&world, TENANT, &world.form_with_assertion(&token), (400, "invalid_request", 50_027)).await;
}

#[tokio::test]
async fn an_application_that_trusts_nobody_and_an_issuer_that_is_silent_are_told_apart() {
    let (world, signer) = world().await;
    let token = signer.sign(&header(), &claims());
    let removed = world.control(Method::DELETE, "issuers", json!({"issuer": ISSUER})).await;
    assert_eq!(removed.status(), 204);
    refused(&world, TENANT, &world.form_with_assertion(&token), (400, "invalid_request", 501_661)).await;
    world.emulator.put_app(App::new(CLIENT, SECRET));
    refused(&world, TENANT, &world.form_with_assertion(&token), (401, "invalid_client", 70_025)).await;
}
