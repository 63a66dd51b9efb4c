//! One look at one object: read, decide, act, record.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::controller::Action;

use super::attempt::Try;
use super::context::{Context, Kept, retry, seen};
use super::desk::View;
use super::error::Error;
use super::keep::{AFTER_A_CONFLICT, keep, keep_late, settle, settle_unreadable, wait};
use super::session::{Session, Source};
use crate::api::{PhotoRemoval, PhotoRemovalStatus, Removal, Target};
use crate::clock::{self, Stopwatch};
use crate::cluster::{Live, ObjectRef, Stored};
use crate::lifecycle::{Backoff, Brought, Seed, Step, Trouble, decide, record, unreadable};
use crate::metrics::Reconciled;
use crate::pacing::Permit;

/// The wait after a reconcile that failed. Kubernetes' own troubles are short or long, rarely in between.
const AFTER_FAILURE: Backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(60) };

/// Looks at one object. A panic ends this look only: kube would end the operator with it.
pub(super) async fn reconcile(object: Arc<Stored>, context: Arc<Context>) -> Result<Action, Error> {
    let watch = Stopwatch::start();
    let working = context.metrics.working();
    let who = ObjectRef::from_obj(object.as_ref());
    let done = contained(look(&object, &who, &context)).await;
    if let Err(Error::Panicked) = done {
        context.metrics.reconcile_panicked();
        context.forget(&who);
    }
    let result = match &done {
        Ok(action) if *action == Action::await_change() => Reconciled::Success,
        Ok(_) => Reconciled::RequeueAfter,
        Err(_) => Reconciled::Error,
    };
    if done.is_ok() {
        context.strikes.clear(&who);
    }
    drop(working);
    context.metrics.reconciled(result, watch.elapsed());
    done
}

/// A panic as an error.
pub(super) async fn contained<T>(look: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    AssertUnwindSafe(look).catch_unwind().await.unwrap_or(Err(Error::Panicked))
}

/// When to look again at an object whose reconcile failed.
#[allow(clippy::needless_pass_by_value, reason = "kube hands the parts over")]
pub(super) fn after_failure(object: Arc<Stored>, error: &Error, context: Arc<Context>) -> Action {
    let who = ObjectRef::from_obj(object.as_ref());
    let strikes = context.strikes.add(&who);
    let wait = AFTER_FAILURE.after(strikes, Seed(&who.name));
    let (namespace, name) = (who.namespace.as_deref().unwrap_or_default(), &who.name);
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(namespace, name, category = error.category(), error = %error, cause, "a look at an object failed; it is looked at again");
    Action::requeue(wait)
}

/// What calls anybody is boxed: most looks end without a call, and a thousand of them may be under way.
async fn look(object: &Stored, who: &ObjectRef, context: &Context) -> Result<Action, Error> {
    // Whose it is only a live read tells: the watch may lag behind by a whole object of the same name.
    if let Some(kept) = context.outbox.take(who) {
        return Box::pin(keep_late(context, who, kept)).await;
    }
    let object = match object {
        Stored::Whole(object) => object,
        Stored::AtRest(_) => {
            context.forget(who);
            return Ok(Action::await_change());
        }
        Stored::Unfit(meta) => return Box::pin(look_at_the_unreadable(who, meta, context)).await,
    };
    let retry = retry(&object.metadata);
    match decide(&seen(object, retry.as_deref()), clock::now()) {
        step @ (Step::Remove(_) | Step::Check(..)) => Box::pin(attempt(object, who, step, context)).await,
        step => {
            context.forget(who);
            follow(step, object, who, context).await
        }
    }
}

/// Does what needs neither a credential nor Graph.
async fn follow(step: Step, object: &PhotoRemoval, who: &ObjectRef, context: &Context) -> Result<Action, Error> {
    match step {
        Step::Rest | Step::Remove(_) | Step::Check(..) => Ok(Action::await_change()),
        Step::WaitUntil(time) => Ok(wait(time)),
        Step::Record(status) => Box::pin(settle(context, &Live::seen(object), &status)).await,
        Step::Discard => {
            // Whoever changed it in the meantime may want to keep it: the watch brings that, or, of a conflict that no
            // change stands behind, the next look. One that is gone is not looked at.
            context.removals.discard(who, &object.metadata).await?;
            Ok(Action::requeue(AFTER_A_CONFLICT))
        }
    }
}

