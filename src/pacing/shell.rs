//! The async shell around the governors.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::{Entry, Governor, Start};
use crate::api::{ClientId, Cloud, TenantId};
use crate::clock;
use crate::lifecycle::{Backoff, Seed};

/// How many governors are kept for what they learned, though nobody uses them.
const KEPT: usize = 256;

/// Whose limits are kept: an application in a tenant of a cloud. Credentials that sign in as the same application share
/// its limits, whatever Secrets they come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account(Arc<str>);

/// Whoever can wait for a slot.
pub trait Waiter: Clone + Eq + Hash + Send + Sync + 'static {}
impl<T: Clone + Eq + Hash + Send + Sync + 'static> Waiter for T {}

/// The governors of all accounts; `T` is whoever waits for a slot. Cheap to clone.
pub struct Pacing<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    /// The most requests of one account in flight.
    most: usize,
    /// For throttled answers that do not say how long to wait.
    backoff: Backoff,
    wake: Box<dyn Fn(T) + Send + Sync>,
    /// The wall clock; in tests one that goes with the paused time of the timers.
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    governors: Mutex<HashMap<Account, Governed<T>>>,
}

struct Governed<T> {
    governor: Governor<T>,
    /// A task sleeps until somebody may be called. What it sleeps until moves nearer only where a start is given back, and
    /// whoever gives it back calls up the next one; if that is not due yet, the task is late by one start at most.
    timer: bool,
}

/// A slot, held until it is dropped.
#[must_use = "a slot that is dropped is given back at once"]
pub struct Permit<T: Waiter> {
    pacing: Pacing<T>,
    account: Account,
    start: Mutex<Begun>,
}

/// How things stood when the slot was granted, or, for whoever sends, when that began.
#[derive(Clone, Copy)]
enum Begun {
    Granted(Start),
    Sending(Start),
}

impl Account {
    /// The application `client` in `tenant` of `cloud`.
    #[must_use]
    pub fn new(cloud: Cloud, tenant: &TenantId, client: &ClientId) -> Self {
        Self(format!("{cloud:?}/{}/{}", tenant.as_str(), client.as_str()).into())
    }
}

impl<T> Clone for Pacing<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Waiter> Governed<T> {
    /// Whether somebody waits for a time that no task sleeps until. Such a task must be started.
    fn waits_for_a_time(&mut self, now: Timestamp) -> bool {
        let waits = !self.timer && self.governor.next_call(now).is_some();
        self.timer |= waits;
        waits
    }
}

impl<T: Waiter> Pacing<T> {
    /// Governors with at most that many slots each. `wake` is called with whoever's turn it is; it must not block.
    pub fn new(most: usize, backoff: Backoff, wake: impl Fn(T) + Send + Sync + 'static) -> Self {
        Self::with_clock(most, backoff, wake, clock::now)
    }

    fn with_clock(
        most: usize,
        backoff: Backoff,
        wake: impl Fn(T) + Send + Sync + 'static,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let (wake, now, governors) = (Box::new(wake), Box::new(now), Mutex::default());
        Self { inner: Arc::new(Inner { most, backoff, wake, now, governors }) }
    }

    fn now(&self) -> Timestamp {
        (self.inner.now)()
    }

    /// Comes for a slot; without one, the waiter is queued in its lane and will be woken.
    #[must_use]
    pub fn enter(&self, account: &Account, lane: &str, waiter: &T) -> Option<Permit<T>> {
        let (entry, waits, left) = {
            let mut governors = self.lock();
            let left = forget_but_at(&mut governors, Some(account), waiter);
            let (on, now) = (self.governed(&mut governors, account), self.now());
            (on.governor.enter(lane, waiter, now), on.waits_for_a_time(now), left)
        };
        self.call_up_all(&left);
        if waits {
            self.start_timer(account);
        }
        match entry {
            Entry::Granted(start) => {
                let start = Mutex::new(Begun::Granted(start));
                Some(Permit { pacing: self.clone(), account: account.clone(), start })
            }
            Entry::Queued => None,
        }
    }

    /// Whoever it is does not want a slot any more, of whichever credential.
    pub fn forget(&self, waiter: &T) {
        let left = forget_but_at(&mut self.lock(), None, waiter);
        self.call_up_all(&left);
    }

    /// Whoever it is cannot go yet, though the turn may have come: see [`Governor::step_aside`].
    pub fn step_aside(&self, waiter: &T) {
        let left: Vec<_> = {
            let mut governors = self.lock();
            let at =
                |(account, on): (&Account, &mut Governed<T>)| on.governor.step_aside(waiter).then(|| account.clone());
            governors.iter_mut().filter_map(at).collect()
        };
        self.call_up_all(&left);
    }

    /// Lets no request of that credential go before that time.
    pub fn pause(&self, account: &Account, until: Timestamp) {
        self.governed(&mut self.lock(), account).governor.pause(until);
    }

