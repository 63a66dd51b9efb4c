//! Client assertions that an application signs with its certificate.

use emulator::{App, Behaviour, Operation, Tenant};
use serde_json::{Value, json};

use crate::signer::{Signer, in_seconds, with};
use crate::world::{CLIENT, Form, SECRET, TENANT, World, body, refused};

const DOMAIN: &str = "contoso.onmicrosoft.com";

/// A world whose application has a certificate, and the certificate's key.
async fn world() -> (World, Signer) {
    let world = World::new().await;
    let signer = Signer::new();
    world.emulator.put_app(App::new(CLIENT, SECRET).with_certificate(&signer.certificate));
    (world, signer)
}

fn token_url(world: &World, tenant: &str) -> String {
    format!("{}{tenant}/oauth2/v2.0/token", world.emulator.sign_in_url())
}

fn header(signer: &Signer) -> Value {
    json!({"alg": "PS256", "typ": "JWT", "x5t#S256": signer.sha256()})
}

/// What Microsoft documents, under a `jti` that nobody used before.
fn claims(world: &World) -> Value {
    let jti = uuid::Uuid::new_v4().to_string();
    json!({
        "aud": token_url(world, TENANT), "iss": CLIENT, "sub": CLIENT, "jti": jti,
        "nbf": in_seconds(0), "iat": in_seconds(0), "exp": in_seconds(600),
    })
}

fn form(world: &World, assertion: &str) -> Form {
    world.form_with_assertion(assertion)
}

#[tokio::test]
async fn every_form_that_microsofts_libraries_send_is_taken() {
    let (world, signer) = world().await;
    let headers = [
        header(&signer),
        json!({"alg": "RS256", "typ": "JWT", "x5t#S256": signer.sha256()}),
        json!({"alg": "RS256", "typ": "JWT", "x5t": signer.sha1()}),
        json!({"alg": "RS256", "typ": "JWT", "x5t": signer.sha1_in_standard_base64()}),
        json!({"alg": "RS256", "typ": "JWT", "x5t": format!("{}=", signer.sha1())}),
        json!({"alg": "PS256", "typ": "JWT", "x5t#S256": format!("{}=", signer.sha256())}),
        json!({"alg": "PS256", "typ": "JWT", "x5t": signer.sha1(), "x5t#S256": signer.sha256()}),
    ];
    for header in headers {
        let assertion = signer.sign(&header, &claims(&world));
        let answer = world.token_request(TENANT, &form(&world, &assertion)).await;
        assert_eq!(answer.status(), 200, "{header}: {}", body(answer).await);
    }
    let changes = [
        json!({"aud": token_url(&world, DOMAIN)}),
        json!({"nbf": in_seconds(250)}),
        json!({"exp": in_seconds(-250)}),
        json!({"nbf": null, "iat": null}),
        json!({"nbf": 1_700_000_000.25, "exp": 4_000_000_000.75}),
    ];
    for changed in changes {
        let assertion = signer.sign(&header(&signer), &with(&claims(&world), &changed));
        let answer = world.token_request(DOMAIN, &form(&world, &assertion)).await;
        assert_eq!(answer.status(), 200, "{changed}: {}", body(answer).await);
    }
}

#[tokio::test]
async fn every_claim_that_is_wrong_is_refused() {
    let (world, signer) = world().await;
    world.emulator.put_tenant(Tenant::new("22222222-2222-4333-8444-555555555555"));
    let table = [
        (json!({"aud": token_url(&world, "22222222-2222-4333-8444-555555555555")}), (401, "invalid_client", 700_023)),
        (
            json!({"aud": "https://login.microsoftonline.com/common/oauth2/v2.0/token"}),
            (401, "invalid_client", 700_023),
        ),
        (json!({"aud": world.emulator.sign_in_url()}), (401, "invalid_client", 700_023)),
        (json!({"aud": null}), (400, "invalid_request", 90_014)),
        (json!({"iss": null}), (400, "invalid_request", 90_014)),
        (json!({"sub": null}), (400, "invalid_request", 90_014)),
        (json!({"iss": "another"}), (401, "invalid_client", 700_021)),
        (json!({"sub": "another"}), (401, "invalid_client", 700_021)),
        (json!({"exp": in_seconds(-310)}), (401, "invalid_client", 700_024)),
        (json!({"exp": null}), (401, "invalid_client", 700_024)),
        (json!({"nbf": in_seconds(310)}), (401, "invalid_client", 700_024)),
        (json!({"jti": null}), (400, "invalid_request", 50_027)),
        (json!({"jti": ""}), (400, "invalid_request", 50_027)),
    ];
    for (changed, expected) in table {
        let assertion = signer.sign(&header(&signer), &with(&claims(&world), &changed));
        refused(&world, TENANT, &form(&world, &assertion), expected).await;
    }
}

