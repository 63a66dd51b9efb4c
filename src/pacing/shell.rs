//! The async shell around the governors.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::{Entry, Governor};
use crate::api::{ClientId, Cloud, TenantId};
use crate::clock;
use crate::lifecycle::{Backoff, Seed};

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
    window: usize,
    /// For throttled answers that do not say how long to wait.
    backoff: Backoff,
    wake: Box<dyn Fn(T) + Send + Sync>,
    governors: Mutex<HashMap<Account, Governed<T>>>,
}

struct Governed<T> {
    governor: Governor<T>,
    /// A task sleeps until the pause is over.
    timer: bool,
}

/// A slot, held until it is dropped.
#[must_use = "a slot that is dropped is given back at once"]
pub struct Permit<T: Waiter> {
    pacing: Pacing<T>,
    account: Account,
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

impl<T: Waiter> Pacing<T> {
    /// Governors with that many slots each. `wake` is called with whoever's turn it is; it must not block.
    pub fn new(window: usize, backoff: Backoff, wake: impl Fn(T) + Send + Sync + 'static) -> Self {
        let governors = Mutex::default();
        Self { inner: Arc::new(Inner { window, backoff, wake: Box::new(wake), governors }) }
    }

    /// Comes for a slot; without one, the waiter is queued in its lane and will be woken.
    #[must_use]
    pub fn enter(&self, account: &Account, lane: &str, waiter: &T) -> Option<Permit<T>> {
        let (entry, left) = {
            let mut governors = self.lock();
            let left = forget_but_at(&mut governors, Some(account), waiter);
            (self.governed(&mut governors, account).governor.enter(lane, waiter, clock::now()), left)
        };
        self.call_up_all(&left);
        match entry {
            Entry::Granted => Some(Permit { pacing: self.clone(), account: account.clone() }),
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
        self.start_timer(account);
    }

    /// How many wait for a slot, all credentials together.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().values().map(|on| on.governor.waiting()).sum()
    }

    fn governed<'a>(&self, governors: &'a mut HashMap<Account, Governed<T>>, account: &Account) -> &'a mut Governed<T> {
        let fresh = || Governed { governor: Governor::new(self.inner.window), timer: false };
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
        let called = {
            let mut governors = self.lock();
            let Some(on) = governors.get_mut(account) else { return };
            let called = on.governor.grant(clock::now());
            if on.governor.is_idle() && !on.timer {
                governors.remove(account);
            }
            called
        };
        for waiter in called {
            (self.inner.wake)(waiter);
        }
    }

    /// One timer a governor, however often the pause is made longer.
    fn start_timer(&self, account: &Account) {
        {
            let mut governors = self.lock();
            let on = self.governed(&mut governors, account);
            if std::mem::replace(&mut on.timer, true) {
                return;
            }
        }
        let (pacing, account) = (self.clone(), account.clone());
        tokio::spawn(async move {
            while let Some(rest) = pacing.rest_of_pause(&account) {
                tokio::time::sleep(rest).await;
            }
            pacing.call_up(&account);
        });
    }

    /// What is left of the pause; with nothing left, the timer is done.
    fn rest_of_pause(&self, account: &Account) -> Option<Duration> {
        let mut governors = self.lock();
        let on = governors.get_mut(account)?;
        let rest = on.governor.paused_until().and_then(clock::until);
        on.timer = rest.is_some();
        rest
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
    /// Whether a request may go now: a pause may have begun since the slot was granted.
    #[must_use]
    pub fn may_send(&self) -> bool {
        !self.pacing.governed(&mut self.pacing.lock(), &self.account).governor.is_paused(clock::now())
    }

    /// Graph throttled. Returns when the credential's pause ends.
    #[must_use]
    pub fn throttled(&self, retry_after: Option<Duration>) -> Timestamp {
        let until = {
            let mut governors = self.pacing.lock();
            let governor = &mut self.pacing.governed(&mut governors, &self.account).governor;
            let seed = Seed(&self.account.0);
            governor.throttled(retry_after, &self.pacing.inner.backoff, seed, clock::now())
        };
        self.pacing.start_timer(&self.account);
        until
    }

    /// Graph answered without throttling.
    pub fn answered(&self) {
        self.pacing.governed(&mut self.pacing.lock(), &self.account).governor.answered();
    }
}

impl<T: Waiter> Drop for Permit<T> {
    fn drop(&mut self) {
        if let Some(on) = self.pacing.lock().get_mut(&self.account) {
            on.governor.release();
        }
        self.pacing.call_up(&self.account);
    }
}
