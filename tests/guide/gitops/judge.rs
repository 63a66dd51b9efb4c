//! The tools themselves: `tests/gitops` holds their libraries in one program, and this runs it.

use std::path::PathBuf;
use std::process::Stdio;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::expected::States;
use crate::Outcome;
use crate::pages::root;

type Told<T> = Result<T, Box<dyn std::error::Error>>;

/// The health check in the layout of Argo CD's own repository.
pub(super) const ARGO: &str = "docs/gitops/argocd/photoremoval.dev/PhotoRemoval";

/// The example for Flux.
pub(super) const FLUX: &str = "docs/gitops/flux/kustomization.yaml";

/// What each tool says of one object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verdict {
    pub(super) kstatus: String,
    pub(super) flux_built_in: String,
    pub(super) flux: String,
    pub(super) argo: Health,
}

/// What Argo CD shows.
#[derive(Debug, Deserialize)]
pub(super) struct Health {
    pub(super) status: String,
}

impl Verdict {
    pub(super) fn states(&self) -> States<'_> {
        States { kstatus: &self.kstatus, flux_built_in: &self.flux_built_in, flux: &self.flux, argo: &self.argo.status }
    }
}

/// What the tools say of each of these objects, with our health check and our expressions.
pub(super) async fn judge(objects: &[Value]) -> Told<Vec<Verdict>> {
    let script = root().join(ARGO).join("health.lua");
    let input = serde_json::to_vec(objects)?;
    let said = run(&["judge".into(), script, root().join(FLUX)], &input).await?;
    Ok(serde_json::from_str(&said)?)
}

/// Runs `health_test.yaml` as Argo CD's own test does.
pub(super) async fn health_test() -> Outcome {
    run(&["health-test".into(), root().join(ARGO)], &[]).await.map(drop)
}

async fn run(arguments: &[PathBuf], input: &[u8]) -> Told<String> {
    let program = tokio::task::spawn_blocking(testbed::gitops_judge).await??;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that ends without reading says itself why.
        drop(pipe.write_all(input).await);
    }
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into())
}
