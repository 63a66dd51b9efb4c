//! One Secret, read by its name: the operator has no right to list or watch them.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use super::CallError;
use super::client::within;

/// What a Secret holds.
pub struct SecretContent {
    /// Changes with every write to it.
    pub resource_version: String,
    /// Its values by key.
    pub data: BTreeMap<String, ByteString>,
}

/// Reads the Secret of that name; none if there is none.
///
/// # Errors
/// When the API server does not answer in time or refuses.
pub async fn read_secret(client: &Client, namespace: &str, name: &str) -> Result<Option<SecretContent>, CallError> {
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let found = within("reading the Secret", api.get_opt(name)).await?;
    Ok(found.map(|secret| SecretContent {
        resource_version: secret.metadata.resource_version.unwrap_or_default(),
        data: secret.data.unwrap_or_default(),
    }))
}
