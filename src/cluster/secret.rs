//! One Secret, read by its name: the operator has no right to list or watch them. And the one value in it that the
//! operator writes, if it may: a refresh token that Entra handed out in place of the old one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::{Api, Client};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize;

use super::CallError;
use super::client::called;

/// The manager of the fields that a person's sign-in writes; the operator's own writes have another one.
const LOGIN: &str = "photo-removal-operator-login";

/// What a Secret holds. Wiped from memory when dropped.
pub struct SecretContent {
    /// Changes with every write to it.
    pub resource_version: String,
    /// When it was written to last, as far as the API server tells.
    pub written: Option<Timestamp>,
    /// Its values by key.
    pub data: BTreeMap<String, ByteString>,
}

impl From<Secret> for SecretContent {
    fn from(secret: Secret) -> Self {
        let metadata = secret.metadata;
        let writes = metadata.managed_fields.into_iter().flatten().filter_map(|entry| entry.time);
        let written = writes.chain(metadata.creation_timestamp).map(|time| time.0).max();
        Self {
            resource_version: metadata.resource_version.unwrap_or_default(),
            written,
            data: secret.data.unwrap_or_default(),
        }
    }
}

impl Drop for SecretContent {
    fn drop(&mut self) {
        self.data.values_mut().for_each(|value| value.0.zeroize());
    }
}

/// Reads the Secret of that name; none if there is none.
///
/// # Errors
/// When the API server does not answer in time or refuses.
pub async fn read_secret(client: &Client, namespace: &str, name: &str) -> Result<Option<SecretContent>, CallError> {
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let found = called("reading the Secret", api.get_opt(name)).await?;
    Ok(found.map(SecretContent::from))
}

/// Puts one value into the Secret, unless somebody wrote to it since `version`; everything else stays. Returns what it
/// holds then.
///
/// # Errors
/// As [`read_secret`]; a 409 says that somebody was there first, a 422 that the Secret cannot be changed.
pub async fn put_value(
    client: &Client,
    namespace: &str,
    name: &str,
    version: &str,
    (key, value): (&str, &SecretString),
) -> Result<SecretContent, CallError> {
    let value = ByteString(value.expose_secret().as_bytes().to_vec());
    let mut secret = Secret {
        metadata: ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([(key.to_owned(), value)])),
        ..Secret::default()
    };
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let (what, parameters) = ("writing the new refresh token into the Secret", PatchParams::default());
    let written = called(what, api.patch(name, &parameters, &Patch::Merge(&secret))).await;
    wipe(&mut secret);
    written.map(SecretContent::from)
}

fn wipe(secret: &mut Secret) {
    secret.data.iter_mut().flat_map(BTreeMap::values_mut).for_each(|value| value.0.zeroize());
}

/// Whether a write is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The API server does everything but keep it: who may not write, or what does not fit, is refused as for real.
    Rehearsed,
    /// It is kept.
    Real,
}

/// Makes the Secret with these values, or puts them into it, whoever put others there before; every other key stays.
/// Returns what it holds then.
///
/// # Errors
/// As [`read_secret`].
pub async fn apply_values(
    client: &Client,
    namespace: &str,
    name: &str,
    values: &[(&str, &str)],
    write: Write,
) -> Result<SecretContent, CallError> {
    let bytes = |(key, value): &(&str, &str)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()));
    let mut secret = Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(values.iter().map(bytes).collect()),
        ..Secret::default()
    };
    let parameters = PatchParams::apply(LOGIN).force();
    let parameters = match write {
        Write::Rehearsed => parameters.dry_run(),
        Write::Real => parameters,
    };
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let written = called("writing the Secret", api.patch(name, &parameters, &Patch::Apply(&secret))).await;
    wipe(&mut secret);
    written.map(SecretContent::from)
}
