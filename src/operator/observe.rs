//! What a scrape of the metrics shows of the objects: counted when asked, from the caches.

use jiff::Timestamp;
use kube::runtime::reflector::Store;

use crate::api::{Category, PhotoRemoval, Reason};
use crate::cluster::{ObjectRef, Stored};
use crate::metrics::Snapshot;
use crate::pacing::Pacing;

/// The states that `photoremoval_objects` counts, in the order in which an object may pass through them.
const STATES: [&str; 6] = ["Pending", "Reconciling", "Suspended", "Stalled", "Ready", "Unreadable"];

pub(super) fn snapshot(stores: &[Store<Stored>], pacing: &Pacing<ObjectRef>, now: Timestamp) -> Snapshot {
    let mut counts = STATES.map(|state| (state, 0));
    let mut oldest: Option<Timestamp> = None;
    for object in stores.iter().flat_map(Store::state) {
        let state = match object.as_ref() {
            Stored::Whole(object) => state(object),
            Stored::AtRest(_) => "Ready",
            Stored::Unfit(_) => "Unreadable",
        };
        if let Some((_, count)) = counts.iter_mut().find(|(name, _)| *name == state) {
            *count += 1;
        }
        if let ("Pending", Stored::Whole(object)) = (state, object.as_ref())
            && let Some(created) = &object.metadata.creation_timestamp
        {
            oldest = Some(oldest.map_or(created.0, |oldest| oldest.min(created.0)));
        }
    }
    Snapshot {
        objects: counts.to_vec(),
        oldest_pending: oldest.map(|oldest| now.duration_since(oldest).try_into().unwrap_or_default()),
        queued: pacing.waiting() as u64,
    }
}

fn state(object: &PhotoRemoval) -> &'static str {
    let Some(status) = &object.status else { return "Pending" };
    match status.category() {
        Category::Done => "Ready",
        Category::Resting => "Suspended",
        Category::Stuck => "Stalled",
        Category::GoingOn => match status.reason() {
            None | Some(Reason::Pending) => "Pending",
            Some(_) => "Reconciling",
        },
    }
}
