//! A replica that does not lead watches as the leader does, and hands nothing on: it is ready, its cache is warm, and it
//! sends nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt};
use kube::runtime::reflector::Store;

use crate::cluster::Stored;
use crate::leadership::License;

/// What is done with a watch's cache before any object of it is looked at.
pub(super) type Prepare = Arc<dyn Fn(Store<Stored>) -> BoxFuture<'static, ()> + Send + Sync>;

/// One watch, held back until this replica leads.
#[derive(Clone)]
pub(super) struct Standby {
    license: License,
    prepare: Prepare,
    /// The first list came while this replica did not lead.
    passed_over: Arc<AtomicBool>,
}

impl Standby {
    pub(super) fn new(license: License, prepare: Prepare) -> Self {
        Self { license, prepare, passed_over: Arc::default() }
    }

    /// The first list is there: it is prepared now, or, if this replica does not lead, when it does.
    pub(super) fn listed(&self, store: Store<Stored>) -> BoxFuture<'static, ()> {
        if self.license.is_valid() {
            return (self.prepare)(store);
        }
        self.passed_over.store(true, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }

    /// The watch's objects from the moment on at which this replica leads: first all for which there is something to do.
    pub(super) fn hold<T: Send + 'static>(
        self,
        watch: impl Stream<Item = T> + Send + 'static,
        store: Store<Stored>,
        as_item: fn(&Stored) -> T,
    ) -> impl Stream<Item = T> + Send + 'static {
        stream::once(async move {
            let mut watch = watch.boxed();
            let seen = self.wait(&mut watch).await;
            let missed = if self.passed_over.swap(false, Ordering::SeqCst) {
                (self.prepare)(store.clone()).await;
                store.state()
            } else {
                Vec::new()
            };
            // This replica has done nothing yet, so nothing waits for an object at rest.
            let missed = missed.into_iter().filter(|object| !object.is_at_rest()).map(move |object| as_item(&object));
            stream::iter(missed).chain(stream::iter(seen)).chain(watch)
        })
        .flatten()
    }

    /// Takes in what comes, which keeps the cache up to date, until this replica leads. Returns what came just then.
    async fn wait<T>(&self, watch: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
        loop {
            tokio::select! {
                biased;
                () = self.license.begun() => return None,
                came = watch.next() => match came {
                    Some(item) if self.license.is_valid() => return Some(item),
                    Some(_) => {}
                    None => return None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use kube::runtime::{reflector, watcher};
    use serde_json::json;

    use crate::leadership::Term;

    fn object(name: &str, status: &serde_json::Value) -> Stored {
        let object = json!({
            "apiVersion": "photoremoval.dev/v1alpha1", "kind": "PhotoRemoval",
            "metadata": {"name": name, "namespace": "offboarding", "uid": name, "generation": 1},
            "spec": {"target": {"user": "jane.doe@contoso.com"}, "credentials": {"secretRef": {"name": "graph"}}},
            "status": status,
        });
        serde_json::from_value(object).unwrap()
    }

    #[tokio::test]
    async fn who_takes_over_looks_at_what_is_to_be_done_and_at_nothing_that_is_finished() {
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Removed", "message": "Removed.",
            "observedGeneration": 1, "lastTransitionTime": "2026-11-24T08:13:52Z",
        });
        let done = json!({"observedGeneration": 1, "outcome": "Removed", "conditions": [ready]});
        let (store, mut writer) = reflector::store();
        writer.apply_watcher_event(&watcher::Event::Apply(object("done", &done)));
        writer.apply_watcher_event(&watcher::Event::Apply(object("open", &json!({}))));
        let license = License::pending();
        let standby = Standby::new(license.clone(), Arc::new(|_| Box::pin(std::future::ready(()))));
        standby.listed(store.clone()).await;
        let names = |object: &Stored| kube::ResourceExt::name_any(object);
        let held = standby.hold(stream::empty(), store, names);
        license.extend(Term { since: license.now(), length: Duration::from_secs(600) });
        assert_eq!(held.collect::<Vec<_>>().await, ["open"]);
    }
}
