//! What to do next about one removal.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::standing;
use crate::api::{Category, Pause, PhotoRemoval, PhotoRemovalSpec, PhotoRemovalStatus, Reason, Removal, condition};

/// One object, as it is seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// `metadata.uid`.
    pub uid: &'a str,
    /// `metadata.generation`: goes up with every change of the spec.
    pub generation: i64,
    /// `metadata.deletionTimestamp` is set: somebody else's finalizer keeps the object.
    pub deleting: bool,
    /// What the retry annotations say, in a form that fits a status.
    pub retry: Option<&'a str>,
    /// What was asked for.
    pub spec: &'a PhotoRemovalSpec,
    /// What is known.
    pub status: &'a PhotoRemovalStatus,
}

/// The one thing to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing, until the object changes.
    Rest,
    /// Nothing, until then or until the object changes.
    WaitUntil(Timestamp),
    /// Try to remove the photo. A credential in trouble ends the try before anything is sent.
    Remove(Removal),
    /// Ask whether there is a photo, likewise.
    Check(Removal, Purpose),
    /// Write this status.
    Record(Box<PhotoRemovalStatus>),
    /// Delete the object, which has outlived its time.
    Discard,
}

/// Why a photo is only asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A dry run: whatever is there is left alone.
    Rehearsal,
    /// A photo was removed or absent before; one that came back is removed.
    Recheck,
}

/// What to do next about one removal. Pure: same sight, same time, same step.
#[must_use]
pub fn decide(seen: &Seen<'_>, now: Timestamp) -> Step {
    if seen.deleting {
        return Step::Rest;
    }
    if seen.is_finished() {
        return rest(seen, now);
    }
    if seen.spec.suspend {
        return settle(seen, standing::suspended(seen, now));
    }
    let removal = match seen.spec.parse() {
        Err(invalid) => return settle(seen, standing::invalid(seen, &invalid.to_string(), now)),
        Ok(removal) => removal,
    };
    if seen.is_over(now) {
        return settle(seen, standing::expired(seen, now));
    }
    match seen.spec.not_before.filter(|begin| *begin > now) {
        Some(begin) => match settle(seen, standing::scheduled(seen, begin, now)) {
            Step::Rest => Step::WaitUntil(begin),
            step => step,
        },
        None => attempt(seen, removal, now),
    }
}

/// A finished object is left alone but for what it asks for itself: to be deleted, or to be looked at again.
fn rest(seen: &Seen<'_>, now: Timestamp) -> Step {
    if let step @ Step::Record(_) = settle(seen, standing::observed(seen, now)) {
        return step;
    }
    // A spec that makes no sense must not cost the proof.
    let Ok(removal) = seen.spec.parse() else { return Step::Rest };
    if let Some(due) = seen.discarded_at() {
        return if due <= now { Step::Discard } else { Step::WaitUntil(due) };
    }
    match standing::recheck_due(seen, now) {
        Some(due) if due > now => Step::WaitUntil(due),
        Some(_) => Step::Check(removal, Purpose::Recheck),
        None => Step::Rest,
    }
}

/// A try is due unless the object waits for a time, or for a person. A changed spec ends every wait: it may be the cure;
/// and so does a person who asks for it.
fn attempt(seen: &Seen<'_>, removal: Removal, now: Timestamp) -> Step {
    let asked = !seen.is_observed() || seen.retry_is_due();
    match seen.status.next_attempt_time {
        // Nothing is sent after the end, so that is when there is something to say.
        Some(next) if next > now && !asked => Step::WaitUntil(seen.spec.not_after.map_or(next, |end| end.min(next))),
        _ if !asked && seen.has_given_up() => seen.spec.not_after.map_or(Step::Rest, Step::WaitUntil),
        _ if seen.spec.dry_run => Step::Check(removal, Purpose::Rehearsal),
        _ => Step::Remove(removal),
    }
}

/// Writes only what differs.
fn settle(seen: &Seen<'_>, status: PhotoRemovalStatus) -> Step {
    if *seen.status == status { Step::Rest } else { Step::Record(Box::new(status)) }
}

