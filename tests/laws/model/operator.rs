//! The operator's way of one object: decide on the cache, read live, decide again, send, record, write. Decisions and
//! statuses are the real ones; only the wires are played.

use std::time::Duration;

use jiff::Timestamp;
use photo_removal_operator::api::{ClientId, Outcome, Reason, TenantId};
use photo_removal_operator::lifecycle::{Attempt, Brought, Purpose, Step, Trouble, Verdict, record};

use super::Rule;
use super::world::{Breach, Kind, Stored, Task, World};
use crate::given::POLICY;

/// What Graph does with a DELETE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// What is the case: the photo is removed, or there is none, or no such user, or the credential is refused.
    Truth,
    /// The photo is removed, and the operator never hears of it.
    Lost,
    Throttled,
    Unavailable,
    Denied,
    Rejected,
}

/// Whether the token endpoint works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignIn {
    Works,
    IsDown,
}

/// What becomes of a status write on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Arrives,
    /// It never reached the API server.
    IsLost,
    /// It was stored, but the answer was lost.
    LosesItsAnswer,
}

impl World {
    /// An event of any kind, a duplicate and a requeue included, makes the operator look at its cache. A credential in
    /// trouble ends the try there: nothing is read and nothing sent.
    pub(super) fn reconcile(&mut self, sign_in: SignIn, broken: Option<Rule>) {
        let Some(on) = self.cache.clone() else { return };
        let step = on.decide(self.now);
        match (kind(&step), step) {
            (None, Step::Record(status)) => self.tasks.push(Task::Note { on, status }),
            // No object of the model asks for its own end.
            (None, _) => {}
            (Some(_), _) if self.refused || !self.secret_is_good => {
                self.refused = true;
                self.tell(on, Reason::CredentialInvalid);
            }
            (Some(_), _) if sign_in == SignIn::IsDown => self.tell(on, Reason::SignInUnavailable),
            (Some(kind), _) if broken == Some(Rule::ReadLive) => {
                self.tasks.push(Task::Try { on, truth: self.server.clone(), kind });
            }
            (Some(_), _) => self.tasks.push(Task::Read),
        }
    }

    /// What is wrong with the credential is written over what the cache shows, if that does not tell it already.
    fn tell(&mut self, on: Stored, reason: Reason) {
        let status = on.object.record(&Brought::Trouble(trouble(reason)), self.now).status;
        if status != on.object.status {
            self.tasks.push(Task::Note { on, status: Box::new(status) });
        }
    }

    /// The operator's next step where nothing but the operator has a say.
    pub(super) fn advance(&mut self, index: usize, write: Write, broken: Option<Rule>) {
        match self.tasks.remove(index) {
            Task::Read => {
                let Some(on) = self.server.clone() else { return };
                let step = on.decide(self.now);
                match (kind(&step), step) {
                    (Some(kind), _) => self.tasks.push(Task::Try { truth: Some(on.clone()), on, kind }),
                    (None, Step::Record(status)) => self.tasks.push(Task::Note { on, status }),
                    (None, _) => {}
                }
            }
            Task::Try { on, truth, kind } => self.send(on, truth, kind),
            Task::Again { on, request } => {
                let wanted = |now: &Stored| {
                    now.object.uid == on.object.uid && kind(&now.decide(self.now)) == Some(Kind::Look(Purpose::Recheck))
                };
                if let truth @ Some(_) = self.server.clone().filter(wanted) {
                    return self.send(on, truth, Kind::RemoveAgain);
                }
                let attempt = Attempt { received: 0, ..attempt(request, self.now) };
                self.keep(on, Brought::Recheck(attempt, Verdict::Unavailable));
            }
            Task::Keep { uid, generation, brought, on: None } => {
                let on = self.server.clone().filter(|on| on.object.uid == uid || broken == Some(Rule::CompareUids));
                self.tasks.extend(on.map(|on| Task::Keep { uid, generation, brought, on: Some(on) }));
            }
            Task::Keep { uid, generation, brought, on: Some(on) } => {
                self.write_down((uid, generation), brought, &on, write, broken);
            }
            Task::Note { on, status } => {
                if self.takes(&on, write, broken) {
                    self.commit(*status);
                }
            }
            task @ Task::Await { .. } => self.tasks.push(task),
        }
    }

    fn send(&mut self, on: Stored, truth: Option<Stored>, kind: Kind) {
        let uid = on.object.uid.clone();
        let done = |stored: &Stored| stored.object.status.outcome.is_some_and(Outcome::is_real);
        let again = kind == Kind::RemoveAgain;
        let asked = truth.is_some_and(|truth| {
            let (object, spec) = (&truth.object, &truth.object.spec);
            let rests = object.deleting || spec.suspend || spec.dry_run;
            object.uid == uid && !rests && done(&truth) == again && (!again || spec.recheck_interval.is_some())
        });
        let recorded = self.server.as_ref().is_some_and(|server| server.object.uid == uid && done(server));
        let busy = |task: &Task| matches!(task, Task::Await { on, .. } if on.object.uid == uid);
        if matches!(kind, Kind::Look(_)) {
            // Nothing is lost by a look.
        } else if recorded && !again {
            self.break_promise(Breach::DeleteAfterOutcome);
        } else if !asked {
            self.break_promise(Breach::DeleteUnasked);
        } else if self.tasks.iter().any(busy) {
            self.break_promise(Breach::TwoAtOnce);
        }
        self.requests += 1;
        self.budget.requests = self.budget.requests.saturating_sub(1);
        self.tasks.push(Task::Await { on, request: format!("{uid}/{}", self.requests), kind });
    }

