//! What holds credentials on the API server: Secrets and service accounts, tokens in the name of the latter, and the one
//! value that is written back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex as Gate;
use tokio::task::spawn_blocking;

use super::desk::{Content, Reading, Version};
use super::session::Source;
use crate::api::{Holder, Reason};
use crate::cluster::{CallError, put_value, read_secret, read_service_account, request_token};
use crate::graph::exchange_audience;
use crate::identity::{Credential, Proof, REFRESH_TOKEN};
use crate::lifecycle::{Trouble, fnv};

/// How long a refresh token lives that nobody replaces
/// (<https://learn.microsoft.com/entra/identity-platform/refresh-tokens>).
const REFRESH_TOKEN_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How many of its own versions of a Secret the operator remembers: more than are written between two looks of whoever
/// shares the Secret.
const REMEMBERED: usize = 32;

/// Of how many Secrets it remembers what it wrote. Of one more it forgets another one, whose next change then counts as
/// somebody else's and costs one more sign-in.
const REMEMBERED_SECRETS: usize = 1_000;

/// How many Secrets may be opened at a time. What opens a certificate may take a second by design, and whoever writes many
/// of them must not keep the others waiting: each namespace has its turns at one of these, which it shares with few.
const OPENERS: usize = 16;

/// Reads what holds credentials, and remembers what it wrote.
pub(super) struct Holders {
    client: Client,
    openers: [Gate<()>; OPENERS],
    written: Mutex<HashMap<SecretName, Written>>,
}

/// A Secret, anywhere in the cluster.
#[derive(Clone, PartialEq, Eq, Hash)]
struct SecretName {
    namespace: String,
    name: String,
}

/// What the operator wrote into a Secret, and nobody else in between.
#[derive(Default)]
struct Written {
    /// The first is the one that it found, the last the one that it made last.
    versions: VecDeque<String>,
    /// The refresh tokens that it replaced.
    replaced: VecDeque<SecretString>,
}

/// A credential with all that it needs to sign in.
pub(super) enum Proven {
    Ready(Arc<Credential>),
    /// The ServiceAccount is gone.
    Missing(Trouble),
    /// The API server gives no token of the ServiceAccount.
    Refused(Trouble),
    /// The API server failed.
    Failed,
}

/// What became of a new refresh token.
pub(super) enum Rotation {
    Written(Content),
    /// It is the old one.
    Unchanged,
    /// Somebody else wrote to the Secret in the meantime, and what they wrote wins.
    Outrun,
    /// The Secret does not take it; what people should be told.
    Refused(String),
    /// The API server failed. The old one serves on, and the next sign-in brings another new one.
    Failed,
}

impl Holders {
    pub(super) fn new(client: Client) -> Self {
        Self { client, openers: Default::default(), written: Mutex::default() }
    }

