//! The heart: what to do next about one removal, and what to write down of what happened. Pure: no async, no clock, no
//! I/O, no logging; the same sight at the same time always gives the same step.
//!
//! [`decide()`] looks at one object and names one [`Step`]; [`record()`] turns what an attempt brought into the next status.
//! Nothing else in the house decides. A step has at most one effect on the world outside, so a crash between two effects
//! is just "stop here", and a restart asks [`decide()`] again.
//!
//! The vocabulary of what an attempt can bring ([`Verdict`], [`Trouble`]) lives here, since the heart is what needs it;
//! `graph` and `identity` speak it.

mod backoff;
mod decide;
mod message;
mod record;
mod resting;
mod standing;
mod verdict;

pub use backoff::{Backoff, Seed, fnv};
pub use decide::{Purpose, Seen, Step, decide};
pub use record::{Policy, record};
pub use resting::rests;
pub use standing::unreadable;
pub use verdict::{Attempt, Brought, Obstacle, Trouble, Verdict};
