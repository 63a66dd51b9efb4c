//! From a Secret or a ServiceAccount to a credential. The names of the keys and annotations are the ones that Azure
//! Service Operator, the Azure SDKs and Azure Workload Identity use, so what serves them serves here.

mod faults;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use secrecy::{ExposeSecret, SecretString};

use self::faults::{Fault, Faults};
use super::Certificate;
use crate::api::{ClientId, CredentialRef, InvalidId, TenantId};
use crate::lifecycle::Trouble;

const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE";
const PASSWORD: &str = "AZURE_CLIENT_CERTIFICATE_PASSWORD";
const TLS_CERTIFICATE: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";
/// The key of a Secret that holds a refresh token. The one that the operator itself may write to.
pub const REFRESH_TOKEN: &str = "AZURE_REFRESH_TOKEN";

const TENANT_ANNOTATION: &str = "azure.workload.identity/tenant-id";
const CLIENT_ANNOTATION: &str = "azure.workload.identity/client-id";

/// What a Secret lacks that names no way to sign in.
const ANY_METHOD: &str = "AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE, tls.crt and AZURE_REFRESH_TOKEN";

/// The longest line that is taken, in bytes. Entra's client secrets have 40 characters, its refresh tokens about two
/// thousand, and nobody promises that they will not grow.
const LONGEST: usize = 16 * 1024;

type Data = BTreeMap<String, ByteString>;

/// What a Secret holds, key by key, so that a user of a public client signs in with it: [`Credential::from_secret`] reads
/// it back.
#[must_use]
pub fn values_of_user<'a>(
    tenant: &'a TenantId,
    client: &'a ClientId,
    refresh_token: &'a SecretString,
) -> [(&'static str, &'a str); 3] {
    [(TENANT, tenant.as_str()), (CLIENT, client.as_str()), (REFRESH_TOKEN, refresh_token.expose_secret())]
}

/// Who signs in, where, and with what. Shows no secret when printed; secrets are wiped from memory when dropped.
#[derive(Clone, Debug)]
pub struct Credential {
    tenant: TenantId,
    client: ClientId,
    proof: Proof,
    refresh_token: Option<SecretString>,
}

/// What proves to Entra that the client is the application that it says.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Nothing: a public client, which only users sign in to.
    Public,
    /// A client secret of the application.
    ClientSecret(SecretString),
    /// A certificate that is registered with the application.
    Certificate(Certificate),
    /// A ServiceAccount that the application trusts, by name. Its token must be asked for at each sign-in, see
    /// [`Credential::proven_by`].
    ServiceAccount(String),
    /// A token of such a ServiceAccount.
    ServiceAccountToken(SecretString),
}

impl Credential {
    /// Reads the data of a Secret. What `reference` says of tenant and client wins over the Secret's keys, which then
    /// need not be there nor make sense. One trailing newline of a value is not part of it.
    ///
    /// # Errors
    /// [`Trouble`] with [`crate::api::Reason::CredentialInvalid`] that names every key that is missing or wrong, and no
    /// value.
    pub fn from_secret(data: &Data, reference: &CredentialRef) -> Result<Self, Trouble> {
        let mut faults = Faults::default();
        let tenant = faults.unless_given(reference.tenant.as_ref(), TENANT, TenantId::parse, line(data, TENANT));
        let client = faults.unless_given(reference.client.as_ref(), CLIENT, ClientId::parse, line(data, CLIENT));
        let delegated = data.contains_key(REFRESH_TOKEN);
        let refresh_token = delegated.then(|| faults.note(REFRESH_TOKEN, line(data, REFRESH_TOKEN))).flatten();
        let proof = faults.proof(data, delegated);
        match (tenant, client, proof) {
            (Some(tenant), Some(client), Some(proof)) if refresh_token.is_some() == delegated => {
                Ok(Self { tenant, client, proof, refresh_token: refresh_token.map(SecretString::from) })
            }
            _ => Err(faults.trouble(&reference.holder)),
        }
    }