impl<'a> Seen<'a> {
    /// The object with all that it is by now, but for what was asked of it when a try was decided on: what came of the try
    /// says nothing of an edit or a retry that came in the meantime.
    #[must_use]
    pub fn as_decided(self, generation: i64, retry: Option<&'a str>) -> Self {
        // Never back to an older one than is recorded, by another replica perhaps.
        let recorded = self.status.observed_generation.unwrap_or_default();
        Self { generation: generation.max(recorded), retry, ..self }
    }

    /// The sight of an object. `retry`: see [`Seen::retry`].
    #[must_use]
    pub fn of(object: &'a PhotoRemoval, retry: Option<&'a str>) -> Self {
        const UNTOUCHED: &PhotoRemovalStatus = &PhotoRemovalStatus::UNTOUCHED;
        Self {
            uid: object.metadata.uid.as_deref().unwrap_or_default(),
            generation: object.metadata.generation.unwrap_or_default(),
            deleting: object.metadata.deletion_timestamp.is_some(),
            retry,
            spec: &object.spec,
            status: object.status.as_ref().unwrap_or(UNTOUCHED),
        }
    }
}

impl Seen<'_> {
    /// Whether the status speaks of the present spec.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.status.observed_generation == Some(self.generation)
    }

    /// Whether what was asked for is done: for real, or, of a dry run, on paper.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.status.outcome.is_some_and(|outcome| outcome.is_real() || self.spec.dry_run)
    }

    /// Whether somebody asks for a try now. Who takes one of two annotations away asks for nothing.
    #[must_use]
    pub fn retry_is_due(&self) -> bool {
        let handled = self.status.last_handled_retry.as_deref().unwrap_or_default();
        self.retry.is_some_and(|value| {
            let left = handled.strip_prefix(value).is_some_and(|rest| rest.starts_with(' '))
                || handled.strip_suffix(value).is_some_and(|rest| rest.ends_with(' '));
            value != handled && !left
        })
    }

    /// Whether the time in which something may be sent is over. An end that was recorded stands, though the clock be set
    /// back: a later one is for the spec to say.
    fn is_over(&self, now: Timestamp) -> bool {
        let recorded = self.is_observed() && self.status.reason() == Some(Reason::Expired);
        self.spec.not_after.is_some_and(|end| end <= now || recorded)
    }

    /// Whether no more tries may fail.
    pub(super) fn has_given_up(&self) -> bool {
        let waits_for_a_person = matches!(
            self.status.reason(),
            Some(
                Reason::BackoffLimitExceeded
                    | Reason::PermissionDenied
                    | Reason::TargetNotFound
                    | Reason::TargetNotSupported
                    | Reason::Rejected
            )
        );
        waits_for_a_person && self.is_exhausted(self.status.failed)
    }

    /// Whether that many failures are more than may be.
    pub(super) fn is_exhausted(&self, failed: i32) -> bool {
        self.spec.backoff_limit.is_some_and(|limit| failed > limit)
    }

    /// When the finished object is to be deleted, if ever.
    fn discarded_at(&self) -> Option<Timestamp> {
        let seconds = u64::try_from(self.spec.ttl_seconds_after_finished?).unwrap_or(0);
        let finished = self.status.completion_time?;
        Some(finished.saturating_add(Duration::from_secs(seconds)).unwrap_or(Timestamp::MAX))
    }
}

impl PhotoRemovalStatus {
    /// Why the object is where it is, if the operator has written it.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        Reason::named(&self.condition(condition::READY)?.reason)
    }

    /// The pause that an answer to this object asked for, while it lasts. A restart forgets the pauses that the governors
    /// keep; the objects that met them do not, whatever became of them or of their credential since.
    #[must_use]
    pub fn pause_in_force(&self, now: Timestamp) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| pause.until > now)
    }

    /// Whether a person must act.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.condition(condition::STALLED).is_some_and(|stalled| stalled.status == "True")
    }

    /// Where the object stands.
    #[must_use]
    pub fn category(&self) -> Category {
        match self.reason() {
            Some(_) if self.is_stalled() => Category::Stuck,
            Some(reason) => reason.category(),
            None => Category::GoingOn,
        }
    }

    /// The condition of that type.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind)
    }
}
