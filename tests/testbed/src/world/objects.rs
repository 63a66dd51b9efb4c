//! What a test puts into the world: the definition, Secrets, removals, users.

use std::collections::BTreeMap;

use emulator::User;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams};
use photo_removal_operator::api::{self, PhotoRemoval};
use serde_json::{Value, json};

use super::look::SOON;
use super::{SECRET, World};
use crate::error::{Context, Result};
use crate::wait::eventually;

/// The values of a Secret by key.
pub type SecretData = Vec<(&'static str, Vec<u8>)>;

impl World {
    /// Installs the definition and waits until the API server serves it. Others may do the same at the same time.
    ///
    /// # Errors
    ///
    /// It is refused, or never served.
    pub async fn install_definition(&self) -> Result<()> {
        let mut crd = api::crd();
        crd.metadata.managed_fields = None;
        let definitions = Api::<CustomResourceDefinition>::all(self.client.clone());
        let parameters = PatchParams::apply("testbed").force();
        definitions
            .patch(&crd.name_any(), &parameters, &Patch::Apply(&crd))
            .await
            .context(|| "The definition could not be applied".to_owned())?;
        let removals = self.removals(self.namespace());
        let few = ListParams::default().limit(1);
        eventually("photoremovals are served", SOON, || async { removals.list(&few).await }).await.map(drop)
    }

    /// The administrator's view of the removals of a namespace.
    #[must_use]
    pub fn removals(&self, namespace: &str) -> Api<PhotoRemoval> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A user who has a photo.
    pub fn user(&self, principal_name: &str) {
        self.emulator.put_user(User::new(principal_name).with_photo());
    }

    /// The manifest of a removal in the first namespace, to be applied as it is or changed first.
    #[must_use]
    pub fn manifest(&self, name: &str, user: &str) -> Value {
        json!({
            "apiVersion": "photoremoval.dev/v1alpha1",
            "kind": "PhotoRemoval",
            "metadata": {"name": name, "namespace": self.namespace()},
            "spec": {"target": {"user": user}, "credentials": {"secretRef": {"name": SECRET}}},
        })
    }

    /// Asks for the removal of this user's photo, in the first namespace.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub async fn remove(&self, name: &str, user: &str) -> Result<PhotoRemoval> {
        self.apply(&self.manifest(name, user)).await
    }

    /// Applies a removal as `kubectl apply --server-side` does.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub async fn apply(&self, manifest: &Value) -> Result<PhotoRemoval> {
        let metadata = &manifest["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        let namespace = metadata["namespace"].as_str().unwrap_or(self.namespace());
        let parameters = PatchParams::apply("kubectl").force();
        self.removals(namespace)
            .patch(name, &parameters, &Patch::Apply(manifest))
            .await
            .context(|| format!("The PhotoRemoval {namespace}/{name} could not be applied"))
    }

    /// Changes a removal of the first namespace by a merge patch, such as `{"spec": {"suspend": true}}`.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub async fn edit(&self, name: &str, change: &Value) -> Result<PhotoRemoval> {
        let patched = self.removals(self.namespace()).patch(name, &PatchParams::default(), &Patch::Merge(change)).await;
        patched.context(|| format!("The PhotoRemoval {name} could not be changed"))
    }

    /// Changes the status of a removal of the first namespace by a merge patch, as no user should.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub async fn put_status(&self, name: &str, change: &Value) -> Result<()> {
        let removals = self.removals(self.namespace());
        let patched = removals.patch_status(name, &PatchParams::default(), &Patch::Merge(change)).await;
        patched.context(|| format!("The status of the PhotoRemoval {name} could not be changed")).map(drop)
    }

    /// Deletes a removal of the first namespace.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub async fn delete(&self, name: &str) -> Result<()> {
        let deleted = self.removals(self.namespace()).delete(name, &DeleteParams::default()).await;
        deleted.context(|| format!("The PhotoRemoval {name} could not be deleted")).map(drop)
    }

    /// What the world's own Secrets hold.
    #[must_use]
    pub fn good_secret(&self) -> SecretData {
        let (tenant, client, secret) = self.credential();
        let value = |text: &str| text.as_bytes().to_vec();
        vec![
            ("AZURE_TENANT_ID", value(tenant)),
            ("AZURE_CLIENT_ID", value(client)),
            ("AZURE_CLIENT_SECRET", value(secret)),
        ]
    }

    /// Makes or replaces a Secret.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub async fn put_secret(&self, namespace: &str, name: &str, data: &[(&str, Vec<u8>)]) -> Result<()> {
        let data: BTreeMap<_, _> =
            data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.clone()))).collect();
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let secret = Secret { metadata, data: Some(data), ..Secret::default() };
        let parameters = PatchParams::apply("kubectl").force();
        let secrets = Api::<Secret>::namespaced(self.client.clone(), namespace);
        let put = secrets.patch(name, &parameters, &Patch::Apply(&secret)).await;
        put.context(|| format!("The Secret {namespace}/{name} could not be written")).map(drop)
    }

    /// Deletes a Secret of the first namespace.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub async fn delete_secret(&self, name: &str) -> Result<()> {
        let secrets = Api::<Secret>::namespaced(self.client.clone(), self.namespace());
        let deleted = secrets.delete(name, &DeleteParams::default()).await;
        deleted.context(|| format!("The Secret {name} could not be deleted")).map(drop)
    }
}