    /// Reads the annotations of a ServiceAccount. What `reference` says of tenant and client wins, as for a Secret.
    ///
    /// # Errors
    /// As [`Credential::from_secret`].
    pub fn from_service_account(
        annotations: &BTreeMap<String, String>,
        reference: &CredentialRef,
    ) -> Result<Self, Trouble> {
        let mut faults = Faults::default();
        let text = |key: &'static str| annotations.get(key).map(String::as_str).ok_or(Fault::Missing);
        let (tenant, client) = (text(TENANT_ANNOTATION), text(CLIENT_ANNOTATION));
        let tenant = faults.unless_given(reference.tenant.as_ref(), TENANT_ANNOTATION, TenantId::parse, tenant);
        let client = faults.unless_given(reference.client.as_ref(), CLIENT_ANNOTATION, ClientId::parse, client);
        match (tenant, client) {
            (Some(tenant), Some(client)) => {
                let proof = Proof::ServiceAccount(reference.holder.name().to_owned());
                Ok(Self { tenant, client, proof, refresh_token: None })
            }
            _ => Err(faults.trouble(&reference.holder)),
        }
    }

    /// A user's credential that needs no Secret: what a sign-in in person leaves behind.
    #[must_use]
    pub fn of_user(tenant: TenantId, client: ClientId, proof: Proof, refresh_token: SecretString) -> Self {
        Self { tenant, client, proof, refresh_token: Some(refresh_token) }
    }

    /// Whether both sign in as the same, with the same. Says nothing of tokens of a ServiceAccount.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |one: &SecretString, other: &SecretString| one.expose_secret() == other.expose_secret();
        let proof = match (&self.proof, &other.proof) {
            (Proof::Public, Proof::Public) => true,
            (Proof::ClientSecret(one), Proof::ClientSecret(other)) => same(one, other),
            (Proof::Certificate(one), Proof::Certificate(other)) => one.thumbprint() == other.thumbprint(),
            (Proof::ServiceAccount(one), Proof::ServiceAccount(other)) => one == other,
            _ => false,
        };
        let refresh_token = match (&self.refresh_token, &other.refresh_token) {
            (Some(one), Some(other)) => same(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        proof && refresh_token && self.tenant == other.tenant && self.client == other.client
    }

    /// Whether that refresh token could be read again from a Secret.
    #[must_use]
    pub fn takes_refresh_token(token: &SecretString) -> bool {
        token.expose_secret().len() <= LONGEST
    }

    /// The same credential with a token of its ServiceAccount.
    #[must_use]
    pub fn proven_by(&self, token: SecretString) -> Self {
        Self { proof: Proof::ServiceAccountToken(token), ..self.clone() }
    }

    /// The same credential with the refresh token that came after its own.
    #[must_use]
    pub fn refreshed_by(&self, token: SecretString) -> Self {
        Self { refresh_token: Some(token), ..self.clone() }
    }

    /// The tenant to sign in to.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The application that signs in.
    #[must_use]
    pub const fn client(&self) -> &ClientId {
        &self.client
    }

    /// What the application proves itself with.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// What a user who signed in left behind; none if the application signs in as itself.
    #[must_use]
    pub const fn refresh_token(&self) -> Option<&SecretString> {
        self.refresh_token.as_ref()
    }

    /// Whether a user signed in, so that there is a `me`.
    #[must_use]
    pub const fn is_delegated(&self) -> bool {
        self.refresh_token.is_some()
    }

    /// The method in a few words, for people.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match (&self.proof, &self.refresh_token) {
            (Proof::Public, _) => "refresh token of a public client",
            (Proof::ClientSecret(_), None) => "client secret",
            (Proof::ClientSecret(_), Some(_)) => "refresh token, with a client secret",
            (Proof::Certificate(_), None) => "certificate",
            (Proof::Certificate(_), Some(_)) => "refresh token, with a certificate",
            (Proof::ServiceAccount(_) | Proof::ServiceAccountToken(_), _) => "ServiceAccount",
        }
    }
}

