//! Certificates: in every form, registered or not, in their time or not, and renewed while the operator runs.

use std::collections::HashSet;

use emulator::Tenant;
use futures::future::join_all;
use jiff::Timestamp;
use photo_removal_operator::api::{Reason, condition};
use testbed::{World, signing_pair};

use super::{USER, field, put, remove_with, sign_ins};
use crate::Outcome;
use crate::given::{deletes, patient};
use crate::picture::all_as_expected;

/// A throw-away certificate with its key, and both in files of PKCS#12 whose password is `throw-away`.
const CERTIFICATE: &str = include_str!("../../../src/identity/certificate/openssl/cert.txt");
const KEY: &str = include_str!("../../../src/identity/certificate/openssl/rsa.txt");
const NEW_FILE: &str = include_str!("../../../src/identity/certificate/openssl/aes.p12.txt");
const OLD_FILE: &str = include_str!("../../../src/identity/certificate/openssl/legacy.p12.txt");
const OPEN_FILE: &str = include_str!("../../../src/identity/certificate/openssl/open.p12.txt");

/// Years around this one.
fn years(from: i32, to: i32) -> std::ops::Range<i32> {
    let year: i32 = Timestamp::now().strftime("%Y").to_string().parse().unwrap();
    year + from..year + to
}

/// The values of a Secret.
type Values = Vec<(&'static str, Vec<u8>)>;

fn decoded(base64: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(base64.replace('\n', "")).unwrap()
}

fn forms() -> Vec<Values> {
    let (pem, password) = ("AZURE_CLIENT_CERTIFICATE", ("AZURE_CLIENT_CERTIFICATE_PASSWORD", b"throw-away\n".to_vec()));
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        vec![(pem, text(&[CERTIFICATE, KEY].concat()))],
        vec![(pem, text(&[KEY, CERTIFICATE].concat()))],
        vec![(pem, decoded(NEW_FILE)), password.clone()],
        vec![(pem, text(NEW_FILE)), password.clone()],
        vec![(pem, decoded(OLD_FILE)), password],
        vec![(pem, decoded(OPEN_FILE))],
        vec![("tls.crt", text(CERTIFICATE)), ("tls.key", text(KEY)), ("ca.crt", text(CERTIFICATE))],
    ]
}

async fn removes(world: &World, number: usize, values: Values) -> Result<(), String> {
    let name = format!("form-{number}");
    let user = format!("{name}@contoso.com");
    let played = async {
        let values: Vec<_> = values.iter().map(|(key, value)| (*key, value.as_slice())).collect();
        put(world, &name, &values).await?;
        remove_with(world, &name, &user, &name).await?;
        world.wait_for_reason(&name, Reason::Removed).await
    };
    let status = played.await.map_err(|error| format!("{name}: {error}"))?;
    let client = status.evidence.map(|evidence| evidence.client_id);
    if client.as_deref() == Some(world.credential().1) {
        Ok(())
    } else {
        Err(format!("{name}: signed in as {client:?}"))
    }
}

#[tokio::test]
async fn a_certificate_signs_in_whatever_form_it_has() -> Outcome {
    let world = World::start().await?;
    world.emulator().put_app(world.app().with_certificate(CERTIFICATE));
    let played = forms().into_iter().enumerate().map(|(number, form)| removes(&world, number, form));
    all_as_expected(join_all(played).await);
    let requests = sign_ins(&world);
    assert_eq!(requests.len(), forms().len(), "one token request for each Secret");
    for request in &requests {
        let assertion = request.assertion.as_ref().expect("an assertion");
        assert_eq!((assertion.header["alg"].as_str(), field(request, "client_secret")), (Some("PS256"), None));
    }
    Ok(())
}

/// What the Secret holds, and a part of what is said of it.
fn broken() -> Vec<(Values, &'static str)> {
    let expired = signing_pair(years(-3, -1)).unwrap();
    let early = signing_pair(years(1, 2)).unwrap();
    let other = signing_pair(years(0, 2)).unwrap();
    let text = |text: &str| text.as_bytes().to_vec();
    let pair = |certificate: &str, key: &str| vec![("tls.crt", text(certificate)), ("tls.key", text(key))];
    let file = |value: Vec<u8>, password: &str| {
        vec![("AZURE_CLIENT_CERTIFICATE", value), ("AZURE_CLIENT_CERTIFICATE_PASSWORD", text(password))]
    };
    vec![
        (pair(&expired.certificate, &expired.key), "The certificate expired on 20"),
        (pair(&early.certificate, &early.key), "The certificate is not valid before 20"),
        (pair(&other.certificate, &other.key), "AADSTS700027"),
        (pair(CERTIFICATE, &other.key), "has a private key in tls.key that belongs to another certificate"),
        (vec![("tls.crt", text(CERTIFICATE))], "has no tls.key"),
        (vec![("AZURE_CLIENT_CERTIFICATE", text(CERTIFICATE))], "has no private key in AZURE_CLIENT_CERTIFICATE"),
        (file(decoded(NEW_FILE), "wrong"), "has a wrong AZURE_CLIENT_CERTIFICATE_PASSWORD"),
        (vec![("AZURE_CLIENT_CERTIFICATE", decoded(NEW_FILE))], "no AZURE_CLIENT_CERTIFICATE_PASSWORD"),
        (file(decoded(NEW_FILE)[..800].to_vec(), "throw-away"), "has a damaged AZURE_CLIENT_CERTIFICATE"),
        (
            vec![("AZURE_CLIENT_SECRET", b"s".to_vec()), ("AZURE_CLIENT_CERTIFICATE", decoded(OPEN_FILE))],
            "has both AZURE_CLIENT_SECRET and AZURE_CLIENT_CERTIFICATE, of which one must go",
        ),
        (vec![("AZURE_CLIENT_CERTIFICATE", vec![b'x'; 1_000_000])], "has more than 64 KiB in AZURE_CLIENT_CERTIFICATE"),
    ]
}

