//! The files under `openssl/` hold one throw-away key of 2048 bits and one of 1024, which sign in nowhere. OpenSSL 3.0
//! wrote them; `-passout pass:throw-away` belongs to each line that does not name another:
//!
//! ```text
//! openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.txt -days 36500 \
//!     -subj "/CN=a throw-away certificate of the tests"
//! openssl pkcs12 -export -inkey key.pem -in cert.txt | base64 > aes.p12.txt
//! openssl pkcs12 -export -legacy -inkey key.pem -in cert.txt | base64 > legacy.p12.txt
//! openssl pkcs12 -export -inkey key.pem -in cert.txt -passout pass: | base64 > open.p12.txt
//! openssl pkcs12 -export -nomac -keypbe NONE -certpbe NONE -inkey key.pem -in cert.txt -passout pass: \
//!     | base64 > bare.p12.txt
//! openssl pkcs8 -topk8 -in key.pem -out aes.p8.txt
//! openssl pkcs8 -topk8 -v2 des3 -v2prf hmacWithSHA1 -in key.pem -out des3.p8.txt
//! openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in key.pem -out v1.p8.txt
//! openssl rsa -in key.pem -traditional -out rsa.txt
//! openssl rsa -in key.pem -traditional -aes256 -out obsolete.txt
//! openssl req -x509 -newkey rsa:1024 -nodes -keyout small.key -out small.crt -days 36500 -subj "/CN=too small"
//! cat small.key small.crt > small.txt
//! ```

use std::sync::LazyLock;

use ::pkcs12::cms::cert::x509::der::asn1::{Null, ObjectIdentifier, OctetString};
use ::pkcs12::cms::cert::x509::der::{Any, Decode, Encode};
use ::pkcs12::cms::cert::x509::spki::AlgorithmIdentifierOwned;
use ::pkcs12::kdf::{Pkcs12KeyType, derive_key};
use ::pkcs12::pbe_params::{EncryptedPrivateKeyInfo, Pbes2Params, Pbkdf2Params, Pkcs12PbeParams};
use ::pkcs12::pfx::Pfx;
use ::pkcs12::{DigestInfo, MacData};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use pem::{Pem, encode};
use proptest::prelude::*;
use rcgen::{CertificateParams, Issuer, KeyPair as Maker, PKCS_RSA_SHA256, RsaKeySize};

use super::*;

const PASSWORD: Option<&str> = Some("throw-away");
const CERT: &str = include_str!("openssl/cert.txt");
const RSA: &str = include_str!("openssl/rsa.txt");
const AES_P12: &str = include_str!("openssl/aes.p12.txt");
const LEGACY_P12: &str = include_str!("openssl/legacy.p12.txt");
const OPEN_P12: &str = include_str!("openssl/open.p12.txt");
const BARE_P12: &str = include_str!("openssl/bare.p12.txt");
const AES_P8: &str = include_str!("openssl/aes.p8.txt");
const DES3_P8: &str = include_str!("openssl/des3.p8.txt");
const V1_P8: &str = include_str!("openssl/v1.p8.txt");
const OBSOLETE: &str = include_str!("openssl/obsolete.txt");
const SMALL: &str = include_str!("openssl/small.txt");

/// `openssl x509 -in cert.txt -outform DER | openssl dgst -sha256 -binary | base64`
const THUMBPRINT: &str = "WYOvwo82dXGCHIzpllaA/4ZwioF8rLCO9NT+ByTWotg=";

/// A second key with certificates: a leaf, a later one of the same key, and the authority above them.
struct Other {
    key: String,
    leaf: String,
    renewed: String,
    authority: String,
}

