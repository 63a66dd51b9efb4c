//! How long some removals take, the same for floor and operator: from the first DELETE that arrives to the last event.
//!
//! One watch sees the events, and only those that say that a photo was removed, without what is in them. Whoever lists
//! objects meanwhile slows down what is measured.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use emulator::{Emulator, Matcher, Operation};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams, PartialObjectMeta, WatchEvent, WatchParams};

use crate::field::Field;

/// Long enough for a machine that does other things too, and shorter than the API server keeps a watch open.
const DEADLINE: Duration = Duration::from_secs(280);

/// What the operator and the floor publish of a photo that was removed. Only core/v1, the elder of the two views of
/// events, selects by reason.
const REMOVED: &str = "reason=Removed";

/// Waits for the removals of one namespace.
pub(crate) struct Stopwatch<'a> {
    emulator: &'a Emulator,
    events: BoxStream<'static, kube::Result<WatchEvent<PartialObjectMeta<Event>>>>,
    seen: HashSet<Option<String>>,
}

impl<'a> Stopwatch<'a> {
    /// Set before the work begins; what Microsoft's side was asked so far is forgotten.
    pub(crate) async fn set(field: &'a Field, namespace: &str) -> Result<Self> {
        field.emulator.clear();
        let api = Api::<Event>::namespaced(field.client.clone(), namespace);
        let list = api.list_metadata(&ListParams::default().fields(REMOVED)).await;
        let now = list.context("The events cannot be listed")?.metadata.resource_version.unwrap_or_default();
        let watch = api.watch_metadata(&WatchParams::default().fields(REMOVED), &now).await;
        let events = watch.context("The events cannot be watched")?.boxed();
        Ok(Self { emulator: &field.emulator, events, seen: HashSet::new() })
    }

    /// Runs until so many photos were reported as removed.
    pub(crate) async fn time(mut self, number: usize) -> Result<Duration> {
        let deletes = Matcher::of(Operation::Delete);
        self.emulator.wait_for(|requests| requests.iter().any(|request| request.is(&deletes)), DEADLINE).await?;
        let began = Instant::now();
        match tokio::time::timeout(DEADLINE, self.count(number)).await {
            Ok(counted) => counted?,
            Err(_) => bail!("{} of {number} photos were reported as removed after {DEADLINE:?}", self.seen.len()),
        }
        Ok(began.elapsed())
    }

    async fn count(&mut self, number: usize) -> Result<()> {
        while self.seen.len() < number {
            match self.events.try_next().await.context("The watch of the events failed")? {
                Some(WatchEvent::Added(event)) => drop(self.seen.insert(event.metadata.name)),
                Some(WatchEvent::Error(status)) => bail!("The watch of the events failed: {}", status.message),
                Some(_) => {}
                None => bail!("The watch of the events ended after {} of {number}", self.seen.len()),
            }
        }
        Ok(())
    }
}
