//! The operator as the chart installs it: the arguments, the environment and the account of the Deployment that the API
//! server holds. Only the node is missing, so the program runs as a process beside it.

use std::process::Stdio;

use serde_json::Value;
use testbed::ControlPlane;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// A running operator; killed when dropped.
pub(crate) struct Installed {
    _child: Child,
    /// Its name in the audit log.
    pub(crate) user: String,
}

/// Starts what the only Deployment of the namespace says, with these arguments added to its own.
pub(crate) async fn start(
    plane: &ControlPlane,
    namespace: &str,
    more: &[String],
) -> Result<Installed, Box<dyn std::error::Error>> {
    let found = plane.kubectl(&["get", "deployments", "-n", namespace, "-o", "json"]).await?.ok()?;
    let found: Value = serde_json::from_str(&found)?;
    let pod = &found["items"][0]["spec"]["template"]["spec"];
    let account = pod["serviceAccountName"].as_str().expect("the pod names its ServiceAccount");
    let token = plane.token(namespace, account).await?;
    let container = &pod["containers"][0];
    let child = Command::new(env!("CARGO_BIN_EXE_photo-removal-operator"))
        .args(arguments(container).await?)
        .args(more)
        .envs(environment(container, namespace))
        .env("KUBECONFIG", plane.kubeconfig_with_token(&token)?)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    Ok(Installed { _child: child, user: format!("system:serviceaccount:{namespace}:{account}") })
}

/// The container's arguments, at a port that is free here.
async fn arguments(container: &Value) -> std::io::Result<Vec<String>> {
    let free = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let arguments = container["args"].as_array().expect("the container has arguments");
    let here = |argument: &str| match argument.strip_prefix("--http=") {
        Some(_) => format!("--http={free}"),
        None => argument.to_owned(),
    };
    Ok(arguments.iter().filter_map(Value::as_str).map(here).collect())
}

/// The variables; of those that a kubelet fills in, the namespace.
fn environment(container: &Value, namespace: &str) -> Vec<(String, String)> {
    let variables = container["env"].as_array().cloned().unwrap_or_default();
    let value = |variable: &Value| match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
        Some("metadata.namespace") => Some(namespace.to_owned()),
        _ => variable["value"].as_str().map(str::to_owned),
    };
    variables.iter().filter_map(|variable| Some((variable["name"].as_str()?.to_owned(), value(variable)?))).collect()
}
