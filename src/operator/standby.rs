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

    /// The watch's objects from the moment on at which this replica leads: first all that there are.
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
            let missed = missed.into_iter().map(move |object| as_item(&object));
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
