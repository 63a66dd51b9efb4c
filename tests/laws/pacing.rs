//! Laws of the governor: whatever comes, the window holds, pauses hold, turns go round, and nobody is forgotten.

mod clients;
mod model;
mod run;
mod simulation;
mod spacing;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use photo_removal_operator::lifecycle::{Backoff, Seed};
use photo_removal_operator::pacing::{Entry, Governor, Start, Turns};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(900) };

/// What can happen to a governor; waiters are numbers, and a waiter's lane is its number modulo three.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Comes(u8),
    /// One of those that hold a slot gives it back without an answer.
    Leaves,
    /// One of them was answered.
    Answered {
        milliseconds: u16,
        near_limit: bool,
    },
    Forgotten(u8),
    /// Cannot go yet, whether it waits or was called.
    StepsAside(u8),
    /// One of them was, and so are all others that are under way.
    Throttled(Option<u8>),
    /// So many milliseconds pass, and whoever's turn it is is called.
    Later(u16),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        8 => (0..40_u8).prop_map(Happens::Comes),
        1 => Just(Happens::Leaves),
        6 => (1..600_u16, any::<bool>())
            .prop_map(|(milliseconds, near_limit)| Happens::Answered { milliseconds, near_limit }),
        1 => (0..40_u8).prop_map(Happens::Forgotten),
        2 => (0..40_u8).prop_map(Happens::StepsAside),
        1 => proptest::option::of(0..30_u8).prop_map(Happens::Throttled),
        4 => (0..20_000_u16).prop_map(Happens::Later),
    ]
}

fn lane(waiter: u8) -> String {
    (waiter % 3).to_string()
}

/// A governor, and what must be true of it whatever happens.
struct Story {
    governor: Governor<u8>,
    most: usize,
    now: Timestamp,
    paused_until: Timestamp,
    holding: Vec<(u8, Start)>,
    wanting: HashSet<u8>,
    called: HashSet<u8>,
}

impl Story {
    fn new(most: usize) -> Self {
        let now = Timestamp::UNIX_EPOCH;
        Self {
            governor: Governor::new(most),
            most,
            now,
            paused_until: now,
            holding: Vec::new(),
            wanting: HashSet::new(),
            called: HashSet::new(),
        }
    }

    fn happens(&mut self, event: Happens) -> Result<(), TestCaseError> {
        match event {
            Happens::Comes(waiter) => self.comes(waiter)?,
            Happens::Leaves => {
                if self.holding.pop().is_some() {
                    self.governor.release();
                }
            }
            Happens::Answered { milliseconds, near_limit } => {
                if let Some((_, start)) = self.holding.pop() {
                    let took = Duration::from_millis(milliseconds.into());
                    self.governor.answered(start, took, near_limit, self.now);
                    self.governor.release();
                }
            }
            Happens::Throttled(said) => self.throttled(said)?,
            Happens::Forgotten(waiter) => {
                self.governor.forget(&waiter);
                self.wanting.remove(&waiter);
                self.called.remove(&waiter);
            }
            Happens::StepsAside(waiter) => {
                if self.governor.step_aside(&waiter) {
                    prop_assert!(self.called.remove(&waiter), "only who was called has a turn to give away");
                    self.wanting.remove(&waiter);
                }
            }
            Happens::Later(milliseconds) => {
                self.now += Duration::from_millis(milliseconds.into());
                self.grant()?;
            }
        }
        let window = self.governor.window();
        prop_assert!((1..=self.most).contains(&window), "a window of {window}, at most {}", self.most);
        prop_assert!(self.holding.len() <= self.most);
        if !self.wanting.is_empty() && self.holding.is_empty() && self.called.is_empty() {
            prop_assert!(self.governor.next_call(self.now).is_some(), "{:?} wait for ever", self.wanting);
        }
        Ok(())
    }

    fn comes(&mut self, waiter: u8) -> Result<(), TestCaseError> {
        if self.holding.iter().any(|(holder, _)| *holder == waiter) {
            return Ok(());
        }
        match self.governor.enter(&lane(waiter), &waiter, self.now) {
            Entry::Granted(start) => {
                prop_assert!(self.now >= self.paused_until, "nobody goes before the pause is over");
                self.wanting.remove(&waiter);
                self.called.remove(&waiter);
                self.holding.push((waiter, start));
            }
            Entry::Queued => {
                self.wanting.insert(waiter);
            }
        }
        Ok(())
    }

