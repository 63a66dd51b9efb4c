//! How tests use a plane: kubeconfigs, clients, kubectl, the audit log.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Config};

use super::{ADMIN, ControlPlane};
use crate::audit::{self, AuditEntry};
use crate::certificates;
use crate::error::{Context, Result};
use crate::faults::ApiFaults;
use crate::flags;
use crate::kubeconfig::{self, Identity};
use crate::kubectl::{self, Output};

impl ControlPlane {
    /// The kubeconfig of a cluster administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder().join(ADMIN)
    }

    /// A kubeconfig whose client certificate names this user and at most two groups.
    ///
    /// # Errors
    ///
    /// More than two groups, or the files cannot be written.
    pub fn kubeconfig_as(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let file = kubeconfig::fresh(self.folder());
        let pair = self.authority.client(user, groups)?;
        certificates::write(&pair, &file)?;
        let identity = Identity::Certificate(&file);
        kubeconfig::write(&file, &self.url(), Some(&self.authority()), &identity)?;
        Ok(file)
    }

    /// A kubeconfig with a bearer token.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn kubeconfig_with_token(&self, token: &str) -> Result<PathBuf> {
        let file = kubeconfig::fresh(self.folder());
        let identity = Identity::Token(token);
        kubeconfig::write(&file, &self.url(), Some(&self.authority()), &identity)?;
        Ok(file)
    }

    /// The administrator's client. It belongs to the runtime that it is made on: make one per test.
    /// As kubectl does, it asks again when the server says 429, 503 or 504.
    ///
    /// # Errors
    ///
    /// No client can be made of the kubeconfig.
    pub async fn client(&self) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig()).await
    }

    /// A client of this user and at most two groups: as [`Self::client`] and [`Self::kubeconfig_as`].
    ///
    /// # Errors
    ///
    /// As theirs.
    pub async fn client_as(&self, user: &str, groups: &[&str]) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig_as(user, groups)?).await
    }

    /// The client configuration of a kubeconfig, for a client with layers of its own; kube's retries are off.
    ///
    /// # Errors
    ///
    /// The file cannot be read or used.
    pub async fn config(&self, kubeconfig: &Path) -> Result<Config> {
        kubeconfig::config(kubeconfig).await
    }

    /// A client of one of the kubeconfigs that the other methods write.
    ///
    /// # Errors
    ///
    /// No client can be made of the kubeconfig.
    pub async fn client_of(&self, kubeconfig: &Path) -> Result<Client> {
        kubeconfig::client(kubeconfig).await
    }

    /// Runs kubectl as administrator.
    ///
    /// # Errors
    ///
    /// It cannot be run; that it fails is no error here but in [`Output::ok`].
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<Output> {
        self.kubectl_as(&self.kubeconfig(), arguments, None).await
    }

    /// Runs kubectl as administrator and feeds its standard input (`-f -`).
    ///
    /// # Errors
    ///
    /// As [`Self::kubectl`].
    pub async fn kubectl_with(&self, arguments: &[&str], input: &str) -> Result<Output> {
        self.kubectl_as(&self.kubeconfig(), arguments, Some(input)).await
    }

    /// Runs kubectl with another kubeconfig.
    ///
    /// # Errors
    ///
    /// As [`Self::kubectl`].
    pub async fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str], input: Option<&str>) -> Result<Output> {
        let program = self.programs.join("kubectl");
        let cache = self.folder().join("kubectl-cache");
        kubectl::run(&program, kubeconfig, &cache, arguments, input).await
    }

    /// Everything that the API server has answered so far, in order. An answer may reach its client a little before it
    /// is written here: wait with [`eventually`].
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn audit(&self) -> Result<Vec<AuditEntry>> {
        self.audit_from(0).map(|(entries, _)| entries)
    }

    /// As [`Self::audit`], from that byte of the log on; says where to go on the next time.
    ///
    /// # Errors
    ///
    /// As its.
    pub fn audit_from(&self, from: u64) -> Result<(Vec<AuditEntry>, u64)> {
        audit::read(&self.folder().join(flags::AUDIT_LOG), from)
    }

    /// Makes a namespace whose name begins with `prefix` and is unique.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("{prefix}-{}", &unique[..8]);
        let namespace = Namespace {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        Api::<Namespace>::all(self.client().await?)
            .create(&PostParams::default(), &namespace)
            .await
            .context(|| format!("The namespace {name} could not be made"))?;
        Ok(name)
    }

    /// A token of a `ServiceAccount`, by the `TokenRequest` API, for the API server's own audience.
    ///
    /// # Errors
    ///
    /// There is no such account, or the API server refuses.
    pub async fn token(&self, namespace: &str, account: &str) -> Result<String> {
        let arguments = ["create", "token", account, "--namespace", namespace];
        Ok(self.kubectl(&arguments).await?.ok()?.trim().to_owned())
    }

    /// A reverse proxy on this test's runtime that can make the API server fail, acting as administrator.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub async fn faults(&self) -> Result<ApiFaults> {
        self.faults_as(&self.kubeconfig()).await
    }

    /// As [`Self::faults`], acting as the identity of a kubeconfig.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub async fn faults_as(&self, kubeconfig: &Path) -> Result<ApiFaults> {
        ApiFaults::start(kubeconfig, self.folder()).await
    }
}