static OTHER: LazyLock<Other> = LazyLock::new(|| {
    let signer = Maker::generate().unwrap();
    let issuer = CertificateParams::new(Vec::new()).unwrap();
    let authority = issuer.self_signed(&signer).unwrap().pem();
    let issuer = Issuer::new(issuer, signer);
    let key = Maker::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let leaf = |year| {
        let mut params = CertificateParams::new(vec!["leaf.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 2, 3);
        params.signed_by(&key, &issuer).unwrap().pem()
    };
    Other { leaf: leaf(2040), renewed: leaf(2041), authority, key: key.serialize_pem() }
});

/// A key and a certificate on a curve.
fn elliptic() -> (String, String) {
    let key = Maker::generate().unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    (key.serialize_pem(), certificate.pem())
}

fn decoded(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64.replace('\n', "")).unwrap()
}

/// The error, if it is one; what is right is shown by its end.
fn told(found: Result<Certificate, CertificateError>) -> Result<String, CertificateError> {
    found.map(|certificate| certificate.not_after().to_string())
}

#[track_caller]
fn assert_the_one(found: Result<Certificate, CertificateError>, form: &str) {
    let found = found.unwrap_or_else(|error| panic!("{form}: the Secret {error}"));
    assert_eq!(STANDARD.encode(found.thumbprint()), THUMBPRINT, "{form}");
    assert_eq!(found.not_before().to_string(), "2026-11-24T11:31:39Z", "{form}");
    assert_eq!(found.not_after().to_string(), "2126-10-31T11:31:39Z", "{form}");
    let signature = found.sign(b"message").unwrap();
    let public = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, found.key.public_key().as_ref());
    public.verify(b"message", &signature).unwrap_or_else(|_| panic!("{form}: the signature does not verify"));
}

#[test]
fn every_form_that_openssl_writes_is_read() {
    for (form, text, password) in [
        ("a key in PKCS#1", RSA, None),
        ("a key in PKCS#1 and a password for nothing", RSA, PASSWORD),
        ("an encrypted key", AES_P8, PASSWORD),
        ("an encrypted key with triple DES and SHA-1", DES3_P8, PASSWORD),
        ("an encrypted key as PKCS#12 does it", V1_P8, PASSWORD),
    ] {
        for text in [format!("{text}{CERT}"), format!("{CERT}\n{text}"), format!("Bag\n  id: 1\n{CERT}---\n{text}")] {
            assert_the_one(Certificate::from_pem(text.as_bytes(), password), form);
            assert_the_one(Certificate::from_value(text.as_bytes(), password), form);
            let windows = text.replace('\n', "\r\n");
            assert_the_one(Certificate::from_value(windows.trim_end().as_bytes(), password), form);
        }
    }
    for (form, file, password) in [
        ("PKCS#12 of today", AES_P12, PASSWORD),
        ("PKCS#12 of yesterday", LEGACY_P12, PASSWORD),
        ("PKCS#12 without a password", OPEN_P12, None),
        ("PKCS#12 with an empty password", OPEN_P12, Some("")),
        ("PKCS#12 without encryption", BARE_P12, None),
        ("PKCS#12 without encryption and a password for nothing", BARE_P12, PASSWORD),
    ] {
        assert_the_one(Certificate::from_pkcs12(&decoded(file), password), form);
        assert_the_one(Certificate::from_value(&decoded(file), password), form);
        assert_the_one(Certificate::from_value(file.as_bytes(), password), form);
        assert_the_one(Certificate::from_value(file.replace('\n', "").as_bytes(), password), form);
    }
    assert_the_one(Certificate::from_pair(CERT.as_bytes(), RSA.as_bytes()), "tls.crt and tls.key");
}

/// RFC 7292 says two things about no password; other programs write the one that OpenSSL does not.
#[test]
fn a_file_without_a_password_is_read_in_either_way() {
    let mut file = Pfx::from_der(&decoded(BARE_P12)).unwrap();
    for (no_password, form) in [(&[0, 0][..], "a zero"), (&[], "nothing at all")] {
        let key = derive_key::<sha1::Sha1>(no_password, b"salt", Pkcs12KeyType::Mac, 1, 20);
        let content: OctetString = file.auth_safe.content.decode_as().unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
        let digest = OctetString::new(hmac::sign(&key, content.as_bytes()).as_ref()).unwrap();
        let mac = DigestInfo { algorithm: algorithm("1.3.14.3.2.26", &Null), digest };
        file.mac_data = Some(MacData { mac, mac_salt: OctetString::new(*b"salt").unwrap(), iterations: 1 });
        let file = file.to_der().unwrap();
        assert_the_one(Certificate::from_pkcs12(&file, None), form);
        assert_eq!(told(Certificate::from_pkcs12(&file, PASSWORD)), Err(CertificateError::PasswordWrong), "{form}");
    }
}

