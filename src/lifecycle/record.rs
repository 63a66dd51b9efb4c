//! What to write down: the status that follows from the status that was, and from what a try brought.

use std::time::Duration;

use jiff::{Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::verdict::{Attempt, Brought, Trouble, Verdict};
use super::{Backoff, Seed, Seen, message};
use crate::api::{Category, Evidence, LastAttempt, Outcome, PhotoRemovalStatus, Reason, condition};

/// From this refusal in a row on a person must look at it: a request that Graph refuses five times will not be taken
/// the sixth time, but one "bad request" that was a bad day of the service must not end a removal.
const REJECTIONS: u32 = 5;

/// How long to wait between tries.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// While the operator goes on by itself.
    pub retries: Backoff,
    /// While a person must act, and may act outside the cluster.
    pub looks: Backoff,
}

/// The status after a try. Pure. A try that was recorded already, by a write whose answer was lost, changes nothing; nor
/// does any try once an outcome is recorded.
#[must_use]
pub fn record(seen: &Seen<'_>, brought: &Brought, policy: &Policy, now: Timestamp) -> PhotoRemovalStatus {
    if seen.status.outcome.is_some() || seen.status.tells_of(brought) {
        return seen.status.clone();
    }
    let mut page = Page::open(seen, policy, now);
    match brought {
        Brought::Answer(attempt, verdict) => {
            page.notice.clone_from(&attempt.notice);
            let throttled = matches!(verdict, Verdict::Throttled { .. });
            page.attempted(attempt, attempt.received.saturating_sub(u32::from(throttled)));
            page.judged(attempt, verdict);
        }
        Brought::Refusal(attempt, trouble) => {
            page.attempted(attempt, attempt.received);
            page.troubled(trouble);
        }
        Brought::Trouble(trouble) => page.troubled(trouble),
    }
    page.status
}

impl PhotoRemovalStatus {
    /// Whether that very try is the last one recorded.
    fn tells_of(&self, brought: &Brought) -> bool {
        match brought {
            Brought::Answer(attempt, _) | Brought::Refusal(attempt, _) => {
                let last = self.last_attempt.as_ref().and_then(|last| last.client_request_id.as_ref());
                last == Some(&attempt.client_request_id)
            }
            Brought::Trouble(_) => false,
        }
    }
}

/// The status of a finished object whose spec was edited: nothing but the generation changes.
pub(super) fn observed(seen: &Seen<'_>) -> PhotoRemovalStatus {
    let mut status = seen.status.clone();
    status.observed_generation = Some(seen.generation);
    for condition in &mut status.conditions {
        condition.observed_generation = Some(seen.generation);
    }
    status
}

/// The status of an object that is to rest.
pub(super) fn suspended(seen: &Seen<'_>, now: Timestamp) -> PhotoRemovalStatus {
    let mut status = seen.status.clone();
    status.next_attempt_time = None;
    status.completion_time = None;
    status.failures = 0;
    stand(&mut status, seen.generation, Reason::Suspended, Category::Resting, message::SUSPENDED, now);
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
    let mut status = seen.status.clone();
    status.next_attempt_time = None;
    status.completion_time = completion(seen.status, now);
    stand(&mut status, seen.generation, Reason::Rejected, Category::Stuck, &message::invalid_spec(fault), now);
    status
}

/// One status while it is being written.
struct Page<'a> {
    seen: &'a Seen<'a>,
    policy: &'a Policy,
    now: Timestamp,
    /// Said after whatever else there is to say.
    notice: Option<String>,
    status: PhotoRemovalStatus,
}

impl<'a> Page<'a> {
    fn open(seen: &'a Seen<'a>, policy: &'a Policy, now: Timestamp) -> Self {
        Self { seen, policy, now, notice: None, status: seen.status.clone() }
    }

    fn attempted(&mut self, attempt: &Attempt, requests: u32) {
        let time = rounded(attempt.time);
        self.status.start_time.get_or_insert(time);
        self.status.attempts = self.status.attempts.saturating_add(i32::try_from(requests).unwrap_or(i32::MAX));
        self.status.last_attempt = Some(LastAttempt {
            time,
            http_status: attempt.http_status.map(i32::from),
            error_code: attempt.error_code.clone(),
            request_id: attempt.request_id.clone(),
            client_request_id: Some(attempt.client_request_id.clone()),
            retry_after_seconds: attempt.retry_after_seconds,
        });
    }

    fn judged(&mut self, attempt: &Attempt, verdict: &Verdict) {
        let target = &self.seen.spec.target;
        match verdict {
            Verdict::Removed => self.done(attempt, Outcome::Removed, Reason::Removed, message::REMOVED),
            Verdict::Absent { confirmed } => {
                let text = message::absent(target, *confirmed);
                self.done(attempt, Outcome::AlreadyAbsent, Reason::AlreadyAbsent, &text);
            }
            Verdict::TargetNotFound => self.stuck(Reason::TargetNotFound, &message::not_found(target)),
            Verdict::TargetNotSupported(obstacle) => {
                self.stuck(Reason::TargetNotSupported, message::not_supported(*obstacle));
            }
            Verdict::PermissionDenied => {
                self.stuck(Reason::PermissionDenied, &message::denied(target, attempt.delegated));
            }
            Verdict::Throttled { until } => self.throttled(*until),
            Verdict::Unavailable => self.unavailable(),
            Verdict::Rejected => self.rejected(),
        }
    }

