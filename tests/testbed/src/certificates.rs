//! Throw-away certificates: an authority, a serving certificate (a leaf: rustls refuses a self-signed authority in that
//! place), client certificates, and the key pair that signs `ServiceAccount` tokens.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, date_time_ymd,
};

use crate::error::{Context, Error, Result};

/// The object identifier of a subject's organization, which Kubernetes reads as a group.
const ORGANIZATION: [u64; 4] = [2, 5, 4, 10];

/// A certificate and its private key, both PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The authority that clients and API server trust.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    pub(crate) fn new() -> Result<Self> {
        let failed = || "The authority's certificate could not be made".to_owned();
        let key = KeyPair::generate().context(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject("testbed-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key).context(failed)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self { issuer, certificate })
    }

    /// The authority's certificate, PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A serving certificate for these names and addresses.
    pub(crate) fn serving(&self, names: &[&str]) -> Result<Pair> {
        let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
        let mut params =
            CertificateParams::new(names).context(|| "The serving certificate's names are wrong".to_owned())?;
        params.distinguished_name = subject("kube-apiserver");
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client certificate: Kubernetes takes the common name for the user and the organizations for its groups.
    pub(crate) fn client(&self, user: &str, groups: &[&str]) -> Result<Pair> {
        // rcgen keeps one value per kind of name; the same kind written as an object identifier makes room for a second.
        let kinds = [DnType::OrganizationName, DnType::CustomDnType(ORGANIZATION.to_vec())];
        if groups.len() > kinds.len() {
            return Err(Error::new(format!(
                "A client certificate holds at most {} groups, not {groups:?}.",
                kinds.len()
            )));
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(user);
        for (kind, group) in kinds.into_iter().zip(groups) {
            params.distinguished_name.push(kind, *group);
        }
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Result<Pair> {
        let failed = || "A certificate could not be made".to_owned();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().context(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).context(failed)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// A certificate that an application signs in with, and its private key, both PEM.
#[derive(Clone, Debug)]
pub struct SigningPair {
    /// What is registered with the application.
    pub certificate: String,
    /// What the Secret holds beside it.
    pub key: String,
}

/// Makes a self-signed certificate with an RSA key, valid through these years, the last one excluded.
///
/// # Errors
///
/// The library does not make it.
pub fn signing_pair(years: std::ops::Range<i32>) -> Result<SigningPair> {
    let failed = || "A certificate to sign in with could not be made".to_owned();
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).context(failed)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = subject("offboarding");
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
    let certificate = params.self_signed(&key).context(failed)?;
    Ok(SigningPair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Writes the key pair for `ServiceAccount` tokens as `<stem>.key` and `<stem>.pub`.
///
/// RSA, since Microsoft Entra takes only RS256 for federated credentials.
pub(crate) fn write_token_keys(stem: &Path) -> Result<()> {
    let failed = || "The key pair for ServiceAccount tokens could not be made".to_owned();
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).context(failed)?;
    fs::write(stem.with_extension("key"), key.serialize_pem()).context(failed)?;
    fs::write(stem.with_extension("pub"), key.public_key_pem()).context(failed)
}

/// Writes a pair as `<stem>.crt` and `<stem>.key`.
pub(crate) fn write(pair: &Pair, stem: &Path) -> Result<()> {
    let failed = || format!("{} could not be written", stem.display());
    fs::write(stem.with_extension("crt"), &pair.certificate).context(failed)?;
    fs::write(stem.with_extension("key"), &pair.key).context(failed)
}

fn subject(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
