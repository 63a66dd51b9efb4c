//! The watch: what is stored, kept in memory and handed on as it changes.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use kube::runtime::reflector::{self, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as kube_watcher};
use kube::{Api, Client};
use tokio::time::Instant;

use super::bounded::Unfinished;
use super::client::{innermost, refusal, why_watching_failed};
use super::{ObjectRef, Stored};
use crate::health::{ALL_NAMESPACES, Health};

/// How long the API server keeps a watch open, in seconds. Under the 240 s after which Azure's load balancer drops an
/// idle connection without a word; kube gives a quiet watch up five seconds after it.
const WATCH_SECONDS: u32 = 200;

/// client-go's page size, with which a list begins.
const PAGE: u32 = 500;

/// A page that is too long is asked for again with so many times fewer objects: from [`PAGE`] it is four steps to one
/// object, which is never too long.
const SMALLER: u32 = 4;

/// HTTP's word for a `resourceVersion` that is too old to go on from.
const GONE: u16 = 410;

/// What a watch covers.
#[derive(Clone, Debug)]
pub struct Scope {
    /// One namespace; none: all of them.
    pub namespace: Option<String>,
    /// Only objects with these labels.
    pub selector: Option<String>,
}

/// What is done on the way.
#[derive(Clone)]
pub struct Hooks {
    /// Called once with the first whole list, before any object of it is handed on.
    pub first_list: Arc<dyn Fn(Store<Stored>) -> BoxFuture<'static, ()> + Send + Sync>,
    /// Called when the API server says that this may not be listed or watched, or that there is no such resource.
    pub refused: Arc<dyn Fn() + Send + Sync>,
    /// Called with each object that was deleted.
    pub gone: Arc<dyn Fn(&ObjectRef) + Send + Sync>,
}

impl Scope {
    /// The name under which this watch is known to [`Health`].
    #[must_use]
    pub fn name(&self) -> &str {
        self.namespace.as_deref().unwrap_or(ALL_NAMESPACES)
    }

    fn api(&self, client: Client) -> Api<Stored> {
        match &self.namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        }
    }

    fn config(&self, page: u32) -> watcher::Config {
        let config = watcher::Config::default().timeout(WATCH_SECONDS).page_size(page);
        match &self.selector {
            Some(selector) => config.labels(selector),
            None => config,
        }
    }
}

/// Watches, with a back-off of its own: its errors go to `health` and never into the stream, where they would hold up
/// what else the controller listens to. A list is handed on when it is whole.
pub fn watch(
    client: Client,
    scope: &Scope,
    health: Health,
    hooks: Hooks,
) -> (Store<Stored>, impl Stream<Item = Result<Stored, watcher::Error>> + Send + 'static) {
    let (store, writer) = reflector::store();
    let events = paged(client, scope.clone()).backoff(Pause::default()).reflect(writer);
    let (name, cache) = (scope.name().to_owned(), store.clone());
    let mut listing = Listing { first: true, before: Vec::new() };
    let stream = events
        .map(move |event| handed_on(event, &name, &cache, &health, &hooks, &mut listing))
        .flatten()
        .map(Ok::<_, watcher::Error>);
    (store, stream)
}

/// kube's watch, which is begun anew where the API server refuses it as too old, with pages of a size that fits: one whose
/// answer is too long, or not there in time, is asked for again with fewer objects, and so are those after it. Others may
/// have written up to 1.5 MiB into each object, and all of a page is in memory before it is slimmed. The next list begins
/// with whole pages again, since what was slow or long may be past.
fn paged(client: Client, scope: Scope) -> impl Stream<Item = watcher::Result<Event<Stored>>> + Send {
    let begin = move |page| kube_watcher(scope.api(client.clone()), scope.config(page)).boxed();
    stream::unfold((begin(PAGE), PAGE, false, begin), |(mut events, mut page, mut listed, begin)| async move {
        loop {
            let event = events.next().await?;
            match &event {
                Err(watcher::Error::InitialListFailed(error)) if page > 1 && Unfinished::found_in(error).is_some() => {
                    page = (page / SMALLER).max(1);
                    tracing::info!(page, cause = innermost(error), "the list begins again with smaller pages");
                    events = begin(page);
                    continue;
                }
                Ok(Event::Init) if listed && page < PAGE => {
                    (page, listed) = (PAGE, false);
                    events = begin(page);
                    continue;
                }
                Ok(Event::InitDone) => listed = true,
                // kube lists anew where a watch that has begun says so, and asks again for ever where its head does.
                Err(watcher::Error::WatchStartFailed(error)) if refusal(error) == Some(GONE) => {
                    (page, listed) = (PAGE, false);
                    events = begin(page);
                }
                _ => {}
            }
            return Some((event, (events, page, listed, begin)));
        }
    })
}