    fn done(&mut self, attempt: &Attempt, outcome: Outcome, reason: Reason, text: &str) {
        let time = rounded(attempt.time);
        self.status.outcome = Some(outcome);
        self.status.failures = 0;
        self.status.next_attempt_time = None;
        self.status.completion_time = Some(rounded(self.now));
        self.status.evidence.get_or_insert_with(|| Evidence {
            time,
            tenant_id: attempt.tenant.as_str().to_owned(),
            client_id: attempt.client.as_str().to_owned(),
            request_id: attempt.request_id.clone(),
            client_request_id: attempt.client_request_id.clone(),
        });
        self.stand(reason, Category::Done, text);
    }

    /// A person must act, and perhaps outside the cluster: the operator looks again, ever less often.
    fn stuck(&mut self, reason: Reason, text: &str) {
        let looks = self.failures(reason);
        self.wait(self.policy.looks, looks, looks);
        self.status.completion_time = completion(self.seen.status, self.now);
        self.stand(reason, Category::Stuck, text);
    }

    fn throttled(&mut self, until: Timestamp) {
        self.status.next_attempt_time = Some(rounded(until));
        if self.learned_nothing() {
            return;
        }
        self.status.failures = 0;
        self.status.completion_time = None;
        self.stand(Reason::Throttled, Category::GoingOn, message::THROTTLED);
    }

    fn unavailable(&mut self) {
        if self.learned_nothing() {
            let looks = self.count().saturating_add(1);
            return self.wait(self.policy.looks, looks, looks);
        }
        let failures = self.failures(Reason::GraphUnavailable);
        self.wait(self.policy.retries, failures, failures);
        self.status.completion_time = None;
        self.stand(Reason::GraphUnavailable, Category::GoingOn, message::GRAPH_UNAVAILABLE);
    }

    fn rejected(&mut self) {
        let failures = self.failures(Reason::Rejected);
        if failures < REJECTIONS && !self.was_stuck() {
            self.wait(self.policy.retries, failures, failures);
            self.status.completion_time = None;
            return self.stand(Reason::Rejected, Category::GoingOn, message::REJECTED);
        }
        let looks = (failures + 1).saturating_sub(REJECTIONS).max(1);
        self.wait(self.policy.looks, looks, failures);
        self.status.completion_time = completion(self.seen.status, self.now);
        self.stand(Reason::Rejected, Category::Stuck, message::REJECTED_FOR_GOOD);
    }

    /// No time is set: whoever finds the credential's trouble over wakes the object.
    fn troubled(&mut self, trouble: &Trouble) {
        self.status.next_attempt_time = None;
        if trouble.reason == Reason::SignInUnavailable && self.learned_nothing() {
            return;
        }
        let category = trouble.reason.category();
        self.status.failures = 0;
        self.status.completion_time = match category {
            Category::Stuck => completion(self.seen.status, self.now),
            _ => None,
        };
        self.stand(trouble.reason, category, &trouble.message);
    }

    /// A changed spec starts afresh.
    fn was_stuck(&self) -> bool {
        self.seen.is_observed() && self.seen.status.is_stalled()
    }

    /// Conditions do not flap: a look at a stalled object that finds the service down learned nothing about what
    /// stalled it. A credential is the exception: it was looked at for itself, and is not what is wrong now.
    fn learned_nothing(&self) -> bool {
        self.was_stuck() && self.seen.status.reason() != Some(Reason::CredentialInvalid)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.seen.status.failures).unwrap_or(0)
    }

    /// How many tries in a row have now ended for that reason.
    fn failures(&self, reason: Reason) -> u32 {
        let goes_on = self.seen.is_observed() && self.seen.status.reason() == Some(reason);
        if goes_on { self.count().saturating_add(1) } else { 1 }
    }

    fn wait(&mut self, backoff: Backoff, step: u32, failures: u32) {
        self.status.failures = i32::try_from(failures).unwrap_or(i32::MAX);
        self.status.next_attempt_time = Some(later(self.now, backoff.after(step, Seed(self.seen.uid))));
    }

    fn stand(&mut self, reason: Reason, category: Category, text: &str) {
        let text = match &self.notice {
            Some(notice) => &format!("{text} {notice}"),
            None => text,
        };
        stand(&mut self.status, self.seen.generation, reason, category, text, self.now);
    }
}

/// An object that was already stuck stays completed at the time when it first was.
fn completion(before: &PhotoRemovalStatus, now: Timestamp) -> Option<Timestamp> {
    before.completion_time.filter(|_| before.is_stalled()).or(Some(rounded(now)))
}

/// Writes the conditions: `Ready` always, `Reconciling` and `Stalled` only where they are true.
fn stand(
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
fn later(now: Timestamp, wait: Duration) -> Timestamp {
    rounded(now.saturating_add(wait).unwrap_or(Timestamp::MAX))
}

fn rounded(time: Timestamp) -> Timestamp {
    use jiff::{RoundMode, TimestampRound};
    time.round(TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Ceil)).unwrap_or(time)
}
