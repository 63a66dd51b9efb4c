//! One replica of the model: its candidate, its clocks, and the write that it waits for.

use std::time::Duration;

use jiff::Timestamp;
use photo_removal_operator::leadership::{Candidate, Claim, Held, Moment, Step, Term};

use super::world::{Act, Fate};
use super::{FATES, Rule};

/// A tick of a clock that is neither fast nor slow.
const TICK: Duration = Duration::from_secs(1);

/// How long after its term a replica still counts as sending, on its own clock.
const GRACE: Duration = Duration::from_millis(90);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Replica {
    pub(super) number: usize,
    /// How often it was started again.
    pub(super) births: u8,
    pub(super) candidate: Candidate,
    pub(super) speed: u32,
    pub(super) now: Moment,
    pub(super) asleep: bool,
    pub(super) call: Option<Call>,
}

/// A write under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call {
    pub(super) begun: Moment,
    pub(super) way: Way,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// The write is on its way.
    There(Claim),
    /// The answer is on its way; none: it was refused.
    Back(Option<Held>),
    Lost,
}

impl Call {
    pub(super) fn on_its_way(self) -> Option<Claim> {
        match self.way {
            Way::There(claim) => Some(claim),
            Way::Back(_) | Way::Lost => None,
        }
    }
}

impl Replica {
    pub(super) fn tick(&mut self) {
        let passed = TICK * self.speed / 100;
        if !self.asleep {
            self.now.steady += passed;
        }
        self.now.wall += passed;
    }

    pub(super) fn may_send(&self, broken: Option<Rule>) -> bool {
        let wall = if broken == Some(Rule::HeedTheWallClock) { Timestamp::UNIX_EPOCH } else { self.now.wall };
        let now = Moment { wall, ..self.now };
        let sends = |term: Term| Term { length: term.length + GRACE, ..term }.rest(now).is_some();
        !self.asleep && self.candidate.term().is_some_and(sends)
    }

    pub(super) fn is_about_to_read(&self) -> bool {
        self.call.is_none() && self.candidate.term().is_none() && self.candidate.next(self.now) == Step::Read
    }

    pub(super) fn possible(&self, index: usize, may_fail: bool) -> Vec<Act> {
        let mut acts = Vec::new();
        match &self.call {
            Some(call) => {
                acts.push(Act::GiveUp(index));
                match call.way {
                    Way::There(_) => acts.push(Act::Land(index)),
                    Way::Back(_) => acts.push(Act::Hear(index)),
                    Way::Lost => {}
                }
            }
            None => match self.candidate.next(self.now) {
                Step::Wait(_) => {}
                Step::StandDown(_) => acts.push(Act::StandDown(index)),
                Step::Read => {
                    acts.push(Act::Read(index));
                    acts.extend((may_fail && self.candidate.term().is_some()).then_some(Act::FailToRead(index)));
                }
                Step::Write(_) => {
                    let fates = FATES.into_iter().filter(|fate| may_fail || *fate == Fate::Stored);
                    acts.extend(fates.map(|fate| Act::Write(index, fate)));
                }
            },
        }
        if self.candidate.term().is_some() && may_fail {
            acts.extend([Act::Leave(index), Act::Kill(index), Act::Sleep(index)]);
        } else if may_fail && self.call.is_some() {
            acts.push(Act::Kill(index));
        }
        acts
    }
}
