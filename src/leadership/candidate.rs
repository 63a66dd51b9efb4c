//! One replica's part in the election. Pure: what the API server answers and what the clocks say goes in, what to do next
//! comes out.

use std::time::Duration;

use jiff::Timestamp;

/// A lease of so many seconds that nobody holds was given up by its holder, who sends nothing any more: client-go's sign.
const GIVEN_UP_SECONDS: i32 = 1;

/// A moment on this process's own clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// The time since some start, on a clock that nobody sets. It may stand still while the machine sleeps.
    pub steady: Duration,
    /// The wall clock. It goes on then, and may be set.
    pub wall: Timestamp,
}

/// The waits of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Who does not lead waits so long after the last sign of life; longer than `renew_deadline`.
    pub lease_duration: Duration,
    /// Who leads and cannot renew stops after so long.
    pub renew_deadline: Duration,
    /// The time between two renewals; shorter than `renew_deadline`.
    pub retry_period: Duration,
}

impl Default for Terms {
    /// client-go's.
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

/// What a Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// Who holds it; none: nobody.
    pub holder: Option<String>,
    /// How long the holder may hold it without a sign of life.
    pub duration_seconds: Option<i32>,
    /// Since when that holder has held it.
    pub acquired: Option<Timestamp>,
    /// When the holder gave its last sign of life, on the holder's clock. Only ever compared with what was read before.
    pub renewed: Option<Timestamp>,
    /// How often the holder has changed.
    pub transitions: i32,
}

/// A Lease as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// Its uid: another Lease of the same name is news, even if it says the same.
    pub uid: String,
    /// Its resourceVersion.
    pub version: String,
    /// What it says.
    pub record: Record,
}

/// A write of the Lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The version that it replaces; none: it makes the Lease.
    pub over: Option<String>,
    /// What it shall say.
    pub record: Record,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the Lease, and tell [`Candidate::saw`] or [`Candidate::failed_to_read`].
    Read,
    /// Write it, and tell [`Candidate::wrote`] or [`Candidate::failed_to_write`].
    Write(Claim),
    /// Nothing, for so long.
    Wait(Duration),
    /// Lead no more.
    StandDown(Loss),
}

/// Why a leader leads no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// It could not renew in time, or its machine slept.
    #[error("the lease was not renewed in time")]
    Overdue,
    /// Somebody else holds the Lease.
    #[error("the lease is held by {0}")]
    Taken(String),
}

/// How long a leader leads, unless it renews.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// When the write was begun that the term rests on.
    pub since: Moment,
    /// How long it lasts.
    pub length: Duration,
}

impl Term {
    /// What is left of it; none when it is over. The clock that is further on counts.
    #[must_use]
    pub fn rest(&self, now: Moment) -> Option<Duration> {
        let steady = now.steady.saturating_sub(self.since.steady);
        let wall = Duration::try_from(now.wall.duration_since(self.since.wall)).unwrap_or_default();
        self.length.checked_sub(steady.max(wall)).filter(|rest| !rest.is_zero())
    }
}

/// A replica that stands for election.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    identity: String,
    terms: Terms,
    sight: Option<Sight>,
    /// When the last write was begun, on the steady clock.
    wrote_at: Option<Duration>,
    /// Nothing is done before, on the steady clock.
    due: Duration,
    term: Option<Term>,
}

/// The Lease as it was seen last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sight {
    /// None: there was no Lease.
    record: Option<Record>,
    uid: Option<String>,
    /// When it was first seen so, on the steady clock.
    since: Duration,
    /// What a write would replace. None once a write's fate is unknown, or time has passed: it is to be read again.
    base: Option<Base>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Base {
    Missing,
    Version(String),
}

impl Candidate {
    /// One that knows nothing yet. `identity` must be of this process alone: not even a restart may share it.
    #[must_use]
    pub const fn new(identity: String, terms: Terms) -> Self {
        Self { identity, terms, sight: None, wrote_at: None, due: Duration::ZERO, term: None }
    }

    /// Under which name it stands.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Its term, which may be over; none while it does not lead.
    #[must_use]
    pub const fn term(&self) -> Option<Term> {
        self.term
    }

