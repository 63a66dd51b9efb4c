//! Keeps what happened: the status write, and the event after it.

use std::time::Duration;

use kube::runtime::controller::Action;
use serde_json::Value;

use super::context::{Context, Kept};
use super::error::Error;
use crate::api::{Category, Outcome, PhotoRemoval, PhotoRemovalStatus, Reason, condition};
use crate::clock;
use crate::cluster::{Live, Note, ObjectRef, WriteError, publish};
use crate::lifecycle::{Brought, record};

/// How often a write that somebody else's write came before is tried again at once, with what is stored then.
const CONFLICTS: u32 = 5;

/// What is written of the status of an object that does not fit the schema.
const UNREADABLE: [&str; 3] = ["observedGeneration", "conditions", "completionTime"];

/// When an object is looked at again whose write or deletion met a conflict. The watch brings the change that came before
/// as a rule; but a refusal that no change stands behind, as from something in front of the API server, must not leave the
/// object waiting for one.
pub(super) const AFTER_A_CONFLICT: Duration = Duration::from_secs(1);

/// The pause between two writes that fail while the operator is about to end.
const BETWEEN_LAST_TRIES: Duration = Duration::from_millis(500);

/// The longest sleep. A machine that was suspended, or whose clock was set, is late by so much at most; whoever waits for
/// months costs a glance at the cache so often.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);

/// What Argo CD and Flux write on the objects that they keep in a cluster.
pub(super) const KEPT: [&str; 3] =
    ["argocd.argoproj.io/tracking-id", "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"];

pub(super) const MADE_AGAIN: &str = "This PhotoRemoval is deleted after spec.ttlSecondsAfterFinished, and Argo CD or Flux, \
    which keep it, make it again: its photo will be removed again and again, a new one too. Take the field away, or set \
    spec.notAfter.";

/// Writes down what a try brought. What cannot be written now is kept in the outbox and written before anything else is
/// done for this object.
pub(super) async fn keep(context: &Context, who: &ObjectRef, live: Live, kept: Kept) -> Result<Action, Error> {
    match keep_now(context, who, live, &kept).await {
        Ok(action) => Ok(action),
        Err(error) => {
            context.outbox.put(who.clone(), kept);
            Err(error)
        }
    }
}

/// Writes down what an earlier try brought.
pub(super) async fn keep_late(context: &Context, who: &ObjectRef, kept: Kept) -> Result<Action, Error> {
    match context.removals.read(who).await {
        // What else there is to do is for another look to find out: no event need come after this one.
        Ok(Some(live)) => keep(context, who, live, kept).await.map(|_| Action::requeue(Duration::ZERO)),
        // Gone, and the proof with it: whoever deleted the resource did not want it.
        Ok(None) => Ok(Action::await_change()),
        Err(error) => {
            context.outbox.put(who.clone(), kept);
            Err(error.into())
        }
    }
}

/// Writes down what is left in the outbox, for the last time: tries until it is empty.
pub(super) async fn keep_the_rest(context: &Context) {
    while let Some((who, kept)) = context.outbox.any() {
        if keep_late(context, &who, kept).await.is_err() {
            tokio::time::sleep(BETWEEN_LAST_TRIES).await;
        }
    }
}

async fn keep_now(context: &Context, who: &ObjectRef, mut live: Live, kept: &Kept) -> Result<Action, Error> {
    for _ in 0..CONFLICTS {
        if !live.is(&kept.uid) {
            // Of another object of the same name, and nobody's any more; this one is to be looked at for itself.
            return Ok(Action::requeue(Duration::ZERO));
        }
        let Ok(object) = &live.object else { return Ok(Action::await_change()) };
        let status = record(&kept.sight(object), &kept.brought, &context.policy, clock::now());
        match write(context, &live, &status).await {
            Err(WriteError::Conflict) => {}
            Err(WriteError::Gone) => return Ok(Action::await_change()),
            Err(WriteError::Unfit) => return Err(Error::Unfit),
            Err(WriteError::Call(error)) => return Err(error.into()),
            Ok(change) => {
                let news = News { before: kept.before, came_back: kept.came_back() };
                tell(context, &live, &news, &status, &change).await;
                finished(context, object, &status, &kept.brought);
                return Ok(next(&status));
            }
        }
        let Some(again) = context.removals.read(who).await? else { return Ok(Action::await_change()) };
        live = again;
    }
    Err(Error::Contended)
}

/// Writes a status that the heart asked for. A conflict is fine: the object is looked at again.
pub(super) async fn settle(context: &Context, live: &Live, status: &PhotoRemovalStatus) -> Result<Action, Error> {
    let before = live.object.as_ref().ok().and_then(|object| object.status.as_ref()?.reason());
    match write(context, live, status).await {
        Ok(change) => {
            tell(context, live, &News { before, came_back: false }, status, &change).await;
            Ok(next(status))
        }
        Err(WriteError::Conflict) => Ok(Action::requeue(AFTER_A_CONFLICT)),
        Err(WriteError::Gone) => Ok(Action::await_change()),
        Err(WriteError::Unfit) => Err(Error::Unfit),
        Err(WriteError::Call(error)) => Err(error.into()),
    }
}

