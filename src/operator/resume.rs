//! After a restart: takes up the pauses that Graph had asked for.
//!
//! A pause belongs to a credential and is kept in memory; the object that met it has its end in its status. Before the
//! first object is looked at, the pauses are put back, so that no request goes before its time.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use kube::runtime::reflector::Store;
use tokio::sync::Barrier;

use super::context::seen;
use super::credentials::Credentials;
use super::session::Source;
use crate::clock;
use crate::cluster::{ObjectRef, Stored};
use crate::lifecycle::throttled_until;
use crate::pacing::{Account, Pacing};

/// An API server that does not hand out the Secrets in this time does not hold up the objects of other credentials.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long the first objects of one watch wait for the first lists of the others, whose pauses may concern them. Lists
/// that work are done in a moment; one that fails must not hold up the rest.
const TOGETHER: Duration = Duration::from_secs(2);

/// Waits until every watch has taken up its pauses.
pub(super) async fn together(all: &Barrier) {
    if tokio::time::timeout(TOGETHER, all.wait()).await.is_err() {
        tracing::warn!("not every namespace could be listed; the pauses that were met there are not known yet");
    }
}

pub(super) async fn resume(store: &Store<Stored>, credentials: &Credentials, pacing: &Pacing<ObjectRef>) {
    let pauses = pauses(store, clock::now());
    let resumed = join_all(pauses.iter().map(|(source, until)| async {
        // Without the Secret nothing is sent either; a pause of the same application is known from others.
        let Some(credential) = credentials.peek(source).await else { return };
        let account = Account::new(source.cloud, credential.tenant(), credential.client());
        pacing.pause(&account, *until);
    }));
    if tokio::time::timeout(DEADLINE, resumed).await.is_err() {
        tracing::warn!("not every pause that Graph asked for could be taken up again");
    }
}

/// The latest pause of each credential.
fn pauses(store: &Store<Stored>, now: Timestamp) -> HashMap<Source, Timestamp> {
    let mut pauses = HashMap::new();
    for object in store.state() {
        // An object at rest keeps no pause.
        let Stored::Whole(object) = object.as_ref() else { continue };
        let Some((removal, until)) = throttled_until(&seen(object, None), now) else { continue };
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        let (credential, cloud) = (removal.credential, removal.cloud);
        // Of the pause only the application matters, whoever signed in to it.
        let source = Source { namespace, credential, cloud, needs_user: false };
        let latest = pauses.entry(source).or_insert(until);
        *latest = until.max(*latest);
    }
    pauses
}
