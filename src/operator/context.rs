//! What every reconcile works with.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use tokio_util::sync::CancellationToken;

use super::credentials::Credentials;
use crate::api::{PhotoRemoval, Reason};
use crate::cluster::{ObjectRef, Removals};
use crate::graph::{Clouds, Graph};
use crate::leadership::License;
use crate::lifecycle::{Brought, Policy, Seen, Verdict, fnv};
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
    /// Whether this replica may send.
    pub(super) license: License,
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
        self.outbox.drop_of(who);
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
    /// The generation for which it was made: an edit that came in the meantime is not seen to by it.
    pub(super) generation: i64,
    /// The retry that it heeds, likewise.
    pub(super) retry: Option<String>,
    /// The reason that the object had before.
    pub(super) before: Option<Reason>,
    pub(super) brought: Brought,
}

impl Kept {
    /// What the object was when the try was decided on, with the status that it has by now.
    pub(super) fn sight<'a>(&'a self, object: &'a PhotoRemoval) -> Seen<'a> {
        let retry = self.retry.as_deref();
        seen(object, retry).as_decided(self.generation, retry)
    }

    /// Whether a photo that had come back was removed.
    pub(super) fn came_back(&self) -> bool {
        matches!(self.brought, Brought::Recheck(_, Verdict::Removed))
    }
}

impl Outbox {
    pub(super) fn put(&self, who: ObjectRef, kept: Kept) {
        self.lock().insert(who, kept);
    }

    pub(super) fn take(&self, who: &ObjectRef) -> Option<Kept> {
        self.lock().remove(who)
    }

    /// The object was deleted. What a namesake that the watch has not brought yet has to write down is kept: nobody else
    /// knows that it needs no request any more.
    pub(super) fn drop_of(&self, gone: &ObjectRef) {
        let mut all = self.lock();
        let is_its_own = all.get_key_value(gone).is_some_and(|(seen, kept)| {
            [seen, gone].into_iter().any(|who| who.extra.uid.as_deref() == Some(kept.uid.as_str()))
        });
        if is_its_own {
            all.remove(gone);
        }
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

/// The heart's sight of an object. `retry`: see [`retry`].
pub(super) fn seen<'a>(object: &'a PhotoRemoval, retry: Option<&'a str>) -> Seen<'a> {
    Seen::of(object, retry)
}

/// The annotations by which people and Flux ask for a try now; each new value asks once.
pub(super) const RETRY: [&str; 2] = ["photoremoval.dev/retry", "reconcile.fluxcd.io/requestedAt"];

/// The longest value that is kept as it is, in bytes.
const LONGEST_RETRY: usize = 64;

/// What the annotations say, both of them, in a form that fits a status.
pub(super) fn retry(metadata: &ObjectMeta) -> Option<String> {
    let annotations = metadata.annotations.as_ref()?;
    let values: Vec<_> = RETRY.iter().filter_map(|key| annotations.get(*key)).map(|value| short(value)).collect();
    (!values.is_empty()).then(|| values.join(" "))
}

fn short(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(LONGEST_RETRY / 2) {
        Some((end, _)) if value.len() > LONGEST_RETRY => {
            let sum = fnv(value.bytes());
            format!("{}... ({} bytes, {sum:016x})", &value[..end], value.len()).into()
        }
        _ => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(entries: &[(&str, &str)]) -> Option<String> {
        let annotations: BTreeMap<_, _> =
            entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        retry(&ObjectMeta { annotations: Some(annotations), ..ObjectMeta::default() })
    }

    #[test]
    fn both_annotations_ask_and_a_long_value_is_told_from_another_one() {
        let [ours, flux] = RETRY;
        assert_eq!((of(&[]), retry(&ObjectMeta::default()), of(&[("other", "1")])), (None, None, None));
        assert_eq!(of(&[(ours, "1")]).as_deref(), Some("1"));
        assert_eq!(of(&[(flux, "2026-01-01T00:00:00Z"), (ours, "1")]).as_deref(), Some("1 2026-01-01T00:00:00Z"));
        let [one, other] =
            ["x", "y"].map(|end| of(&[(ours, &["\u{e4}".repeat(10_240), end.to_owned()].concat())]).unwrap());
        assert!(one != other && one.len() < 200, "{one} {other}");
    }
}
