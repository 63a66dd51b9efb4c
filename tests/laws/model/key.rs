//! What tells two worlds apart. Everything that a step looks at is in here; times are in here only by whether they have
//! come, and which of two comes first, so that a thousand worlds that differ in a clock are one.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use jiff::Timestamp;
use photo_removal_operator::api::{Outcome, Reason};
use photo_removal_operator::lifecycle::{Brought, Verdict};

use super::world::{Kind, Stored, Task, World};

/// A time, by whether it has come and whether it comes before the API server's next attempt.
type When = Option<(bool, Option<Ordering>)>;

#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(PartialEq, Hash)]
struct ObjectKey<'a> {
    is_current: bool,
    uid: &'a str,
    generation: i64,
    deleting: bool,
    suspend: bool,
    dry_run: bool,
    observed: Option<i64>,
    reason: Option<Reason>,
    stalled: bool,
    outcome: Option<Outcome>,
    counts: (i32, i32, i32),
    /// It says that it is not known whether a photo came back.
    complains: bool,
    next: When,
    last: Option<&'a str>,
    proof: Option<&'a str>,
}

#[derive(PartialEq, Hash)]
enum TaskKey<'a> {
    Read,
    Try(ObjectKey<'a>, Option<ObjectKey<'a>>, Kind),
    Await(ObjectKey<'a>, &'a str, Kind),
    Again(ObjectKey<'a>, &'a str),
    Keep((&'a str, i64), &'a str, String, When, Option<ObjectKey<'a>>),
    Note(ObjectKey<'a>, ObjectKey<'a>),
}

impl World {
    fn when(&self, time: Option<Timestamp>) -> When {
        let next = self.status().and_then(|status| status.next_attempt_time);
        time.map(|time| (time <= self.now, next.map(|next| time.cmp(&next))))
    }

    fn object_key<'a>(&self, stored: &'a Stored) -> ObjectKey<'a> {
        let (object, status) = (&*stored.object, &stored.object.status);
        ObjectKey {
            is_current: self.holds(stored),
            uid: &object.uid,
            generation: object.generation,
            deleting: object.deleting,
            suspend: object.spec.suspend,
            dry_run: object.spec.dry_run,
            observed: status.observed_generation,
            reason: status.reason(),
            stalled: status.is_stalled(),
            outcome: status.outcome,
            counts: (status.attempts, status.failures, status.removals),
            complains: status.conditions.first().is_some_and(|ready| ready.message.contains("is not known")),
            next: self.when(status.next_attempt_time),
            last: status.last_attempt.as_ref().and_then(|last| last.client_request_id.as_deref()),
            proof: status.evidence.as_ref().map(|evidence| evidence.client_request_id.as_str()),
        }
    }

    fn task_key<'a>(&self, task: &'a Task) -> TaskKey<'a> {
        match task {
            Task::Read => TaskKey::Read,
            Task::Try { on, truth, kind } => {
                TaskKey::Try(self.object_key(on), truth.as_ref().map(|truth| self.object_key(truth)), *kind)
            }
            Task::Await { on, request, kind } => TaskKey::Await(self.object_key(on), request, *kind),
            Task::Again { on, request } => TaskKey::Again(self.object_key(on), request),
            Task::Keep { uid, generation, brought, on } => {
                let (request, kind, until) = match &**brought {
                    Brought::Answer(attempt, Verdict::Throttled { until }) => {
                        (&*attempt.client_request_id, "Throttled".to_owned(), Some(*until))
                    }
                    Brought::Answer(attempt, verdict) => (&*attempt.client_request_id, format!("{verdict:?}"), None),
                    Brought::Rehearsal(attempt, verdict) | Brought::Recheck(attempt, verdict) => {
                        (&*attempt.client_request_id, format!("looked {verdict:?}"), None)
                    }
                    Brought::Refusal(attempt, _) => (&*attempt.client_request_id, "Refusal".to_owned(), None),
                    Brought::Trouble(trouble) => ("", trouble.reason.to_string(), None),
                };
                TaskKey::Keep(
                    (uid, *generation),
                    request,
                    kind,
                    self.when(until),
                    on.as_ref().map(|on| self.object_key(on)),
                )
            }
            Task::Note { on, status } => {
                let noted = Stored { version: 0, object: on.object.with((**status).clone()).into() };
                // The status to write follows from what it is written on: only its reason can tell two apart.
                TaskKey::Note(
                    self.object_key(on),
                    ObjectKey { reason: noted.object.status.reason(), ..self.object_key(on) },
                )
            }
        }
    }
}

impl World {
    /// A world without its clock.
    fn key(&self) -> impl Hash + PartialEq {
        let server = self.server.as_ref().map(|server| self.object_key(server));
        let cache = self.cache.as_ref().map(|cache| self.object_key(cache));
        let tasks: Vec<_> = self.tasks.iter().map(|task| self.task_key(task)).collect();
        let outside = (self.birth, self.refused, self.secret_is_good, self.photo, self.target, self.budget);
        let known = (self.requests, &self.said, &self.received, self.crashed, self.breach);
        (server, cache, tasks, outside, known)
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