    /// Reads what holds the credential. `known`: the version that the caller knows already.
    pub(super) async fn read(&self, source: &Source, known: Option<&str>) -> Reading {
        let holder = &source.credential.holder;
        let found = match holder {
            Holder::Secret(name) => self.read_secret(source, name, known).await,
            Holder::ServiceAccount(name) => self.read_service_account(source, name, known).await,
        };
        match found {
            Ok(Some(Reading::Found { version, credential, ours })) => {
                let credential = credential.and_then(|credential| suited(credential, source));
                Reading::Found { version, credential, ours }
            }
            Ok(Some(reading)) => reading,
            Ok(None) => {
                self.lock().remove(&SecretName::of(source));
                Reading::Missing(missing(source))
            }
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
        let turn = self.openers[opener(&source.namespace)].lock().await;
        let opened = spawn_blocking(move || Credential::from_secret(&content.data, &reference)).await;
        drop(turn);
        let Ok(credential) = opened else { return Ok(Some(Reading::Failed)) };
        let ours = self.is_ours(source, known, &version, credential.as_ref().ok());
        Ok(Some(Reading::Found { version, credential, ours }))
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
            Reading::Found { version, credential, ours: false }
        }))
    }

    /// Whether nobody but the operator changed the Secret since that version, or somebody who put back what the operator
    /// replaced, as whoever keeps Secrets in Git does.
    fn is_ours(&self, source: &Source, known: Option<&str>, now: &Version, credential: Option<&Credential>) -> bool {
        let written = self.lock();
        let Some(Written { versions, replaced }) = written.get(&SecretName::of(source)) else { return false };
        let made = |version: &str| versions.iter().any(|made| made == version);
        let token = credential.and_then(Credential::refresh_token).map(ExposeSecret::expose_secret);
        let put_back = token.is_some_and(|token| replaced.iter().any(|old| old.expose_secret() == token));
        put_back || (known.is_some_and(made) && made(&now.name))
    }

    fn remember(&self, source: &Source, of: &str, made: &str, replaced: SecretString) {
        let mut all = self.lock();
        let name = SecretName::of(source);
        make_room(&mut all, &name);
        let written = all.entry(name).or_default();
        if written.versions.back().is_none_or(|last| last != of) {
            *written = Written { versions: [of.to_owned()].into(), replaced: VecDeque::new() };
        }
        written.versions.push_back(made.to_owned());
        written.replaced.push_back(replaced);
        if written.versions.len() > REMEMBERED {
            written.versions.pop_front();
            written.replaced.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretName, Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gets what the credential does not hold itself: a ServiceAccount's token, fresh for each sign-in.
    pub(super) async fn prove(&self, source: &Source, credential: &Arc<Credential>) -> Proven {
        let Proof::ServiceAccount(name) = credential.proof() else { return Proven::Ready(Arc::clone(credential)) };
        let audience = exchange_audience(source.cloud);
        let holder = &source.credential.holder;
        match request_token(&self.client, &source.namespace, name, audience).await {
            Ok(token) => Proven::Ready(Arc::new(credential.proven_by(token))),
            Err(error) => match error.code() {
                Some(404) => Proven::Missing(missing(source)),
                Some(403) => Proven::Refused(may_not_request(holder)),
                Some(code @ 400..=499) if !matches!(code, 401 | 408 | 409 | 429) => {
                    Proven::Refused(no_token(holder, code))
                }
                _ => {
                    log(source, &error);
                    Proven::Failed
                }
            },
        }
    }

    /// Writes a new refresh token into the Secret that holds the old one.
    pub(super) async fn keep(&self, source: &Source, content: Content, token: SecretString) -> Rotation {
        let (Holder::Secret(name), Some(old)) = (&source.credential.holder, content.credential.refresh_token()) else {
            return Rotation::Unchanged;
        };
        if old.expose_secret() == token.expose_secret() {
            return Rotation::Unchanged;
        }
        if !Credential::takes_refresh_token(&token) {
            tracing::warn!(
                namespace = source.namespace,
                "a refresh token is too long to be kept; the old one serves on"
            );
            return Rotation::Failed;
        }
        let of = &content.version.name;
        match put_value(&self.client, &source.namespace, name, of, (REFRESH_TOKEN, &token)).await {
            Ok(made) => {
                self.remember(source, of, &made.resource_version, old.clone());
                let version = Version { name: made.resource_version.clone(), written: made.written };
                Rotation::Written(Content { version, credential: Arc::new(content.credential.refreshed_by(token)) })
            }
            Err(error) => match error.code() {
                Some(404 | 409) => Rotation::Outrun,
                Some(403) => Rotation::Refused(not_kept(name, content.version.written, MAY_NOT_WRITE)),
                Some(400 | 422) => Rotation::Refused(not_kept(name, content.version.written, CANNOT_CHANGE)),
                _ => {
                    log(source, &error);
                    Rotation::Failed
                }
            },
        }
    }
}

/// Forgets one, if there is no room for that one beside those that are there.
fn make_room(all: &mut HashMap<SecretName, Written>, name: &SecretName) {
    if all.len() < REMEMBERED_SECRETS || all.contains_key(name) {
        return;
    }
    if let Some(other) = all.keys().next().cloned() {
        all.remove(&other);
    }
}

impl SecretName {
    fn of(source: &Source) -> Self {
        Self { namespace: source.namespace.clone(), name: source.credential.holder.name().to_owned() }
    }
}

/// Which of the openers a namespace has.
fn opener(namespace: &str) -> usize {
    usize::try_from(fnv(namespace.bytes()) % OPENERS as u64).unwrap_or(0)
}

/// The credential, if it is one that the object can use.
fn suited(credential: Credential, source: &Source) -> Result<Credential, Trouble> {
    if source.needs_user && !credential.is_delegated() { Err(no_user()) } else { Ok(credential) }
}

pub(super) fn no_user() -> Trouble {
    let message = "The target me is the user who signed in, and with this credential the application signs in as itself. \
                   Refer to a Secret that photo-removal-operator login wrote, with AZURE_REFRESH_TOKEN in it.";
    Trouble { reason: Reason::CredentialInvalid, message: message.to_owned() }
}

pub(super) fn missing(source: &Source) -> Trouble {
    let holder = &source.credential.holder;
    let how = match holder {
        Holder::Secret(_) if source.needs_user => "Write it with photo-removal-operator login",
        Holder::Secret(_) => "Create it with the keys AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
        Holder::ServiceAccount(_) => {
            "Create it with the annotations azure.workload.identity/tenant-id and azure.workload.identity/client-id"
        }
    };
    not_found(format!("There is no {holder} in this namespace. {how}; the operator looks for it by itself."))
}

pub(super) fn may_not_read(holder: &Holder) -> Trouble {
    let (kind, switch) = match holder {
        Holder::Secret(_) => ("Secrets", ""),
        Holder::ServiceAccount(_) => ("ServiceAccounts", " (serviceAccountCredentials.enabled in the chart)"),
    };
    not_found(format!(
        "The operator may not read the {holder}. Give its ServiceAccount the verb get on {kind} in this \
         namespace{switch}; the operator tries again by itself."
    ))
}

pub(super) fn may_not_request(holder: &Holder) -> Trouble {
    not_found(format!(
        "The operator may not request tokens of the {holder}. Give its own ServiceAccount the verb create on \
         serviceaccounts/token in this namespace (serviceAccountCredentials.enabled in the chart); the operator tries again \
         by itself."
    ))
}

pub(super) fn no_token(holder: &Holder, code: u16) -> Trouble {
    let message = format!(
        "The API server refuses to issue a token of the {holder} (HTTP {code}). Look for an admission policy that is in \
         the way; the operator tries again by itself."
    );
    Trouble { reason: Reason::SignInUnavailable, message }
}

fn not_found(message: String) -> Trouble {
    Trouble { reason: Reason::CredentialNotFound, message }
}

pub(super) const MAY_NOT_WRITE: &str =
    "the operator may not write to it. Let it (delegatedCredentials.enabled in the chart)";

pub(super) const CANNOT_CHANGE: &str = "the API server refuses the change. See whether the Secret is immutable";

/// `written`: when somebody wrote to the Secret last, before which its refresh token must have been issued.
pub(super) fn not_kept(secret: &str, written: Option<Timestamp>, why: &str) -> String {
    let end = written.and_then(|written| written.checked_add(REFRESH_TOKEN_LIFE).ok());
    let by = end.map_or_else(|| "within 90 days".to_owned(), |end| end.strftime("on %F at the latest").to_string());
    format!(
        "This sign-in ends {by}, since its new refresh token cannot be put into the Secret {secret}: {why}, or sign in \
         again before."
    )
}

fn log(source: &Source, error: &CallError) {
    let (namespace, category, cause) = (&source.namespace, error.category(), error.to_string());
    tracing::warn!(namespace, category, cause, "a credential could not be dealt with; it is tried again");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_secrets_are_remembered_than_there_is_room_for() {
        let mut all = HashMap::new();
        for number in 0..3 * REMEMBERED_SECRETS {
            let name = SecretName { namespace: "offboarding".to_owned(), name: format!("graph-{number}") };
            make_room(&mut all, &name);
            all.insert(name.clone(), Written::default());
            make_room(&mut all, &name);
            assert!(all.contains_key(&name), "the one that was just written is kept");
        }
        assert_eq!(all.len(), REMEMBERED_SECRETS);
    }
}
