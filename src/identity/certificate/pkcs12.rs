//! Reading PKCS#12 files (<https://www.rfc-editor.org/rfc/rfc7292>).
//!
//! Done here, on the structures, ciphers and digests of libraries, because those that read whole files open every part
//! that a file may have, however many there are and whatever each costs.

use aws_lc_rs::hmac;
use pkcs12::cms::cert::x509::der::asn1::{ContextSpecific, ObjectIdentifier, OctetString};
use pkcs12::cms::cert::x509::der::{Any, AnyRef, Decode, Encode};
use pkcs12::cms::content_info::ContentInfo;
use pkcs12::cms::encrypted_data::EncryptedData;
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use pkcs12::pfx::Pfx;
use pkcs12::safe_bag::{SafeBag, SafeContents};
use pkcs12::{
    AuthenticatedSafe, CertBag, MacData, PKCS_12_CERT_BAG_OID, PKCS_12_KEY_BAG_OID, PKCS_12_PKCS8_KEY_BAG_OID,
    PKCS_12_X509_CERT_OID,
};
use zeroize::Zeroizing;

use super::contents::{Contents, PrivateKey};
use super::encryption::{self, Password, Rounds};
use super::{CERTIFICATE, CertificateError};

const DAMAGED: CertificateError = CertificateError::Damaged(CERTIFICATE);

// RFC 5652, sections 4 and 8.
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");

// RFC 8017, appendix B.1.
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// Reads the certificates and keys of a file. Friendly names and what else a bag may say of itself are of no interest.
pub(super) fn open(file: &[u8], text: &str) -> Result<Contents, CertificateError> {
    let pfx = Pfx::from_der(file).map_err(|_| DAMAGED)?;
    if pfx.auth_safe.content_type != DATA {
        // Signed with another certificate instead of a password.
        return Err(CertificateError::Encryption);
    }
    let content = octets(&pfx.auth_safe.content)?;
    let mut rounds = Rounds::default();
    let opened = password(pfx.mac_data.as_ref(), content.as_bytes(), text, &mut rounds)
        .and_then(|password| safes(content.as_bytes(), &password, &mut rounds));
    opened.map_err(|error| match error {
        CertificateError::PasswordWrong if text.is_empty() => CertificateError::PasswordMissing,
        // Without a checksum, what a wrong password opens looks like damage.
        DAMAGED if pfx.mac_data.is_none() && !text.is_empty() => CertificateError::PasswordWrong,
        other => other,
    })
}

/// The password that the file's own checksum says is right. A file without one is believed.
fn password<'a>(
    checksum: Option<&MacData>,
    content: &[u8],
    text: &'a str,
    rounds: &mut Rounds,
) -> Result<Password<'a>, CertificateError> {
    let first = Password::new(text);
    let Some(checksum) = checksum else { return Ok(first) };
    if verifies(checksum, content, &first, rounds)? {
        return Ok(first);
    }
    let second = Password::none();
    if text.is_empty() && verifies(checksum, content, &second, rounds)? {
        return Ok(second);
    }
    Err(CertificateError::PasswordWrong)
}

fn verifies(
    checksum: &MacData,
    content: &[u8],
    password: &Password<'_>,
    rounds: &mut Rounds,
) -> Result<bool, CertificateError> {
    rounds.spend(u32::try_from(checksum.iterations).map_err(|_| DAMAGED)?)?;
    let (password, salt, of, times) =
        (password.wide(), checksum.mac_salt.as_bytes(), Pkcs12KeyType::Mac, checksum.iterations);
    let (algorithm, key) = match checksum.mac.algorithm.oid {
        SHA1 => (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, derive_key::<sha1::Sha1>(password, salt, of, times, 20)),
        SHA256 => (hmac::HMAC_SHA256, derive_key::<sha2::Sha256>(password, salt, of, times, 32)),
        SHA384 => (hmac::HMAC_SHA384, derive_key::<sha2::Sha384>(password, salt, of, times, 48)),
        SHA512 => (hmac::HMAC_SHA512, derive_key::<sha2::Sha512>(password, salt, of, times, 64)),
        _ => return Err(CertificateError::Encryption),
    };
    let key = hmac::Key::new(algorithm, &Zeroizing::new(key));
    Ok(hmac::verify(&key, content, checksum.mac.digest.as_bytes()).is_ok())
}

fn safes(content: &[u8], password: &Password<'_>, rounds: &mut Rounds) -> Result<Contents, CertificateError> {
    let mut contents = Contents::default();
    for safe in AuthenticatedSafe::from_der(content).map_err(|_| DAMAGED)? {
        let bags = bags(&safe, password, rounds)?;
        for bag in SafeContents::from_der(&bags).map_err(|_| DAMAGED)? {
            contents.take(bag, password, rounds)?;
        }
    }
    Ok(contents)
}

/// The bags of one part of the file, in DER.
fn bags(
    safe: &ContentInfo,
    password: &Password<'_>,
    rounds: &mut Rounds,
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    match safe.content_type {
        DATA => Ok(Zeroizing::new(octets(&safe.content)?.into_bytes().into_vec())),
        ENCRYPTED => {
            let EncryptedData { enc_content_info: sealed, .. } = safe.content.decode_as().map_err(|_| DAMAGED)?;
            let data = sealed.encrypted_content.ok_or(DAMAGED)?;
            encryption::open(&sealed.content_enc_alg, data.as_bytes(), password, rounds)
        }
        _ => Err(CertificateError::Encryption),
    }
}

impl Contents {
    fn take(&mut self, bag: SafeBag, password: &Password<'_>, rounds: &mut Rounds) -> Result<(), CertificateError> {
        let value = Zeroizing::new(bag.bag_value);
        let value = ContextSpecific::<AnyRef<'_>>::from_der(&value).map_err(|_| DAMAGED)?.value;
        match bag.bag_id {
            PKCS_12_CERT_BAG_OID => {
                let CertBag { cert_id, cert_value } = value.decode_as().map_err(|_| DAMAGED)?;
                if cert_id == PKCS_12_X509_CERT_OID {
                    self.certificates.push(cert_value.into_bytes().into_vec());
                }
            }
            PKCS_12_KEY_BAG_OID => {
                let der = value.to_der().map_err(|_| DAMAGED)?;
                self.keys.push(PrivateKey::Pkcs8(Zeroizing::new(der)));
            }
            PKCS_12_PKCS8_KEY_BAG_OID => {
                let der = value.to_der().map_err(|_| DAMAGED)?;
                self.keys.push(PrivateKey::Pkcs8(encryption::private_key(&der, password, rounds)?));
            }
            // Lists of what was revoked, secrets of other kinds, bags in bags: nothing to sign in with.
            _ => {}
        }
        Ok(())
    }
}

fn octets(content: &Any) -> Result<OctetString, CertificateError> {
    content.decode_as().map_err(|_| DAMAGED)
}