async fn stalls(world: &World, number: usize, (values, said): (Values, &'static str)) -> Result<(), String> {
    let name = format!("row-{number}");
    let user = format!("{name}@contoso.com");
    let played = async {
        let values: Vec<_> = values.iter().map(|(key, value)| (*key, value.as_slice())).collect();
        put(world, &name, &values).await?;
        remove_with(world, &name, &user, &name).await?;
        let status = world.wait_for_reason(&name, Reason::CredentialInvalid).await?;
        let sent = deletes(world, &user);
        world.put_secret(world.namespace(), &name, &world.good_secret()).await?;
        world.wait_for_reason(&name, Reason::Removed).await?;
        Ok::<_, testbed::Error>((status, sent))
    };
    let (status, sent) = played.await.map_err(|error| format!("{said}: {error}"))?;
    let message = status.condition(condition::STALLED).map(|stalled| stalled.message.clone()).unwrap_or_default();
    if message.contains(said) && sent == 0 { Ok(()) } else { Err(format!("expected {said:?}, came {message:?}")) }
}

#[tokio::test]
async fn each_certificate_that_will_not_do_is_named_and_mended() -> Outcome {
    let world = patient().start().await?;
    world.emulator().put_app(world.app().with_certificate(CERTIFICATE));
    let played = broken().into_iter().enumerate().map(|(number, row)| stalls(&world, number, row));
    all_as_expected(join_all(played).await);
    Ok(())
}

#[tokio::test]
async fn an_expired_certificate_says_since_when() -> Outcome {
    let world = patient().start().await?;
    let expired = signing_pair(years(-3, -1))?;
    put(&world, "old", &[("tls.crt", expired.certificate.as_bytes()), ("tls.key", expired.key.as_bytes())]).await?;
    remove_with(&world, "jane", USER, "old").await?;
    let status = world.wait_for_reason("jane", Reason::CredentialInvalid).await?;
    let message = status.condition(condition::STALLED).map(|stalled| stalled.message.clone()).unwrap_or_default();
    let date = format!("{}-01-01", years(-1, 0).start);
    assert!(message.contains(&date) && message.contains("Put a new one into the Secret"), "{message}");
    assert_eq!(world.emulator().requests(), [], "nothing is sent that cannot work");
    Ok(())
}

/// As cert-manager does: the Secret gets a new pair under the same name, long before the old one ends.
#[tokio::test]
async fn a_certificate_that_is_renewed_in_place_is_used_from_then_on() -> Outcome {
    let world = World::start().await?;
    let [old, new] = [signing_pair(years(0, 1))?, signing_pair(years(0, 2))?];
    let app = || world.app().with_certificate(old.certificate.clone());
    world.emulator().put_app(app());
    let renew = async |pair: &testbed::SigningPair| {
        put(&world, "cert", &[("tls.crt", pair.certificate.as_bytes()), ("tls.key", pair.key.as_bytes())]).await
    };
    renew(&old).await?;
    remove_with(&world, "first", "first@contoso.com", "cert").await?;
    world.wait_for_reason("first", Reason::Removed).await?;
    world.emulator().put_app(world.app().with_certificate(new.certificate.clone()));
    renew(&new).await?;
    let thumbprints = || {
        let header = |request: &emulator::Recorded| Some(request.assertion.as_ref()?.header["x5t#S256"].to_string());
        sign_ins(&world).iter().filter_map(header).collect::<HashSet<_>>()
    };
    // Who comes while the Secret is trusted is still served by the old token; the next one is not.
    let mut number = 0;
    while thumbprints().len() < 2 {
        number += 1;
        assert!(number < 100, "only {:?} signed in", thumbprints());
        let name = format!("next-{number}");
        remove_with(&world, &name, &format!("{name}@contoso.com"), "cert").await?;
        world.wait_for_reason(&name, Reason::Removed).await?;
    }
    Ok(())
}

/// cert-manager's Secret names no tenant and no application: the resource does.
#[tokio::test]
async fn the_resource_names_tenant_and_application_where_the_secret_does_not() -> Outcome {
    let world = World::start().await?;
    let (tenant, client, _) = world.credential();
    let domain = "contoso.onmicrosoft.com";
    world.emulator().put_tenant(Tenant { domains: vec![domain.to_owned()], ..Tenant::new(tenant) });
    world.emulator().put_app(world.app().with_certificate(CERTIFICATE));
    let data = [("tls.crt", CERTIFICATE.as_bytes().to_vec()), ("tls.key", KEY.as_bytes().to_vec())];
    world.put_secret(world.namespace(), "cert-manager", &data).await?;
    world.user(USER);
    let mut manifest = world.manifest("jane", USER);
    manifest["spec"]["credentials"] =
        serde_json::json!({"secretRef": {"name": "cert-manager"}, "tenantId": domain, "clientId": client});
    world.apply(&manifest).await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!(status.evidence.map(|evidence| evidence.tenant_id).as_deref(), Some(domain));
    Ok(())
}
