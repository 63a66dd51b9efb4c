//! Who asks Graph in the simulation: the governor, and a client with a constant window to compare it with.

use std::time::Duration;

use jiff::Timestamp;
use photo_removal_operator::lifecycle::{Backoff, Seed};
use photo_removal_operator::pacing::{Entry, Governor, Start};

use super::model::{Answer, Time, seconds};

const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(900) };

/// A client that always has something to ask.
pub(super) trait Client {
    /// What it remembers of a request.
    type Sent: Copy;
    /// The requests that go now.
    fn send(&mut self, now: Time) -> Vec<Self::Sent>;
    /// When it wants to send next without having heard anything.
    fn next(&self, now: Time) -> Option<Time>;
    /// Whoever got a slot is about to send; none if that may not be any more.
    fn leave(&mut self, sent: Self::Sent, now: Time) -> Option<Self::Sent>;
    /// Hears an answer. Returns until when it stays away because of all that it has heard; any past time if it does not.
    fn hear(&mut self, sent: Self::Sent, answer: Answer, took: Duration, now: Time) -> Time;
}

/// A number of slots, and a pause.
pub(super) struct Constant {
    window: u32,
    held: u32,
    paused_until: Time,
    throttles: u32,
}

impl Constant {
    pub(super) fn new(window: u32) -> Self {
        Self { window, held: 0, paused_until: 0, throttles: 0 }
    }
}

impl Client for Constant {
    type Sent = ();

    fn send(&mut self, now: Time) -> Vec<()> {
        if now < self.paused_until {
            return Vec::new();
        }
        let free = self.window - self.held;
        self.held = self.window;
        vec![(); free as usize]
    }

    fn next(&self, now: Time) -> Option<Time> {
        (self.held < self.window).then(|| self.paused_until.max(now))
    }

    fn leave(&mut self, (): (), now: Time) -> Option<()> {
        let may = now >= self.paused_until;
        self.held -= u32::from(!may);
        may.then_some(())
    }

    fn hear(&mut self, (): (), answer: Answer, _: Duration, now: Time) -> Time {
        self.held -= 1;
        let Answer::Throttled(said) = answer else {
            self.throttles = 0;
            return self.paused_until;
        };
        self.throttles += u32::from(now >= self.paused_until);
        let wait = said.unwrap_or_else(|| BACKOFF.after(self.throttles.max(1), Seed("x")));
        self.paused_until = self.paused_until.max(now + seconds(wait.as_secs_f64()));
        self.paused_until
    }
}

/// The governor, for whom 10,000 wait in one namespace, and sometimes one in another.
pub(super) struct Governed {
    pub(super) governor: Governor<u32>,
    /// The next one in the busy namespace.
    next: u32,
    quiet: Vec<(u32, Time)>,
    /// The last one that came there when nobody waited there, and no pause was in force.
    fresh: Option<u32>,
    came: u32,
    /// How long those of the quiet namespace waited while Graph did not ask for a pause.
    pub(super) waits: Vec<Time>,
    /// The pause that it was told of last: from when until when, and how long those before it were in all.
    pause: (Time, Time),
    paused: Time,
    /// How often it came before a pause's end.
    pub(super) early: usize,
}

/// Waiters from this number on are of the quiet namespace.
const QUIET: u32 = 1 << 31;

fn lane(waiter: u32) -> &'static str {
    if waiter >= QUIET { "quiet" } else { "busy" }
}

pub(super) fn timestamp(time: Time) -> Timestamp {
    Timestamp::from_microsecond(i64::try_from(time).expect("a time")).expect("a time")
}

impl Governed {
    pub(super) fn new(most: u32, backlog: u32) -> Self {
        let mut governor = Governor::new(most as usize);
        governor.pause(timestamp(1));
        for waiter in 0..backlog {
            assert_eq!(governor.enter("busy", &waiter, timestamp(0)), Entry::Queued);
        }
        Self {
            governor,
            next: backlog,
            quiet: Vec::new(),
            fresh: None,
            came: 0,
            waits: Vec::new(),
            pause: (0, 0),
            paused: 0,
            early: 0,
        }
    }

    /// Somebody comes in the quiet namespace; returns who goes.
    pub(super) fn come(&mut self, now: Time) -> Vec<(Start, Time)> {
        let waiter = QUIET + self.came;
        self.came += 1;
        if self.quiet.is_empty() && now >= self.pause.1 {
            self.fresh = Some(waiter);
        }
        self.quiet.push((waiter, now - self.pauses(now)));
        self.try_to_start(waiter, now).into_iter().collect()
    }

    /// How much of the time until now was a pause.
    fn pauses(&self, now: Time) -> Time {
        self.paused + now.min(self.pause.1) - self.pause.0
    }

    fn try_to_start(&mut self, waiter: u32, now: Time) -> Option<(Start, Time)> {
        let Entry::Granted(start) = self.governor.enter(lane(waiter), &waiter, timestamp(now)) else { return None };
        self.early += usize::from(now < self.pause.1);
        if let Some(place) = self.quiet.iter().position(|(other, _)| *other == waiter) {
            let (_, came) = self.quiet.remove(place);
            if self.fresh == Some(waiter) {
                self.waits.push(now - self.pauses(now) - came);
            }
        } else {
            self.governor.enter("busy", &self.next, timestamp(now));
            self.next += 1;
        }
        Some((start, now))
    }
}

impl Client for Governed {
    type Sent = (Start, Time);

    fn send(&mut self, now: Time) -> Vec<Self::Sent> {
        let called = self.governor.grant(timestamp(now));
        called.into_iter().filter_map(|waiter| self.try_to_start(waiter, now)).collect()
    }

    fn next(&self, now: Time) -> Option<Time> {
        let next = self.governor.next_call(timestamp(now))?;
        Some(now.max(Time::try_from((next.as_nanosecond() + 999) / 1000).expect("a time")))
    }

    fn leave(&mut self, (start, since): Self::Sent, now: Time) -> Option<Self::Sent> {
        let sends = self.governor.send(start, timestamp(now));
        if sends.is_none() {
            self.governor.give_up();
        }
        sends.map(|start| (start, since))
    }

    fn hear(&mut self, (start, _): Self::Sent, answer: Answer, took: Duration, now: Time) -> Time {
        self.governor.release();
        self.governor.sent();
        match answer {
            Answer::Passed { near_limit } => self.governor.answered(start, took, near_limit, timestamp(now)),
            Answer::Throttled(said) => {
                let until = self.governor.throttled(start, said, &BACKOFF, Seed("x"), timestamp(now));
                let told = Time::try_from(until.as_microsecond()).expect("a time");
                if now >= self.pause.1 {
                    self.paused += self.pause.1 - self.pause.0;
                    self.pause = (now, told);
                }
                self.pause.1 = self.pause.1.max(told);
            }
        }
        self.pause.1
    }
}
