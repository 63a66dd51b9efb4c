//! How fast a credential may ask Graph: one governor per credential, with a window of requests in flight, a learned pace
//! of their starts, a pause that Graph asks for, and turns that go round the namespaces.
//!
//! [`governor`](Governor) is pure. [`Pacing`] is the thin shell that owns one for each credential, runs the timer that
//! ends a pause or brings the next start, and wakes whoever's turn it is. An object that waits is an entry in a queue: no
//! task, no slot, no write.

mod governor;
mod pace;
mod quickness;
mod shell;
mod turns;
mod window;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use governor::{Entry, Governor};
pub use shell::{Account, Pacing, Permit, Waiter};
pub use turns::Turns;
pub use window::Start;

/// The time from one moment to a later one; nothing if it is not later.
fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).max(SignedDuration::ZERO).unsigned_abs()
}

/// So much later.
fn after(time: Timestamp, span: Duration) -> Timestamp {
    time.saturating_add(span).unwrap_or(Timestamp::MAX)
}