/// Where a watch is with its lists.
struct Listing {
    /// None is done yet.
    first: bool,
    /// What there was when the present one began: what is missing at its end was deleted unseen.
    before: Vec<ObjectRef>,
}

fn handed_on(
    event: watcher::Result<Event<Stored>>,
    watch: &str,
    cache: &Store<Stored>,
    health: &Health,
    hooks: &Hooks,
    listing: &mut Listing,
) -> BoxStream<'static, Stored> {
    match event {
        Ok(Event::Apply(object)) => stream::iter([object]).boxed(),
        Ok(Event::Delete(object)) => {
            (hooks.gone)(&ObjectRef::from_obj(&object));
            stream::empty().boxed()
        }
        Ok(Event::Init) => {
            listing.before = cache.state().iter().map(|object| ObjectRef::from_obj(object.as_ref())).collect();
            stream::empty().boxed()
        }
        Ok(Event::InitApply(_)) => stream::empty().boxed(),
        Ok(Event::InitDone) => {
            health.list_done(watch);
            let before = std::mem::take(&mut listing.before);
            before.iter().filter(|who| cache.get(who).is_none()).for_each(|who| (hooks.gone)(who));
            let is_first = std::mem::take(&mut listing.first);
            let prepared = if is_first { (hooks.first_list)(cache.clone()) } else { Box::pin(std::future::ready(())) };
            // Later something may wait for an object that came to rest while the watch was broken.
            let wants_a_look = move |object: &Arc<Stored>| !(is_first && object.is_at_rest());
            let objects = stream::iter(cache.state().into_iter().filter(wants_a_look).map(|object| object.named()));
            stream::once(prepared).filter_map(|()| std::future::ready(None)).chain(objects).boxed()
        }
        Err(error) => {
            let reason = match &error {
                watcher::Error::InitialListFailed(error)
                | watcher::Error::WatchStartFailed(error)
                | watcher::Error::WatchFailed(error) => {
                    if matches!(refusal(error), Some(401 | 403 | 404)) {
                        (hooks.refused)();
                    }
                    why_watching_failed(error)
                }
                other => format!("The watch of photoremovals failed: {other}."),
            };
            tracing::warn!(watch, reason, "watching photoremovals failed; it is tried again");
            health.watch_failed(watch, reason);
            stream::empty().boxed()
        }
    }
}

/// The pause after a failed list or watch: doubling from half a second to five. Short at its longest, since a missing
/// CRD is waited for here, and a watch is one request. It begins anew when nothing has failed for a while: kube announces
/// each list before it asks for it, so that an event of the stream says nothing of the API server.
#[derive(Default)]
struct Pause {
    failures: u32,
    last: Option<Instant>,
}

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        const FIRST: Duration = Duration::from_millis(500);
        const LAST: Duration = Duration::from_secs(5);
        // Longer than the longest pause and an answer that does not come.
        const FORGOTTEN: Duration = Duration::from_secs(30);
        if self.last.is_some_and(|last| last.elapsed() > FORGOTTEN) {
            self.failures = 0;
        }
        self.last = Some(Instant::now());
        let pause = FIRST.saturating_mul(1 << self.failures.min(10)).min(LAST);
        self.failures = self.failures.saturating_add(1);
        Some(pause)
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two lists a second, for ever, is what the API server was asked for before.
    #[tokio::test(start_paused = true)]
    async fn lists_that_fail_are_tried_ever_less_often_though_each_begins_with_an_event() {
        let fails = || stream::iter([Ok(Event::Init), Err(watcher::Error::NoResourceVersion)]);
        let mut events = stream::repeat_with(fails).flatten().backoff(Pause::default()).boxed();
        let mut failures = async |number: usize| {
            let began = Instant::now();
            let mut times = Vec::new();
            while times.len() < number {
                let event: watcher::Result<Event<Stored>> = events.next().await.unwrap();
                if event.is_err() {
                    times.push(began.elapsed().as_millis());
                }
            }
            times
        };
        assert_eq!(failures(7).await, [0, 500, 1_500, 3_500, 7_500, 12_500, 17_500]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(failures(3).await, [0, 500, 1_500], "a new outage");
    }
}
