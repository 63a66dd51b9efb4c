//! What to write down: the status that follows from the status that was, and from what a try brought.

use jiff::Timestamp;

use super::standing::{completion, later, next_look, recheck, rounded, stand};
use super::verdict::{Attempt, Brought, Trouble, Verdict};
use super::{Backoff, Seed, Seen, message};
use crate::api::{Category, Evidence, LastAttempt, Outcome, Pause, PhotoRemovalStatus, Reason, condition};

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
/// does any try but a re-check once an outcome is recorded.
#[must_use]
pub fn record(seen: &Seen<'_>, brought: &Brought, policy: &Policy, now: Timestamp) -> PhotoRemovalStatus {
    let is_done = seen.status.outcome.is_some_and(Outcome::is_real);
    let stale = matches!(brought, Brought::Rehearsal(..)) && !seen.spec.dry_run;
    // Whatever was on its way to another removal: that one is done.
    let late = match brought {
        Brought::Answer(..) | Brought::Rehearsal(..) => is_done,
        Brought::Recheck(..) => !is_done,
        Brought::Refusal(..) | Brought::Trouble(_) => is_done && recheck(seen).is_none(),
    };
    if stale || late || seen.status.tells_of(brought) {
        return seen.status.clone();
    }
    let mut page = Page::open(seen, policy, now);
    match brought {
        Brought::Answer(attempt, verdict) => {
            page.notice.clone_from(&attempt.notice);
            page.attempted(attempt, attempt.counted(verdict));
            page.judged(attempt, verdict);
        }
        Brought::Rehearsal(attempt, verdict) => {
            page.notice.clone_from(&attempt.notice);
            page.attempted(attempt, 0);
            page.rehearsed(attempt, verdict);
        }
        Brought::Recheck(attempt, verdict) => {
            page.attempted(attempt, attempt.counted(verdict));
            page.rechecked(attempt, verdict);
        }
        Brought::Refusal(attempt, trouble) => {
            page.attempted(attempt, attempt.received);
            if is_done { page.not_looked(&trouble.message) } else { page.troubled(trouble) }
        }
        // It is due still, and made when the credential is mended.
        Brought::Trouble(trouble) if is_done => page.not_looked(&trouble.message),
        Brought::Trouble(trouble) => page.troubled(trouble),
    }
    page.status
}

