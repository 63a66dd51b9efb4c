//! One ServiceAccount, read by its name, and tokens in its name for Microsoft Entra.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use secrecy::SecretString;

use super::CallError;
use super::client::called;

/// How long a token lives, in seconds: the least that the API server takes. It is used once, at once.
const LIFE: i64 = 600;

/// What a ServiceAccount says of its application.
pub struct ServiceAccountContent {
    /// Changes with every write to it, and is another one for another ServiceAccount of the same name.
    pub version: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Reads the ServiceAccount of that name; none if there is none.
///
/// # Errors
/// When the API server does not answer in time or refuses.
pub async fn read_service_account(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<ServiceAccountContent>, CallError> {
    let api = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    let found = called("reading the ServiceAccount", api.get_metadata_opt(name)).await?;
    Ok(found.map(|account| ServiceAccountContent {
        version: account.metadata.resource_version.unwrap_or_default(),
        annotations: account.metadata.annotations.unwrap_or_default(),
    }))
}

/// Asks the API server for a token of that ServiceAccount which is meant for `audience`
/// (<https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>).
///
/// # Errors
/// As [`read_service_account`]; a 404 says that there is none (any more).
pub async fn request_token(
    client: &Client,
    namespace: &str,
    name: &str,
    audience: &str,
) -> Result<SecretString, CallError> {
    let api = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    let spec = TokenRequestSpec {
        audiences: vec![audience.to_owned()],
        bound_object_ref: None,
        expiration_seconds: Some(LIFE),
    };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let what = "requesting a token of the ServiceAccount";
    let parameters = PostParams::default();
    let made = called(what, api.create_token_request(name, &parameters, &request)).await?;
    let token = made.status.map(|status| status.token).filter(|token| !token.is_empty());
    token.map(SecretString::from).ok_or(CallError::Unreadable { what, place: "no token in it".to_owned() })
}