    /// How many wait for a slot, all credentials together.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().values().map(|on| on.governor.waiting()).sum()
    }

    fn governed<'a>(&self, governors: &'a mut HashMap<Account, Governed<T>>, account: &Account) -> &'a mut Governed<T> {
        if !governors.contains_key(account) {
            drop_the_idle(governors, self.now());
        }
        let fresh = || Governed { governor: Governor::new(self.inner.most), timer: false };
        governors.entry(account.clone()).or_insert_with(fresh)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Account, Governed<T>>> {
        // A panic elsewhere leaves the governors as they were: every change to them is a single call.
        self.inner.governors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call_up_all(&self, accounts: &[Account]) {
        for account in accounts {
            self.call_up(account);
        }
    }

    fn call_up(&self, account: &Account) {
        let (called, waits) = {
            let mut governors = self.lock();
            let Some(on) = governors.get_mut(account) else { return };
            let now = self.now();
            let called = on.governor.grant(now);
            let waits = on.waits_for_a_time(now);
            if !on.timer && on.governor.is_spent(now) {
                governors.remove(account);
            }
            (called, waits)
        };
        for waiter in called {
            (self.inner.wake)(waiter);
        }
        if waits {
            self.start_timer(account);
        }
    }

    /// Calls up whenever the time has come, for as long as somebody waits for a time.
    fn start_timer(&self, account: &Account) {
        let (pacing, account) = (self.clone(), account.clone());
        tokio::spawn(async move {
            while let Some(rest) = pacing.rest(&account) {
                tokio::time::sleep(rest).await;
                pacing.call_up(&account);
            }
        });
    }

    /// How long nobody can be called; with nobody to call, the timer is done.
    fn rest(&self, account: &Account) -> Option<Duration> {
        let mut governors = self.lock();
        let on = governors.get_mut(account)?;
        let now = self.now();
        let next = on.governor.next_call(now);
        on.timer = next.is_some();
        next.map(|next| clock::rest(now, next).unwrap_or_default())
    }
}

/// Drops the governors that nobody uses and that have nothing to remember, and the longest idle ones of those that do.
fn drop_the_idle<T: Waiter>(governors: &mut HashMap<Account, Governed<T>>, now: Timestamp) {
    governors.retain(|_, on| on.timer || !on.governor.is_spent(now));
    let idle = governors.iter().filter(|(_, on)| !on.timer);
    let mut idle: Vec<_> =
        idle.filter_map(|(account, on)| Some((on.governor.idle_since(now)?, account.clone()))).collect();
    if idle.len() >= KEPT {
        idle.sort_unstable_by_key(|(since, _)| *since);
        for (_, account) in idle.drain(..=idle.len() - KEPT) {
            governors.remove(&account);
        }
    }
}

/// Takes a waiter out of every queue but that account's; returns the accounts that had it. A waiter wants one slot: with
/// another credential it leaves the queue of the old one.
fn forget_but_at<T: Waiter>(
    governors: &mut HashMap<Account, Governed<T>>,
    kept: Option<&Account>,
    waiter: &T,
) -> Vec<Account> {
    let others = governors.iter_mut().filter(|(account, _)| Some(*account) != kept);
    others.filter_map(|(account, on)| on.governor.forget(waiter).then(|| account.clone())).collect()
}

impl<T: Waiter> Permit<T> {
    /// Whether a request may go now, which it is taken to do then: a pause may have begun since the slot was granted.
    #[must_use]
    pub fn may_send(&self) -> bool {
        let mut governors = self.pacing.lock();
        let governor = &mut self.pacing.governed(&mut governors, &self.account).governor;
        let mut begun = self.begun();
        match *begun {
            Begun::Granted(start) => match governor.send(start, self.pacing.now()) {
                Some(start) => *begun = Begun::Sending(start),
                None => return false,
            },
            Begun::Sending(_) if governor.is_paused(self.pacing.now()) => return false,
            Begun::Sending(_) => {}
        }
        true
    }

    /// When the pause in force ends, in which nothing may be sent.
    #[must_use]
    pub fn pause_end(&self) -> Option<Timestamp> {
        let governors = self.pacing.lock();
        governors.get(&self.account).and_then(|on| on.governor.pause_end(self.pacing.now()))
    }

    fn begun(&self) -> MutexGuard<'_, Begun> {
        self.start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) -> Start {
        match *self.begun() {
            Begun::Granted(start) | Begun::Sending(start) => start,
        }
    }

    /// Graph throttled. Returns when the credential's pause ends.
    #[must_use]
    pub fn throttled(&self, retry_after: Option<Duration>) -> Timestamp {
        let mut governors = self.pacing.lock();
        let governor = &mut self.pacing.governed(&mut governors, &self.account).governor;
        let seed = Seed(&self.account.0);
        governor.throttled(self.start(), retry_after, &self.pacing.inner.backoff, seed, self.pacing.now())
    }

    /// Graph answered without throttling, after that time. `near_limit`: it says that a limit is near.
    pub fn answered(&self, took: Duration, near_limit: bool) {
        let mut governors = self.pacing.lock();
        let governor = &mut self.pacing.governed(&mut governors, &self.account).governor;
        governor.answered(self.start(), took, near_limit, self.pacing.now());
    }
}

impl<T: Waiter> Drop for Permit<T> {
    fn drop(&mut self) {
        if let Some(on) = self.pacing.lock().get_mut(&self.account) {
            match *self.begun() {
                Begun::Granted(_) => on.governor.give_up(),
                Begun::Sending(_) => {
                    on.governor.release();
                    on.governor.sent();
                }
            }
        }
        self.pacing.call_up(&self.account);
    }
}