impl PhotoRemovalStatus {
    /// Whether that very try is the last one recorded.
    fn tells_of(&self, brought: &Brought) -> bool {
        let last = self.last_attempt.as_ref().and_then(|last| last.client_request_id.as_ref());
        brought.attempt().is_some_and(|attempt| last == Some(&attempt.client_request_id))
    }
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
        let mut status = seen.status.clone();
        // What a dry run found is of the past once anything is tried for real.
        status.outcome = status.outcome.filter(|outcome| outcome.is_real());
        if seen.retry_is_due() {
            status.last_handled_retry = seen.retry.map(str::to_owned);
        }
        if !seen.is_observed() || seen.retry_is_due() {
            status.failed = 0;
        }
        Self { seen, policy, now, notice: None, status }
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
        // One in force is another application's, whose credential was used before.
        self.status.pause = self.status.pause_in_force(self.now).cloned();
    }

    fn judged(&mut self, attempt: &Attempt, verdict: &Verdict) {
        let target = &self.seen.spec.target;
        match verdict {
            Verdict::Removed => {
                self.status.removals = self.status.removals.saturating_add(i32::from(recheck(self.seen).is_some()));
                self.done(attempt, Outcome::Removed, Reason::Removed, message::REMOVED);
            }
            Verdict::Absent { confirmed } => {
                let text = message::absent(target, *confirmed);
                self.done(attempt, Outcome::AlreadyAbsent, Reason::AlreadyAbsent, &text);
            }
            other => self.undone(attempt, other),
        }
    }

    /// A dry run asked for the photo.
    fn rehearsed(&mut self, attempt: &Attempt, verdict: &Verdict) {
        let target = &self.seen.spec.target;
        let (outcome, reason, text) = match verdict {
            Verdict::Present => (Outcome::WouldRemove, Reason::WouldRemove, message::WOULD_REMOVE.to_owned()),
            Verdict::Absent { confirmed } => {
                let text = message::nothing_to_remove(target, *confirmed);
                (Outcome::NothingToRemove, Reason::NothingToRemove, text)
            }
            other => return self.undone(attempt, other),
        };
        self.finished(outcome);
        self.stand(reason, Category::Done, &text);
    }

    /// The proof stands, whatever a re-check brings; only what it removed, and when the next one is, is new.
    fn rechecked(&mut self, attempt: &Attempt, verdict: &Verdict) {
        let interval = recheck(self.seen).unwrap_or_default();
        let wait = match verdict {
            Verdict::Removed => {
                let first = i32::from(self.status.outcome == Some(Outcome::Removed));
                self.status.removals = self.status.removals.max(first).saturating_add(1);
                self.status.failures = 0;
                let text = message::came_back(self.status.removals, attempt.time);
                self.say(&text);
                interval
            }
            Verdict::Absent { .. } | Verdict::TargetNotFound => {
                self.status.failures = 0;
                let text = self.text();
                self.say(message::known(&text));
                interval
            }
            Verdict::Throttled { until } => return self.paused(attempt, *until),
            _ => {
                self.status.failures = self.status.failures.saturating_add(1);
                self.not_looked(message::LOOK_FAILED);
                let step = u32::try_from(self.status.failures).unwrap_or(u32::MAX);
                self.policy.looks.after(step, Seed(self.seen.uid)).min(interval)
            }
        };
        self.status.next_attempt_time = next_look(self.seen, later(self.now, wait));
    }

    /// A re-check brought nothing; what was done stays done.
    fn not_looked(&mut self, why: &str) {
        let text = self.text();
        self.say(&message::not_looked(&text, why));
    }

    /// What the conditions say.
    fn text(&self) -> String {
        self.status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default()
    }

    /// Another message for the conditions as they are.
    fn say(&mut self, text: &str) {
        for condition in &mut self.status.conditions {
            text.clone_into(&mut condition.message);
        }
    }

    fn undone(&mut self, attempt: &Attempt, verdict: &Verdict) {
        let target = &self.seen.spec.target;
        if !matches!(verdict, Verdict::Throttled { .. }) {
            self.status.failed = self.status.failed.saturating_add(1);
        }
        match verdict {
            Verdict::TargetNotFound => self.stuck(Reason::TargetNotFound, &message::not_found(target)),
            Verdict::TargetNotSupported(obstacle) => {
                self.stuck(Reason::TargetNotSupported, message::not_supported(*obstacle));
            }
            Verdict::PermissionDenied => {
                self.stuck(Reason::PermissionDenied, &message::denied(target, attempt.delegated));
            }
            Verdict::Throttled { until } => self.throttled(attempt, *until),
            Verdict::Rejected => self.rejected(),
            // A photo that is there is no answer to a DELETE.
            Verdict::Unavailable | Verdict::Present | Verdict::Removed | Verdict::Absent { .. } => self.unavailable(),
        }
    }

    /// No more tries may fail.
    fn is_exhausted(&self) -> bool {
        self.seen.is_exhausted(self.status.failed)
    }

    fn give_up(&mut self) {
        (self.status.failures, self.status.next_attempt_time) = (0, None);
        self.status.completion_time = completion(self.seen.status, self.now);
        self.stand(Reason::BackoffLimitExceeded, Category::Stuck, message::BACKOFF_LIMIT_EXCEEDED);
    }

    /// The outcome, and when it is looked at again or no more.
    fn finished(&mut self, outcome: Outcome) {
        self.status.outcome = Some(outcome);
        (self.status.pause, self.status.failures) = (None, 0);
        self.status.completion_time = Some(rounded(self.now));
        let interval = recheck(self.seen).filter(|_| outcome.is_real());
        self.status.next_attempt_time = interval.and_then(|interval| next_look(self.seen, later(self.now, interval)));
    }

    fn done(&mut self, attempt: &Attempt, outcome: Outcome, reason: Reason, text: &str) {
        let time = rounded(attempt.time);
        self.finished(outcome);
        self.status.evidence.get_or_insert_with(|| Evidence {
            time,
            tenant_id: attempt.tenant.as_str().to_owned(),
            client_id: attempt.client.as_str().to_owned(),
            http_status: attempt.http_status.map(i32::from),
            request_id: attempt.request_id.clone(),
            client_request_id: attempt.client_request_id.clone(),
        });
        self.stand(reason, Category::Done, text);
    }

    /// A person must act, and perhaps outside the cluster: the operator looks again, ever less often.
    fn stuck(&mut self, reason: Reason, text: &str) {
        let looks = self.failures(reason);
        self.wait(self.policy.looks, looks, looks);
        self.stay_stuck(reason, text);
    }

    /// Until a person has acted; and says whether the operator looks again by itself.
    fn stay_stuck(&mut self, reason: Reason, text: &str) {
        self.status.completion_time = completion(self.seen.status, self.now);
        self.stand(reason, Category::Stuck, &format!("{text} {}", message::LOOKS_AGAIN));
        self.say_if_it_was_the_last();
    }

    /// A stalled object that may not fail again is not looked at again, whatever it said before.
    fn say_if_it_was_the_last(&mut self) {
        if self.is_exhausted() {
            let text = self.text().replace(message::LOOKS_AGAIN, message::LOOKS_NO_MORE);
            self.say(&text);
        }
    }

    fn paused(&mut self, attempt: &Attempt, until: Timestamp) {
        let until = rounded(until);
        self.status.next_attempt_time = Some(until);
        self.status.pause = Some(Pause {
            until,
            tenant_id: attempt.tenant.as_str().to_owned(),
            client_id: attempt.client.as_str().to_owned(),
        });
    }

    fn throttled(&mut self, attempt: &Attempt, until: Timestamp) {
        self.paused(attempt, until);
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
            self.wait(self.policy.looks, looks, looks);
            return self.say_if_it_was_the_last();
        }
        if self.is_exhausted() {
            return self.give_up();
        }
        let failures = self.failures(Reason::GraphUnavailable);
        self.wait(self.policy.retries, failures, failures);
        self.status.completion_time = None;
        self.stand(Reason::GraphUnavailable, Category::GoingOn, message::GRAPH_UNAVAILABLE);
    }

    fn rejected(&mut self) {
        let failures = self.failures(Reason::Rejected);
        if failures < REJECTIONS && self.is_exhausted() {
            return self.give_up();
        }
        if failures < REJECTIONS && (!self.was_stuck() || self.was_given_up()) {
            self.wait(self.policy.retries, failures, failures);
            self.status.completion_time = None;
            return self.stand(Reason::Rejected, Category::GoingOn, message::REJECTED);
        }
        let looks = (failures + 1).saturating_sub(REJECTIONS).max(1);
        self.wait(self.policy.looks, looks, failures);
        self.stay_stuck(Reason::Rejected, message::REJECTED_FOR_GOOD);
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
        self.was_stuck() && !self.was_given_up() && self.seen.status.reason() != Some(Reason::CredentialInvalid)
    }

    /// It is tried once more because somebody asked for it.
    fn was_given_up(&self) -> bool {
        self.seen.status.reason() == Some(Reason::BackoffLimitExceeded)
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
        // Who may not fail again does not try again.
        let next = later(self.now, backoff.after(step, Seed(self.seen.uid)));
        self.status.next_attempt_time = (!self.is_exhausted()).then_some(next);
    }

    fn stand(&mut self, reason: Reason, category: Category, text: &str) {
        let text = match &self.notice {
            Some(notice) => &format!("{text} {notice}"),
            None => text,
        };
        stand(&mut self.status, self.seen.generation, reason, category, text, self.now);
    }
}
