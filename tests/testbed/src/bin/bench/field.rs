//! The control plane, Microsoft's side, and the objects on them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use emulator::{App, Behaviour, Emulator, Limits, Options, State, Tenant, User};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use kube::api::{Api, PostParams};
use photo_removal_operator::api::{self, PhotoRemoval};
use serde_json::json;
use testbed::{ControlPlane, SOON, eventually};

pub(crate) const TENANT: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const CLIENT: &str = "aaaaaaaa-2222-4333-8444-555555555555";
/// Whose pauses are no concern of the first one's.
pub(crate) const ANOTHER_CLIENT: &str = "bbbbbbbb-2222-4333-8444-555555555555";
pub(crate) const CLIENT_SECRET: &str = "secret";

/// Calls at once while objects are prepared.
const AT_ONCE: usize = 16;

pub(crate) struct Field {
    pub(crate) plane: ControlPlane,
    pub(crate) emulator: Emulator,
    pub(crate) client: Client,
    /// For what is not asked through kube.
    pub(crate) http: reqwest::Client,
    /// The operator's.
    pub(crate) program: PathBuf,
}

impl Field {
    pub(crate) async fn prepare(program: &Path) -> Result<Self> {
        let plane = ControlPlane::start(testbed::Options::default()).await?;
        let emulator = Emulator::start(Options { state: state(), ..Options::default() }).await?;
        let client = plane.client().await?;
        let crd = api::crd_yaml().context("The definition cannot be printed")?;
        plane.kubectl_with(&["apply", "--server-side", "-f", "-"], &crd).await?.ok()?;
        let served = || async { plane.kubectl(&["get", "photoremovals", "-A"]).await?.ok() };
        eventually("photoremovals are served", SOON, served).await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { plane, emulator, client, http, program: program.to_owned() })
    }

    /// Has Microsoft's side take so long for an answer.
    pub(crate) fn delay(&self, latency: Duration) {
        self.emulator.set_behaviour(Behaviour { latency, ..Behaviour::default() });
    }

    pub(crate) async fn kubernetes(&self) -> Result<String> {
        Ok(self.client.apiserver_version().await?.git_version)
    }

    pub(crate) fn removals(&self, namespace: &str) -> Api<PhotoRemoval> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) async fn namespace(&self, name: &str) -> Result<()> {
        self.plane.kubectl(&["create", "namespace", name]).await?.ok()?;
        Ok(())
    }

    /// Users with a photo, for so many removals.
    pub(crate) fn people(&self, namespace: &str, number: usize) {
        for index in 0..number {
            self.emulator.put_user(User::new(user(namespace, index)).with_photo());
        }
    }

    /// One removal, created as anybody would.
    pub(crate) async fn create(&self, namespace: &str, index: usize) -> Result<()> {
        let object = removal(namespace, index)?;
        let created = self.removals(namespace).create(&PostParams::default(), &object).await;
        created.map(drop).context("A removal is refused")
    }

    /// A namespace with so many removals, and a user with a photo for each.
    pub(crate) async fn plant(&self, namespace: &str, number: usize) -> Result<()> {
        self.namespace(namespace).await?;
        self.people(namespace, number);
        let created = (0..number).map(|index| self.create(namespace, index));
        stream::iter(created).buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    /// The credential of a namespace.
    pub(crate) async fn sign(&self, namespace: &str, client: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "graph"},
            "stringData": {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": client, "AZURE_CLIENT_SECRET": CLIENT_SECRET},
        });
        self.plane.kubectl_with(&["apply", "-n", namespace, "-f", "-"], &secret.to_string()).await?.ok()?;
        Ok(())
    }
}

fn state() -> State {
    let app = |client| App::new(client, CLIENT_SECRET).in_tenant(TENANT);
    State {
        tenants: vec![Tenant::new(TENANT)],
        apps: vec![app(CLIENT), app(ANOTHER_CLIENT)],
        limits: Limits::off(),
        ..State::default()
    }
}

pub(crate) fn name(index: usize) -> String {
    format!("leaver-{index:05}")
}

pub(crate) fn user(namespace: &str, index: usize) -> String {
    format!("{namespace}.{index}@contoso.com")
}

fn removal(namespace: &str, index: usize) -> Result<PhotoRemoval> {
    let manifest = json!({
        "apiVersion": "photoremoval.dev/v1alpha1", "kind": "PhotoRemoval", "metadata": {"name": name(index)},
        "spec": {"target": {"user": user(namespace, index)}, "credentials": {"secretRef": {"name": "graph"}}},
    });
    serde_json::from_value(manifest).context("The manifest is malformed")
}

/// What the operator writes of a photo that it removed.
pub(crate) fn finished() -> serde_json::Value {
    let (time, id) = ("2026-11-24T08:13:52.177Z", "1c9a0faa-c264-48f0-b328-1726041c483e");
    json!({
        "observedGeneration": 1, "outcome": "Removed", "attempts": 1, "startTime": time, "completionTime": time,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Removed", "observedGeneration": 1,
            "message": "Microsoft Graph removed the photo. Some apps go on showing a cached copy for up to three days.",
            "lastTransitionTime": "2026-11-24T08:13:52Z",
        }],
        "lastAttempt": {"time": time, "httpStatus": 200, "requestId": id, "clientRequestId": id},
        "evidence": {
            "time": time, "tenantId": TENANT, "clientId": CLIENT, "requestId": id, "clientRequestId": id,
        },
    })
}
