//! What holds credentials on the API server: Secrets and service accounts, tokens in the name of the latter, and the one
//! value that is written back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::spawn_blocking;

use super::desk::{Content, Reading, Version};
use super::session::Source;
use crate::api::{Holder, Reason};
use crate::cluster::{CallError, put_value, read_secret, read_service_account, request_token};
use crate::graph::exchange_audience;
use crate::identity::{Credential, Proof, REFRESH_TOKEN};
use crate::lifecycle::Trouble;

/// How long a refresh token lives that nobody replaces
/// (<https://learn.microsoft.com/entra/identity-platform/refresh-tokens>).
const REFRESH_TOKEN_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Reads what holds credentials, and remembers what it wrote.
pub(super) struct Holders {
    client: Client,
    /// By namespace and name of a Secret: the version that the operator made, and the one that it made it of.
    written: Mutex<HashMap<(String, String), (String, String)>>,
}

/// A credential with all that it needs to sign in.
pub(super) enum Proven {
    Ready(Arc<Credential>),
    /// The ServiceAccount is gone, or the operator may not ask for its tokens.
    Missing(Trouble),
    /// The API server failed.
    Failed,
}

/// What became of a new refresh token.
pub(super) enum Kept {
    Written(Content),
    /// It is the old one.
    Unchanged,
    /// Somebody else wrote to the Secret in the meantime, and what they wrote wins.
    Outdated,
    /// The operator may not write; what people should be told.
    Forbidden(String),
    /// The API server failed. The old one serves on, and the next sign-in brings another new one.
    Failed,
}

impl Holders {
    pub(super) fn new(client: Client) -> Self {
        Self { client, written: Mutex::default() }
    }

    /// Reads what holds the credential. `known`: the version that the caller knows already.
    pub(super) async fn read(&self, source: &Source, known: Option<&str>) -> Reading {
        let holder = &source.credential.holder;
        let found = match holder {
            Holder::Secret(name) => self.read_secret(source, name, known).await,
            Holder::ServiceAccount(name) => self.read_service_account(source, name, known).await,
        };
        match found {
            Ok(Some(reading)) => reading,
            Ok(None) => Reading::Missing(missing(holder)),
            Err(error) if error.code() == Some(403) => Reading::Missing(may_not_read(holder)),
            Err(error) => {
                log(source, &error);
                Reading::Failed
            }
        }
    }

    async fn read_secret(
        &self,
        source: &Source,
        name: &str,
        known: Option<&str>,
    ) -> Result<Option<Reading>, CallError> {
        let Some(content) = read_secret(&self.client, &source.namespace, name).await? else { return Ok(None) };
        let version = Version { name: content.resource_version.clone(), written: content.written };
        if known == Some(version.name.as_str()) {
            return Ok(Some(Reading::Unchanged));
        }
        let reference = source.credential.clone();
        // What opens a certificate may take a second by design, and others have work to do.
        let parsed = spawn_blocking(move || Credential::from_secret(&content.data, &reference)).await;
        let follows = self.made_of(source, &version.name);
        let found = |credential| Reading::Found { version, credential, follows };
        Ok(Some(parsed.map_or(Reading::Failed, found)))
    }

    async fn read_service_account(
        &self,
        source: &Source,
        name: &str,
        known: Option<&str>,
    ) -> Result<Option<Reading>, CallError> {
        let found = read_service_account(&self.client, &source.namespace, name).await?;
        Ok(found.map(|content| {
            if known == Some(content.version.as_str()) {
                return Reading::Unchanged;
            }
            let credential = Credential::from_service_account(&content.annotations, &source.credential);
            let version = Version { name: content.version, written: None };
            Reading::Found { version, credential, follows: None }
        }))
    }

