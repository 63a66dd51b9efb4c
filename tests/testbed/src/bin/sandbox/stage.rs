//! What runs: the control plane, Microsoft's side and the operator, with the examples applied.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result};
use emulator::Emulator;
use kube::Api;
use kube::api::ListParams;
use photo_removal_operator::api::{PhotoRemoval, crd_yaml};
use photo_removal_operator::cli::Config;
use testbed::{ControlPlane, Options, SOON, SigningPair, World, assets, eventually, signing_pair};

use crate::{examples, seed};

/// Where the examples live.
pub(crate) const NAMESPACE: &str = "sandbox";

/// The years of the certificate's validity.
const VALID: Range<i32> = 2020..2100;

/// All that runs; it ends when this is dropped.
pub(crate) struct Stage {
    world: World,
    /// What one of the examples signs in with; made anew each time.
    pair: SigningPair,
    /// The folder with kubectl.
    pub(crate) programs: PathBuf,
    /// Where the operator logs to.
    pub(crate) log: PathBuf,
}

impl Stage {
    /// Starts everything, and says what it is at.
    pub(crate) async fn set(say: impl Fn(&str)) -> Result<Self> {
        say("Looking for the control plane's programs (built from source the first time, some minutes) ...");
        let programs = tokio::task::spawn_blocking(assets).await??;
        say("Starting etcd and kube-apiserver ...");
        let plane = ControlPlane::start(Options::default()).await?;
        let log = plane.folder().join("operator.log");
        log_to(&log)?;
        // What `delegatedCredentials` of the chart adds: the new refresh token of the user who signed in is written back.
        let writes_back = ("", "secrets", &["patch"] as &[_]);
        let builder = World::builder().on(plane).everywhere().may(writes_back).without_definition().config(|config| {
            let usual = Config::default();
            config.retry_base = usual.retry_base;
            config.retry_cap = usual.retry_cap;
            config.stalled_recheck = usual.stalled_recheck;
            // So that a Secret that a visitor mends is noticed before the visitor looks away.
            config.credential_recheck = std::time::Duration::from_secs(5);
        });
        let stage = Self { world: builder.build().await?, pair: signing_pair(VALID)?, programs, log };
        say("Applying the definition of PhotoRemoval with kubectl ...");
        stage.define().await?;
        say("Starting Microsoft's side and the operator ...");
        let issuer = stage.world.plane().issuer();
        stage.emulator().set_state(seed::state(&stage.pair.certificate, issuer));
        stage.world.trust_cluster().await?;
        stage.world.start_operator().await?;
        Ok(stage)
    }

    /// Applies the definition, and waits until kubectl finds it: a little later than the API server serves it.
    async fn define(&self) -> Result<()> {
        let plane = self.world.plane();
        plane.kubectl_with(&["apply", "--server-side", "-f", "-"], &crd_yaml()?).await?.ok()?;
        let look = || async { plane.kubectl(&["get", "photoremovals", "--all-namespaces"]).await?.ok() };
        eventually("kubectl knows photoremovals", SOON, look).await?;
        Ok(())
    }

    /// Applies the examples as a newcomer would; the credentials first, so that no story begins with waiting for one.
    pub(crate) async fn apply(&self, folder: &Path) -> Result<()> {
        let plane = self.world.plane();
        plane.kubectl(&["create", "namespace", NAMESPACE]).await?.ok()?;
        for (name, data) in seed::secrets(&self.pair, self.emulator()) {
            self.world.put_secret(NAMESPACE, name, &data).await?;
        }
        let secret = folder.join(examples::SECRET).display().to_string();
        let folder = folder.display().to_string();
        plane.kubectl(&["apply", "-n", NAMESPACE, "-f", &secret, "-f", &folder]).await?.ok()?;
        Ok(())
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.world.plane().kubeconfig()
    }

    pub(crate) fn emulator(&self) -> &Emulator {
        self.world.emulator()
    }

    /// The removals as they are stored now, the visitor's own among them.
    pub(crate) async fn removals(&self) -> Result<Vec<PhotoRemoval>> {
        let api = Api::<PhotoRemoval>::namespaced(self.world.client().clone(), NAMESPACE);
        let list = api.list(&ListParams::default()).await;
        let list =
            list.context("The removals cannot be listed any more; start the sandbox anew for a fresh cluster")?;
        Ok(list.items)
    }
}

/// The operator runs in this process, so its log is this process's.
fn log_to(path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Mutex::new(file)).finish();
    tracing::subscriber::set_global_default(subscriber).context("Logging cannot be set up")
}
