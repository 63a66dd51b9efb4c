//! Public keys: those of registered certificates, and those that an issuer publishes.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;
use x509_parser::pem::parse_x509_pem;

use crate::jwt::{self, Jwt};

/// The signature algorithms that Entra takes here. Keys are RSA: no documentation speaks of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Ps256,
    Rs256,
}

impl Algorithm {
    fn parameters(self) -> &'static RsaParameters {
        match self {
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        }
    }
}

/// A registered certificate.
pub(super) struct Certificate {
    pub(super) sha1: Vec<u8>,
    pub(super) sha256: Vec<u8>,
    /// Seconds since 1970 between which it may be used.
    pub(super) validity: (i64, i64),
    /// PKCS #1, in DER.
    key: Vec<u8>,
}

impl Certificate {
    /// Reads the PEM of a certificate's public part; `None` for what is none.
    pub(super) fn read(pem: &str) -> Option<Self> {
        let (_, pem) = parse_x509_pem(pem.as_bytes()).ok()?;
        let certificate = pem.parse_x509().ok()?;
        let validity = certificate.validity();
        Some(Self {
            sha1: digest(&SHA1_FOR_LEGACY_USE_ONLY, &pem.contents).as_ref().to_vec(),
            sha256: digest(&SHA256, &pem.contents).as_ref().to_vec(),
            validity: (validity.not_before.timestamp(), validity.not_after.timestamp()),
            key: certificate.public_key().subject_public_key.data.to_vec(),
        })
    }

    pub(super) fn signed(&self, algorithm: Algorithm, jwt: &Jwt) -> bool {
        let key = UnparsedPublicKey::new(algorithm.parameters(), &self.key);
        key.verify(jwt.signed.as_bytes(), &jwt.signature).is_ok()
    }
}

/// Whether one of the set's keys made the signature: the one that the header names, or any if it names none.
pub(super) fn signed_by(jwks: &Value, jwt: &Jwt) -> bool {
    let keys = jwks["keys"].as_array().map_or(&[][..], Vec::as_slice);
    let named = |key: &&Value| jwt.header["kid"].is_null() || key["kid"] == jwt.header["kid"];
    let made_it = |key: &Value| {
        let part = |name: &str| key[name].as_str().and_then(jwt::decode);
        let (Some(n), Some(e)) = (part("n"), part("e")) else {
            return false;
        };
        let key = RsaPublicKeyComponents { n, e };
        key.verify(Algorithm::Rs256.parameters(), jwt.signed.as_bytes(), &jwt.signature).is_ok()
    };
    keys.iter().filter(|key| key["kty"] == "RSA").filter(named).any(made_it)
}
