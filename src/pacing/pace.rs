//! How many requests may start a second, learned from throttled answers. Pure: time comes in as a parameter.
//!
//! A limit on the rate is a bucket: it fills steadily, every request takes something out, and who finds it empty is
//! throttled. So whatever is let pass between two moments at which it was empty came in between them, and that, by the
//! time in between, is the rate. (Where it ran over meanwhile it is less, never more.) From the moment at which a bucket
//! was full it takes one bucketful more to empty it, and Microsoft documents how long a bucket takes to fill.

use std::time::Duration;

use jiff::Timestamp;

use super::window::patience;
use super::{after, elapsed};

/// How long an empty bucket takes to fill: Microsoft documents 3,000 writes in 2 minutes and 30 seconds
/// (<https://learn.microsoft.com/graph/throttling-limits>).
const FILLS: f64 = 150.0;

/// As much of a learned rate is used as leaves room for others, and for clocks.
const SHARE: f64 = 0.98;

/// A rate that was throttled is lowered at least to this share of it.
const LOWERED: f64 = 0.95;

/// Above this share of a learned rate more has passed than its error explains.
const NOTICEABLE: f64 = 1.2;

/// From fewer answers than this no rate is learned.
const ENOUGH: u32 = 20;

/// Nor from fewer than so many for each that is under way, whose answers are not counted yet: else it is too low.
const ENOUGH_EACH: u32 = 10;

/// The slowest pace, in starts a second: slow enough for any limit that lets an operator work at all.
const SLOWEST: f64 = 0.5;

/// Longer than any two starts lie apart. What lies further ahead is due to a clock that was put back.
const FARTHEST: Duration = Duration::from_secs(4);

/// How far a start that comes late may be caught up with: timers are no more precise than that.
const SLACK: Duration = Duration::from_millis(500);

/// In this time a rate that is not certain doubles, in four times as long it grows seventeenfold.
const UNCERTAIN: Duration = Duration::from_secs(60);

/// The same of one that was met twice.
const CERTAIN: Duration = Duration::from_secs(500);

/// A rate that is not certain holds at least so long.
const SHORTEST: Duration = Duration::from_secs(10);

/// A pace that starts keep, once it was learned.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    learned: Option<Learned>,
    /// The earliest time of the next start, with a learned rate.
    next: Timestamp,
    /// How far the last start put it off, and the end of the last pause, before which it never lies.
    step: Duration,
    not_before: Timestamp,
    evidence: Option<Evidence>,
}

/// A rate: it holds for a while, and then climbs, slowly first, to see whether the limit has risen.
#[derive(Clone, Copy, Debug)]
struct Learned {
    /// Starts a second.
    rate: f64,
    climbs_from: Timestamp,
    /// How long it takes to double.
    doubles_in: Duration,
}

/// What a rate can be learned from.
#[derive(Clone, Copy, Debug)]
struct Evidence {
    /// The answers, throttled ones not counted, since then.
    answers: u32,
    since: Timestamp,
    /// Whether the limit was used up then.
    was_empty: bool,
    /// The first start after the last pause, and the first one of a climb, with the answers that there were then.
    resumed: Option<(Timestamp, u32)>,
    climbed: Option<(Timestamp, u32)>,
    /// The last start, or the end of the pause.
    last: Timestamp,
}

impl Learned {
    fn rate(&self, now: Timestamp) -> f64 {
        let climbed = elapsed(self.climbs_from, now).as_secs_f64() / self.doubles_in.as_secs_f64();
        self.rate * climbed.mul_add(climbed, 1.0)
    }

    fn interval(&self, now: Timestamp) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.rate(now)).unwrap_or(FARTHEST)
    }
}

impl Evidence {
    fn new(since: Timestamp, was_empty: bool) -> Self {
        Self { answers: 0, since, was_empty, resumed: None, climbed: None, last: since }
    }

    /// At least so many requests a second are let pass, now that the bucket is known to be empty.
    fn at_least(&self, now: Timestamp) -> f64 {
        let from = |(since, answers): (Timestamp, u32), fills: f64| {
            f64::from(self.answers.saturating_sub(answers)) / (elapsed(since, now).as_secs_f64() + fills).max(0.001)
        };
        let whole = if self.was_empty { from((self.since, 0), 0.0) } else { from((self.since, 0), FILLS) };
        let parts = [self.resumed, self.climbed].into_iter().flatten().map(|part| from(part, FILLS));
        parts.fold(whole, f64::max)
    }

