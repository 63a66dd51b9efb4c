//! Microsoft's side of the comparison: its own SDKs, run by a script.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use emulator::{Emulator, Options};
use serde_json::{Value, json};
use testbed::{InspectingProxy, python_with_sdks};

use crate::Conversation;
use crate::facts::conversation;
use crate::ours::{Ours, refresh_token};
use crate::removals::{Owner, Proof, REMOVALS};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The SDKs, and a Microsoft that knows what the other one knows.
pub(crate) struct Theirs {
    emulator: Emulator,
    proxy: InspectingProxy,
    removals: Value,
}

/// Starts it all; nothing is said yet.
pub(crate) async fn prepare(ours: &Ours) -> Result<Theirs> {
    let emulator = Emulator::start(Options { state: ours.state(), ..Options::default() }).await?;
    let proxy = InspectingProxy::start(&emulator, ours.folder()).await?;
    let (tenant, secret) = ours.tenant_and_secret();
    let token = ours.service_account_token().await?;
    let removals = REMOVALS.map(|removal| {
        let proof = match removal.proof {
            Proof::ClientSecret => json!({"clientSecret": secret}),
            Proof::Certificate => json!({"certificate": ours.pem()}),
            Proof::ServiceAccount => json!({"assertion": token}),
            Proof::RefreshToken => json!({"refreshToken": refresh_token(&emulator, tenant, &removal)}),
        };
        let target = match removal.owner {
            Owner::User(name) => json!({"user": name}),
            Owner::Group(id) => json!({"group": id}),
            Owner::Me => json!({"me": {}}),
        };
        json!({"name": removal.name, "tenant": tenant, "client": removal.client(), "proof": proof, "target": target})
    });
    Ok(Theirs { emulator, proxy, removals: json!(removals) })
}

impl Theirs {
    /// Has every photo removed and returns what that led to.
    pub(crate) async fn say(self) -> Result<Conversation> {
        let (proxy, authority) = (self.proxy.url(), self.proxy.authority().to_path_buf());
        let removals = self.removals.to_string();
        // Off the runtime: the emulator and the proxy run on it.
        let outcomes = tokio::task::spawn_blocking(move || run(&proxy, &authority, &removals)).await??;
        for (name, refusal) in outcomes {
            // What Graph refuses is in the record with its answer; anything else is no refusal of Graph's.
            let expected = refusal.as_ref().is_none_or(|said| said.starts_with("ODataError"));
            assert!(expected, "{name}: the SDKs failed: {refusal:?}");
        }
        Ok(conversation(&self.emulator.requests()))
    }
}

/// What became of each removal: nothing, or the exception.
fn run(proxy: &str, authority: &Path, removals: &str) -> std::result::Result<BTreeMap<String, Option<String>>, String> {
    let python = python_with_sdks().map_err(|error| error.to_string())?;
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "parity", "sdks.py"].iter().collect();
    let failed = |error: std::io::Error| format!("{} could not be run: {error}", script.display());
    let mut child = Command::new(python)
        .arg(&script)
        // Nothing of this machine's settings, which may name another proxy or another cloud.
        .env_clear()
        .env("HTTPS_PROXY", proxy)
        .env("REQUESTS_CA_BUNDLE", authority)
        .env("SSL_CERT_FILE", authority)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(removals.as_bytes()).map_err(failed)?;
    }
    let ended = child.wait_with_output().map_err(failed)?;
    let said = String::from_utf8_lossy(&ended.stderr);
    if !ended.status.success() {
        return Err(format!("{} failed ({}): {said}", script.display(), ended.status));
    }
    serde_json::from_slice(&ended.stdout).map_err(|error| format!("{} said no JSON: {error}: {said}", script.display()))
}
