//! Kubeconfig files and clients made from them.

use std::fs;
use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::error::{Context, Result};

/// Who a kubeconfig is for.
pub(crate) enum Identity<'a> {
    /// `<stem>.crt` and `<stem>.key`.
    Certificate(&'a Path),
    Token(&'a str),
    /// Nobody: whoever answers adds the identity.
    None,
}

/// Writes a kubeconfig. It names files instead of holding them, so it works on this machine only.
pub(crate) fn write(file: &Path, server: &str, authority: Option<&Path>, identity: &Identity<'_>) -> Result<()> {
    let user = match identity {
        Identity::Certificate(stem) => json!({
            "client-certificate": stem.with_extension("crt"),
            "client-key": stem.with_extension("key"),
        }),
        Identity::Token(token) => json!({"token": token}),
        Identity::None => json!({}),
    };
    let mut cluster = json!({"server": server});
    if let (Some(authority), Value::Object(fields)) = (authority, &mut cluster) {
        fields.insert("certificate-authority".to_owned(), json!(authority));
    }
    let content = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": cluster}],
        "users": [{"name": "testbed", "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed"}}],
        "current-context": "testbed",
    });
    // JSON is YAML.
    fs::write(file, format!("{content:#}\n")).context(|| format!("{} could not be written", file.display()))
}

/// Client configuration of a kubeconfig, without kube's own retries: a test wants to see what the server says.
pub(crate) async fn config(file: &Path) -> Result<Config> {
    let failed = || format!("{} could not be used", file.display());
    let kubeconfig = Kubeconfig::read_from(file).context(failed)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.context(failed)?;
    config.default_retry = false;
    // The server is on loopback, whatever proxy the environment names.
    config.proxy_url = None;
    Ok(config)
}

/// A client of a kubeconfig, which asks again when the server is not ready, as kubectl does: for some moments after a
/// definition has come or changed, the server answers "storage is (re)initializing" with 429, even if it has served it.
pub(crate) async fn client(file: &Path) -> Result<Client> {
    let mut config = config(file).await?;
    config.default_retry = true;
    client_with(config, file)
}

/// A client of a kubeconfig that shows every answer as it comes.
pub(crate) async fn plain_client(file: &Path) -> Result<Client> {
    client_with(config(file).await?, file)
}

fn client_with(config: Config, file: &Path) -> Result<Client> {
    Client::try_from(config).context(|| format!("No client could be made of {}", file.display()))
}

/// A file name for one more kubeconfig in `folder`.
pub(crate) fn fresh(folder: &Path) -> PathBuf {
    folder.join(format!("kubeconfig-{}", uuid::Uuid::new_v4().simple()))
}
