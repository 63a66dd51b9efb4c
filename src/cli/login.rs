//! The flags of `login`, and what they mean.

use clap::Args;

use super::CloudOverride;
use super::values::{self, Refused};
use crate::api::{ClientId, Cloud, TenantId, is_object_name};

/// Who signs in, to what, and where the refresh token goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The tenant to sign in to.
    pub tenant: TenantId,
    /// The application to sign in to.
    pub client: ClientId,
    /// What the sign-in is for.
    pub photos: Photos,
    /// The tenant's national cloud.
    pub cloud: Cloud,
    /// What takes the place of that cloud's hosts; none: Microsoft's own.
    pub hosts: Option<CloudOverride>,
    /// The Secret's name.
    pub name: String,
    /// The Secret's namespace, if it was said.
    pub namespace: Option<String>,
    /// Where the Secret goes.
    pub destination: Destination,
    /// As [`super::Config::ca_certificates`].
    pub ca_certificates: Option<Vec<u8>>,
}

/// Whose photos the sign-in is to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Photos {
    /// Other users': the person administers them.
    OfUsers,
    /// The person's own.
    OfMe,
}

/// Where the Secret goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Onto standard output, as a manifest.
    StandardOutput,
    /// Into the cluster of the kubeconfig; without a namespace: into the kubeconfig's.
    Cluster,
}

const ABOUT: &str = "Sign a user in and put the refresh token into a Secret";

const LONG_ABOUT: &str = "\
Sign a user in and put the refresh token into a Secret that PhotoRemovals can
use. Shows a page and a code on standard error and waits until somebody has
signed in there, with any browser on any machine. Then prints the Secret's
manifest on standard output, or writes it into the cluster (--apply).

The application must be registered in the tenant with \"Allow public client
flows\" switched on; it needs no client secret. Asks for the delegated permission
ProfilePhoto.ReadWrite.All (--for users) or User.ReadWrite (--for me), and for
offline_access.";

const AFTER_HELP: &str = "\
Exit code:
  0  the Secret was printed or written
  1  it was not: the sign-in was declined, expired or refused
  2  the command was called wrongly

Examples:
  photo-removal-operator login --tenant-id contoso.com --client-id GUID --apply
  photo-removal-operator login --tenant-id contoso.com --client-id GUID \\
    --name jane --for me | kubectl apply -n offboarding -f -

Whoever can read the Secret can do what the user agreed to: keep a printed
manifest out of Git.";

/// What was typed.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "clap prints these comments as they are")]
#[command(about = ABOUT, long_about = LONG_ABOUT, after_help = AFTER_HELP)]
pub(super) struct Flags {
    /// Sign in to this tenant: a GUID, a domain, or consumers for personal accounts
    #[arg(long, value_name = "ID", env = "AZURE_TENANT_ID", hide_env_values = true)]
    tenant_id: String,

    /// Sign in to this application: its client id, a GUID
    #[arg(long, value_name = "ID", env = "AZURE_CLIENT_ID", hide_env_values = true)]
    client_id: String,

    /// Remove the photos of other users (users; the person must administer them) or the person's own (me) (default:
    /// users; with consumers: me)
    #[arg(long = "for", value_name = "WHOM")]
    whom: Option<String>,

    /// The tenant's national cloud: Global, USGovernmentL4, USGovernmentL5 or China; with =SIGN_IN_URL,GRAPH_URL behind
    /// it, that cloud with other hosts
    #[arg(long, value_name = "NAME", default_value = "Global")]
    cloud: String,

    /// The Secret's name
    #[arg(long, value_name = "NAME", default_value = "graph-user")]
    name: String,

    /// Put the Secret into this namespace (default: with --apply the kubeconfig's; else the manifest names none)
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    /// Write the Secret into the cluster of your kubeconfig, with your own rights, instead of printing it; its other keys
    /// stay
    #[arg(long)]
    apply: bool,

    /// Trust the CA certificates in this PEM file too, for the sign-in (default: the system's only)
    #[arg(long, value_name = "PATH", env = "PHOTO_REMOVAL_CA_FILE", default_value = "", hide_default_value = true)]
    ca_file: String,
}

impl Flags {
    pub(super) fn check(&self) -> Result<Login, Refused> {
        let tenant = values::id("--tenant-id", &self.tenant_id, TenantId::parse)?;
        let photos = self.photos(&tenant)?;
        let (cloud, hosts) = values::one_cloud(&self.cloud)?;
        if !is_object_name(&self.name) {
            let allowed = "the name of an object: lower-case letters, digits, '-' and '.'";
            return Err(Refused::new("--name", &self.name, allowed));
        }
        Ok(Login {
            tenant,
            client: values::id("--client-id", &self.client_id, ClientId::parse)?,
            photos,
            cloud,
            hosts,
            name: self.name.clone(),
            namespace: self.namespace.as_deref().map(values::namespace).transpose()?,
            destination: if self.apply { Destination::Cluster } else { Destination::StandardOutput },
            ca_certificates: values::ca_certificates(&self.ca_file)?,
        })
    }

    /// Nobody administers personal accounts: each is its owner's.
    fn photos(&self, tenant: &TenantId) -> Result<Photos, Refused> {
        let personal = tenant.as_str() == "consumers";
        match self.whom.as_deref() {
            Some("me") => Ok(Photos::OfMe),
            Some("users") if !personal => Ok(Photos::OfUsers),
            None => Ok(if personal { Photos::OfMe } else { Photos::OfUsers }),
            Some(given @ "users") => Err(Refused::new("--for", given, "me, since --tenant-id is consumers")),
            Some(given) => Err(Refused::new("--for", given, "users or me")),
        }
    }
}

#[cfg(test)]
mod tests;
