//! What to do next about one removal.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::record;
use crate::api::{Category, LastAttempt, PhotoRemovalSpec, PhotoRemovalStatus, Reason, Removal, condition};

/// One object, as it is seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// `metadata.uid`.
    pub uid: &'a str,
    /// `metadata.generation`: goes up with every change of the spec.
    pub generation: i64,
    /// `metadata.deletionTimestamp` is set: somebody else's finalizer keeps the object.
    pub deleting: bool,
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
    /// Write this status.
    Record(Box<PhotoRemovalStatus>),
}

/// What to do next about one removal. Pure: same sight, same time, same step.
#[must_use]
pub fn decide(seen: &Seen<'_>, now: Timestamp) -> Step {
    if seen.deleting {
        return Step::Rest;
    }
    if seen.status.outcome.is_some() {
        return settle(seen, record::observed(seen));
    }
    if seen.spec.suspend {
        return settle(seen, record::suspended(seen, now));
    }
    match seen.spec.parse() {
        Err(invalid) => settle(seen, record::invalid(seen, &invalid.to_string(), now)),
        Ok(removal) => attempt(seen, removal, now),
    }
}

/// Until when the credential that this object uses was paused by an answer to this object. A restart forgets the pauses
/// that the governors keep; the objects that met them do not. The last answer tells it even of an object that was stalled
/// before or was suspended or edited since.
#[must_use]
pub fn throttled_until(seen: &Seen<'_>, now: Timestamp) -> Option<(Removal, Timestamp)> {
    if seen.status.outcome.is_some() {
        return None;
    }
    let waiting = seen.status.next_attempt_time.filter(|_| seen.status.reason() == Some(Reason::Throttled));
    let told = seen.status.last_attempt.as_ref().and_then(LastAttempt::pause);
    let until = waiting.max(told).filter(|until| *until > now)?;
    seen.spec.parse().ok().map(|removal| (removal, until))
}

impl LastAttempt {
    /// When the pause ends that the answer asked for, if it did.
    fn pause(&self) -> Option<Timestamp> {
        let wait = self.retry_after_seconds.filter(|_| matches!(self.http_status, Some(429 | 503)))?;
        self.time.checked_add(SignedDuration::from_secs(wait)).ok()
    }
}

/// A try is due unless the object waits for a time, or for a person. A changed spec ends every wait: it may be the cure.
fn attempt(seen: &Seen<'_>, removal: Removal, now: Timestamp) -> Step {
    if !seen.is_observed() {
        return Step::Remove(removal);
    }
    match seen.status.next_attempt_time {
        Some(next) if next > now => Step::WaitUntil(next),
        _ => Step::Remove(removal),
    }
}

/// Writes only what differs.
fn settle(seen: &Seen<'_>, status: PhotoRemovalStatus) -> Step {
    if *seen.status == status { Step::Rest } else { Step::Record(Box::new(status)) }
}

impl Seen<'_> {
    /// Whether the status speaks of the present spec.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.status.observed_generation == Some(self.generation)
    }
}

impl PhotoRemovalStatus {
    /// Why the object is where it is, if the operator has written it.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        Reason::named(&self.condition(condition::READY)?.reason)
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
