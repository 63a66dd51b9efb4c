//! Keeps what happened: the status write, and the event after it.

use std::time::Duration;

use kube::runtime::controller::Action;
use serde_json::Value;

use super::context::{Context, Kept, seen};
use super::error::Error;
use crate::api::{Category, PhotoRemoval, PhotoRemovalStatus, Reason, condition};
use crate::clock;
use crate::cluster::{Live, Note, ObjectRef, WriteError, publish};
use crate::lifecycle::{Brought, record};

/// How often a write that somebody else's write came before is tried again at once, with what is stored then.
const CONFLICTS: u32 = 5;

/// What is written of the status of an object that does not fit the schema.
const UNREADABLE: [&str; 3] = ["observedGeneration", "conditions", "completionTime"];

/// The pause between two writes that fail while the operator is about to end.
const BETWEEN_LAST_TRIES: Duration = Duration::from_millis(500);

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
        Ok(Some(live)) => keep(context, who, live, kept).await,
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
        let status = record(&seen(object), &kept.brought, &context.policy, clock::now());
        match write(context, &live, &status).await {
            Err(WriteError::Conflict) => {}
            Err(WriteError::Gone | WriteError::Unfit) => return Ok(Action::await_change()),
            Err(WriteError::Call(error)) => return Err(error.into()),
            Ok(change) => {
                tell(context, &live, kept.before, &status, &change).await;
                finished(context, object, &status, &kept.brought);
                return Ok(next(&status));
            }
        }
        let Some(again) = context.removals.read(who).await? else { return Ok(Action::await_change()) };
        live = again;
    }
    Err(Error::Contended)
}

/// Writes a status that the heart asked for. A conflict is fine: the object is looked at again when the watch brings it.
pub(super) async fn settle(context: &Context, live: &Live, status: &PhotoRemovalStatus) -> Result<Action, Error> {
    let before = live.object.as_ref().ok().and_then(|object| object.status.as_ref()?.reason());
    match write(context, live, status).await {
        Ok(change) => {
            tell(context, live, before, status, &change).await;
            Ok(next(status))
        }
        Err(WriteError::Conflict | WriteError::Gone | WriteError::Unfit) => Ok(Action::await_change()),
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
        Err(WriteError::Conflict | WriteError::Gone) => return Ok(Action::await_change()),
        Err(WriteError::Call(error)) => return Err(error.into()),
    };
    tell(context, live, None, status, &change).await;
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

/// The event, if the reason changed. One that cannot be published is missed: the status says it all.
async fn tell(context: &Context, live: &Live, before: Option<Reason>, now: &PhotoRemovalStatus, change: &str) {
    let (Some(reason), Some(ready)) = (now.reason(), now.condition(condition::READY)) else { return };
    if before == Some(reason) || reason == Reason::Pending {
        return;
    }
    let note = Note { reason, category: now.category(), message: &ready.message, change };
    if let Err(error) = publish(&context.client, &context.instance, live, &note, clock::now()).await {
        tracing::warn!(category = error.category(), reason = reason.as_str(), "an event could not be published");
    }
}

fn finished(context: &Context, object: &PhotoRemoval, status: &PhotoRemovalStatus, brought: &Brought) {
    let Some(reason) = status.reason() else { return };
    if let (Brought::Answer(..) | Brought::Refusal(..), Ok(removal)) = (brought, object.spec.parse()) {
        context.metrics.attempt(super::attempt::kind(&removal.target), reason.as_str());
    }
    let created = object.metadata.creation_timestamp.as_ref();
    if let (Category::Done, Some(created)) = (status.category(), created) {
        let age = clock::now().duration_since(created.0);
        context.metrics.finished(if age.is_negative() { Duration::ZERO } else { age.unsigned_abs() });
    }
}

/// When to look at the object again. The watch brings the written status too; what comes first does.
fn next(status: &PhotoRemovalStatus) -> Action {
    match status.next_attempt_time {
        Some(time) => Action::requeue(clock::until(time).unwrap_or_default()),
        None => Action::await_change(),
    }
}