/// Gets a credential and a slot for the object, or parks it until there is one.
async fn attempt(object: &PhotoRemoval, who: &ObjectRef, step: Step, context: &Context) -> Result<Action, Error> {
    let (Step::Remove(removal) | Step::Check(removal, _)) = &step else { return Ok(Action::await_change()) };
    let source = source(who, removal);
    let retry = retry(&object.metadata);
    let sight = seen(object, retry.as_deref());
    if !sight.is_finished() && sight.retry_is_due() {
        context.credentials.hurry(&source);
    }
    let session = match context.credentials.ask(&source, who) {
        View::Ready(session) => session,
        View::Coming => {
            context.pacing.step_aside(who);
            return Ok(parked(object));
        }
        View::Trouble(trouble) => {
            context.pacing.forget(who);
            return tell(object, trouble, context).await;
        }
    };
    let Some(permit) = context.pacing.enter(&session.account, &source.namespace, who) else {
        return Ok(parked(object));
    };
    act(who, step, session, permit, context).await
}

/// Who waits to be woken wakes up by itself when its time is over.
fn parked(object: &PhotoRemoval) -> Action {
    object.spec.not_after.map_or_else(Action::await_change, wait)
}

/// Reads the object live, decides once more, sends, and records. What the cache says may be old, and a DELETE cannot be
/// taken back.
async fn act(
    who: &ObjectRef,
    step: Step,
    session: Arc<Session>,
    permit: Permit<ObjectRef>,
    context: &Context,
) -> Result<Action, Error> {
    let Some(live) = context.removals.read(who).await? else { return Ok(Action::await_change()) };
    let Ok(object) = &live.object else { return Ok(Action::await_change()) };
    let retry = retry(&object.metadata);
    match decide(&seen(object, retry.as_deref()), clock::now()) {
        now if now == step => {}
        // The watch brings the new spec, or has brought it by now.
        Step::Remove(_) | Step::Check(..) => return Ok(Action::await_change()),
        now => {
            drop(permit);
            return follow(now, object, who, context).await;
        }
    }
    if context.shutdown.is_cancelled() {
        return Ok(Action::await_change());
    }
    if !context.license.is_valid() {
        // If the lead is lost the process ends; the lease may also have been renewed late, but in time.
        return Ok(Action::requeue(AFTER_A_CONFLICT));
    }
    if !permit.may_send() {
        return Ok(Action::requeue(Duration::ZERO));
    }
    let uid = live.meta.uid.clone().unwrap_or_default();
    let Some(one) = Try::new(context, who, &uid, &step, &permit) else { return Ok(Action::await_change()) };
    let brought = one.make(session).await;
    drop(permit);
    let before = object.status.as_ref().and_then(PhotoRemovalStatus::reason);
    let generation = live.meta.generation.unwrap_or_default();
    keep(context, who, live, Kept { uid, generation, retry, before, brought }).await
}

/// Tells one object what is wrong with its credential. It is woken when that changes.
async fn tell(object: &PhotoRemoval, trouble: Trouble, context: &Context) -> Result<Action, Error> {
    let retry = retry(&object.metadata);
    let seen = seen(object, retry.as_deref());
    let status = record(&seen, &Brought::Trouble(trouble), &context.policy, clock::now());
    let action = settle(context, &Live::seen(object), &status).await?;
    Ok(if action == Action::requeue(AFTER_A_CONFLICT) { action } else { parked(object) })
}

/// An object that does not fit the schema says so itself, once.
async fn look_at_the_unreadable(who: &ObjectRef, meta: &ObjectMeta, context: &Context) -> Result<Action, Error> {
    context.forget(who);
    if context.unreadable.knows(who, meta.resource_version.as_deref()) {
        return Ok(Action::await_change());
    }
    let Some(live) = context.removals.read(who).await? else { return Ok(Action::await_change()) };
    let Err(raw) = &live.object else { return Ok(Action::await_change()) };
    let conditions = raw.get("conditions").cloned().unwrap_or_default();
    let before = PhotoRemovalStatus {
        observed_generation: raw.get("observedGeneration").and_then(serde_json::Value::as_i64),
        conditions: serde_json::from_value(conditions).unwrap_or_default(),
        completion_time: raw.get("completionTime").and_then(|time| time.as_str()?.parse().ok()),
        ..PhotoRemovalStatus::default()
    };
    let generation = live.meta.generation.unwrap_or_default();
    let status = unreadable(&before, generation, clock::now());
    if status == before { Ok(Action::await_change()) } else { settle_unreadable(context, who, &live, &status).await }
}

fn source(who: &ObjectRef, removal: &Removal) -> Source {
    Source {
        namespace: who.namespace.clone().unwrap_or_default(),
        credential: removal.credential.clone(),
        cloud: removal.cloud,
        needs_user: removal.target == Target::Me,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_one_look_and_becomes_an_error() {
        let looked: Result<(), Error> = contained(async { panic!("a fault") }).await;
        assert!(matches!(looked, Err(Error::Panicked)), "expected Panicked, got {looked:?}");
    }
}