    /// Graph answers, or the operator gives up waiting.
    pub(super) fn answer(&mut self, index: usize, answer: Answer) {
        let Task::Await { on, request, kind } = self.tasks.remove(index) else { return };
        let looks = matches!(kind, Kind::Look(_));
        let verdict = match answer {
            Answer::Truth if !self.secret_is_good => {
                self.refused = true;
                // A re-check begins anew with a look.
                let received = if looks {
                    0
                } else if kind == Kind::RemoveAgain {
                    1
                } else {
                    2
                };
                self.count(&on, received);
                let attempt = Attempt { received, ..attempt(request, self.now) };
                return self.keep(on, Brought::Refusal(attempt, trouble(Reason::CredentialInvalid)));
            }
            Answer::Truth if kind == Kind::Look(Purpose::Recheck) && self.target && self.photo => {
                return self.tasks.push(Task::Again { on, request });
            }
            Answer::Truth if looks && !self.target => Verdict::TargetNotFound,
            Answer::Truth if looks && self.photo => Verdict::Present,
            Answer::Truth if looks => Verdict::Absent { confirmed: true },
            Answer::Truth => self.truth(&request),
            Answer::Lost => {
                self.photo &= looks;
                Verdict::Unavailable
            }
            Answer::Throttled => Verdict::Throttled { until: self.now + Duration::from_secs(30) },
            Answer::Unavailable => Verdict::Unavailable,
            Answer::Denied => Verdict::PermissionDenied,
            Answer::Rejected => Verdict::Rejected,
        };
        self.count(&on, u32::from(!looks && answer != Answer::Throttled));
        let attempt = Attempt { received: u32::from(!looks), ..attempt(request, self.now) };
        let brought = match kind {
            Kind::Remove => Brought::Answer(attempt, verdict),
            Kind::Look(Purpose::Rehearsal) => Brought::Rehearsal(attempt, verdict),
            Kind::Look(Purpose::Recheck) | Kind::RemoveAgain => Brought::Recheck(attempt, verdict),
        };
        self.keep(on, brought);
    }

    fn truth(&mut self, request: &str) -> Verdict {
        if !self.target {
            return Verdict::TargetNotFound;
        }
        let (outcome, verdict) = if std::mem::replace(&mut self.photo, false) {
            (Outcome::Removed, Verdict::Removed)
        } else {
            (Outcome::AlreadyAbsent, Verdict::Absent { confirmed: true })
        };
        self.said.push((request.to_owned(), outcome));
        verdict
    }

    fn count(&mut self, on: &Stored, requests: u32) {
        let birth = on.object.uid.parse::<usize>().unwrap();
        self.received[birth] += requests;
    }

    fn keep(&mut self, on: Stored, brought: Brought) {
        let (uid, generation) = (on.object.uid.clone(), on.object.generation);
        self.tasks.push(Task::Keep { uid, generation, brought: Box::new(brought), on: Some(on) });
    }

    /// Whether the API server gets the write, and stores it.
    fn takes(&self, on: &Stored, write: Write, broken: Option<Rule>) -> bool {
        write != Write::IsLost && (self.holds(on) || broken == Some(Rule::NameTheVersion))
    }

    /// Writes what an attempt brought; what could not be written, or may not have been, is kept.
    fn write_down(
        &mut self,
        (uid, generation): (String, i64),
        brought: Box<Brought>,
        on: &Stored,
        write: Write,
        broken: Option<Rule>,
    ) {
        let mut object = (*on.object).clone();
        if broken == Some(Rule::SeeWhatIsRecorded) {
            (object.status.outcome, object.status.last_attempt) = (None, None);
        }
        let status = record(&object.seen().as_decided(generation, None), &brought, &POLICY, self.now);
        if status == on.object.status {
            return;
        }
        let stored = self.takes(on, write, broken);
        if stored {
            self.commit(status);
        }
        if !stored || write == Write::LosesItsAnswer {
            self.tasks.push(Task::Keep { uid, generation, brought, on: None });
        }
    }
}

/// What a step asks of Graph.
fn kind(step: &Step) -> Option<Kind> {
    match step {
        Step::Remove(_) => Some(Kind::Remove),
        Step::Check(_, purpose) => Some(Kind::Look(*purpose)),
        Step::Rest | Step::WaitUntil(_) | Step::Record(_) | Step::Discard => None,
    }
}

fn attempt(client_request_id: String, time: Timestamp) -> Attempt {
    Attempt {
        time,
        tenant: TenantId::parse("contoso.com").unwrap(),
        client: ClientId::parse("2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10").unwrap(),
        delegated: false,
        notice: None,
        client_request_id,
        received: 1,
        http_status: None,
        error_code: None,
        request_id: None,
        retry_after_seconds: None,
    }
}

fn trouble(reason: Reason) -> Trouble {
    Trouble { reason, message: "The credential is of no use.".to_owned() }
}
