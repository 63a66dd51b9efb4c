//! What is sent for each kind of credential.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::ByteString;
use serde_json::Value;

use super::*;
use crate::api::{ClientId, CredentialRef, Holder, Reason};

const CLIENT: &str = "2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10";
const SCOPE: &str = "https://graph.microsoft.com/.default";
const URL: &str = "https://login.example/contoso.com/oauth2/v2.0/token";
/// Valid for a hundred years from 2026 on.
const PEM: &[u8] = include_bytes!("../certificate/openssl/cert.txt");
const KEY: &[u8] = include_bytes!("../certificate/openssl/rsa.txt");

fn reference(holder: Holder) -> CredentialRef {
    CredentialRef { holder, tenant: TenantId::parse("contoso.com").ok(), client: ClientId::parse(CLIENT).ok() }
}

fn secret(entries: &[(&str, &[u8])]) -> Credential {
    let data: BTreeMap<_, _> =
        entries.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec()))).collect();
    Credential::from_secret(&data, &reference(Holder::Secret("s".to_owned()))).unwrap()
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn sent(credential: &Credential, now: &str) -> Result<Vec<(String, String)>, SignInError> {
    let form = form(credential, &Url::parse(URL).unwrap(), SCOPE, at(now))?;
    Ok(form_urlencoded::parse(form.as_bytes()).into_owned().collect())
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const NOW: &str = "2030-01-02T03:04:05Z";

#[test]
fn an_application_redeems_its_secret_for_all_that_it_was_granted() {
    let credential = secret(&[("AZURE_CLIENT_SECRET", b"a+b&c= d~\n")]);
    let form = form(&credential, &Url::parse(URL).unwrap(), SCOPE, at(NOW)).unwrap();
    assert_eq!(
        form.as_str(),
        "client_id=2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default\
         &client_secret=a%2Bb%26c%3D+d%7E&grant_type=client_credentials"
    );
}

#[test]
fn a_users_refresh_token_is_redeemed_for_what_the_user_consented_to() {
    let public = [("client_id", CLIENT), ("refresh_token", "0.AX"), ("grant_type", "refresh_token")];
    let credential = secret(&[("AZURE_REFRESH_TOKEN", b"0.AX\n")]);
    assert_eq!(sent(&credential, NOW).unwrap(), pairs(&public));
    let credential = secret(&[("AZURE_REFRESH_TOKEN", b"0.AX"), ("AZURE_CLIENT_SECRET", b"s")]);
    let confidential = [public[0], ("client_secret", "s"), public[1], public[2]];
    assert_eq!(sent(&credential, NOW).unwrap(), pairs(&confidential));
}

#[test]
fn a_service_account_is_proven_by_its_token() {
    let account = reference(Holder::ServiceAccount("offboarder".to_owned()));
    let credential = Credential::from_service_account(&BTreeMap::new(), &account).unwrap();
    let credential = credential.proven_by(SecretString::from("a.b.c"));
    let expected = [
        ("client_id", CLIENT),
        ("scope", SCOPE),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "a.b.c"),
        ("grant_type", "client_credentials"),
    ];
    assert_eq!(sent(&credential, NOW).unwrap(), pairs(&expected));
}

#[test]
fn a_certificate_signs_another_assertion_each_time() {
    let credential = secret(&[("tls.crt", PEM), ("tls.key", KEY)]);
    let claims = |form: Vec<(String, String)>| {
        let assertion = form.into_iter().find(|(key, _)| key == "client_assertion").unwrap().1;
        let claims = assertion.split('.').nth(1).map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&claims).unwrap()
    };
    let [first, second] = [(), ()].map(|()| claims(sent(&credential, NOW).unwrap()));
    assert_eq!((first["aud"].as_str(), first["iss"].as_str()), (Some(URL), Some(CLIENT)));
    assert_ne!(first["jti"], second["jti"]);
}

#[test]
fn a_certificate_outside_its_time_is_not_sent_and_the_date_is_said() {
    let certificate = Certificate::from_pair(PEM, KEY).unwrap();
    let credential = secret(&[("tls.crt", PEM), ("tls.key", KEY)]);
    let day = |time: Timestamp| time.strftime("%F").to_string();
    let (begins, ends) = (certificate.not_before(), certificate.not_after());
    for (now, expected) in [
        (ends, format!("The certificate expired on {}", day(ends))),
        (begins - SKEW - Duration::from_secs(1), format!("The certificate is not valid before {}", day(begins))),
    ] {
        let trouble = sent(&credential, &now.to_string()).unwrap_err().trouble(Duration::ZERO);
        assert_eq!(trouble.reason, Reason::CredentialInvalid);
        assert!(trouble.message.starts_with(&expected), "wanted {expected}, got {}", trouble.message);
    }
    for now in [begins - SKEW, ends - Duration::from_secs(1)] {
        assert!(sent(&credential, &now.to_string()).is_ok(), "{now}");
    }
}

#[test]
fn the_token_endpoint_is_the_tenants_own() {
    for (root, expected) in [
        ("https://login.example", "https://login.example/contoso.com/oauth2/v2.0/token"),
        ("http://127.0.0.1:9/entra/", "http://127.0.0.1:9/entra/contoso.com/oauth2/v2.0/token"),
    ] {
        let url = token_url(&Url::parse(root).unwrap(), &TenantId::parse("contoso.com").unwrap());
        assert_eq!(url.as_str(), expected);
    }
}