    fn throttled(&mut self, said: Option<u8>) -> Result<(), TestCaseError> {
        let Some((_, start)) = self.holding.pop() else { return Ok(()) };
        let before = self.governor.window();
        let said = said.map(|seconds| Duration::from_secs(seconds.into()));
        let until = self.governor.throttled(start, said, &BACKOFF, Seed("x"), self.now);
        self.governor.release();
        prop_assert!(until >= self.paused_until && until > self.now, "a pause is never cut short, nor empty");
        let after = self.governor.window();
        prop_assert!(after == before || after <= (before / 2).max(1), "halved once, from {before} to {after}");
        for (_, start) in &self.holding {
            self.governor.throttled(*start, said, &BACKOFF, Seed("x"), self.now);
            prop_assert_eq!(self.governor.window(), after, "those under way tell of the same trouble");
        }
        let until = self.governor.throttled(start, said, &BACKOFF, Seed("x"), self.now);
        self.paused_until = until;
        Ok(())
    }

    fn grant(&mut self) -> Result<Vec<u8>, TestCaseError> {
        let expected = self.governor.next_call(self.now);
        let called = self.governor.grant(self.now);
        prop_assert!(called.is_empty() || self.now >= self.paused_until);
        prop_assert!(called.iter().all(|waiter| self.wanting.contains(waiter)), "only who waits is called");
        prop_assert_eq!(expected == Some(self.now), !called.is_empty(), "somebody is called when it was announced");
        self.called.extend(&called);
        Ok(called)
    }

    /// In the end everybody who still waits is served, each once.
    fn ends(&mut self) -> Result<(), TestCaseError> {
        while !self.wanting.is_empty() {
            self.holding.drain(..).for_each(|_| self.governor.release());
            if let Some(next) = self.governor.next_call(self.now) {
                prop_assert!(next <= self.now.max(self.paused_until) + Duration::from_secs(2), "{next} is far away");
                self.now = next;
            }
            self.grant()?;
            let before = self.wanting.len();
            for waiter in std::mem::take(&mut self.called) {
                self.comes(waiter)?;
            }
            prop_assert!(self.wanting.len() < before, "{:?} wait for ever", self.wanting);
        }
        prop_assert_eq!(self.governor.waiting(), 0);
        Ok(())
    }
}

proptest! {
    #![proptest_config(crate::cases(500))]

    #[test]
    fn the_window_and_the_pause_hold_and_nobody_is_forgotten(
        most in 1..20_usize,
        story in proptest::collection::vec(happens(), 0..300),
    ) {
        let mut told = Story::new(most);
        for event in story {
            told.happens(event)?;
        }
        told.ends()?;
    }

    #[test]
    fn a_lane_is_served_in_order_and_no_lane_twice_while_another_waits(
        waiters in proptest::collection::vec((0..4_u8, any::<u16>()), 0..100),
    ) {
        let mut turns = Turns::default();
        let mut lanes: HashMap<u8, VecDeque<(u8, u16)>> = HashMap::new();
        for waiter in waiters {
            if !turns.contains(&waiter) {
                lanes.entry(waiter.0).or_default().push_back(waiter);
            }
            turns.join(&waiter.0.to_string(), waiter);
        }
        let mut since_served: HashMap<u8, usize> = HashMap::new();
        while let Some(waiter) = turns.call() {
            let lane = lanes.get_mut(&waiter.0).expect("its lane");
            prop_assert_eq!(lane.pop_front(), Some(waiter), "first come, first served");
            lanes.retain(|_, lane| !lane.is_empty());
            since_served.insert(waiter.0, 0);
            for other in lanes.keys().filter(|other| **other != waiter.0) {
                let waits = since_served.entry(*other).or_default();
                *waits += 1;
                prop_assert!(*waits <= 4, "lane {other} is passed over");
            }
        }
        prop_assert!(lanes.is_empty());
    }
}
