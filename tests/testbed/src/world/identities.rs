//! Other proofs than a client secret: the cluster's own tokens, and Secrets that the operator writes back to.

use std::collections::BTreeMap;

use emulator::{App, Issuer};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams};
use serde_json::Value;

use super::World;
use crate::error::{Context, Result};

impl World {
    /// Tells Entra the keys that the cluster signs its `ServiceAccount` tokens with. The real one fetches them from the
    /// issuer, which must be on the internet for that.
    ///
    /// # Errors
    ///
    /// The API server does not hand them out.
    pub async fn trust_cluster(&self) -> Result<()> {
        let failed = || "The cluster's keys could not be read".to_owned();
        let request = http::Request::get("/openid/v1/jwks").body(Vec::new()).context(failed)?;
        let jwks: Value = self.client.request(request).await.context(failed)?;
        self.emulator.put_issuer(Issuer { issuer: self.plane().issuer().to_owned(), jwks });
        Ok(())
    }

    /// The world's application, to be changed and put back.
    #[must_use]
    pub fn app(&self) -> App {
        App::new(&self.client_id, &self.client_secret).in_tenant(&self.tenant)
    }

    /// Makes a `ServiceAccount`, or replaces its annotations.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub async fn put_service_account(&self, namespace: &str, name: &str, annotations: &[(&str, &str)]) -> Result<()> {
        let annotations: BTreeMap<_, _> =
            annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let metadata =
            ObjectMeta { name: Some(name.to_owned()), annotations: Some(annotations), ..ObjectMeta::default() };
        let account = ServiceAccount { metadata, ..ServiceAccount::default() };
        let parameters = PatchParams::apply("kubectl").force();
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
        let put = accounts.patch(name, &parameters, &Patch::Apply(&account)).await;
        put.context(|| format!("The ServiceAccount {namespace}/{name} could not be written")).map(drop)
    }

    /// Deletes a `ServiceAccount` of the first namespace.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub async fn delete_service_account(&self, name: &str) -> Result<()> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), self.namespace());
        let deleted = accounts.delete(name, &DeleteParams::default()).await;
        deleted.context(|| format!("The ServiceAccount {name} could not be deleted")).map(drop)
    }

    /// What a Secret of the first namespace holds under this key, as text; empty if it holds nothing.
    ///
    /// # Errors
    ///
    /// There is no such Secret.
    pub async fn secret_value(&self, name: &str, key: &str) -> Result<String> {
        let secrets = Api::<Secret>::namespaced(self.client.clone(), self.namespace());
        let secret = secrets.get(name).await.context(|| format!("The Secret {name} could not be read"))?;
        let value = secret.data.unwrap_or_default().remove(key).unwrap_or_default();
        Ok(String::from_utf8_lossy(&value.0).into_owned())
    }
}
