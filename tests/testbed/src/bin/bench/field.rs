//! The control plane, Microsoft's side, and the objects on them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use emulator::{App, Behaviour, Emulator, Limits, Options, State, Tenant, User};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use photo_removal_operator::api::{self, PhotoRemoval};
use serde_json::json;
use testbed::{ControlPlane, SOON, eventually};

use crate::GRAPH_DELAY;

pub(crate) const TENANT: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const CLIENT: &str = "aaaaaaaa-2222-4333-8444-555555555555";
const CLIENT_SECRET: &str = "secret";

/// Calls at once while objects are prepared.
const AT_ONCE: usize = 16;

pub(crate) struct Field {
    pub(crate) plane: ControlPlane,
    pub(crate) emulator: Emulator,
    pub(crate) client: Client,
    /// The operator's.
    pub(crate) program: PathBuf,
}

impl Field {
    pub(crate) async fn prepare(program: PathBuf) -> Result<Self> {
        eprintln!("starting the control plane ...");
        let plane = ControlPlane::start(testbed::Options::default()).await?;
        let emulator = Emulator::start(Options { state: state(), ..Options::default() }).await?;
        let client = plane.client().await?;
        let crd = api::crd_yaml().context("The definition cannot be printed")?;
        plane.kubectl_with(&["apply", "--server-side", "-f", "-"], &crd).await?.ok()?;
        let served = || async { plane.kubectl(&["get", "photoremovals", "-A"]).await?.ok() };
        eventually("photoremovals are served", SOON, served).await?;
        Ok(Self { plane, emulator, client, program })
    }

    pub(crate) fn removals(&self, namespace: &str) -> Api<PhotoRemoval> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A namespace with so many removals, and a user with a photo for each.
    pub(crate) async fn plant(&self, namespace: &str, number: usize) -> Result<()> {
        self.plane.kubectl(&["create", "namespace", namespace]).await?.ok()?;
        let removals = self.removals(namespace);
        let plant = |index: usize| {
            let (removals, object) = (removals.clone(), removal(namespace, index));
            async move { removals.create(&PostParams::default(), &object?).await.context("A removal is refused") }
        };
        for index in 0..number {
            self.emulator.put_user(User::new(user(namespace, index)).with_photo());
        }
        stream::iter(0..number).map(plant).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
        Ok(())
    }

    /// Writes into every removal of the namespace the status that a finished one has.
    pub(crate) async fn finish(&self, namespace: &str, number: usize) -> Result<()> {
        let removals = self.removals(namespace);
        let finish = |index: usize| {
            let removals = removals.clone();
            async move {
                let mut object = removals.get(&name(index)).await?;
                object.status = serde_json::from_value(finished()).ok();
                removals.replace_status(&object.name_any(), &PostParams::default(), &object).await
            }
        };
        let all = stream::iter(0..number).map(finish).buffer_unordered(AT_ONCE);
        all.try_collect::<Vec<_>>().await.context("A status is refused")?;
        Ok(())
    }

    /// The credential of a namespace.
    pub(crate) async fn sign(&self, namespace: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "graph"},
            "stringData": {
                "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": CLIENT_SECRET,
            },
        });
        self.plane.kubectl_with(&["apply", "-n", namespace, "-f", "-"], &secret.to_string()).await?.ok()?;
        Ok(())
    }
}

fn state() -> State {
    State {
        tenants: vec![Tenant::new(TENANT)],
        apps: vec![App::new(CLIENT, CLIENT_SECRET).in_tenant(TENANT)],
        behaviour: Behaviour { latency: GRAPH_DELAY, ..Behaviour::default() },
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