#[test]
fn the_leaf_is_the_certificate_of_the_key_and_the_one_that_is_valid_longest() {
    let Other { key, leaf, renewed, authority } = &*OTHER;
    let nonsense = encode(&Pem::new("CERTIFICATE", [1, 2, 3]));
    for (chain, expected) in [
        (vec![leaf, authority], "2040-02-03T00:00:00Z"),
        (vec![authority, leaf], "2040-02-03T00:00:00Z"),
        (vec![leaf, renewed, authority], "2041-02-03T00:00:00Z"),
        (vec![renewed, leaf], "2041-02-03T00:00:00Z"),
        (vec![&nonsense, leaf], "2040-02-03T00:00:00Z"),
    ] {
        let chain: String = chain.into_iter().map(String::as_str).collect();
        assert_eq!(told(Certificate::from_pair(chain.as_bytes(), key.as_bytes())), Ok(expected.to_owned()));
        let text = [key.as_str(), &chain].concat();
        assert_eq!(told(Certificate::from_value(text.as_bytes(), None)), Ok(expected.to_owned()));
    }
}

#[test]
fn what_is_wrong_with_a_text_is_told() {
    let Other { key, leaf, .. } = &*OTHER;
    let (elliptic_key, elliptic_cert) = elliptic();
    let sec1 = elliptic_key.replace("PRIVATE KEY", "EC PRIVATE KEY");
    let broken = RSA.replacen('\n', "\n!", 2);
    let rows: [(&[&str], Option<&str>, &str); 17] = [
        (&[CERT], None, "has no private key in AZURE_CLIENT_CERTIFICATE"),
        (&[RSA], None, "has no certificate in AZURE_CLIENT_CERTIFICATE"),
        (&[RSA, key, CERT], None, "has more than one private key in AZURE_CLIENT_CERTIFICATE"),
        (&[key, CERT], None, "has a private key in AZURE_CLIENT_CERTIFICATE that belongs to another certificate"),
        (&[RSA, leaf], None, "has a private key in AZURE_CLIENT_CERTIFICATE that belongs to another certificate"),
        (&[&elliptic_key, &elliptic_cert], None, "has a private key in AZURE_CLIENT_CERTIFICATE that Microsoft Entra"),
        (&[&sec1, &elliptic_cert], None, "has a private key in AZURE_CLIENT_CERTIFICATE that Microsoft Entra does not"),
        (
            &[SMALL],
            None,
            "has a private key in AZURE_CLIENT_CERTIFICATE that Microsoft Entra does not take (RSA of 2048",
        ),
        (&[AES_P8, CERT], None, "has a password on its AZURE_CLIENT_CERTIFICATE and no AZURE_CLIENT_CERTIFICATE_PASSW"),
        (&[AES_P8, CERT], Some(""), "has a password on its AZURE_CLIENT_CERTIFICATE and no AZURE_CLIENT_CERTIFICATE_P"),
        (&[AES_P8, CERT], Some("x"), "has a wrong AZURE_CLIENT_CERTIFICATE_PASSWORD or a damaged AZURE_CLIENT_CERTIFI"),
        (
            &[V1_P8, CERT],
            Some("x"),
            "has a wrong AZURE_CLIENT_CERTIFICATE_PASSWORD or a damaged AZURE_CLIENT_CERTIFICA",
        ),
        (&[OBSOLETE, CERT], PASSWORD, "has an AZURE_CLIENT_CERTIFICATE encrypted in an unusual way (AES in CBC mode"),
        (&[&broken, CERT], None, "has a damaged AZURE_CLIENT_CERTIFICATE"),
        (&["throw-away"], None, "has something other than PEM or PKCS#12 in AZURE_CLIENT_CERTIFICATE"),
        (&[""], None, "has something other than PEM or PKCS#12 in AZURE_CLIENT_CERTIFICATE"),
        (&[CERT; 60], None, "has more than 64 KiB in AZURE_CLIENT_CERTIFICATE"),
    ];
    for (parts, password, expected) in rows {
        let error = Certificate::from_value(parts.concat().as_bytes(), password).unwrap_err().to_string();
        assert!(error.starts_with(expected), "wanted {expected}, got {error}");
    }
}

