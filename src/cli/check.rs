//! The flags of `check`, and what they mean.

use std::path::PathBuf;

use clap::Args;

use super::values::{self, Refused};
use super::{CloudOverride, Leave};
use crate::api::{ClientId, Cloud, CredentialRef, Holder, TenantId, is_object_name};

/// What `check` looks at, and how it tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Where the credential is.
    pub place: Place,
    /// Wins over what the holder says.
    pub tenant: Option<TenantId>,
    /// Likewise.
    pub client: Option<ClientId>,
    /// The tenant's national cloud.
    pub cloud: Cloud,
    /// What takes the place of that cloud's hosts; none: Microsoft's own.
    pub hosts: Option<CloudOverride>,
    /// How it tells.
    pub output: Output,
    /// As [`super::Config::ca_certificates`].
    pub ca_certificates: Option<Vec<u8>>,
}

/// Where a credential is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a manifest that is read from standard input.
    StandardInput,
    /// In the manifest in this file.
    File(PathBuf),
    /// In the cluster of the kubeconfig; without a namespace: in the kubeconfig's.
    Cluster {
        /// What holds it.
        holder: Holder,
        /// Where that is.
        namespace: Option<String>,
    },
}

/// How a command tells what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

impl Check {
    /// The credential that `holder` has, with the values that win over its own.
    #[must_use]
    pub fn reference(&self, holder: Holder) -> CredentialRef {
        CredentialRef { holder, tenant: self.tenant.clone(), client: self.client.clone() }
    }
}

const ABOUT: &str = "Sign in with a credential and say what it allows; deletes nothing";

const USAGE: &str = "\
photo-removal-operator check -f PATH [OPTIONS]
       photo-removal-operator check --secret NAME [OPTIONS]
       photo-removal-operator check --service-account NAME [OPTIONS]";

const LONG_ABOUT: &str = "\
Sign in with a credential and say which application in which tenant it is, what
its token allows, what is missing for users, groups and the signed-in user (me),
and how to grant it. Asks Microsoft Entra for one token; sends nothing to
Microsoft Graph, deletes nothing and writes nothing.

What the token allows is a hint: Microsoft Graph has the last word.";

const AFTER_HELP: &str = "\
Exit code:
  0  it works for users, groups or me
  1  it will not work
  2  that could not be found out, or the command was called wrongly

JSON: one object with result (works, willNotWork or unknown), signIn,
permissions, targets (users, groups and me, each with allowed, missing,
optional, note and grant) and problem (reason and message). What is not known
is null.

Examples:
  photo-removal-operator check -f secret.yaml
  kubectl get secret contoso-graph -o yaml | photo-removal-operator check -f -
  photo-removal-operator check --secret contoso-graph -n offboarding
  photo-removal-operator check --service-account offboarder --output json";

/// What was typed. None of it has a twin in the environment: whoever checks a credential means this one.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "clap prints these comments as they are")]
#[command(about = ABOUT, long_about = LONG_ABOUT, after_help = AFTER_HELP, override_usage = USAGE)]
pub(super) struct Flags {
    /// Check the Secret in this manifest, YAML or JSON; - is standard input. No cluster is needed
    #[arg(short, long, value_name = "PATH")]
    file: Option<String>,

    /// Check this Secret in the cluster of your kubeconfig, with your own rights
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,

    /// Check this ServiceAccount, which an application trusts, in the same way
    #[arg(long, value_name = "NAME")]
    service_account: Option<String>,

    /// Look in this namespace (default: the kubeconfig's)
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    /// Sign in to this tenant, as spec.credentials.tenantId does: a GUID, a domain or consumers
    #[arg(long, value_name = "TENANT")]
    tenant_id: Option<String>,

    /// Sign in as this application, as spec.credentials.clientId does: a GUID
    #[arg(long, value_name = "GUID")]
    client_id: Option<String>,

    /// The tenant's national cloud: Global, USGovernmentL4, USGovernmentL5 or China; with =SIGN_IN_URL,GRAPH_URL behind
    /// it, that cloud with other hosts
    #[arg(long, value_name = "NAME", default_value = "Global")]
    cloud: String,

    /// Tell it as text or json
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: String,

    /// Trust the CA certificates in this PEM file too (default: the system's only)
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    ca_file: String,
}

impl Flags {
    pub(super) fn check(&self) -> Result<Check, Leave> {
        let place = self.place()?;
        let tenant = self.tenant_id.as_deref().map(|given| values::id("--tenant-id", given, TenantId::parse));
        let client = self.client_id.as_deref().map(|given| values::id("--client-id", given, ClientId::parse));
        let (cloud, hosts) = values::one_cloud(&self.cloud)?;
        Ok(Check {
            place,
            tenant: tenant.transpose()?,
            client: client.transpose()?,
            cloud,
            hosts,
            output: output(&self.output)?,
            ca_certificates: values::ca_certificates(&self.ca_file)?,
        })
    }

    fn place(&self) -> Result<Place, Leave> {
        let holder = match (&self.file, &self.secret, &self.service_account) {
            (Some(_), None, None) if self.namespace.is_some() => {
                return Err(refused("--namespace is for --secret and --service-account: a file needs no cluster"));
            }
            (Some(path), None, None) if path == "-" => return Ok(Place::StandardInput),
            (Some(path), None, None) => return Ok(Place::File(PathBuf::from(path))),
            (None, Some(secret), None) => Holder::Secret(named("--secret", secret)?),
            (None, None, Some(account)) => Holder::ServiceAccount(named("--service-account", account)?),
            _ => return Err(refused("Say what to check with exactly one of --file, --secret and --service-account")),
        };
        let namespace = self.namespace.as_deref().map(values::namespace).transpose()?;
        Ok(Place::Cluster { holder, namespace })
    }
}

fn refused(line: &str) -> Leave {
    Leave::Refused(format!("{line}; see photo-removal-operator check --help."))
}

fn named(flag: &'static str, given: &str) -> Result<String, Refused> {
    if is_object_name(given) {
        return Ok(given.to_owned());
    }
    Err(Refused::new(flag, given, "the name of an object: lower-case letters, digits, '-' and '.'"))
}

fn output(given: &str) -> Result<Output, Refused> {
    match given {
        "text" => Ok(Output::Text),
        "json" => Ok(Output::Json),
        _ => Err(Refused::new("--output", given, "text or json")),
    }
}

#[cfg(test)]
mod tests;
