//! One credential's pace. Pure: time comes in as a parameter.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

use jiff::Timestamp;

use super::Turns;
use crate::lifecycle::{Backoff, Seed};

/// Whether a waiter may go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It holds a slot; it must be given back with [`Governor::release`].
    Granted,
    /// It stands in the queue and will be named by [`Governor::grant`] when its turn has come.
    Queued,
}

/// A window of slots, a pause, and the queue of those who wait for either.
#[derive(Debug)]
pub struct Governor<T> {
    window: usize,
    /// Slots that are held, the granted but not yet claimed ones among them.
    held: usize,
    /// Those whose turn has come and who have not come for their slot yet.
    called: HashSet<T>,
    /// Those whose turn had come when they could not go, and who come first when they can.
    aside: HashSet<T>,
    turns: Turns<T>,
    paused_until: Option<Timestamp>,
    /// Throttled answers in a row that did not say how long to wait.
    throttles: u32,
}

impl<T: Clone + Eq + Hash> Governor<T> {
    /// A governor that lets that many requests be in flight.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self {
            window,
            held: 0,
            called: HashSet::new(),
            aside: HashSet::new(),
            turns: Turns::default(),
            paused_until: None,
            throttles: 0,
        }
    }

    /// Comes for a slot. Nobody overtakes those who wait already.
    pub fn enter(&mut self, lane: &str, waiter: &T, now: Timestamp) -> Entry {
        if self.called.contains(waiter) {
            if self.is_paused(now) {
                return Entry::Queued;
            }
            self.called.remove(waiter);
            return Entry::Granted;
        }
        let comes_back = self.aside.remove(waiter);
        if (comes_back || self.turns.is_empty()) && self.has_room(now) {
            self.held += 1;
            return Entry::Granted;
        }
        if comes_back {
            self.turns.join_first(lane, waiter.clone());
        } else {
            self.turns.join(lane, waiter.clone());
        }
        Entry::Queued
    }

    /// Somebody whose turn has come cannot go yet: the slot goes to the next one, and whoever steps aside comes first on
    /// coming back. True if there is a slot to give away; who only waits goes on waiting.
    pub fn step_aside(&mut self, waiter: &T) -> bool {
        let was_called = self.called.remove(waiter);
        if was_called {
            self.release();
            self.aside.insert(waiter.clone());
        }
        was_called
    }

    /// Gives a slot back.
    pub fn release(&mut self) {
        self.held = self.held.saturating_sub(1);
    }

    /// Calls the next ones up, as many as there are free slots. Those called before a pause began are called again when
    /// it is over.
    pub fn grant(&mut self, now: Timestamp) -> Vec<T> {
        if self.is_paused(now) {
            return Vec::new();
        }
        let mut called = Vec::new();
        if self.paused_until.take().is_some() {
            called.extend(self.called.iter().cloned());
        }
        while self.has_room(now) {
            let Some(waiter) = self.turns.call() else { break };
            self.held += 1;
            self.called.insert(waiter.clone());
            called.push(waiter);
        }
        called
    }

    /// Forgets somebody who waits or was called. True if there was anything to forget.
    pub fn forget(&mut self, waiter: &T) -> bool {
        let was_called = self.called.remove(waiter);
        if was_called {
            self.release();
        }
        self.aside.remove(waiter);
        self.turns.leave(waiter) || was_called
    }

    /// Lets nobody go before that time. A longer pause that is in force stays.
    pub fn pause(&mut self, until: Timestamp) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// Graph throttled: pauses for as long as it said, or, where it did not say (or said "not at all", which would be
    /// asking for the same answer at once), ever longer. Returns the pause's end.
    pub fn throttled(
        &mut self,
        retry_after: Option<Duration>,
        backoff: &Backoff,
        seed: Seed<'_>,
        now: Timestamp,
    ) -> Timestamp {
        let said = retry_after.filter(|wait| !wait.is_zero());
        let wait = said.unwrap_or_else(|| {
            // Answers that were under way when the pause began tell of the same trouble, not of a new one.
            if !self.is_paused(now) {
                self.throttles = self.throttles.saturating_add(1);
            }
            backoff.after(self.throttles.max(1), seed)
        });
        let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.pause(until);
        self.paused_until.unwrap_or(until)
    }

    /// Graph answered without throttling.
    pub fn answered(&mut self) {
        self.throttles = 0;
    }

    /// Whether a pause is in force.
    #[must_use]
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }

    /// When the pause that was asked for last ends, until [`Governor::grant`] has been called after it.
    #[must_use]
    pub fn paused_until(&self) -> Option<Timestamp> {
        self.paused_until
    }

    /// How many wait for a slot.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.turns.len()
    }

    /// Whether nothing would be lost if it were made anew.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.held == 0
            && self.aside.is_empty()
            && self.turns.is_empty()
            && self.paused_until.is_none()
            && self.throttles == 0
    }

    fn has_room(&self, now: Timestamp) -> bool {
        self.held < self.window && !self.is_paused(now)
    }
}