impl Faults {
    fn unless_given<T: Clone>(
        &mut self,
        given: Option<&T>,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, InvalidId>,
        found: Result<&str, Fault>,
    ) -> Option<T> {
        given.cloned().or_else(|| self.note(key, found.and_then(|text| parse(text).map_err(Fault::Malformed))))
    }

    /// Exactly one proof, or, for a user's credential, at most one.
    fn proof(&mut self, data: &Data, delegated: bool) -> Option<Proof> {
        let pair = if data.contains_key(TLS_CERTIFICATE) { TLS_CERTIFICATE } else { TLS_KEY };
        let there: Vec<_> =
            [CLIENT_SECRET, CERTIFICATE, pair].into_iter().filter(|key| data.contains_key(*key)).collect();
        match there.as_slice() {
            [] if delegated => Some(Proof::Public),
            [] => {
                self.add(ANY_METHOD, Fault::None);
                None
            }
            [CLIENT_SECRET] => {
                let secret = self.note(CLIENT_SECRET, line(data, CLIENT_SECRET))?;
                Some(Proof::ClientSecret(SecretString::from(secret)))
            }
            [CERTIFICATE] => self.certificate(data).map(Proof::Certificate),
            [_] => self.pair(data).map(Proof::Certificate),
            [first, others @ ..] => {
                for other in others {
                    self.add(first, Fault::Beside(other));
                }
                None
            }
        }
    }

    fn certificate(&mut self, data: &Data) -> Option<Certificate> {
        let value = self.note(CERTIFICATE, bytes(data, CERTIFICATE))?;
        let password = match line(data, PASSWORD) {
            // What an empty password opens, none opens too.
            Err(Fault::Missing | Fault::Empty) => None,
            given => Some(self.note(PASSWORD, given)?),
        };
        self.note(CERTIFICATE, Certificate::from_value(value, password).map_err(Fault::Certificate))
    }

    fn pair(&mut self, data: &Data) -> Option<Certificate> {
        let certificate = self.note(TLS_CERTIFICATE, bytes(data, TLS_CERTIFICATE));
        let key = self.note(TLS_KEY, bytes(data, TLS_KEY));
        let read = Certificate::from_pair(certificate?, key?);
        self.note(TLS_CERTIFICATE, read.map_err(Fault::Certificate))
    }
}

/// What whoever wrote the Secret is told of a certificate that will not do.
#[cfg(test)]
pub(super) fn told_of(error: super::CertificateError, reference: &CredentialRef) -> Trouble {
    let mut faults = Faults::default();
    faults.add(CERTIFICATE, Fault::Certificate(error));
    faults.trouble(&reference.holder)
}

fn bytes<'a>(data: &'a Data, key: &str) -> Result<&'a [u8], Fault> {
    match data.get(key) {
        None => Err(Fault::Missing),
        Some(value) if value.0.is_empty() => Err(Fault::Empty),
        Some(value) => Ok(&value.0),
    }
}

/// A value that is one line of text.
fn line<'a>(data: &'a Data, key: &str) -> Result<&'a str, Fault> {
    let bytes = &data.get(key).ok_or(Fault::Missing)?.0;
    // `echo` and editors append a newline, and Entra takes it for a part of the secret.
    let bytes = bytes.strip_suffix(b"\n").map_or(bytes.as_slice(), |line| line.strip_suffix(b"\r").unwrap_or(line));
    match std::str::from_utf8(bytes) {
        _ if bytes.is_empty() => Err(Fault::Empty),
        _ if bytes.len() > LONGEST => Err(Fault::TooLong),
        Ok(text) if !text.contains(char::is_control) => Ok(text),
        _ => Err(Fault::NotText),
    }
}
