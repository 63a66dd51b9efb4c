//! How fast a credential may ask Graph: one governor per credential, with a window of requests in flight, a pause that
//! Graph asks for, and turns that go round the namespaces.
//!
//! [`governor`](Governor) is pure. [`Pacing`] is the thin shell that owns one for each credential, runs the timer that
//! ends a pause, and wakes whoever's turn it is. An object that waits is an entry in a queue: no task, no slot, no write.

mod governor;
mod shell;
mod turns;

pub use governor::{Entry, Governor};
pub use shell::{Account, Pacing, Permit, Waiter};
pub use turns::Turns;
