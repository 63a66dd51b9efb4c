//! Everything that this room tells people, for the page of messages.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde_json::json;

use super::{Certificate, CertificateError, Credential, SignInError, credential, endpoint, judge, refusal};
use crate::api::{CredentialRef, Holder};
use crate::lifecycle::Trouble;

/// When it happens, in a few words, and what is told.
pub(crate) type Told = (String, Trouble);

/// Valid for a hundred years from 2026 on.
const PEM: &[u8] = include_bytes!("certificate/openssl/cert.txt");
const KEY: &[u8] = include_bytes!("certificate/openssl/rsa.txt");

const TENANT: (&str, &str) = ("AZURE_TENANT_ID", "contoso.onmicrosoft.com");
const CLIENT: (&str, &str) = ("AZURE_CLIENT_ID", "2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10");

/// What a Secret's or `ServiceAccount`'s own values can be told.
pub(crate) fn contents(secret: &Holder, account: &Holder) -> Vec<Told> {
    let (secret, account) = (reference(secret), reference(account));
    let long = "x".repeat(20 * 1024);
    let rows: [(&str, &[(&str, &str)]); 8] = [
        ("the Secret is empty", &[]),
        ("one key is missing", &[TENANT, ("AZURE_CLIENT_SECRET", "s")]),
        ("no key says how to sign in", &[TENANT, CLIENT]),
        ("a value is empty", &[TENANT, CLIENT, ("AZURE_CLIENT_SECRET", "\n")]),
        ("a value is not one line", &[TENANT, CLIENT, ("AZURE_CLIENT_SECRET", "a\nb")]),
        ("a value is too long", &[TENANT, CLIENT, ("AZURE_CLIENT_SECRET", &long)]),
        (
            "tenant and client id are no such",
            &[("AZURE_TENANT_ID", "contoso"), ("AZURE_CLIENT_ID", "x"), ("AZURE_CLIENT_SECRET", "s")],
        ),
        (
            "two ways to sign in do not go together",
            &[TENANT, CLIENT, ("AZURE_CLIENT_SECRET", "s"), ("AZURE_CLIENT_CERTIFICATE", "c")],
        ),
    ];
    let told = |(when, entries): (&str, &[(&str, &str)])| {
        let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
        let data: BTreeMap<_, _> = entries.collect();
        (when.to_owned(), Credential::from_secret(&data, &secret).unwrap_err())
    };
    let mut all: Vec<_> = rows.into_iter().map(told).collect();
    let bare = Credential::from_service_account(&BTreeMap::new(), &account).unwrap_err();
    all.push(("the ServiceAccount has no annotations".to_owned(), bare));
    all
}

/// What can be wrong with a certificate.
pub(crate) fn certificates(secret: &Holder) -> Vec<Told> {
    use CertificateError as Error;
    const KEY_NAME: &str = "AZURE_CLIENT_CERTIFICATE";
    let errors = [
        ("a file is too long", Error::TooLong(KEY_NAME)),
        ("a certificate is in another form", Error::Unknown(KEY_NAME)),
        ("`tls.crt` is in another form", Error::NotPem("tls.crt")),
        ("a certificate is damaged", Error::Damaged(KEY_NAME)),
        ("there is a key and no certificate", Error::NoCertificate(KEY_NAME)),
        ("there is a certificate and no key", Error::NoKey(KEY_NAME)),
        ("there are several keys", Error::Keys(KEY_NAME)),
        ("the key is of a kind that Entra does not take", Error::KeyType(KEY_NAME)),
        ("key and certificate do not belong together", Error::Mismatch(KEY_NAME)),
        ("`tls.key` is encrypted", Error::Encrypted("tls.key")),
        ("the password is missing", Error::PasswordMissing),
        ("the password is wrong", Error::PasswordWrong),
        ("the encryption is an unusual one", Error::Encryption),
        ("the encryption takes too long to open", Error::Rounds),
    ];
    let reference = reference(secret);
    let told = |(when, error): (&str, Error)| (when.to_owned(), credential::told_of(error, &reference));
    let mut all: Vec<_> = errors.into_iter().map(told).collect();
    let final_trouble = |error: SignInError| error.trouble(Duration::MAX);
    all.push(("the key does not sign".to_owned(), final_trouble(endpoint::unusable(Error::Unusable))));
    let certificate = Certificate::from_pair(PEM, KEY).unwrap();
    for (when, now) in [("a certificate has expired", Timestamp::MAX), ("its time has not come", Timestamp::UNIX_EPOCH)]
    {
        all.push((when.to_owned(), final_trouble(endpoint::in_its_time(&certificate, now).unwrap_err())));
    }
    all
}

/// What Entra's refusals by number come to: all numbers of one message, and the message.
pub(crate) fn refusals() -> Vec<Told> {
    let told = |codes: &[u64]| {
        let numbers: Vec<_> = codes.iter().map(u64::to_string).collect();
        (numbers.join(", "), refused(&json!({"error": "invalid_client", "error_codes": codes})).trouble(Duration::MAX))
    };
    refusal::ADVICE.iter().map(|(codes, _)| told(codes)).collect()
}

/// What the other answers of the token endpoint come to.
pub(crate) fn answers() -> Vec<Told> {
    let unknown = refused(&json!({"error": "invalid_client", "error_codes": [999_999]}));
    let numberless = refused(&json!({"error": "invalid_grant"}));
    let spreading = refused(&json!({"error": "invalid_client", "error_codes": [70021]}));
    vec![
        ("no usable answer to the sign-in".to_owned(), answered(503, b"").trouble(Duration::ZERO)),
        ("a refusal that may pass, in its first 15 minutes".to_owned(), spreading.trouble(Duration::ZERO)),
        ("a number that is not in the table".to_owned(), unknown.trouble(Duration::MAX)),
        ("a refusal without a number".to_owned(), numberless.trouble(Duration::MAX)),
    ]
}

fn refused(body: &serde_json::Value) -> SignInError {
    answered(400, body.to_string().as_bytes())
}

fn answered(http_status: u16, body: &[u8]) -> SignInError {
    let now = Timestamp::UNIX_EPOCH;
    judge(http_status, &HeaderMap::new(), body, now, now).unwrap_err()
}

fn reference(holder: &Holder) -> CredentialRef {
    CredentialRef { holder: holder.clone(), tenant: None, client: None }
}
