//! A model of Graph's limits, in virtual time: a bucket of writes, requests in flight, and `Retry-After`.

use std::time::Duration;

/// Virtual time, in microseconds since the beginning.
pub(super) type Time = u64;

pub(super) const SECOND: Time = 1_000_000;

/// So many seconds, as virtual time.
pub(super) fn seconds(time: f64) -> Time {
    Time::try_from(Duration::from_secs_f64(time).as_micros()).expect("a time that a run reaches")
}

/// What Graph lets pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Writes a second in the long run; a bucket holds what fills in 150 seconds, as Microsoft documents.
    pub(super) writes: f64,
    pub(super) in_flight: u32,
    /// What a throttled answer says; none: it does not say how long to wait.
    pub(super) retry_after: Option<f64>,
    /// How long a request takes, in seconds: at least, at most, and how rare the slow ones are (1: as frequent as others).
    pub(super) latency: (f64, f64, i32),
    /// Whether answers say that less than a fifth of the bucket is left.
    pub(super) warns: bool,
}

impl Limits {
    /// The mean time that a request takes, in seconds.
    pub(super) fn mean_latency(&self) -> f64 {
        let (least, most, rarity) = self.latency;
        least + (most - least) / f64::from(rarity + 1)
    }

    /// Requests a second that pass in the long run, with so many in flight at most: what the bucket is filled with, or one
    /// for each that may be in flight every time that a request takes, whichever is less.
    pub(super) fn allowed(&self, most: u32) -> f64 {
        self.writes.min(f64::from(self.in_flight.min(most)) / self.mean_latency())
    }

    fn capacity(&self) -> f64 {
        self.writes * 150.0
    }
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Passed { near_limit: bool },
    Throttled(Option<Duration>),
}

/// Graph, as one application sees it.
#[derive(Debug)]
pub(super) struct Graph {
    limits: Limits,
    level: f64,
    filled: Time,
    in_flight: u32,
    /// Whoever comes before is sent away again.
    closed_until: Time,
}

impl Graph {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, level: limits.capacity(), filled: 0, in_flight: 0, closed_until: 0 }
    }

    /// From now on these limits hold.
    pub(super) fn change(&mut self, limits: Limits, now: Time) {
        self.fill(now);
        self.limits = limits;
        self.level = self.level.min(limits.capacity());
    }

    /// What is left in the bucket.
    pub(super) fn level(&mut self, now: Time) -> f64 {
        self.fill(now);
        self.level
    }

    /// A request arrives. One that passes must leave.
    pub(super) fn arrive(&mut self, now: Time) -> Answer {
        if now < self.closed_until {
            return Answer::Throttled(Some(Duration::from_micros(self.closed_until - now)));
        }
        self.fill(now);
        if self.level < 1.0 || self.in_flight >= self.limits.in_flight {
            let said = self.limits.retry_after;
            self.closed_until = now + said.map_or(0, seconds);
            return Answer::Throttled(said.map(Duration::from_secs_f64));
        }
        self.level -= 1.0;
        self.in_flight += 1;
        Answer::Passed { near_limit: self.limits.warns && self.level < self.limits.capacity() / 5.0 }
    }

    pub(super) fn leave(&mut self) {
        self.in_flight -= 1;
    }

    fn fill(&mut self, now: Time) {
        let fresh = Duration::from_micros(now - self.filled).as_secs_f64() * self.limits.writes;
        (self.level, self.filled) = ((self.level + fresh).min(self.limits.capacity()), now);
    }
}

/// Numbers that look random and are the same every time (splitmix64).
#[derive(Debug)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    /// From 0 to 1.
    pub(super) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    }

    pub(super) fn latency(&mut self, limits: &Limits) -> Time {
        let (least, most, rarity) = limits.latency;
        seconds(least + (most - least) * self.next().powi(rarity))
    }
}