#[tokio::test]
async fn every_header_and_signature_that_is_wrong_is_refused() {
    let (world, signer) = world().await;
    let (other, expired, early) = (Signer::new(), Signer::valid_in(2010..=2020), Signer::valid_in(2080..=2090));
    let app = App::new(CLIENT, SECRET).with_certificate(&signer.certificate);
    world.emulator.put_app(app.with_certificate(&expired.certificate).with_certificate(&early.certificate));
    let sha256 = signer.sha256();
    let table = [
        (&signer, json!({"alg": "none", "x5t#S256": sha256}), (401, "invalid_client", 5_002_738)),
        (&signer, json!({"alg": "HS256", "x5t#S256": sha256}), (401, "invalid_client", 5_002_738)),
        (&signer, json!({"alg": "ES256", "x5t#S256": sha256}), (401, "invalid_client", 5_002_738)),
        (&signer, json!({"alg": "PS256"}), (401, "invalid_client", 5_002_723)),
        (&signer, json!({"alg": "PS256", "x5t#S256": other.sha256()}), (401, "invalid_client", 700_027)),
        (&signer, json!({"alg": "PS256", "x5t": signer.sha1()}), (401, "invalid_client", 700_027)),
        (&other, header(&signer), (401, "invalid_client", 700_027)),
        (&expired, header(&expired), (401, "invalid_client", 700_027)),
        (&early, header(&early), (401, "invalid_client", 700_027)),
    ];
    for (key, header, expected) in table {
        let assertion = key.sign(&header, &claims(&world));
        refused(&world, TENANT, &form(&world, &assertion), expected).await;
    }
    let assertion = expired.sign(&header(&expired), &claims(&world));
    let error = body(world.token_request(TENANT, &form(&world, &assertion)).await).await;
    assert!(error["error_description"].as_str().unwrap_or_default().contains("The key used is expired."), "{error}");
    for rubbish in ["rubbish", "a.b.c", "", "e30.e30."] {
        let came = world.token_request(TENANT, &form(&world, rubbish)).await;
        assert!([400, 401].contains(&came.status().as_u16()), "{rubbish}");
    }
}

#[tokio::test]
async fn an_assertion_serves_once_unless_reuse_is_allowed() {
    let (world, signer) = world().await;
    let assertion = signer.sign(&header(&signer), &claims(&world));
    assert_eq!(world.token_request(TENANT, &form(&world, &assertion)).await.status(), 200);
    refused(&world, TENANT, &form(&world, &assertion), (400, "invalid_request", 50_027)).await;
    world.emulator.set_behaviour(Behaviour { single_use_assertions: false, ..Behaviour::default() });
    assert_eq!(world.token_request(TENANT, &form(&world, &assertion)).await.status(), 200);
}

#[tokio::test]
async fn one_proof_of_the_right_type_and_no_second_one() {
    let (world, signer) = world().await;
    let assertion = signer.sign(&header(&signer), &claims(&world));
    let both = [form(&world, &assertion), vec![("client_secret", SECRET.to_owned())]].concat();
    refused(&world, TENANT, &both, (400, "invalid_request", 9_002_313)).await;
    for (kind, code) in [(Some("urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), 9_002_313), (None, 900_144)]
    {
        let mut form = form(&world, &assertion);
        form.retain(|(name, _)| *name != "client_assertion_type");
        form.extend(kind.map(|kind| ("client_assertion_type", kind.to_owned())));
        refused(&world, TENANT, &form, (400, "invalid_request", code)).await;
    }
}

#[tokio::test]
async fn the_record_shows_what_an_assertion_says_and_not_the_assertion() {
    let (world, signer) = world().await;
    let (header, claims) = (header(&signer), claims(&world));
    let assertion = signer.sign(&header, &claims);
    world.token_request(TENANT, &form(&world, &assertion)).await;
    let recorded = world.emulator.requests().pop().expect("recorded");
    assert_eq!(recorded.operation, Operation::Token);
    let shown = recorded.assertion.as_ref().expect("an assertion");
    assert_eq!((&shown.header, &shown.claims), (&header, &claims));
    assert!(recorded.form.contains(&("client_assertion".to_owned(), "present".to_owned())), "{:?}", recorded.form);
    let (_, signature) = assertion.rsplit_once('.').expect("three parts");
    assert!(!serde_json::to_string(&recorded).expect("JSON").contains(signature));
}