    /// The version that the operator made this one of, if it did.
    fn made_of(&self, source: &Source, version: &str) -> Option<String> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (made, of) = written.get(&key(source))?;
        (made == version).then(|| of.clone())
    }

    /// Gets what the credential does not hold itself: a ServiceAccount's token, fresh for each sign-in.
    pub(super) async fn prove(&self, source: &Source, credential: &Arc<Credential>) -> Proven {
        let Proof::ServiceAccount(name) = credential.proof() else { return Proven::Ready(Arc::clone(credential)) };
        let audience = exchange_audience(source.cloud);
        let holder = &source.credential.holder;
        match request_token(&self.client, &source.namespace, name, audience).await {
            Ok(token) => Proven::Ready(Arc::new(credential.proven_by(token))),
            Err(error) => match error.code() {
                Some(404) => Proven::Missing(missing(holder)),
                Some(403) => Proven::Missing(may_not_request(holder)),
                _ => {
                    log(source, &error);
                    Proven::Failed
                }
            },
        }
    }

    /// Writes a new refresh token into the Secret that holds the old one.
    pub(super) async fn keep(&self, source: &Source, content: Content, token: SecretString) -> Kept {
        let (Holder::Secret(name), Some(old)) = (&source.credential.holder, content.credential.refresh_token()) else {
            return Kept::Unchanged;
        };
        if old.expose_secret() == token.expose_secret() {
            return Kept::Unchanged;
        }
        let version = &content.version;
        match put_value(&self.client, &source.namespace, name, &version.name, (REFRESH_TOKEN, &token)).await {
            Ok(made) => {
                let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
                written.insert(key(source), (made.clone(), version.name.clone()));
                let version = Version { name: made, written: version.written };
                Kept::Written(Content { version, credential: Arc::new(content.credential.refreshed_by(token)) })
            }
            Err(error) => match error.code() {
                Some(404 | 409) => Kept::Outdated,
                Some(403) => Kept::Forbidden(may_not_write(name, version.written)),
                _ => {
                    log(source, &error);
                    Kept::Failed
                }
            },
        }
    }
}

fn key(source: &Source) -> (String, String) {
    (source.namespace.clone(), source.credential.holder.name().to_owned())
}

fn missing(holder: &Holder) -> Trouble {
    let how = match holder {
        Holder::Secret(_) => "Create it with the keys AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
        Holder::ServiceAccount(_) => {
            "Create it with the annotations azure.workload.identity/tenant-id and azure.workload.identity/client-id"
        }
    };
    not_found(format!("There is no {holder} in this namespace. {how}; the operator looks for it by itself."))
}

fn may_not_read(holder: &Holder) -> Trouble {
    let kind = holder.kind();
    not_found(format!(
        "The operator may not read the {holder}. Give its ServiceAccount the verb get on {kind}s in this namespace; the \
         operator tries again by itself."
    ))
}

fn may_not_request(holder: &Holder) -> Trouble {
    not_found(format!(
        "The operator may not request tokens of the {holder}. Give its own ServiceAccount the verb create on \
         serviceaccounts/token in this namespace (serviceAccountCredentials.enabled in the chart); the operator tries again \
         by itself."
    ))
}

fn not_found(message: String) -> Trouble {
    Trouble { reason: Reason::CredentialNotFound, message }
}

/// `written`: when somebody wrote to the Secret last, before which its refresh token must have been issued.
fn may_not_write(secret: &str, written: Option<Timestamp>) -> String {
    let end = written.and_then(|written| written.checked_add(REFRESH_TOKEN_LIFE).ok());
    let by = end.map_or_else(|| "within 90 days".to_owned(), |end| end.strftime("on %F at the latest").to_string());
    format!(
        "This sign-in ends {by}, since the operator may not write its new refresh token into the Secret {secret}: let it \
         (delegatedCredentials.enabled in the chart), or sign in again before."
    )
}

fn log(source: &Source, error: &CallError) {
    let (namespace, category, cause) = (&source.namespace, error.category(), error.to_string());
    tracing::warn!(namespace, category, cause, "a credential could not be dealt with; it is tried again");
}
