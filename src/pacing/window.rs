//! How many requests may be in flight. Pure: time comes in as a parameter.

use std::time::Duration;

use jiff::Timestamp;

use super::after;
use super::quickness::Quickness;

/// Microsoft documents four requests at a time per application for the service that photos belong to
/// (<https://learn.microsoft.com/graph/throttling-limits>).
const DOCUMENTED: usize = 4;

/// How much longer than the last pause a size that was throttled is left alone: a try that fails costs such a pause again,
/// and so at most the fortieth part of the time.
const PATIENCE: u32 = 40;

/// The shortest and the longest time for which it is left alone.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3 * 3600);

/// So many full windows of answers are seen before the window grows where it was throttled before.
const CAUTION: usize = 4;

/// How long to wait, after a pause of that length, before what led to it is tried again.
pub(super) fn patience(pause: Duration) -> Duration {
    pause.saturating_mul(PATIENCE).clamp(SHORTEST, LONGEST)
}

/// How things stood when somebody got a slot: what an answer tells depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The number of the pauses before it.
    pub(super) epoch: u64,
    /// Who was on the way then, with this one.
    pub(super) in_flight: usize,
    /// The most in flight that Graph was known to let pass then, since the last pause.
    pub(super) proven: usize,
    /// Whether nobody else could have gone, for want of a slot.
    pub(super) full: bool,
}

/// A window that grows while it is full and answers are quick, and is halved by a throttled one.
#[derive(Debug)]
pub(super) struct Window {
    /// `--max-in-flight`.
    most: usize,
    size: usize,
    ceiling: Option<Ceiling>,
    /// The most in flight that Graph let pass since the last pause.
    proven: usize,
    /// Answers that spoke for growing, since it grew.
    streak: usize,
    quickness: Quickness,
}

/// A size that is right, as far as is known: one above it was throttled.
#[derive(Clone, Copy, Debug)]
struct Ceiling {
    size: usize,
    /// Not exceeded before.
    until: Timestamp,
}

impl Start {
    /// Whether so many at once is the likely reason for a throttled answer: fewer were let pass before, but never so many.
    /// (What was let pass meanwhile says little: a request that is being refused takes up no place.)
    pub(super) fn is_a_first(&self) -> bool {
        self.in_flight > self.proven.max(1)
    }
}

impl Window {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let size = DOCUMENTED.min(most);
        Self { most, size, ceiling: None, proven: 0, streak: 0, quickness: Quickness::default() }
    }

    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Whether it holds back because of what was met.
    pub(super) fn is_narrowed(&self) -> bool {
        self.ceiling.is_some() || self.size < DOCUMENTED.min(self.most)
    }

    /// A request of this epoch was answered, and not throttled, after that time.
    pub(super) fn answered(&mut self, start: Start, took: Duration, near_limit: bool, now: Timestamp) {
        self.proven = self.proven.max(start.in_flight);
        let quick = self.quickness.answered(took, now);
        if near_limit || !quick || !start.full || self.size >= self.most {
            return;
        }
        self.streak += 1;
        let needed = match self.ceiling {
            Some(ceiling) if self.size >= ceiling.size && now < ceiling.until => return,
            Some(ceiling) if self.size >= ceiling.size => CAUTION * self.size,
            _ => 1,
        };
        if self.streak < needed {
            return;
        }
        self.streak = 0;
        self.size += 1;
        self.ceiling = self
            .ceiling
            .filter(|_| self.size < self.most)
            .map(|known| Ceiling { size: known.size.max(self.size), ..known });
    }

    /// How things stand for somebody who goes now, after so many pauses, as one of so many.
    pub(super) fn started(&self, epoch: u64, in_flight: usize, held: usize) -> Start {
        Start { epoch, in_flight, proven: self.proven, full: held >= self.size }
    }

    /// So many at once were too many for this one, though its answer came after that of another one which was refused.
    pub(super) fn throttled_first(&mut self, start: Start, pause: Duration, now: Timestamp) {
        self.suspect(start, start.proven, pause, now);
    }

    /// So many at once were too many, where so many are known to pass.
    fn suspect(&mut self, start: Start, proven: usize, pause: Duration, now: Timestamp) {
        // Others may have been refused before this one, whose answers are still to come.
        let known = proven.clamp(start.in_flight * 3 / 4, start.in_flight.saturating_sub(1));
        let size = known.clamp(1, self.most);
        self.ceiling = Some(Ceiling { size, until: after(now, pause + patience(pause)) });
    }

    /// Halves it. `suspected`: so many at once were too many, so they are not tried again for a while that the length of
    /// the pause decides.
    pub(super) fn throttled(&mut self, start: Start, suspected: bool, pause: Duration, now: Timestamp) {
        if suspected {
            self.suspect(start, self.proven, pause, now);
        }
        let most = self.ceiling.map_or(self.most, |known| known.size);
        self.size = (self.size / 2).clamp(1, most);
        (self.proven, self.streak) = (0, 0);
    }
}
