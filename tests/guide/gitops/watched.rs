//! Every version of the removals of a namespace, as a watch shows them.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};
use kube::api::{Api, ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use photo_removal_operator::api::PhotoRemoval;
use serde_json::Value;
use testbed::{SOON, World, eventually};
use tokio::task::JoinHandle;

use crate::Outcome;

/// A watch that goes on until this is dropped.
pub(super) struct Watched {
    seen: Arc<Mutex<Seen>>,
    watching: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    versions: Vec<Value>,
    /// How many objects are gone.
    gone: usize,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Watched {
    /// Everything from now on, as it goes over the wire: no type of ours leaves anything out.
    pub(super) async fn from_now(world: &World) -> Result<Self, kube::Error> {
        let kind = ApiResource::erase::<PhotoRemoval>(&());
        let removals = Api::<DynamicObject>::namespaced_with(world.client().clone(), world.namespace(), &kind);
        let now = removals.list(&ListParams::default()).await?.metadata.resource_version.unwrap_or_default();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let into = Arc::clone(&seen);
        let watching = tokio::spawn(async move {
            let stream = removals.watch(&WatchParams::default(), &now).await.expect("the watch begins");
            let mut stream = stream.boxed();
            while let Some(event) = stream.try_next().await.expect("the watch goes on") {
                let (object, gone) = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, 0),
                    WatchEvent::Deleted(object) => (object, 1),
                    WatchEvent::Bookmark(_) | WatchEvent::Error(_) => continue,
                };
                let object = serde_json::to_value(object).expect("an object as JSON");
                let mut seen = into.lock().unwrap_or_else(PoisonError::into_inner);
                seen.versions.push(object);
                seen.gone += gone;
            }
        });
        Ok(Self { seen, watching })
    }

    /// Waits for a version that is as `wanted` says, and returns it.
    pub(super) async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> testbed::Result<Value> {
        let look = || async {
            let versions = self.versions();
            versions.iter().find(|object| wanted(object)).cloned().ok_or_else(|| versions.last().cloned())
        };
        eventually(what, SOON, look).await
    }

    /// Waits until an object is gone.
    pub(super) async fn until_gone(&self) -> Outcome {
        let gone = || async { (self.seen.lock().unwrap_or_else(PoisonError::into_inner).gone > 0).then_some(()) };
        Ok(eventually("the watch sees an object go", SOON, gone).await?)
    }

    /// What was seen so far, in order.
    pub(super) fn versions(&self) -> Vec<Value> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).versions.clone()
    }
}