#[test]
fn what_is_wrong_with_a_pair_is_told_with_the_names_of_its_keys() {
    let (elliptic_key, _) = elliptic();
    for (certificate, key, expected) in [
        (CERT, OTHER.key.as_str(), CertificateError::Mismatch(TLS_KEY)),
        (CERT, AES_P8, CertificateError::Encrypted(TLS_KEY)),
        (CERT, &elliptic_key, CertificateError::KeyType(TLS_KEY)),
        (CERT, CERT, CertificateError::NoKey(TLS_KEY)),
        (RSA, RSA, CertificateError::NoCertificate(TLS_CERTIFICATE)),
        (CERT, "", CertificateError::NotPem(TLS_KEY)),
        (CERT, "-----BEGIN RSA PRIVATE KEY-----\nMIIE", CertificateError::Damaged(TLS_KEY)),
        (AES_P12, RSA, CertificateError::NotPem(TLS_CERTIFICATE)),
    ] {
        assert_eq!(told(Certificate::from_pair(certificate.as_bytes(), key.as_bytes())), Err(expected));
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told() {
    let (aes, legacy) = (decoded(AES_P12), decoded(LEGACY_P12));
    for (file, password, expected) in [
        (&aes, None, CertificateError::PasswordMissing),
        (&legacy, Some(""), CertificateError::PasswordMissing),
        (&aes, Some("throw-awaz"), CertificateError::PasswordWrong),
        (&legacy, Some("throw-awaz"), CertificateError::PasswordWrong),
        (&decoded(OPEN_P12), PASSWORD, CertificateError::PasswordWrong),
        (&aes[..aes.len() - 1].to_vec(), PASSWORD, CertificateError::Damaged(CERTIFICATE)),
        (&vec![0x30; 1024 * 1024], None, CertificateError::TooLong(CERTIFICATE)),
        (&vec![b'A'; 1024 * 1024], None, CertificateError::TooLong(CERTIFICATE)),
    ] {
        assert_eq!(told(Certificate::from_value(file, password)), Err(expected), "{} bytes", file.len());
    }
}

/// The parameters of PBES2 and AES-256, over a derivation that may be anything.
fn pbes2(derivation: &str, parameters: &impl Encode) -> AlgorithmIdentifierOwned {
    let kdf = algorithm(derivation, parameters);
    let encryption = algorithm("2.16.840.1.101.3.4.1.42", &OctetString::new([0; 16]).unwrap());
    algorithm("1.2.840.113549.1.5.13", &Pbes2Params { kdf, encryption })
}

fn pbkdf2(rounds: u32) -> AlgorithmIdentifierOwned {
    let salt = OctetString::new([0; 8]).unwrap();
    let prf = algorithm("1.2.840.113549.2.9", &Null);
    pbes2("1.2.840.113549.1.5.12", &Pbkdf2Params { salt, iteration_count: rounds, key_length: None, prf })
}

fn pbe(rounds: i32) -> AlgorithmIdentifierOwned {
    let parameters = Pkcs12PbeParams { salt: OctetString::new([0; 8]).unwrap(), iterations: rounds };
    algorithm("1.2.840.113549.1.12.1.3", &parameters)
}

fn algorithm(oid: &str, parameters: &impl Encode) -> AlgorithmIdentifierOwned {
    let parameters = Any::from_der(&parameters.to_der().unwrap()).unwrap();
    AlgorithmIdentifierOwned { oid: ObjectIdentifier::new_unwrap(oid), parameters: Some(parameters) }
}

#[test]
fn what_would_cost_too_much_is_refused_before_it_is_spent() {
    for (scheme, expected) in [
        (pbkdf2(2_000_001), CertificateError::Rounds),
        (pbkdf2(u32::MAX), CertificateError::Rounds),
        (pbkdf2(0), CertificateError::Damaged(CERTIFICATE)),
        (pbe(i32::MAX), CertificateError::Rounds),
        (pbe(-1), CertificateError::Damaged(CERTIFICATE)),
        // Scrypt, whatever it asks for.
        (pbes2("1.3.6.1.4.1.11591.4.11", &Null), CertificateError::Encryption),
    ] {
        let encrypted_data = OctetString::new([0; 32]).unwrap();
        let sealed = EncryptedPrivateKeyInfo { encryption_algorithm: scheme, encrypted_data };
        let key = encode(&Pem::new("ENCRYPTED PRIVATE KEY", sealed.to_der().unwrap()));
        assert_eq!(told(Certificate::from_pem([CERT, &key].concat().as_bytes(), PASSWORD)), Err(expected));
    }
    let mut file = Pfx::from_der(&decoded(AES_P12)).unwrap();
    file.mac_data.as_mut().unwrap().iterations = i32::MAX;
    let found = Certificate::from_pkcs12(&file.to_der().unwrap(), PASSWORD);
    assert_eq!(told(found), Err(CertificateError::Rounds));
}

#[test]
fn the_parts_of_a_file_share_what_it_may_cost() {
    let mut rounds = Rounds::default();
    for _ in 0..3 {
        assert_eq!(rounds.spend(600_000), Ok(()));
    }
    assert_eq!(rounds.spend(200_001), Err(CertificateError::Rounds));
    assert_eq!(rounds.spend(200_000), Ok(()));
    assert_eq!(rounds.spend(1), Err(CertificateError::Rounds));
}

#[test]
fn a_certificate_shows_nothing_of_its_key_when_printed() {
    let certificate = Certificate::from_pair(CERT.as_bytes(), RSA.as_bytes()).unwrap();
    assert_eq!(format!("{certificate:?}"), "Certificate { not_after: 2126-10-31T11:31:39Z, .. }");
}

/// Every form, with the password that opens it.
fn forms() -> [(Vec<u8>, Option<&'static str>); 7] {
    let text = |key: &str| [key, CERT].concat().into_bytes();
    [
        (text(RSA), None),
        (text(AES_P8), PASSWORD),
        (AES_P12.as_bytes().to_vec(), PASSWORD),
        (decoded(AES_P12), PASSWORD),
        (decoded(LEGACY_P12), PASSWORD),
        (decoded(OPEN_P12), None),
        (decoded(BARE_P12), None),
    ]
}

proptest! {
    // Each case may derive some keys, which takes its time without optimization.
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_form_that_is_cut_short_is_an_error(form in 0..7_usize, at in any::<prop::sample::Index>()) {
        let (value, password) = &forms()[form];
        let cut = &value[..at.index(value.trim_ascii_end().len())];
        prop_assert!(Certificate::from_value(cut, *password).is_err(), "form {form} cut to {} bytes", cut.len());
    }

    #[test]
    fn a_form_with_one_wrong_byte_is_never_another_certificate(
        form in 0..7_usize,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let (mut value, password) = forms()[form].clone();
        let at = at.index(value.len());
        value[at] = byte;
        if let Ok(found) = Certificate::from_value(&value, password) {
            let signature = found.sign(b"message").unwrap();
            let public = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, found.key.public_key().as_ref());
            prop_assert!(public.verify(b"message", &signature).is_ok(), "form {form}, byte {at}");
        }
    }

    #[test]
    fn rubbish_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..512), der in any::<bool>()) {
        let start: &[u8] = if der { &[0x30, 0x80] } else { b"-----BEGIN " };
        prop_assert!(Certificate::from_value(&bytes, PASSWORD).is_err());
        prop_assert!(Certificate::from_value(&[start, &bytes].concat(), PASSWORD).is_err());
    }
}
