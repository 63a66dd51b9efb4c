//! One `PhotoRemoval`, read live and written back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, DynamicObject, PostParams, Preconditions};
use kube::core::ApiResource;
use kube::{Api, Client, ResourceExt};
use serde::Deserialize;
use serde_json::Value;

use super::client::called;
use super::{CallError, ObjectRef};
use crate::api::{PhotoRemoval, PhotoRemovalSpec, PhotoRemovalStatus};

/// Reads and writes `PhotoRemovals`.
#[derive(Clone)]
pub struct Removals {
    client: Client,
}

/// An object as the API server has it now.
#[derive(Clone, Debug)]
pub struct Live {
    /// Its metadata.
    pub meta: ObjectMeta,
    /// All of it, if it fits the schema; its status as it is stored otherwise.
    pub object: Result<PhotoRemoval, Value>,
}

/// Why a status was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody wrote in between, or it is another object by now: read again.
    #[error("the object has changed since it was read")]
    Conflict,
    /// There is no such object any more.
    #[error("the object is gone")]
    Gone,
    /// The API server takes no status for it: what is stored breaks the definition so badly that its rules cannot be
    /// evaluated.
    #[error("the API server takes no status for the object as it is stored")]
    Unfit,
    /// The API server did not do it, or it is not known whether it did.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Removals {
    /// Works through that client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The object as it is now; none if it is gone.
    ///
    /// # Errors
    /// When the API server does not answer in time or refuses.
    pub async fn read(&self, reference: &ObjectRef) -> Result<Option<Live>, CallError> {
        let api = self.api(reference.namespace.as_deref());
        let found = called("reading the PhotoRemoval", api.get_opt(&reference.name)).await?;
        Ok(found.map(Live::of))
    }

    /// Replaces the whole status of the object that was read: the write carries its uid and resourceVersion, so one that
    /// comes late, or would land on a re-created object, is refused. Returns the new resourceVersion.
    ///
    /// # Errors
    /// [`WriteError`]: on a conflict nothing was written.
    pub async fn write_status(&self, live: &Live, status: Value) -> Result<String, WriteError> {
        let name = live.meta.name.as_deref().unwrap_or_default();
        let mut written = DynamicObject::new(name, &resource());
        written.metadata = ObjectMeta {
            name: live.meta.name.clone(),
            namespace: live.meta.namespace.clone(),
            uid: live.meta.uid.clone(),
            resource_version: live.meta.resource_version.clone(),
            ..ObjectMeta::default()
        };
        written.data = serde_json::json!({ "status": status });
        let api = self.api(live.meta.namespace.as_deref());
        let parameters = PostParams::default();
        match called("writing the status", api.replace_status(name, &parameters, &written)).await {
            Ok(stored) => Ok(stored.resource_version().unwrap_or_default()),
            Err(error) => Err(match error.code() {
                Some(404) => WriteError::Gone,
                Some(409) => WriteError::Conflict,
                Some(422) => WriteError::Unfit,
                _ => WriteError::Call(error),
            }),
        }
    }

    /// Deletes the object if it still is the one of that uid and resourceVersion; otherwise does nothing.
    ///
    /// # Errors
    /// When the API server does not answer in time or refuses.
    pub async fn discard(&self, reference: &ObjectRef, meta: &ObjectMeta) -> Result<(), CallError> {
        let preconditions = Preconditions { uid: meta.uid.clone(), resource_version: meta.resource_version.clone() };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let api = self.api(reference.namespace.as_deref());
        match called("deleting the PhotoRemoval", api.delete(&reference.name, &parameters)).await {
            Err(error) if !matches!(error.code(), Some(404 | 409)) => Err(error),
            _ => Ok(()),
        }
    }

    fn api(&self, namespace: Option<&str>) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace.unwrap_or_default(), &resource())
    }
}

impl Live {
    /// An object that was not read just now, but handed on by the watch.
    #[must_use]
    pub fn seen(object: &PhotoRemoval) -> Self {
        Self { meta: object.metadata.clone(), object: Ok(object.clone()) }
    }

    fn of(found: DynamicObject) -> Self {
        let DynamicObject { metadata: mut meta, data, .. } = found;
        // Most of an object, and used nowhere.
        meta.managed_fields = None;
        let spec = PhotoRemovalSpec::deserialize(&data["spec"]);
        let object = match (spec, Option::<PhotoRemovalStatus>::deserialize(&data["status"])) {
            (Ok(spec), Ok(status)) => Ok(PhotoRemoval { metadata: meta.clone(), spec, status }),
            _ => Err(data["status"].clone()),
        };
        Self { meta, object }
    }

    /// Whether this is the object of that uid, and not one that was created after it under the same name.
    #[must_use]
    pub fn is(&self, uid: &str) -> bool {
        self.meta.uid.as_deref() == Some(uid)
    }
}

fn resource() -> ApiResource {
    ApiResource::erase::<PhotoRemoval>(&())
}
