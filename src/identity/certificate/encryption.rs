//! Opening what a password protects: PBES2 of PKCS#5, which is of today, and the older ways of PKCS#12.
//!
//! Ciphers and digests are aws-lc-rs's where it has them. It has no RC2 and no key derivation of PKCS#12, so those of
//! old files come from `RustCrypto`.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use des::TdesEde3;
use pkcs12::cms::cert::x509::der::asn1::{ObjectIdentifier, OctetString};
use pkcs12::cms::cert::x509::der::{self, Any, Decode, Reader};
use pkcs12::cms::cert::x509::spki::AlgorithmIdentifierOwned;
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use pkcs12::pbe_params::{EncryptedPrivateKeyInfo, Pbes2Params, Pkcs12PbeParams};
use rc2::Rc2;
use sha1::Sha1;
use zeroize::{Zeroize, Zeroizing};

use super::CertificateError;

const DAMAGED: CertificateError = CertificateError::Damaged(super::CERTIFICATE);

// RFC 8018, appendix C.
const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const HMAC_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
const HMAC_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const HMAC_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");
const AES_128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES_192_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22");
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
const TRIPLE_DES_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");

// RFC 7292, appendix C.
const PBE_TRIPLE_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const PBE_RC2_128: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.5");
const PBE_RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");

/// The rounds of key derivation that one file may still cost. Three keys of 600000 rounds each, the most that OWASP
/// advises for PBKDF2 with SHA-256, fit; OpenSSL writes 2048 and Windows 2000. All of them take about a second.
///
/// The count is over the whole file, however many parts it has, and every part is counted before it is opened.
pub(super) struct Rounds(u32);

impl Default for Rounds {
    fn default() -> Self {
        Self(2_000_000)
    }
}

impl Rounds {
    pub(super) fn spend(&mut self, rounds: u32) -> Result<(), CertificateError> {
        self.0 = self.0.checked_sub(rounds).ok_or(CertificateError::Rounds)?;
        Ok(())
    }
}

/// A password as each standard takes it.
pub(super) struct Password<'a> {
    text: &'a str,
    wide: Zeroizing<Vec<u8>>,
}

impl<'a> Password<'a> {
    /// RFC 7292 wants UTF-16 with its most significant byte first, and a zero behind it.
    pub(super) fn new(text: &'a str) -> Self {
        let wide = text.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
        Self { text, wide: Zeroizing::new(wide) }
    }

    /// The other way to have no password, without that zero: the RFC allows both.
    pub(super) fn none() -> Self {
        Self { text: "", wide: Zeroizing::default() }
    }

    /// What PKCS#12 derives keys from.
    pub(super) fn wide(&self) -> &[u8] {
        &self.wide
    }
}

/// Opens an encrypted PKCS#8 key.
pub(super) fn private_key(
    der: &[u8],
    password: &Password<'_>,
    rounds: &mut Rounds,
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let sealed = EncryptedPrivateKeyInfo::from_der(der).map_err(|_| DAMAGED)?;
    open(&sealed.encryption_algorithm, sealed.encrypted_data.as_bytes(), password, rounds)
}

/// Opens `data`, which `scheme` says how to.
pub(super) fn open(
    scheme: &AlgorithmIdentifierOwned,
    data: &[u8],
    password: &Password<'_>,
    rounds: &mut Rounds,
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let parameters = scheme.parameters.as_ref().ok_or(DAMAGED)?;
    match scheme.oid {
        PBES2 => pbes2(&parameters.decode_as().map_err(|_| DAMAGED)?, data, password, rounds),
        PBE_TRIPLE_DES => pbe::<TdesEde3>(24, parameters, data, password, rounds),
        PBE_RC2_128 => pbe::<Rc2>(16, parameters, data, password, rounds),
        PBE_RC2_40 => pbe::<Rc2>(5, parameters, data, password, rounds),
        _ => Err(CertificateError::Encryption),
    }
}

/// RFC 7292, appendix B: key and initialization vector both come of the password.
fn pbe<C: BlockCipherDecrypt + KeyInit>(
    key_length: usize,
    parameters: &Any,
    data: &[u8],
    password: &Password<'_>,
    rounds: &mut Rounds,
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let Pkcs12PbeParams { salt, iterations } = parameters.decode_as().map_err(|_| DAMAGED)?;
    rounds.spend(u32::try_from(iterations).map_err(|_| DAMAGED)?)?;
    let derive =
        |of, length| Zeroizing::new(derive_key::<Sha1>(password.wide(), salt.as_bytes(), of, iterations, length));
    let key = derive(Pkcs12KeyType::EncryptionKey, key_length);
    cbc_open::<C>(&key, &derive(Pkcs12KeyType::Iv, 8), data)
}

