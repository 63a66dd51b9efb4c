//! What every reconcile works with.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kube::Client;
use tokio_util::sync::CancellationToken;

use super::credentials::Credentials;
use crate::api::{PhotoRemoval, PhotoRemovalStatus, Reason};
use crate::cluster::{ObjectRef, Removals};
use crate::graph::{Clouds, Graph};
use crate::lifecycle::{Brought, Policy, Seen};
use crate::metrics::Metrics;
use crate::pacing::Pacing;

pub(super) struct Context {
    /// For events.
    pub(super) client: Client,
    /// Who publishes them: the pod's name.
    pub(super) instance: String,
    pub(super) removals: Removals,
    pub(super) credentials: Credentials,
    pub(super) pacing: Pacing<ObjectRef>,
    pub(super) graph: Graph,
    pub(super) clouds: std::sync::Arc<Clouds>,
    pub(super) policy: Policy,
    pub(super) metrics: Metrics,
    pub(super) outbox: Outbox,
    /// The versions of objects that do not fit the schema and were told so.
    pub(super) unreadable: Told,
    /// Failed reconciles in a row, by object.
    pub(super) strikes: Strikes,
    /// No request for Graph is sent any more.
    pub(super) shutdown: CancellationToken,
}

impl Context {
    /// The object wants neither a credential nor a slot (any more).
    pub(super) fn forget(&self, who: &ObjectRef) {
        self.credentials.forget(who);
        self.pacing.forget(who);
    }

    /// The object was deleted.
    pub(super) fn gone(&self, who: &ObjectRef) {
        self.forget(who);
        self.outbox.take(who);
        self.unreadable.forget(who);
        self.strikes.clear(who);
    }
}

/// What tries brought and could not be written down yet, by object. It is written before anything else is done for that
/// object, so that an API server that is away does not make the operator ask Graph again.
#[derive(Default)]
pub(super) struct Outbox {
    kept: Mutex<HashMap<ObjectRef, Kept>>,
}

/// What a try brought for the object of that uid.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) uid: String,
    /// The reason that it had before.
    pub(super) before: Option<Reason>,
    pub(super) brought: Brought,
}

impl Outbox {
    pub(super) fn put(&self, who: ObjectRef, kept: Kept) {
        self.lock().insert(who, kept);
    }

    pub(super) fn take(&self, who: &ObjectRef) -> Option<Kept> {
        self.lock().remove(who)
    }

    /// One of those that are left.
    pub(super) fn any(&self) -> Option<(ObjectRef, Kept)> {
        let mut kept = self.lock();
        let who = kept.keys().next().cloned()?;
        kept.remove_entry(&who)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectRef, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Versions of objects that nothing more can be said of.
#[derive(Default)]
pub(super) struct Told {
    versions: Mutex<HashMap<ObjectRef, String>>,
}

impl Told {
    pub(super) fn remember(&self, who: &ObjectRef, version: String) {
        self.lock().insert(who.clone(), version);
    }

    pub(super) fn knows(&self, who: &ObjectRef, version: Option<&str>) -> bool {
        self.lock().get(who).map(String::as_str) == version && version.is_some()
    }

    fn forget(&self, who: &ObjectRef) {
        self.lock().remove(who);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectRef, String>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
pub(super) struct Strikes {
    counts: Mutex<HashMap<ObjectRef, u32>>,
}

impl Strikes {
    /// One more; returns how many in a row it are.
    pub(super) fn add(&self, who: &ObjectRef) -> u32 {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(who.clone()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    pub(super) fn clear(&self, who: &ObjectRef) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(who);
    }
}

/// The heart's sight of an object.
pub(super) fn seen(object: &PhotoRemoval) -> Seen<'_> {
    const UNTOUCHED: &PhotoRemovalStatus = &PhotoRemovalStatus::UNTOUCHED;
    Seen {
        uid: object.metadata.uid.as_deref().unwrap_or_default(),
        generation: object.metadata.generation.unwrap_or_default(),
        deleting: object.metadata.deletion_timestamp.is_some(),
        spec: &object.spec,
        status: object.status.as_ref().unwrap_or(UNTOUCHED),
    }
}
