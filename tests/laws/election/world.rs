//! Everything that the model's acts can change: the Lease, the replicas, and the writes that are on their way.

use std::time::Duration;

use jiff::Timestamp;
use photo_removal_operator::leadership::{Candidate, Claim, Held, Loss, Moment, Record, Step, Terms};

use super::Rule;
use super::replica::{Call, Replica, Way};

const TERMS: Terms = Terms {
    lease_duration: Duration::from_secs(3),
    renew_deadline: Duration::from_millis(1_900),
    retry_period: Duration::from_secs(1),
};

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    pub(super) ticks: u8,
    pub(super) faults: u8,
    /// In each tick replicas act one after the other, each once it is its turn; else in any order.
    pub(super) in_turn: bool,
    /// Worlds that differ in nothing but their past are two.
    pub(super) remembers: bool,
}

/// What becomes of a write. All but the first are faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stored,
    /// Stored (or refused), of which its sender hears late, or never.
    Unheard,
    Lost,
    /// On its way, until it lands.
    Slow,
}

/// One thing that happens. Numbers say to which replica, or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Tick,
    Read(usize),
    FailToRead(usize),
    Write(usize, Fate),
    /// A slow write arrives, and its sender hears of it.
    Land(usize),
    /// The answer to a write that has arrived already.
    Hear(usize),
    /// The sender waits no more. What is on its way may still arrive.
    GiveUp(usize),
    LandLate(usize),
    StandDown(usize),
    /// Killed, and started again.
    Kill(usize),
    /// Told to end: sends nothing any more, gives the Lease up, and starts again.
    Leave(usize),
    Sleep(usize),
    Wake(usize),
    Delete,
}

impl Act {
    const fn is_a_fault(self) -> bool {
        match self {
            Self::Write(_, fate) => !matches!(fate, Fate::Stored),
            Self::FailToRead(_) | Self::Kill(_) | Self::Leave(_) | Self::Sleep(_) | Self::Delete => true,
            _ => false,
        }
    }

    /// Whose act it is.
    const fn replica(self) -> Option<usize> {
        match self {
            Self::Tick | Self::LandLate(_) | Self::Delete => None,
            Self::Read(index)
            | Self::FailToRead(index)
            | Self::Write(index, _)
            | Self::Land(index)
            | Self::Hear(index)
            | Self::GiveUp(index)
            | Self::StandDown(index)
            | Self::Kill(index)
            | Self::Leave(index)
            | Self::Sleep(index)
            | Self::Wake(index) => Some(index),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) budget: Budget,
    pub(super) tick: u8,
    pub(super) lease: Option<Record>,
    uid: u8,
    version: u32,
    replicas: Vec<Replica>,
    /// Writes whose senders have given them up.
    adrift: Vec<Claim>,
    robbed: bool,
    /// Whoever comes before this one has done in this tick what it does; always the first, where the order is free.
    turn: usize,
    /// What went before, as far as a budget asks for it to be remembered.
    pub(super) past: Option<Past>,
}

/// Something of note that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Past {
    Killed,
    GivenUp(u8),
    StoodDown,
    Deleted,
    CameLate,
}