/// RFC 8018, section 6.2.
fn pbes2(
    scheme: &Pbes2Params,
    data: &[u8],
    password: &Password<'_>,
    rounds: &mut Rounds,
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    // Scrypt among others: what it takes is memory, up to all that there is.
    let Some(parameters) = scheme.kdf.parameters.as_ref().filter(|_| scheme.kdf.oid == PBKDF2) else {
        return Err(CertificateError::Encryption);
    };
    let derivation = Pbkdf2::read(parameters)?;
    rounds.spend(derivation.rounds.get())?;
    let iv = scheme.encryption.parameters.as_ref().and_then(|iv| iv.decode_as::<OctetString>().ok()).ok_or(DAMAGED)?;
    let (cipher, key_length) = match scheme.encryption.oid {
        AES_128_CBC => (Some(&AES_128), 16),
        AES_192_CBC => (Some(&AES_192), 24),
        AES_256_CBC => (Some(&AES_256), 32),
        TRIPLE_DES_CBC => (None, 24),
        _ => return Err(CertificateError::Encryption),
    };
    let mut key = Zeroizing::new(vec![0; key_length]);
    pbkdf2::derive(
        derivation.digest,
        derivation.rounds,
        derivation.salt.as_bytes(),
        password.text.as_bytes(),
        &mut key,
    );
    match cipher {
        Some(cipher) => aes_open(cipher, &key, iv.as_bytes(), data),
        None => cbc_open::<TdesEde3>(&key, iv.as_bytes(), data),
    }
}

/// The parameters of PBKDF2 (RFC 8018, appendix A.2).
struct Pbkdf2 {
    salt: OctetString,
    rounds: NonZeroU32,
    digest: pbkdf2::Algorithm,
}

impl Pbkdf2 {
    fn read(parameters: &Any) -> Result<Self, CertificateError> {
        type Fields = (OctetString, u32, Option<u32>, Option<AlgorithmIdentifierOwned>);
        let read = parameters.sequence(|reader| -> Result<Fields, der::Error> {
            Ok((reader.decode()?, reader.decode()?, reader.decode()?, reader.decode()?))
        });
        let (salt, rounds, _key_length, digest) = read.map_err(|_| DAMAGED)?;
        let digest = match digest.map(|digest| digest.oid) {
            // What the standard says where the file does not.
            None | Some(HMAC_SHA1) => pbkdf2::PBKDF2_HMAC_SHA1,
            Some(HMAC_SHA256) => pbkdf2::PBKDF2_HMAC_SHA256,
            Some(HMAC_SHA384) => pbkdf2::PBKDF2_HMAC_SHA384,
            Some(HMAC_SHA512) => pbkdf2::PBKDF2_HMAC_SHA512,
            Some(_) => return Err(CertificateError::Encryption),
        };
        Ok(Self { salt, rounds: NonZeroU32::new(rounds).ok_or(DAMAGED)?, digest })
    }
}

fn aes_open(
    cipher: &'static Algorithm,
    key: &[u8],
    iv: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let iv: [u8; 16] = iv.try_into().map_err(|_| DAMAGED)?;
    let mut data = Zeroizing::new(data.to_vec());
    let key = UnboundCipherKey::new(cipher, key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7);
    let opened = key.and_then(|key| {
        let plain = key.decrypt(&mut data, DecryptionContext::Iv128(FixedLength::from(iv)))?;
        Ok(plain.len())
    });
    cut(data, opened.ok())
}

fn cbc_open<C: BlockCipherDecrypt + KeyInit>(
    key: &[u8],
    iv: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| DAMAGED)?;
    let mut data = Zeroizing::new(data.to_vec());
    let opened = cipher.decrypt_padded::<Pkcs7>(&mut data).ok().map(<[u8]>::len);
    cut(data, opened)
}

/// Takes the padding off. Padding that is none says that the key is wrong, nearly always.
fn cut(mut data: Zeroizing<Vec<u8>>, length: Option<usize>) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let length = length.ok_or(CertificateError::PasswordWrong)?;
    data[length..].zeroize();
    data.truncate(length);
    Ok(data)
}
