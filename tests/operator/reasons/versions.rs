//! Every version of one object, in order: what somebody who watches it sees, and a poll may miss.

use std::sync::{Arc, Mutex};

use emulator::{Matcher, Operation, Recorded};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::{WatchEvent, WatchParams};
use photo_removal_operator::api::{PhotoRemoval, PhotoRemovalStatus};
use testbed::{Result, SOON, World, eventually};
use tokio::task::JoinHandle;

/// A watch over one object, from the version that it is made with.
pub(super) struct Versions {
    name: String,
    seen: Arc<Mutex<Vec<PhotoRemoval>>>,
    watching: JoinHandle<()>,
}

impl Drop for Versions {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Versions {
    /// Every version after this one.
    pub(super) fn after(world: &World, object: &PhotoRemoval) -> Self {
        let name = object.name_any();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (removals, into) = (world.removals(world.namespace()), Arc::clone(&seen));
        let only = WatchParams::default().fields(&format!("metadata.name={name}"));
        let version = object.resource_version().unwrap_or_default();
        let watching = tokio::spawn(async move {
            let stream = removals.watch(&only, &version).await.expect("the watch begins");
            let mut stream = stream.boxed();
            while let Some(event) = stream.try_next().await.expect("the watch goes on") {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event {
                    into.lock().unwrap().push(object);
                }
            }
        });
        Self { name, seen, watching }
    }

    /// The statuses up to the present one.
    pub(super) async fn statuses(&self, world: &World) -> Result<Vec<PhotoRemovalStatus>> {
        let now = world.get(&self.name).await?.resource_version();
        eventually(&format!("the watch of {} arrives at {now:?}", self.name), SOON, || async {
            let seen = self.seen.lock().unwrap();
            let last = seen.last().and_then(ResourceExt::resource_version);
            if last == now { Ok(()) } else { Err(last) }
        })
        .await?;
        let seen = self.seen.lock().unwrap();
        Ok(seen.iter().map(|object| object.status.clone().unwrap_or_default()).collect())
    }
}

/// Type, status, reason and time of each condition.
pub(super) fn shown(status: &PhotoRemovalStatus) -> Vec<(&str, &str, &str, i64)> {
    let row = |one: &'_ Condition| one.last_transition_time.0.as_second();
    let conditions = status.conditions.iter();
    conditions.map(|one| (one.type_.as_str(), one.status.as_str(), one.reason.as_str(), row(one))).collect()
}

/// After each try that a status tells of, the next DELETE about the user came no earlier than that status said.
pub(super) fn never_early(
    world: &World,
    user: &str,
    statuses: &[PhotoRemovalStatus],
) -> std::result::Result<(), String> {
    let matcher = Matcher::of(Operation::Delete).about(user);
    let requests: Vec<_> = world.emulator().requests().into_iter().filter(|request| request.is(&matcher)).collect();
    for status in statuses {
        let Some((last, due)) = status.last_attempt.as_ref().zip(status.next_attempt_time) else { continue };
        let is_last =
            |request: &&Recorded| Some(request.header("client-request-id")) == last.client_request_id.as_deref();
        let mut later = requests.iter().skip_while(|request| !is_last(request));
        let Some(_) = later.next() else { return Err(format!("{user}: no DELETE is the one of {status:?}")) };
        if let Some(early) = later.next().filter(|request| request.time < due) {
            return Err(format!("{user}: a DELETE at {}, which is before {due} of {status:?}", early.time));
        }
    }
    Ok(())
}