impl World {
    pub(super) fn new(budget: Budget, speeds: &[u32]) -> Self {
        let now = Moment { steady: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        let replica = |(number, speed): (usize, &u32)| Replica {
            number,
            births: 0,
            candidate: Candidate::new(format!("{number}.0"), TERMS),
            speed: *speed,
            now,
            asleep: false,
            call: None,
        };
        Self {
            budget,
            tick: 0,
            lease: None,
            uid: 0,
            version: 0,
            replicas: speeds.iter().enumerate().map(replica).collect(),
            adrift: Vec::new(),
            robbed: false,
            turn: 0,
            past: None,
        }
    }

    /// With a Lease that somebody gave up.
    pub(super) fn with_lease(mut self) -> Self {
        self.lease = Some(Record { duration_seconds: Some(1), ..Record::default() });
        self
    }

    /// How many replicas there are that may send, or may not have called off yet what they sent.
    pub(super) fn senders(&self, broken: Option<Rule>) -> usize {
        self.replicas.iter().filter(|replica| replica.may_send(broken)).count()
    }

    pub(super) fn is_robbed(&self) -> bool {
        self.robbed
    }

    /// Somebody leads after that, who did not lead before.
    pub(super) fn leads_after(&self, past: Past) -> bool {
        let another = self.lease.as_ref().is_some_and(|lease| lease.transitions > 1);
        self.past == Some(past) && another && self.senders(None) > 0
    }

    pub(super) fn overslept(&self) -> bool {
        let slept = |replica: &Replica| {
            let steady = Moment { wall: Timestamp::UNIX_EPOCH, ..replica.now };
            let term = replica.candidate.term();
            term.is_some_and(|term| term.rest(replica.now).is_none() && term.rest(steady).is_some())
        };
        self.replicas.iter().any(slept)
    }

    pub(super) fn possible(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        let may_fail = self.budget.faults > 0;
        // Who reads late only waits longer.
        let reads = |replica: &Replica| !replica.asleep && replica.is_about_to_read();
        if self.budget.ticks > 0 && !self.replicas.iter().skip(self.turn).any(reads) {
            acts.push(Act::Tick);
        }
        for (index, replica) in self.replicas.iter().enumerate().skip(self.turn) {
            if replica.asleep {
                acts.push(Act::Wake(index));
                continue;
            }
            acts.extend(replica.possible(index, may_fail));
        }
        acts.extend((0..self.adrift.len()).map(Act::LandLate));
        if may_fail && self.lease.is_some() {
            acts.push(Act::Delete);
        }
        acts
    }

    pub(super) fn perform(&mut self, act: Act, broken: Option<Rule>) {
        if let Some(replica) = act.replica().filter(|_| self.budget.in_turn) {
            self.turn = replica;
        }
        self.budget.faults -= u8::from(act.is_a_fault());
        match act {
            Act::Tick => {
                self.budget.ticks -= 1;
                self.tick += 1;
                self.turn = 0;
                self.replicas.iter_mut().for_each(Replica::tick);
            }
            Act::LandLate(index) => {
                let claim = self.adrift.remove(index);
                if self.store(claim, broken).is_some() {
                    self.remember(Past::CameLate);
                }
            }
            Act::Delete => {
                self.lease = None;
                self.version += 1;
                self.remember(Past::Deleted);
            }
            Act::Read(index) => {
                let held = self.held();
                let replica = &mut self.replicas[index];
                replica.candidate.saw(held, replica.now);
            }
            Act::FailToRead(index) => {
                let replica = &mut self.replicas[index];
                replica.candidate.failed_to_read(replica.now);
            }
            Act::Write(index, fate) => self.write(index, fate, broken),
            Act::Land(index) => self.land(index, broken),
            Act::Hear(index) => self.hear(index, broken),
            Act::GiveUp(index) => {
                let replica = &mut self.replicas[index];
                let Some(call) = replica.call.take() else { return };
                replica.candidate.failed_to_write(call.begun, replica.now);
                self.adrift.extend(call.on_its_way());
            }
            Act::Sleep(index) => self.replicas[index].asleep = true,
            Act::Wake(index) => self.replicas[index].asleep = false,
            Act::StandDown(index) | Act::Kill(index) | Act::Leave(index) => self.end(act, index, broken),
        }
    }

    /// The process ends, one way or another.
    fn end(&mut self, act: Act, index: usize, broken: Option<Rule>) {
        let replica = &self.replicas[index];
        let next = replica.candidate.next(replica.now);
        self.robbed |= matches!(next, Step::StandDown(Loss::Taken(_))) && replica.may_send(broken);
        let resignation = replica.candidate.resignation(replica.now);
        self.restart(index, broken);
        match act {
            Act::Kill(_) => self.remember(Past::Killed),
            Act::StandDown(_) => self.remember(Past::StoodDown),
            _ => {
                if resignation.is_some_and(|claim| self.store(claim, broken).is_some()) {
                    self.remember(Past::GivenUp(self.tick));
                }
            }
        }
    }

    /// Writes that can only be refused from now on are as good as lost.
    pub(super) fn drop_what_cannot_land(&mut self) {
        let (missing, version) = (self.lease.is_none(), self.version.to_string());
        let may_land = |claim: &Claim| claim.over.as_ref().is_none_or(|over| !missing && *over == version);
        self.adrift.retain(may_land);
        for call in self.replicas.iter_mut().filter_map(|replica| replica.call.as_mut()) {
            if matches!(&call.way, Way::There(claim) if !may_land(claim)) {
                call.way = Way::Back(None);
            }
        }
    }

    fn remember(&mut self, past: Past) {
        self.past = self.budget.remembers.then_some(past);
    }

    fn held(&self) -> Option<Held> {
        self.lease.clone().map(|record| Held { uid: self.uid.to_string(), version: self.version.to_string(), record })
    }

    fn write(&mut self, index: usize, fate: Fate, broken: Option<Rule>) {
        let replica = &mut self.replicas[index];
        let Step::Write(claim) = replica.candidate.next(replica.now) else { return };
        let begun = replica.now;
        let way = match fate {
            Fate::Stored | Fate::Unheard => Way::Back(self.store(claim, broken)),
            Fate::Slow => Way::There(claim),
            Fate::Lost => Way::Lost,
        };
        self.replicas[index].call = Some(Call { begun, way });
        if fate == Fate::Stored {
            self.hear(index, broken);
        }
    }

    fn land(&mut self, index: usize, broken: Option<Rule>) {
        let Some(Call { begun, way: Way::There(claim) }) = self.replicas[index].call.take() else { return };
        let way = Way::Back(self.store(claim, broken));
        self.replicas[index].call = Some(Call { begun, way });
        self.hear(index, broken);
    }

    fn hear(&mut self, index: usize, broken: Option<Rule>) {
        let replica = &mut self.replicas[index];
        let Some(Call { begun, way: Way::Back(held) }) = replica.call.take() else { return };
        let begun = if broken == Some(Rule::CountFromTheBeginning) { replica.now } else { begun };
        match held {
            Some(held) => replica.candidate.wrote(held, begun, replica.now),
            None => replica.candidate.failed_to_write(begun, replica.now),
        }
    }

    /// The API server's answer to a write; none if it is refused.
    fn store(&mut self, claim: Claim, broken: Option<Rule>) -> Option<Held> {
        let stored = self.held().map(|held| held.version);
        if claim.over != stored && broken != Some(Rule::NameTheVersion) {
            return None;
        }
        self.uid += u8::from(claim.over.is_none());
        self.version += 1;
        self.lease = Some(claim.record);
        self.held()
    }

    /// The process ends, and another one begins. What it had sent may still arrive.
    fn restart(&mut self, index: usize, broken: Option<Rule>) {
        let replica = &mut self.replicas[index];
        replica.births += 1;
        let (number, births) = (replica.number, replica.births);
        let identity =
            if broken == Some(Rule::NewNameEachTime) { "0.0".to_owned() } else { format!("{number}.{births}") };
        replica.candidate = Candidate::new(identity, TERMS);
        self.adrift.extend(replica.call.take().and_then(Call::on_its_way));
    }
}
