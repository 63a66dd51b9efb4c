//! What a file with a certificate holds: certificates and private keys, before it is said which belong together.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rsa::KeyPair;
use jiff::Timestamp;
use pkcs12::cms::cert::x509;
use x509::der::Decode as _;
use x509::time::Time;
use zeroize::Zeroizing;

use super::{CertificateError, bounded, is_pem};

/// Certificates in DER, and private keys.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) keys: Vec<PrivateKey>,
}

/// A private key in DER, by the structure that it is in. Wiped from memory when dropped.
pub(super) enum PrivateKey {
    Pkcs8(Zeroizing<Vec<u8>>),
    Pkcs1(Zeroizing<Vec<u8>>),
    /// PKCS#8 under a password.
    Encrypted(Zeroizing<Vec<u8>>),
    /// PKCS#1 under a password, as OpenSSL did it before there was PKCS#8: with a key derived in one round of MD5.
    Obsolete,
    /// By its label no RSA key.
    Other,
}

impl Contents {
    /// Reads PEM: blocks in any order, with any text around them. `name` is the name of the Secret's key.
    pub(super) fn read(text: &[u8], name: &'static str) -> Result<Self, CertificateError> {
        bounded(text, name)?;
        if !is_pem(text) {
            return Err(CertificateError::NotPem(name));
        }
        let blocks = pem::parse_many(text).map_err(|_| CertificateError::Damaged(name))?;
        if blocks.is_empty() {
            return Err(CertificateError::Damaged(name));
        }
        let mut contents = Self::default();
        for block in blocks {
            let label = block.tag().to_owned();
            let obsolete = block.headers().get("Proc-Type").is_some();
            let der = Zeroizing::new(block.into_contents());
            match label.as_str() {
                "CERTIFICATE" => contents.certificates.push(der.to_vec()),
                "PRIVATE KEY" => contents.keys.push(PrivateKey::Pkcs8(der)),
                "ENCRYPTED PRIVATE KEY" => contents.keys.push(PrivateKey::Encrypted(der)),
                "RSA PRIVATE KEY" if obsolete => contents.keys.push(PrivateKey::Obsolete),
                "RSA PRIVATE KEY" => contents.keys.push(PrivateKey::Pkcs1(der)),
                other if other.ends_with(" PRIVATE KEY") => contents.keys.push(PrivateKey::Other),
                // Parameters of a curve, a request, a list of what was revoked.
                _ => {}
            }
        }
        Ok(contents)
    }
}

/// The one key among `keys`.
pub(super) fn only(mut keys: Vec<PrivateKey>, name: &'static str) -> Result<PrivateKey, CertificateError> {
    match (keys.pop(), keys.is_empty()) {
        (None, _) => Err(CertificateError::NoKey(name)),
        (Some(_), false) => Err(CertificateError::Keys(name)),
        (Some(key), true) => Ok(key),
    }
}

impl PrivateKey {
    /// The key, if Entra takes signatures of its kind: of RSA only. The documentation asks for PS256
    /// (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>); the application takes an
    /// elliptic certificate when it is uploaded, and then the sign-in fails
    /// (<https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/2573>).
    pub(super) fn parse(&self, name: &'static str) -> Result<Arc<KeyPair>, CertificateError> {
        let parsed = match self {
            Self::Pkcs8(der) => KeyPair::from_pkcs8(der),
            Self::Pkcs1(der) => KeyPair::from_der(der),
            Self::Encrypted(_) | Self::Obsolete => return Err(CertificateError::Encrypted(name)),
            Self::Other => return Err(CertificateError::KeyType(name)),
        };
        parsed.map(Arc::new).map_err(|rejected| unfit(&rejected, name))
    }
}

fn unfit(rejected: &KeyRejected, name: &'static str) -> CertificateError {
    match rejected.description_() {
        "WrongAlgorithm" | "TooSmall" | "TooLarge" => CertificateError::KeyType(name),
        _ => CertificateError::Damaged(name),
    }
}

/// What is needed of an X.509 certificate.
pub(super) struct Leaf {
    pub(super) thumbprint: [u8; 32],
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// For RSA: modulus and exponent as PKCS#1 writes them.
    pub(super) public_key: Vec<u8>,
}

impl Leaf {
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let certificate = x509::Certificate::from_der(der).ok()?;
        let certificate = certificate.tbs_certificate();
        let validity = certificate.validity();
        Some(Self {
            thumbprint: digest(&SHA256, der).as_ref().try_into().ok()?,
            not_before: timestamp(validity.not_before),
            not_after: timestamp(validity.not_after),
            public_key: certificate.subject_public_key_info().subject_public_key.raw_bytes().to_vec(),
        })
    }
}

/// The end of the year 9999 stands for no end at all (RFC 5280, section 4.1.2.5), and is later than the calendar here.
fn timestamp(time: Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok();
    seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX)
}
