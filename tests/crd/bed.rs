//! A namespace on the shared plane, which serves the definition.

use std::collections::BTreeSet;

use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use photo_removal_operator::api::{PhotoRemoval, crd_yaml};
use serde_json::{Value, json};
use testbed::{ControlPlane, Error, Output, SOON, eventually, shared};
use tokio::sync::OnceCell;

pub(crate) const GUID: &str = "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d";

/// Where a test creates its resources.
pub(crate) struct Bed {
    plane: &'static ControlPlane,
    namespace: String,
    resources: Api<DynamicObject>,
    kind: ApiResource,
}

/// A refusal: each field that is at fault, and what is said of it.
pub(crate) type Refusal = BTreeSet<(String, String)>;

impl Bed {
    pub(crate) async fn new(prefix: &str) -> Result<Self, Error> {
        let plane = served().await?;
        let namespace = plane.namespace(prefix).await?;
        let kind = ApiResource::erase::<PhotoRemoval>(&());
        let resources = Api::namespaced_with(plane.client().await?, &namespace, &kind);
        Ok(Self { plane, namespace, resources, kind })
    }

    /// What the API server would store.
    pub(crate) async fn try_out(&self, spec: &Value) -> Result<Value, Refusal> {
        self.post(&json!({"metadata": {"name": "tried"}, "spec": spec}), true).await
    }

    /// Stores it and returns what came to be, status and all.
    pub(crate) async fn create(&self, object: &Value) -> Result<Value, Refusal> {
        self.post(object, false).await
    }

    async fn post(&self, object: &Value, dry_run: bool) -> Result<Value, Refusal> {
        let mut object = object.clone();
        object["apiVersion"] = json!(self.kind.api_version);
        object["kind"] = json!(self.kind.kind);
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        match self.resources.create(&PostParams { dry_run, field_manager: None }, &object).await {
            Ok(created) => Ok(serde_json::to_value(created).expect("an object as JSON")),
            Err(kube::Error::Api(status)) if status.code == 422 => Err(status
                .details
                .iter()
                .flat_map(|details| &details.causes)
                .map(|cause| (cause.field.clone(), plain(&cause.message).to_owned()))
                .collect()),
            Err(error) => panic!("the API server answered neither yes nor no to {object:?}: {error}"),
        }
    }

    /// kubectl in this namespace.
    pub(crate) async fn kubectl(&self, arguments: &[&str], input: &str) -> Result<Output, Error> {
        let arguments = [&["--namespace", &self.namespace], arguments].concat();
        self.plane.kubectl_with(&arguments, input).await
    }
}

/// The definition as `kubectl apply` without more installs it: kept whole in an annotation, which has a limit.
async fn served() -> Result<&'static ControlPlane, Error> {
    static SERVED: OnceCell<()> = OnceCell::const_new();
    let plane = shared().await?;
    let serve = || async {
        let crd = crd_yaml().expect("the definition as YAML");
        let said = plane.kubectl_with(&["apply", "-f", "-"], &crd).await?;
        assert_eq!(said.stderr, "", "the definition is applied without a warning");
        said.ok()?;
        let get = || async { plane.kubectl(&["get", "photoremovals", "-A"]).await?.ok() };
        eventually("photoremovals are served", SOON, get).await.map(drop)
    };
    SERVED.get_or_try_init(serve).await?;
    Ok(plane)
}

/// The message without the value that Kubernetes puts before it.
fn plain(message: &str) -> &str {
    match message.strip_prefix("Invalid value: ") {
        Some(rest) => rest.split_once("\": ").map_or(rest, |(_, words)| words),
        None => message,
    }
}

pub(crate) fn with_user(user: &str) -> Value {
    json!({"target": {"user": user}, "credentials": secret("graph")})
}

pub(crate) fn with_group(group: &str) -> Value {
    json!({"target": {"group": group}, "credentials": secret("graph")})
}

/// The spec of an ordinary user with these fields of `credentials` beside the Secret's name.
pub(crate) fn with_credentials(more: &Value) -> Value {
    let mut spec = with_user("leaver@contoso.com");
    for (field, value) in more.as_object().expect("fields") {
        spec["credentials"][field] = value.clone();
    }
    spec
}

pub(crate) fn secret(name: &str) -> Value {
    json!({"secretRef": {"name": name}})
}