/// Tells an object that does not fit the schema so: in its conditions, or, where the API server takes no status for it
/// either, in an event alone.
pub(super) async fn settle_unreadable(
    context: &Context,
    who: &ObjectRef,
    live: &Live,
    status: &PhotoRemovalStatus,
) -> Result<Action, Error> {
    let version = || live.meta.resource_version.clone().unwrap_or_default();
    let change = match write(context, live, status).await {
        Ok(change) => change,
        Err(WriteError::Unfit) => version(),
        Err(WriteError::Conflict) => return Ok(Action::requeue(AFTER_A_CONFLICT)),
        Err(WriteError::Gone) => return Ok(Action::await_change()),
        Err(WriteError::Call(error)) => return Err(error.into()),
    };
    tell(context, live, &News { before: None, came_back: false }, status, &change).await;
    context.unreadable.remember(who, change);
    Ok(Action::await_change())
}

/// Writes the status, unless it is stored already. Returns the resourceVersion that brought it.
async fn write(context: &Context, live: &Live, status: &PhotoRemovalStatus) -> Result<String, WriteError> {
    let stored = live.object.as_ref().ok().and_then(|object| object.status.as_ref());
    if stored == Some(status) {
        return Ok(live.meta.resource_version.clone().unwrap_or_default());
    }
    context.removals.write_status(live, merged(live, status)).await
}

/// The status as it goes over the wire. Of an object that does not fit the schema everything but what says so is left as
/// it is: it may be a newer version's evidence.
fn merged(live: &Live, status: &PhotoRemovalStatus) -> Value {
    let new = serde_json::to_value(status).unwrap_or_default();
    match (&live.object, new) {
        (Err(Value::Object(raw)), Value::Object(new)) => {
            let mut raw = raw.clone();
            raw.extend(new.into_iter().filter(|(key, _)| UNREADABLE.contains(&key.as_str())));
            Value::Object(raw)
        }
        (_, new) => new,
    }
}

/// What an event is about. What is stored does not tell: a write whose answer was lost has changed it already.
struct News {
    /// The reason that the object had before.
    before: Option<Reason>,
    /// A photo that had come back was removed.
    came_back: bool,
}

/// The event, if the reason changed, or a photo that came back was removed. One that cannot be published is missed: the
/// status says it all.
async fn tell(context: &Context, live: &Live, news: &News, now: &PhotoRemovalStatus, change: &str) {
    let (Some(reason), Some(ready)) = (now.reason(), now.condition(condition::READY)) else { return };
    let &News { before, came_back } = news;
    if (before == Some(reason) && !came_back) || reason == Reason::Pending {
        return;
    }
    // Of a photo that was absent at first and came back.
    let reason = if came_back { Reason::Removed } else { reason };
    let warns = match now.category() {
        Category::Stuck => true,
        Category::GoingOn => reason != Reason::Scheduled,
        Category::Done | Category::Resting => false,
    };
    event(context, live, &Note { reason: reason.as_str(), warns, message: &ready.message, change }).await;
    if now.category() == Category::Done && !came_back && is_made_again(live) {
        let change = format!("{change}.ttl");
        event(context, live, &Note { reason: "MadeAgain", warns: true, message: MADE_AGAIN, change: &change }).await;
    }
}

async fn event(context: &Context, live: &Live, note: &Note<'_>) {
    if let Err(error) = publish(&context.client, &context.instance, live, note, clock::now()).await {
        tracing::warn!(category = error.category(), reason = note.reason, "an event could not be published");
    }
}

/// Whether the object will be deleted, and somebody makes it again then.
fn is_made_again(live: &Live) -> bool {
    let ttl = live.object.as_ref().is_ok_and(|object| object.spec.ttl_seconds_after_finished.is_some());
    let written = [live.meta.annotations.as_ref(), live.meta.labels.as_ref()];
    let bounded = live.object.as_ref().is_ok_and(|object| object.spec.not_after.is_some() || object.spec.dry_run);
    ttl && !bounded && written.into_iter().flatten().any(|words| KEPT.iter().any(|kept| words.contains_key(*kept)))
}

fn finished(context: &Context, object: &PhotoRemoval, status: &PhotoRemovalStatus, brought: &Brought) {
    let Some(reason) = status.reason() else { return };
    let result = match brought {
        // What the object says of itself was settled before.
        Brought::Recheck(_, verdict) => Some(verdict.reason()),
        Brought::Refusal(_, trouble) => Some(trouble.reason),
        Brought::Answer(..) => Some(reason),
        Brought::Rehearsal(..) | Brought::Trouble(_) => None,
    };
    if let (Some(result), Ok(removal)) = (result, object.spec.parse()) {
        context.metrics.attempt(super::attempt::kind(&removal.target), result.as_str());
    }
    let is_done = |status: &PhotoRemovalStatus| status.outcome.is_some_and(Outcome::is_real);
    let is_news = is_done(status) && !object.status.as_ref().is_some_and(is_done);
    let created = object.metadata.creation_timestamp.as_ref();
    if let (true, Some(created)) = (is_news, created) {
        let age = clock::now().duration_since(created.0);
        context.metrics.finished(if age.is_negative() { Duration::ZERO } else { age.unsigned_abs() });
    }
}

/// When to look at the object again. The watch brings the written status too; what comes first does.
fn next(status: &PhotoRemovalStatus) -> Action {
    status.next_attempt_time.map_or_else(Action::await_change, wait)
}

/// Looks again then.
pub(super) fn wait(time: jiff::Timestamp) -> Action {
    Action::requeue(clock::until(time).unwrap_or_default().min(LONGEST_SLEEP))
}
