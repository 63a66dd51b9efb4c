//! A certificate to sign in with, from every form that Secrets hold one in.
//!
//! [`contents`] reads PEM and what is in it, [`pkcs12`] the other form, and [`encryption`] opens what a password
//! protects. Whoever writes the Secret need not be trusted with the operator: what is read is at most [`LONGEST`] bytes
//! long, and what it costs is counted before it is spent.

mod contents;
mod encryption;
mod pkcs12;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use zeroize::Zeroizing;

use contents::{Contents, Leaf, PrivateKey, only};
use encryption::{Password, Rounds};

const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE";
const TLS_CERTIFICATE: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";

/// The longest value that is read, in bytes. A key of 8192 bits with a chain of five certificates has a quarter of it.
const LONGEST: usize = 64 * 1024;

/// A certificate and its private key. Shows neither when printed; the key is wiped from memory when dropped.
#[derive(Clone)]
pub struct Certificate {
    thumbprint: [u8; 32],
    not_before: Timestamp,
    not_after: Timestamp,
    key: Arc<KeyPair>,
}

/// Why a Secret holds no certificate to sign in with. What it says completes "The Secret contoso-graph ...", and holds
/// nothing of the Secret but the names of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// More than is read.
    #[error("has more than 64 KiB in {0}")]
    TooLong(&'static str),
    /// Another form.
    #[error("has something other than PEM or PKCS#12 in {0}")]
    Unknown(&'static str),
    /// Another form where PEM is the only one.
    #[error("has something other than PEM in {0}")]
    NotPem(&'static str),
    /// The right form, but it cannot be read to its end.
    #[error("has a damaged {0}")]
    Damaged(&'static str),
    /// No certificate.
    #[error("has no certificate in {0}")]
    NoCertificate(&'static str),
    /// No private key.
    #[error("has no private key in {0}")]
    NoKey(&'static str),
    /// Several private keys, and no saying which is meant.
    #[error("has more than one private key in {0}")]
    Keys(&'static str),
    /// Not an RSA key, or one of a size that is not taken.
    #[error("has a private key in {0} that Microsoft Entra does not take (RSA of 2048 to 8192 bits is wanted)")]
    KeyType(&'static str),
    /// No certificate belongs to the private key.
    #[error("has a private key in {0} that belongs to another certificate")]
    Mismatch(&'static str),
    /// An encrypted key where there is no place for a password.
    #[error("has an encrypted private key in {0}, which must be plain")]
    Encrypted(&'static str),
    /// A password is wanted.
    #[error("has a password on its AZURE_CLIENT_CERTIFICATE and no AZURE_CLIENT_CERTIFICATE_PASSWORD")]
    PasswordMissing,
    /// The password does not open the file.
    #[error("has a wrong AZURE_CLIENT_CERTIFICATE_PASSWORD or a damaged AZURE_CLIENT_CERTIFICATE")]
    PasswordWrong,
    /// Encrypted in a way that is not known here.
    #[error("has an AZURE_CLIENT_CERTIFICATE encrypted in an unusual way (AES in CBC mode with PBKDF2 is wanted)")]
    Encryption,
    /// So many rounds that reading it would keep the operator from its work.
    #[error("has an AZURE_CLIENT_CERTIFICATE that takes more than 2000000 rounds to open")]
    Rounds,
    /// The library refuses to sign.
    #[error("has a private key that does not sign")]
    Unusable,
}

impl Certificate {
    /// Reads the value of `AZURE_CLIENT_CERTIFICATE`: PEM, PKCS#12, or PKCS#12 in base64, which is how Azure Key Vault
    /// hands it out. No two of them begin alike. `value` is the whole value: the newline that may be trimmed from text
    /// may be the last byte of a file.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn from_value(value: &[u8], password: Option<&str>) -> Result<Self, CertificateError> {
        bounded(value, CERTIFICATE)?;
        if is_der(value) {
            return Self::from_pkcs12(value, password);
        }
        if is_pem(value) {
            return Self::from_pem(value, password);
        }
        let text: Vec<u8> = value.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        match STANDARD.decode(&*Zeroizing::new(text)).map(Zeroizing::new) {
            Ok(file) if is_der(&file) => Self::from_pkcs12(&file, password),
            _ => Err(CertificateError::Unknown(CERTIFICATE)),
        }
    }

    /// Reads certificates and a private key in one text, in any order: the one that belongs to the key counts, whatever
    /// chain comes with it. Without `password`, the key must be plain.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn from_pem(text: &[u8], password: Option<&str>) -> Result<Self, CertificateError> {
        let Contents { certificates, keys } = Contents::read(text, CERTIFICATE)?;
        let key = match only(keys, CERTIFICATE)? {
            PrivateKey::Obsolete => return Err(CertificateError::Encryption),
            PrivateKey::Encrypted(der) => opened(&der, password)?,
            plain => plain.parse(CERTIFICATE)?,
        };
        Self::of(&certificates, &key, (CERTIFICATE, CERTIFICATE))
    }

    /// Reads a PKCS#12 file. One without a password, or with an empty one, takes either.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn from_pkcs12(file: &[u8], password: Option<&str>) -> Result<Self, CertificateError> {
        bounded(file, CERTIFICATE)?;
        let Contents { certificates, keys } = pkcs12::open(file, password.unwrap_or_default())?;
        let key = only(keys, CERTIFICATE)?;
        Self::of(&certificates, &key.parse(CERTIFICATE)?, (CERTIFICATE, CERTIFICATE))
    }

    /// Reads what cert-manager writes: `tls.crt`, the leaf first and its chain behind it, and `tls.key`.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn from_pair(tls_crt: &[u8], tls_key: &[u8]) -> Result<Self, CertificateError> {
        let certificates = Contents::read(tls_crt, TLS_CERTIFICATE)?.certificates;
        let key = only(Contents::read(tls_key, TLS_KEY)?.keys, TLS_KEY)?;
        Self::of(&certificates, &key.parse(TLS_KEY)?, (TLS_CERTIFICATE, TLS_KEY))
    }

    /// The certificate among `certificates` that belongs to `key`. Of several, which a renewal under the same key
    /// leaves, the one that is valid longest. The `names` are those of the Secret's keys that hold them.
    fn of(
        certificates: &[Vec<u8>],
        key: &Arc<KeyPair>,
        names: (&'static str, &'static str),
    ) -> Result<Self, CertificateError> {
        if certificates.is_empty() {
            return Err(CertificateError::NoCertificate(names.0));
        }
        // What stands in a chain beside the leaf is of no interest, so it may be anything.
        let read: Vec<_> = certificates.iter().filter_map(|der| Leaf::read(der)).collect();
        if read.is_empty() {
            return Err(CertificateError::Damaged(names.0));
        }
        let own = read.into_iter().filter(|leaf| leaf.public_key == key.public_key().as_ref());
        let leaf = own.max_by_key(|leaf| leaf.not_after).ok_or(CertificateError::Mismatch(names.1))?;
        let Leaf { thumbprint, not_before, not_after, .. } = leaf;
        Ok(Self { thumbprint, not_before, not_after, key: Arc::clone(key) })
    }

    /// SHA-256 of the certificate, by which Entra finds it among those of the application.
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// From when on it is valid.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Until when it is valid. Reading it does not look at the time.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Signs `message` as PS256 does: RSASSA-PSS with SHA-256 and a salt as long as that
    /// (<https://www.rfc-editor.org/rfc/rfc7518#section-3.5>).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CertificateError> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let signed = self.key.sign_digest(&RSA_PSS_SHA256, &digest(&SHA256, message), &mut signature);
        signed.map(|()| signature).map_err(|_| CertificateError::Unusable)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Certificate").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

fn bounded(value: &[u8], name: &'static str) -> Result<(), CertificateError> {
    if value.len() > LONGEST { Err(CertificateError::TooLong(name)) } else { Ok(()) }
}

/// How PEM is told from the others. Text may stand before it.
fn is_pem(value: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"-----BEGIN ";
    value.windows(BEGINNING.len()).any(|window| window == BEGINNING)
}

/// How PKCS#12 is told from the others, by its first bytes: a structure that is longer than 127 bytes. No text has them.
const fn is_der(value: &[u8]) -> bool {
    matches!(value, [0x30, 0x80..=0xff, ..])
}

fn opened(der: &[u8], password: Option<&str>) -> Result<Arc<KeyPair>, CertificateError> {
    let password = password.filter(|text| !text.is_empty()).ok_or(CertificateError::PasswordMissing)?;
    let key = encryption::private_key(der, &Password::new(password), &mut Rounds::default())?;
    PrivateKey::Pkcs8(key).parse(CERTIFICATE).map_err(|error| match error {
        // One wrong password in 256 opens the key to something that only looks padded.
        CertificateError::Damaged(_) => CertificateError::PasswordWrong,
        other => other,
    })
}
