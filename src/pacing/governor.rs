//! One credential's governor: who may go now, and who waits for what. Pure: time comes in as a parameter.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

use jiff::Timestamp;

use super::pace::Pace;
use super::window::{Start, Window};
use super::{Turns, after, elapsed};
use crate::lifecycle::{Backoff, Seed};

/// How long what was learned is kept for a credential that nobody uses: the buckets behind Microsoft's limits have filled by
/// then, whatever was left in them.
const KEPT: Duration = Duration::from_secs(15 * 60);

/// Whether a waiter may go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It holds a slot; it must be given back with [`Governor::release`].
    Granted(Start),
    /// It stands in the queue and will be named by [`Governor::grant`] when its turn has come.
    Queued,
}

/// A window of slots, a pace, a pause, and the queue of those who wait for any of them.
#[derive(Debug)]
pub struct Governor<T> {
    window: Window,
    pace: Pace,
    /// Slots that are held, the granted but not yet claimed ones among them.
    held: usize,
    /// Those of them who have a request on the way, or are between two.
    sending: usize,
    /// Those whose turn has come and who have not come for their slot yet.
    called: HashSet<T>,
    /// Those whose turn had come when they could not go, and who come first when they can.
    aside: HashSet<T>,
    turns: Turns<T>,
    paused_until: Option<Timestamp>,
    /// How often Graph asked for a pause that no other one explains.
    epoch: u64,
    /// The pace as it was before the last pause, if it was taken to be the reason.
    blamed: Option<Pace>,
    /// Throttled answers in a row that did not say how long to wait.
    throttles: u32,
    used: Timestamp,
}

