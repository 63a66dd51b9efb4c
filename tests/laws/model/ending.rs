//! Where a world comes to once nothing goes wrong any more.

use photo_removal_operator::api::Category;
use photo_removal_operator::lifecycle::Step;

use super::operator::{Answer, SignIn, Write};
use super::world::{Task, World};

/// More than any way to an end takes: each try is six steps and at most one wait, and a refused request takes five.
const STEPS: usize = 80;

/// How often the operator may come round to waiting before that counts as its end.
const WAITS: usize = 7;

impl World {
    /// Goes on without faults, and with Graph always answering alike. Says whether it came to an end that stays one.
    pub(super) fn comes_to_rest(&mut self, answer: Answer) -> bool {
        let mut waits = 0;
        let mut tried = None;
        for _ in 0..STEPS {
            self.cache = self.server.clone();
            let trace = (self.version, self.requests);
            match self.tasks.first() {
                Some(Task::Await { .. }) => self.answer(0, answer),
                Some(_) => self.advance(0, Write::Arrives, None),
                // A whole try that sent nothing and wrote nothing: the credential is of no use, and all is said.
                None if tried == Some(trace) => return true,
                None => {
                    let Some(cached) = self.cache.clone() else { return true };
                    match cached.decide(self.now) {
                        Step::Rest | Step::Discard => return true,
                        Step::WaitUntil(_) if waits == WAITS => return true,
                        Step::WaitUntil(next) => {
                            waits += 1;
                            self.now = next;
                        }
                        Step::Remove(_) | Step::Check(..) | Step::Record(_) => {
                            tried = Some(trace);
                            self.reconcile(SignIn::Works, None);
                        }
                    }
                }
            }
        }
        false
    }

    /// Every object ends: done, or stalled, or at rest because it was asked to, or waiting for a time that it names.
    pub(super) fn ends_well(&self) -> bool {
        let Some(server) = &self.server else { return true };
        let (object, status) = (&server.object, &server.object.status);
        object.deleting
            || match status.category() {
                Category::Done => status.outcome.is_some() && self.is_ready(),
                Category::Stuck => status.is_stalled() && status.outcome.is_none(),
                Category::Resting => object.spec.suspend,
                Category::GoingOn => status.next_attempt_time.is_some_and(|next| next > self.now),
            }
    }

    /// With Graph telling the truth there is only one right end.
    pub(super) fn ends_as_the_world_is(&self, photo_before: bool) -> bool {
        let Some(server) = self.server.as_ref().filter(|server| !server.object.deleting) else { return true };
        let category = server.object.status.category();
        match (server.object.status.outcome, server.object.spec.suspend) {
            (Some(outcome), suspended) => {
                let spec = &server.object.spec;
                let looks = spec.recheck_interval.is_some() && !suspended && !spec.dry_run && self.secret_is_good;
                let gone = !outcome.is_real() || !looks || !self.photo;
                category == Category::Done && self.photo <= photo_before && gone
            }
            (None, true) => category == Category::Resting,
            (None, false) => category == Category::Stuck && !(self.target && self.secret_is_good),
        }
    }
}