    /// How many passed a second, since the last pause.
    fn throughput(&self, now: Timestamp) -> f64 {
        let (since, answers) = self.resumed.unwrap_or((self.since, 0));
        f64::from(self.answers.saturating_sub(answers)) / elapsed(since, now).as_secs_f64().max(1.0)
    }
}

impl Pace {
    /// Whether somebody may start.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.learned.is_none() || self.next <= now || elapsed(now, self.next) > FARTHEST
    }

    /// When the next one may start; none if there is no pace.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.learned.map(|_| self.next)
    }

    /// The learned rate, in starts a second.
    pub(super) fn rate(&self, now: Timestamp) -> Option<f64> {
        self.learned.map(|learned| learned.rate(now))
    }

    pub(super) const fn is_learned(&self) -> bool {
        self.learned.is_some()
    }

    /// Somebody starts.
    pub(super) fn start(&mut self, now: Timestamp) {
        let fresh = self.evidence.filter(|known| elapsed(known.last, now).as_secs_f64() < FILLS);
        let evidence = self.evidence.insert(fresh.unwrap_or_else(|| Evidence::new(now, false)));
        evidence.last = now;
        evidence.resumed.get_or_insert((now, evidence.answers));
        let Some(learned) = &mut self.learned else { return };
        let late = elapsed(self.next, now);
        if now > learned.climbs_from {
            evidence.climbed.get_or_insert((now, evidence.answers));
            if late > SLACK {
                // The rate was not what held anybody up, so it was not tried.
                learned.climbs_from = after(learned.climbs_from, late.min(elapsed(learned.climbs_from, now)));
            }
        }
        let from = if late > SLACK || elapsed(now, self.next) > FARTHEST { before(now, SLACK) } else { self.next };
        self.step = learned.interval(now);
        self.next = after(from, self.step);
    }

    /// Whoever started last sent nothing: the next one need not wait for that.
    pub(super) fn give_back(&mut self) {
        if self.learned.is_some() {
            self.next = before(self.next, self.step).max(self.not_before);
        }
    }

    /// A request was answered, and not throttled.
    pub(super) fn answered(&mut self, near_limit: bool, now: Timestamp) {
        if let Some(evidence) = &mut self.evidence {
            evidence.answers = evidence.answers.saturating_add(1);
        }
        if near_limit {
            self.hold(now);
        }
    }

    /// The limit is near: the rate climbs no further, and goes on from where it began if it has climbed.
    fn hold(&mut self, now: Timestamp) {
        if let Some(learned) = &mut self.learned {
            learned.climbs_from = learned.climbs_from.max(after(now, SHORTEST));
        }
    }

    /// Whether it was seen to pass noticeably more than what was learned.
    pub(super) fn has_climbed(&self, now: Timestamp) -> bool {
        self.learned.is_some_and(|learned| learned.rate(now) > learned.rate * NOTICEABLE)
    }

    /// Nobody starts before that time.
    pub(super) fn pause(&mut self, until: Timestamp) {
        if let Some(evidence) = &mut self.evidence {
            (evidence.resumed, evidence.last) = (None, evidence.last.max(until));
        }
        self.not_before = self.not_before.max(until);
        self.next = self.next.max(until);
    }

    /// Too many started lately, of whom so many are under way. `paced`: the pace was what held back others, so it is the rate
    /// that was met.
    pub(super) fn throttled(&mut self, under_way: usize, paced: bool, pause: Duration, now: Timestamp) {
        let until = after(now, pause);
        let evidence = self.evidence.get_or_insert_with(|| Evidence::new(now, false));
        let enough = u32::try_from(under_way).unwrap_or(u32::MAX).saturating_mul(ENOUGH_EACH).max(ENOUGH);
        if evidence.answers < enough {
            if !evidence.was_empty {
                *evidence = Evidence::new(now, true);
            }
            return self.pause(until);
        }
        let mut rate = evidence.at_least(now) * SHARE;
        match &self.learned {
            Some(learned) => rate = rate.min(learned.rate(now) * LOWERED),
            None if !evidence.was_empty => rate = rate.max(evidence.throughput(now) / 2.0),
            None => {}
        }
        let certain = paced && self.learned.is_some();
        let (holds, doubles_in) = if certain { (patience(pause), CERTAIN) } else { (pause.max(SHORTEST), UNCERTAIN) };
        self.learned = Some(Learned { rate: rate.max(SLOWEST), climbs_from: after(until, holds), doubles_in });
        self.evidence = Some(Evidence::new(now, true));
        self.pause(until);
    }
}

fn before(time: Timestamp, span: Duration) -> Timestamp {
    time.saturating_sub(span).unwrap_or(Timestamp::MIN)
}