    /// Who held the Lease when it was seen last.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.sight.as_ref()?.record.as_ref()?.holder.as_deref()
    }

    /// What to do now.
    #[must_use]
    pub fn next(&self, now: Moment) -> Step {
        if let Some(term) = self.term {
            match self.holder() {
                Some(holder) if holder != self.identity => return Step::StandDown(Loss::Taken(holder.to_owned())),
                _ if term.rest(now).is_none() => return Step::StandDown(Loss::Overdue),
                _ => {}
            }
        }
        match self.due.checked_sub(now.steady) {
            Some(rest) if !rest.is_zero() => Step::Wait(rest),
            _ => match &self.sight {
                Some(Sight { base: Some(base), record, since, .. }) if self.may_write(record.as_ref(), *since, now) => {
                    Step::Write(self.claim(base, record.as_ref(), now))
                }
                _ => Step::Read,
            },
        }
    }

    /// How long the next call may take. Half of what is left, so that there is time for another one.
    #[must_use]
    pub fn patience(&self, now: Moment) -> Duration {
        self.term.map_or(self.terms.renew_deadline, |term| term.rest(now).unwrap_or_default()) / 2
    }

    /// The Lease was read; none: there is none.
    pub fn saw(&mut self, held: Option<Held>, now: Moment) {
        let (base, record, uid) = match held {
            Some(held) => (Base::Version(held.version), Some(held.record), Some(held.uid)),
            None => (Base::Missing, None, None),
        };
        // Anything new is a sign of life, and the wait for the holder begins anew.
        let since = match &self.sight {
            Some(sight) if sight.record == record && sight.uid == uid => sight.since,
            _ => now.steady,
        };
        let claims = self.may_write(record.as_ref(), since, now);
        self.due = if claims {
            self.wrote_at.map_or(now.steady, |at| now.steady.max(at + self.terms.retry_period))
        } else {
            // A little more often than a leader renews, so that one which is given up is taken within that time.
            let free = record.as_ref().map_or(now.steady, |record| self.free_at(record, since));
            free.min(now.steady + self.terms.retry_period * 3 / 4)
        };
        self.sight = Some(Sight { record, uid, since, base: claims.then_some(base) });
    }

    /// The write that was begun then is stored.
    pub fn wrote(&mut self, held: Held, begun: Moment, now: Moment) {
        let leads = held.record.holder.as_ref() == Some(&self.identity);
        let term = Term { since: begun, length: self.terms.renew_deadline };
        self.wrote_at = Some(begun.steady);
        self.due = begun.steady + self.terms.retry_period;
        if !leads {
            self.term = None;
        } else if self.term.is_some() || term.rest(now).is_some() {
            self.term = Some(term);
        }
        let base = Some(Base::Version(held.version));
        self.sight = Some(Sight { record: Some(held.record), uid: Some(held.uid), since: now.steady, base });
    }

    /// The API server did not say what the Lease is.
    pub fn failed_to_read(&mut self, now: Moment) {
        self.forget_base();
        self.due = now.steady + self.terms.retry_period.min(self.patience(now));
    }

    /// The write that was begun then was refused, or it is not known what became of it: the Lease itself will tell.
    pub fn failed_to_write(&mut self, begun: Moment, now: Moment) {
        self.forget_base();
        self.wrote_at = Some(begun.steady);
        self.due = now.steady;
    }

    /// The write that gives the Lease up, if it is held and known well enough; whoever asks must send nothing any more.
    #[must_use]
    pub fn resignation(&self, now: Moment) -> Option<Claim> {
        let Some(Sight { record: Some(record), base: Some(Base::Version(version)), .. }) = &self.sight else {
            return None;
        };
        (record.holder.as_ref() == Some(&self.identity)).then(|| Claim {
            over: Some(version.clone()),
            record: Record {
                holder: None,
                duration_seconds: Some(GIVEN_UP_SECONDS),
                acquired: Some(now.wall),
                renewed: Some(now.wall),
                transitions: record.transitions,
            },
        })
    }

    fn forget_base(&mut self) {
        if let Some(sight) = &mut self.sight {
            sight.base = None;
        }
    }

    /// Whether there is something to write: the Lease is this candidate's (it leads, or a write of its own arrived late),
    /// nobody can lead by it any more, or there is none.
    fn may_write(&self, record: Option<&Record>, since: Duration, now: Moment) -> bool {
        let Some(record) = record else { return true };
        let own = match &record.holder {
            Some(holder) => *holder == self.identity,
            None => self.term.is_some(),
        };
        own || self.free_at(record, since) <= now.steady
    }

    /// When nobody else can lead any more, on the steady clock. A Lease that nobody holds, and that nobody gave up, may have
    /// been put in the place of a leader's who does not know it yet.
    fn free_at(&self, record: &Record, since: Duration) -> Duration {
        if record.holder.is_none() && record.duration_seconds == Some(GIVEN_UP_SECONDS) {
            return since;
        }
        let said = record.duration_seconds.and_then(|said| u64::try_from(said).ok()).filter(|said| *said > 0);
        since.saturating_add(said.map_or(self.terms.lease_duration, Duration::from_secs))
    }

    /// Who finds no Lease makes one that nobody holds, and waits for its end as everybody does: it may have been deleted
    /// under a leader. Only that leader takes it at once.
    fn claim(&self, base: &Base, before: Option<&Record>, now: Moment) -> Claim {
        let over = match base {
            Base::Missing => None,
            Base::Version(version) => Some(version.clone()),
        };
        let same = before.filter(|before| before.holder.as_ref() == Some(&self.identity));
        let transitions = match (before, same) {
            (_, Some(same)) => same.transitions,
            (Some(other), None) => other.transitions.saturating_add(1),
            (None, None) => 0,
        };
        let leads = self.term.is_some() || before.is_some();
        let record = Record {
            holder: leads.then(|| self.identity.clone()),
            duration_seconds: Some(whole_seconds(self.terms.lease_duration)),
            acquired: same.and_then(|same| same.acquired).or(Some(now.wall)),
            renewed: Some(now.wall),
            transitions,
        };
        Claim { over, record }
    }
}

/// Rounded up: others may wait longer than they need to, never shorter.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
