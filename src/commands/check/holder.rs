//! The credential that is checked: out of a manifest, or out of the cluster with the rights of whoever asks.

use std::fs::File;
use std::io::{self, Read};

use kube::Client;
use zeroize::Zeroizing;

use super::manifest;
use super::report::{Problem, Trust};
use crate::api::{Cloud, Holder, Reason};
use crate::cli::{Check, Place};
use crate::cluster::{CallError, client, read_secret, read_service_account, request_token};
use crate::graph::exchange_audience;
use crate::health::Health;
use crate::identity::{Claims, Credential, Proof};
use crate::metrics::Metrics;

/// Far more than a manifest of one Secret has, which Kubernetes limits to 1 MiB; in bytes.
const LONGEST: u64 = 8 * 1024 * 1024;

const UNUSABLE_FILE: &str = "FileUnusable";
const NO_CLUSTER: &str = "ClusterUnavailable";
const NO_RIGHT: &str = "ClusterForbidden";

/// A credential, and where the rest of it is to be had.
pub(super) struct Found {
    pub(super) credential: Credential,
    cluster: Option<Cluster>,
}

/// A namespace of a cluster.
struct Cluster {
    client: Client,
    namespace: String,
}

/// Finds the credential.
///
/// # Errors
/// [`Problem`], also of a credential that the operator would not take.
pub(super) async fn find(order: &Check) -> Result<Found, Problem> {
    match &order.place {
        Place::StandardInput => in_manifest(order, "standard input", read(io::stdin())),
        Place::File(path) => in_manifest(order, &path.display().to_string(), File::open(path).and_then(read)),
        Place::Cluster { holder, namespace } => in_cluster(order, holder, namespace.as_deref()).await,
    }
}

/// Gets what the credential does not hold itself: a ServiceAccount's token, and with it what Entra must trust.
///
/// # Errors
/// [`Problem`] when the API server gives none.
pub(super) async fn prove(found: Found, cloud: Cloud) -> Result<(Credential, Option<Trust>), Problem> {
    let Found { credential, cluster: Some(Cluster { client, namespace }) } = found else {
        return Ok((found.credential, None));
    };
    let Proof::ServiceAccount(name) = credential.proof() else { return Ok((credential, None)) };
    let audience = exchange_audience(cloud);
    let token = request_token(&client, &namespace, name, audience).await;
    let holder = Holder::ServiceAccount(name.clone());
    let token = token.map_err(|error| call_failed(&error, &holder, &namespace, "create on serviceaccounts/token"))?;
    let trust = Trust {
        issuer: Claims::read(&token).and_then(|claims| claims.issuer),
        subject: format!("system:serviceaccount:{namespace}:{name}"),
        audience,
    };
    Ok((credential.proven_by(token), Some(trust)))
}

fn in_manifest(order: &Check, source: &str, text: io::Result<Zeroizing<String>>) -> Result<Found, Problem> {
    let unusable = |why: &str| Problem::unknown(UNUSABLE_FILE, format!("{source} cannot be checked: {why}."));
    let text = text.map_err(|error| unusable(&error.to_string()))?;
    let manifest = manifest::read(&text).map_err(|why| unusable(&why))?;
    let holder = Holder::Secret(manifest.name);
    let data = manifest.data.map_err(|fault| {
        Problem::certain(Reason::CredentialInvalid, format!("The {holder} {fault}. Correct the Secret."))
    })?;
    let credential = Credential::from_secret(&data, &order.reference(holder)).map_err(Problem::of)?;
    Ok(Found { credential, cluster: None })
}

fn read(source: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let length = source.take(LONGEST + 1).read_to_string(&mut text)?;
    if u64::try_from(length).is_ok_and(|length| length <= LONGEST) {
        return Ok(text);
    }
    Err(io::Error::other(format!("it is larger than {LONGEST} bytes")))
}

async fn in_cluster(order: &Check, holder: &Holder, namespace: Option<&str>) -> Result<Found, Problem> {
    // What kube says of a kubeconfig may quote it, tokens and all.
    let no_cluster = |what: &str| Problem::unknown(NO_CLUSTER, format!("{what}, or check a file with -f."));
    let config = kube::Config::infer().await;
    let config = config.map_err(|_| no_cluster("No cluster was found: set KUBECONFIG to a kubeconfig that works"))?;
    let namespace = namespace.unwrap_or(&config.default_namespace).to_owned();
    let client = client::client(config, Metrics::new(), Health::new(&[]));
    let client = client.map_err(|_| no_cluster("The kubeconfig cannot be used: see what kubectl says"))?;
    let reference = order.reference(holder.clone());
    let read = match holder {
        Holder::Secret(name) => read_secret(&client, &namespace, name)
            .await
            .map(|found| found.map(|content| Credential::from_secret(&content.data, &reference))),
        Holder::ServiceAccount(name) => read_service_account(&client, &namespace, name)
            .await
            .map(|found| found.map(|content| Credential::from_service_account(&content.annotations, &reference))),
    };
    let right = match holder {
        Holder::Secret(_) => "get on secrets",
        Holder::ServiceAccount(_) => "get on serviceaccounts",
    };
    let found = read.map_err(|error| call_failed(&error, holder, &namespace, right))?;
    let credential = found.ok_or_else(|| missing(holder, &namespace))?.map_err(Problem::of)?;
    Ok(Found { credential, cluster: Some(Cluster { client, namespace }) })
}

fn missing(holder: &Holder, namespace: &str) -> Problem {
    Problem::certain(Reason::CredentialNotFound, format!("There is no {holder} in the namespace {namespace}."))
}

fn call_failed(error: &CallError, holder: &Holder, namespace: &str, right: &str) -> Problem {
    match error.code() {
        Some(404) => missing(holder, namespace),
        Some(401) => {
            let message = "The API server does not know you (401). Log in to the cluster and check again.";
            Problem::unknown(NO_RIGHT, message.to_owned())
        }
        Some(403) => {
            let message =
                format!("You lack the right to {right} in the namespace {namespace}, which this check takes.");
            Problem::unknown(NO_RIGHT, message)
        }
        Some(code) => {
            Problem::unknown(NO_CLUSTER, format!("The API server answered {code} when it was asked for the {holder}."))
        }
        None => Problem::unknown(
            NO_CLUSTER,
            format!("The API server could not be asked for the {holder} ({}).", error.category()),
        ),
    }
}
