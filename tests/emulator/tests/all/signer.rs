//! Throw-away keys and certificates, and the assertions that they sign.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, date_time_ymd};
use serde_json::{Map, Value, json};
use x509_parser::pem::parse_x509_pem;
use x509_parser::public_key::PublicKey;

/// A key pair and a certificate for it.
pub(crate) struct Signer {
    pub(crate) certificate: String,
    key: KeyPair,
}

impl Signer {
    pub(crate) fn new() -> Self {
        Self::valid_in(2020..=2090)
    }

    /// A certificate that is valid from the first year's start to the last year's start.
    pub(crate) fn valid_in(years: std::ops::RangeInclusive<i32>) -> Self {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(*years.start(), 1, 1);
        params.not_after = date_time_ymd(*years.end(), 1, 1);
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self { certificate, key }
    }

    /// The thumbprint as `x5t` has it.
    pub(crate) fn sha1(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der()))
    }

    /// The same in the standard alphabet, as one of Microsoft's own libraries writes it.
    pub(crate) fn sha1_in_standard_base64(&self) -> String {
        STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der()))
    }

    /// The thumbprint as `x5t#S256` has it.
    pub(crate) fn sha256(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der()))
    }

    /// The key set that publishes this key under the name.
    pub(crate) fn jwks(&self, kid: &str) -> Value {
        let der = self.der();
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).expect("a certificate");
        let Ok(PublicKey::RSA(key)) = certificate.public_key().parsed() else {
            panic!("an RSA key");
        };
        let part = |bytes: &[u8]| {
            let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
            URL_SAFE_NO_PAD.encode(&bytes[start..])
        };
        let (n, e) = (part(key.modulus), part(key.exponent));
        json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e}]})
    }

    /// Signs what the header's `alg` says; with PKCS #1 padding where it says something else.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let key = RsaKeyPair::from_pkcs8(&self.key.serialize_der()).expect("a key");
        let mut signature = vec![0; key.public_modulus_len()];
        let random = SystemRandom::new();
        let padding: &dyn aws_lc_rs::signature::RsaEncoding =
            if header["alg"] == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        key.sign(padding, &random, signed.as_bytes(), &mut signature).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn der(&self) -> Vec<u8> {
        parse_x509_pem(self.certificate.as_bytes()).expect("PEM").1.contents
    }
}

/// The object with these fields put in, or taken out for null.
pub(crate) fn with(object: &Value, changes: &Value) -> Value {
    let mut fields: Map<String, Value> = object.as_object().cloned().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(fields.remove(name)),
            value => drop(fields.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(fields)
}

/// Seconds since 1970, and so many more.
pub(crate) fn in_seconds(offset: i64) -> i64 {
    jiff::Timestamp::now().as_second() + offset
}
