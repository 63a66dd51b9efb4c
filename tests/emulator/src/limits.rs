//! Throttling: requests in flight, requests per window, and clients that come back too early.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::settings::Limits;

/// From this share of a limit on Microsoft says how much of it is used.
const TOLD_FROM: f64 = 0.8;

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many at once: `ApplicationThrottled`, without a `Retry-After`.
    InFlight,
    /// Come back after so long.
    Window(Duration),
    /// Was told so before, then, and came back too early; who was on the way already came in good faith.
    Paused { left: Duration, told: Timestamp, in_good_faith: bool },
}

/// What is known of one application (at Graph) or client (at sign-in).
#[derive(Debug)]
struct Account {
    in_flight: u32,
    window_started: Instant,
    in_window: u32,
    pause: Option<Pause>,
}

/// A `Retry-After` that was handed out.
#[derive(Debug)]
struct Pause {
    told: Instant,
    /// The same on the clock of the record.
    told_at: Timestamp,
    until: Instant,
}

/// The counters behind the limits, one account for each scope.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    pub(crate) limits: Limits,
    accounts: HashMap<String, Account>,
    early_returns: u64,
    max_in_flight: u32,
}

impl Throttle {
    /// Refuses who was told to stay away and came back, and counts it.
    pub(crate) fn stay_away(&mut self, scope: &str) -> Result<(), Refusal> {
        let now = Instant::now();
        let Some(pause) = self.accounts.get(scope).and_then(|account| account.pause.as_ref()) else {
            return Ok(());
        };
        let Some(left) = pause.left(now) else {
            return Ok(());
        };
        let in_good_faith = now <= pause.told + self.limits.grace;
        self.early_returns += u64::from(!in_good_faith);
        Err(Refusal::Paused { left, told: pause.told_at, in_good_faith })
    }

    /// Lets a request in and counts it as in flight, or says why not. Whoever is let in must [`leave`](Self::leave).
    pub(crate) fn enter(&mut self, scope: &str) -> Result<(), Refusal> {
        self.stay_away(scope)?;
        let now = Instant::now();
        let account = self.accounts.entry(scope.to_owned()).or_insert_with(|| Account::new(now));
        if now >= account.window_started + self.limits.window {
            account.window_started = now;
            account.in_window = 0;
        }
        if self.limits.requests_per_window > 0 && account.in_window >= self.limits.requests_per_window {
            account.pause_for(self.limits.retry_after, now);
            // The window opens again with the pause, or a well-behaved client would be throttled twice for one excess.
            account.window_started = now + self.limits.retry_after;
            account.in_window = 0;
            return Err(Refusal::Window(self.limits.retry_after));
        }
        if self.limits.in_flight > 0 && account.in_flight >= self.limits.in_flight {
            return Err(Refusal::InFlight);
        }
        account.in_window += 1;
        account.in_flight += 1;
        self.max_in_flight = self.max_in_flight.max(account.in_flight);
        Ok(())
    }

    /// How much of its window an application has used, if that is to be told.
    pub(crate) fn share_to_tell(&self, scope: &str) -> Option<f64> {
        let limit = Some(self.limits.requests_per_window).filter(|limit| *limit > 0 && self.limits.tells_share)?;
        let account = self.accounts.get(scope)?;
        let share = f64::from(account.in_window) / f64::from(limit);
        (share >= TOLD_FROM && Instant::now() < account.window_started + self.limits.window).then_some(share)
    }

    pub(crate) fn leave(&mut self, scope: &str) {
        if let Some(account) = self.accounts.get_mut(scope) {
            account.in_flight = account.in_flight.saturating_sub(1);
        }
    }

    /// Remembers a `Retry-After` that a fault hands out.
    pub(crate) fn pause(&mut self, scope: &str, span: Duration) {
        let now = Instant::now();
        let account = self.accounts.entry(scope.to_owned()).or_insert_with(|| Account::new(now));
        account.pause_for(span, now);
    }

    pub(crate) fn forgive(&mut self) {
        for account in self.accounts.values_mut() {
            account.pause = None;
        }
    }

    pub(crate) fn early_returns(&self) -> u64 {
        self.early_returns
    }

    pub(crate) fn max_in_flight(&self) -> u32 {
        self.max_in_flight
    }

    /// Starts the two counters anew; what is in flight and paused stays so.
    pub(crate) fn clear(&mut self) {
        self.early_returns = 0;
        self.max_in_flight = self.accounts.values().map(|account| account.in_flight).max().unwrap_or(0);
    }
}

impl Account {
    fn new(now: Instant) -> Self {
        Self { in_flight: 0, window_started: now, in_window: 0, pause: None }
    }

    /// A pause never gets shorter by a second one.
    fn pause_for(&mut self, span: Duration, now: Instant) {
        let Some(until) = now.checked_add(span) else {
            return;
        };
        let left = self.pause.as_ref().and_then(|pause| pause.left(now));
        if left.is_none_or(|left| left < span) {
            self.pause = Some(Pause { told: now, told_at: Timestamp::now(), until });
        }
    }
}

impl Pause {
    fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.until.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }
}