impl<T: Clone + Eq + Hash> Governor<T> {
    /// A governor that never lets more than `most` requests be in flight, and at least one.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            window: Window::new(most),
            pace: Pace::default(),
            held: 0,
            sending: 0,
            called: HashSet::new(),
            aside: HashSet::new(),
            turns: Turns::default(),
            paused_until: None,
            epoch: 0,
            blamed: None,
            throttles: 0,
            used: Timestamp::MIN,
        }
    }

    /// Comes for a slot. Nobody overtakes those who wait already.
    pub fn enter(&mut self, lane: &str, waiter: &T, now: Timestamp) -> Entry {
        self.used = now;
        if self.called.contains(waiter) {
            if self.is_paused(now) {
                return Entry::Queued;
            }
            self.called.remove(waiter);
            return Entry::Granted(self.started());
        }
        let comes_back = self.aside.remove(waiter);
        if (comes_back || self.turns.is_empty()) && self.has_room(now) {
            self.take(now);
            return Entry::Granted(self.started());
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
            self.give_up();
            self.aside.insert(waiter.clone());
        }
        was_called
    }

    /// Gives a slot back.
    pub fn release(&mut self) {
        self.held = self.held.saturating_sub(1);
    }

    /// Gives a slot back with which nothing was sent. Whoever has to look after something first, such as a credential that
    /// was read long ago, would else use up a start with each look, and at a slow pace send nothing, ever.
    pub fn give_up(&mut self) {
        self.release();
        self.pace.give_back();
    }

    /// Whoever holds a slot since `start` is about to send the first request; none if a pause has begun since. What is
    /// returned says how things stand now: a slot is held for a while before, and no limit of Graph's counts that.
    pub fn send(&mut self, start: Start, now: Timestamp) -> Option<Start> {
        if self.is_paused(now) {
            return None;
        }
        self.sending += 1;
        Some(Start { full: start.full, ..self.window.started(self.epoch, self.sending, self.held) })
    }

    /// Whoever was sending has heard the last answer.
    pub fn sent(&mut self) {
        self.sending = self.sending.saturating_sub(1);
    }

    /// Calls the next ones up, as many as may start. Those called before a pause began are called again when it is over.
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
            self.take(now);
            self.called.insert(waiter.clone());
            called.push(waiter);
        }
        called
    }

    /// When to call [`Governor::grant`] next, unless a slot is given back before: the end of the pause or the time of the
    /// next start, whichever somebody waits for.
    #[must_use]
    pub fn next_call(&self, now: Timestamp) -> Option<Timestamp> {
        let pause = self.paused_until.filter(|until| *until > now || !self.called.is_empty());
        if let Some(until) = pause {
            let wanted = !self.turns.is_empty() || !self.called.is_empty();
            return wanted.then_some(until.max(now));
        }
        let wanted = !self.turns.is_empty() && self.held < self.window.size();
        wanted.then(|| if self.pace.is_due(now) { now } else { self.pace.next().map_or(now, |next| next.max(now)) })
    }

    /// Forgets somebody who waits or was called. True if there was anything to forget.
    pub fn forget(&mut self, waiter: &T) -> bool {
        let was_called = self.called.remove(waiter);
        if was_called {
            self.give_up();
        }
        self.aside.remove(waiter);
        self.turns.leave(waiter) || was_called
    }

    /// Lets nobody go before that time. A longer pause that is in force stays.
    pub fn pause(&mut self, until: Timestamp) {
        self.paused_until = self.paused_until.max(Some(until));
        self.used = self.used.max(until);
    }

    /// Graph throttled the one that started so: pauses for as long as it said, or, where it did not say (or said "not at
    /// all", which would be asking for the same answer at once), ever longer. Returns the pause's end.
    ///
    /// Answers that were under way when the pause began tell of the same trouble, not of a new one: they make it longer,
    /// and teach nothing.
    pub fn throttled(
        &mut self,
        start: Start,
        retry_after: Option<Duration>,
        backoff: &Backoff,
        seed: Seed<'_>,
        now: Timestamp,
    ) -> Timestamp {
        let is_new = start.epoch == self.epoch;
        let said = retry_after.filter(|wait| !wait.is_zero());
        let wait = said.unwrap_or_else(|| {
            self.throttles = self.throttles.saturating_add(u32::from(is_new));
            backoff.after(self.throttles.max(1), seed)
        });
        let until = after(now, wait);
        if is_new {
            self.epoch += 1;
            let suspected = start.is_a_first() || start.full && self.pace.has_climbed(now);
            self.window.throttled(start, suspected, wait, now);
            self.blamed = (!suspected).then(|| self.pace.clone());
            if !suspected {
                self.pace.throttled(start.in_flight, !start.full, wait, now);
            }
        } else if start.epoch + 1 == self.epoch && start.is_a_first() {
            // Who is refused first is not always heard first: so many at once it was, and not the pace.
            if let Some(pace) = self.blamed.take() {
                self.pace = pace;
                self.window.throttled_first(start, wait, now);
            }
        }
        self.pace.pause(until);
        self.pause(until);
        self.paused_until.unwrap_or(until)
    }

    /// Graph answered the one that started so, after that time and without throttling. `near_limit`: it says that a limit
    /// is near.
    pub fn answered(&mut self, start: Start, took: Duration, near_limit: bool, now: Timestamp) {
        self.pace.answered(near_limit, now);
        if start.epoch == self.epoch {
            self.throttles = 0;
            self.window.answered(start, took, near_limit, now);
        }
    }

    /// Whether a pause is in force.
    #[must_use]
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.pause_end(now).is_some()
    }

    /// When the pause in force ends.
    #[must_use]
    pub fn pause_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| *until > now)
    }

    /// How many wait for a slot.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.turns.len()
    }

    /// How many may be in flight as things are.
    #[must_use]
    pub fn window(&self) -> usize {
        self.window.size()
    }

    /// The learned rate in starts a second, if there is one.
    #[must_use]
    pub fn rate(&self, now: Timestamp) -> Option<f64> {
        self.pace.rate(now)
    }

    /// Whether nobody uses it, and since when; what it learned may still be worth keeping.
    #[must_use]
    pub fn idle_since(&self, now: Timestamp) -> Option<Timestamp> {
        let in_use = self.held > 0 || !self.aside.is_empty() || !self.turns.is_empty() || self.is_paused(now);
        (!in_use).then_some(self.used)
    }

    /// Whether nothing would be lost if it were made anew.
    #[must_use]
    pub fn is_spent(&self, now: Timestamp) -> bool {
        let has_learned = self.throttles > 0 || self.pace.is_learned() || self.window.is_narrowed();
        self.idle_since(now).is_some_and(|since| !has_learned || elapsed(since, now) > KEPT)
    }

    fn has_room(&self, now: Timestamp) -> bool {
        self.held < self.window.size() && !self.is_paused(now) && self.pace.is_due(now)
    }

    /// Takes a slot.
    fn take(&mut self, now: Timestamp) {
        self.held += 1;
        self.pace.start(now);
    }

    /// How things stand for somebody who gets a slot now.
    fn started(&self) -> Start {
        self.window.started(self.epoch, self.sending + 1, self.held)
    }
}
