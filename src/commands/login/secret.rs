//! The Secret that a sign-in leaves: as a manifest, and in a cluster.

use std::fmt;

use kube::Client;
use secrecy::SecretString;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::api::{CredentialRef, Holder};
use crate::cli::Login;
use crate::cluster::client::innermost;
use crate::cluster::{CallError, Write, apply_values, client};
use crate::health::Health;
use crate::identity::{Credential, Proof, values_of_user};
use crate::metrics::Metrics;

/// The room for a manifest, in bytes, so that it never moves and leaves a copy behind: the longest answer that is read
/// of Entra, and something around it.
const ROOM: usize = 80 * 1024;

/// What is written in a rehearsal.
const NO_TOKEN: &str = "rehearsed";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    #[serde(rename = "type")]
    kind_of_secret: &'static str,
    #[serde(serialize_with = "in_order")]
    string_data: [(&'static str, &'a str); 3],
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
}

fn in_order<S: Serializer>(values: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(values.iter().copied())
}

/// The Secret as YAML that `kubectl apply` takes. Without a namespace kubectl chooses.
pub(super) fn manifest(
    order: &Login,
    namespace: Option<&str>,
    refresh_token: &SecretString,
) -> Result<Zeroizing<String>, serde_saphyr::ser::Error> {
    let manifest = Manifest {
        api_version: "v1",
        kind: "Secret",
        metadata: Metadata { name: &order.name, namespace },
        kind_of_secret: "Opaque",
        string_data: values_of_user(&order.tenant, &order.client, refresh_token),
    };
    let mut text = Zeroizing::new(String::with_capacity(ROOM));
    // A token is one long line, and shall look like one.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_fmt_writer_with_options(&mut *text, &manifest, options)?;
    Ok(text)
}

/// A place in a cluster for the Secret. Displays as `namespace/name`.
pub(super) struct Cluster {
    client: Client,
    namespace: String,
    name: String,
}

impl Cluster {
    /// The place that `order` means, known to take the Secret: the API server was asked what it would say.
    ///
    /// # Errors
    /// A sentence on what stands in the way.
    pub(super) async fn ready_for(order: &Login) -> Result<Self, String> {
        let unusable =
            |why: String| format!("{why}. Set KUBECONFIG, or leave out --apply to have the manifest printed.");
        let config = kube::Config::infer().await.map_err(|error| unusable(format!("No cluster was found: {error}")))?;
        let namespace = order.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = client::client(config, Metrics::new(), Health::new(&[]))
            .map_err(|error| unusable(format!("The kubeconfig cannot be used: {}", innermost(&error))))?;
        let cluster = Self { client, namespace, name: order.name.clone() };
        cluster.rehearse(order).await?;
        Ok(cluster)
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Writes the Secret.
    ///
    /// # Errors
    /// A sentence on why it is not written.
    pub(super) async fn keep(&self, order: &Login, refresh_token: &SecretString) -> Result<(), String> {
        let values = values_of_user(&order.tenant, &order.client, refresh_token);
        let written = apply_values(&self.client, &self.namespace, &self.name, &values, Write::Real).await;
        written.map(drop).map_err(|error| self.refused(&error))
    }

    async fn rehearse(&self, order: &Login) -> Result<(), String> {
        let token = SecretString::from(NO_TOKEN);
        let values = values_of_user(&order.tenant, &order.client, &token);
        let written = apply_values(&self.client, &self.namespace, &self.name, &values, Write::Rehearsed).await;
        let held = written.map_err(|error| self.refused(&error))?;
        let reference = CredentialRef { holder: Holder::Secret(self.name.clone()), tenant: None, client: None };
        match Credential::from_secret(&held.data, &reference).map(|credential| credential.proof().clone()) {
            Ok(Proof::Public) => Ok(()),
            Ok(_) => Err(format!(
                "The Secret {self} holds a client secret or a certificate, which do not go with this sign-in. Take them out \
                 of it, or name another Secret with --name."
            )),
            Err(trouble) => Err(trouble.message),
        }
    }

    fn refused(&self, error: &CallError) -> String {
        let Self { namespace, .. } = self;
        match error.code() {
            Some(code @ 401) => format!("The API server does not know you ({code}). Sign in to the cluster first."),
            Some(code @ 403) => format!(
                "The API server does not let you write the Secret {self} ({code}). Ask for create and patch on secrets in \
                 that namespace, or leave out --apply to have the manifest printed."
            ),
            Some(code @ 404) => {
                format!(
                    "The cluster has no namespace {namespace} ({code}). Create it, or name another with --namespace."
                )
            }
            Some(code) => format!(
                "The API server does not take the Secret {self} ({code}). See whether it is immutable or a policy forbids \
                 it, or leave out --apply to have the manifest printed."
            ),
            None => format!(
                "The API server gives no usable answer ({}). Check the kubeconfig, or leave out --apply to have the \
                 manifest printed.",
                innermost(error)
            ),
        }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::cli::{self, Command};

    fn order(tenant: &str) -> Login {
        let arguments = ["x", "login", "--tenant-id", tenant, "--client-id", "00000000-0000-0000-0000-00000000001e"];
        match cli::parse(arguments.iter().chain(&["--ca-file="])) {
            Ok(Command::Login(login)) => *login,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_manifest_is_a_secret_that_the_operator_reads() {
        let token = SecretString::from(format!("1.A{}#: 'x'", "b".repeat(3000)));
        for (tenant, namespace) in [("contoso.com", Some("offboarding")), ("1.2", None), ("consumers", None)] {
            let text = manifest(&order(tenant), namespace, &token).unwrap();
            let secret: Secret = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(secret.metadata.name.as_deref(), Some("graph-user"));
            assert_eq!((secret.metadata.namespace.as_deref(), secret.type_.as_deref()), (namespace, Some("Opaque")));
            let data: BTreeMap<_, _> = secret.string_data.unwrap_or_default().into_iter().collect();
            let data = data.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes()))).collect();
            let reference = CredentialRef { holder: Holder::Secret("s".to_owned()), tenant: None, client: None };
            let credential = Credential::from_secret(&data, &reference).unwrap();
            assert_eq!(credential.tenant().as_str(), tenant);
            assert_eq!(credential.refresh_token().map(ExposeSecret::expose_secret), Some(token.expose_secret()));
            assert!(matches!(credential.proof(), Proof::Public));
            assert_eq!(text.lines().count(), 9 + namespace.iter().count(), "{}", &text[..200]);
        }
    }
}
