//! Where an object stands without having been tried, and how conditions and times are written down.

use std::time::Duration;

use jiff::{Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Seen, message};
use crate::api::{Category, Outcome, PhotoRemovalStatus, Reason, condition};

/// The status of a finished object whose spec was edited: the generation changes, and when it is looked at again.
pub(super) fn observed(seen: &Seen<'_>, now: Timestamp) -> PhotoRemovalStatus {
    let mut status = seen.status.clone();
    if !seen.is_observed() {
        let real = status.outcome.is_some_and(Outcome::is_real);
        let last = status.last_attempt.as_ref().map(|last| last.time).or(status.completion_time).unwrap_or(now);
        status.next_attempt_time =
            recheck(seen).filter(|_| real).and_then(|interval| next_look(seen, later(last, interval)));
    }
    status.observed_generation = Some(seen.generation);
    for condition in &mut status.conditions {
        condition.observed_generation = Some(seen.generation);
    }
    match status.outcome {
        Some(outcome) if status.category() != Category::Done => done(&mut status, seen, outcome, now),
        _ => {}
    }
    status
}

/// An object that did not fit the schema for a while fits again: what it says is what became of it.
fn done(status: &mut PhotoRemovalStatus, seen: &Seen<'_>, outcome: Outcome, now: Timestamp) {
    let (reason, text) = match outcome {
        Outcome::Removed => (Reason::Removed, message::REMOVED),
        Outcome::AlreadyAbsent => (Reason::AlreadyAbsent, message::ABSENT),
        Outcome::WouldRemove => (Reason::WouldRemove, message::WOULD_REMOVE),
        Outcome::NothingToRemove => (Reason::NothingToRemove, message::ABSENT),
    };
    stand(status, seen.generation, reason, Category::Done, text, now);
}

/// How often a photo that was removed is looked for again, as the spec has it now.
pub(super) fn recheck(seen: &Seen<'_>) -> Option<Duration> {
    seen.spec.parse().ok().filter(|_| !seen.spec.suspend && !seen.spec.dry_run)?.recheck
}

/// When the finished object is to be looked at again, if it still is.
pub(super) fn recheck_due(seen: &Seen<'_>, now: Timestamp) -> Option<Timestamp> {
    recheck(seen)?;
    let due = next_look(seen, seen.status.next_attempt_time?)?;
    next_look(seen, now).map(|_| due)
}

/// The next look, not before `notBefore`; none if it would come at `notAfter` or later.
pub(super) fn next_look(seen: &Seen<'_>, due: Timestamp) -> Option<Timestamp> {
    Some(seen.spec.not_before.map_or(due, |begin| begin.max(due)))
        .filter(|due| seen.spec.not_after.is_none_or(|end| *due < end))
}

/// The status of an object that is to rest.
pub(super) fn suspended(seen: &Seen<'_>, now: Timestamp) -> PhotoRemovalStatus {
    let mut status = halted(seen);
    (status.completion_time, status.failures) = (None, 0);
    stand(&mut status, seen.generation, Reason::Suspended, Category::Resting, message::SUSPENDED, now);
    status
}

/// The status of an object whose time has not come.
pub(super) fn scheduled(seen: &Seen<'_>, begin: Timestamp, now: Timestamp) -> PhotoRemovalStatus {
    let mut status = halted(seen);
    (status.completion_time, status.failures) = (None, 0);
    status.next_attempt_time = Some(begin);
    let text = message::scheduled(begin);
    stand(&mut status, seen.generation, Reason::Scheduled, Category::GoingOn, &text, now);
    status
}

/// The status of an object whose time is over.
pub(super) fn expired(seen: &Seen<'_>, now: Timestamp) -> PhotoRemovalStatus {
    let mut status = halted(seen);
    status.completion_time = completion(seen.status, now);
    stand(&mut status, seen.generation, Reason::Expired, Category::Stuck, message::EXPIRED, now);
    status
}

/// Nothing is tried for now. A dry run's result says nothing any more once the real run is asked for.
fn halted(seen: &Seen<'_>) -> PhotoRemovalStatus {
    let mut status = seen.status.clone();
    (status.next_attempt_time, status.outcome) = (None, None);
    if !seen.is_observed() {
        status.failed = 0;
    }
    status
}

/// The status of an object that does not even fit the schema. `before` holds what could be read of it.
#[must_use]
pub fn unreadable(before: &PhotoRemovalStatus, generation: i64, now: Timestamp) -> PhotoRemovalStatus {
    let mut status = before.clone();
    // A time that is there may be a newer version's, and part of its evidence.
    status.completion_time.get_or_insert(rounded(now));
    stand(&mut status, generation, Reason::Rejected, Category::Stuck, message::UNREADABLE, now);
    status
}

/// The status of an object whose stored spec makes no sense.
pub(super) fn invalid(seen: &Seen<'_>, fault: &str, now: Timestamp) -> PhotoRemovalStatus {
    let mut status = halted(seen);
    status.completion_time = completion(seen.status, now);
    stand(&mut status, seen.generation, Reason::Rejected, Category::Stuck, &message::invalid_spec(fault), now);
    status
}

/// An object that was already stuck stays completed at the time when it first was.
pub(super) fn completion(before: &PhotoRemovalStatus, now: Timestamp) -> Option<Timestamp> {
    before.completion_time.filter(|_| before.is_stalled()).or(Some(rounded(now)))
}

/// Writes the conditions: `Ready` always, `Reconciling` and `Stalled` only where they are true.
pub(super) fn stand(
    status: &mut PhotoRemovalStatus,
    generation: i64,
    reason: Reason,
    category: Category,
    text: &str,
    now: Timestamp,
) {
    let conditions = match category {
        Category::Done => vec![(condition::READY, "True")],
        Category::Resting => vec![(condition::READY, "False")],
        Category::GoingOn => vec![(condition::READY, "False"), (condition::RECONCILING, "True")],
        Category::Stuck => vec![(condition::READY, "False"), (condition::STALLED, "True")],
    };
    let written = |(kind, value): (&str, &str)| Condition {
        type_: kind.to_owned(),
        status: value.to_owned(),
        reason: reason.as_str().to_owned(),
        message: text.to_owned(),
        observed_generation: Some(generation),
        last_transition_time: Time(transition(status.condition(kind), value, now)),
    };
    let conditions = conditions.into_iter().map(written).collect();
    status.conditions = conditions;
    status.observed_generation = Some(generation);
}

/// When the condition last changed its status. The CRD's default says 1970, which is nobody's time.
fn transition(before: Option<&Condition>, value: &str, now: Timestamp) -> Timestamp {
    match before {
        Some(before) if before.status == value && before.last_transition_time.0 > Timestamp::UNIX_EPOCH => {
            before.last_transition_time.0
        }
        // Conditions keep whole seconds; what is compared with a stored one must too.
        _ => Timestamp::from_second(now.as_second()).unwrap_or(now),
    }
}

/// Never sooner than asked: rounding goes up, to the millisecond that the status keeps.
pub(super) fn later(now: Timestamp, wait: Duration) -> Timestamp {
    rounded(now.saturating_add(wait).unwrap_or(Timestamp::MAX))
}

pub(super) fn rounded(time: Timestamp) -> Timestamp {
    use jiff::{RoundMode, TimestampRound};
    time.round(TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Ceil)).unwrap_or(time)
}
