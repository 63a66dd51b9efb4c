//! The proof of the heart: laws that hold for every input (proptest), and a model in which the real `decide` and
//! `record` run through every interleaving of crash, lag, loss and edit (stateright).
//!
//! Only the pure rooms are under proof here, so nothing in this binary waits, listens or writes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail by panicking")]

mod given;

mod answering;
mod asking;
mod backing_off;
mod bounds;
mod deciding;
mod election;
mod entra;
mod leading;
mod lifetimes;
mod naming;
mod pacing;
mod recording;

mod model;

/// Every law's settings. A case that fails is shown in full, and is worth a test of its own: no file of seeds is kept.
fn cases(number: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config { failure_persistence: None, ..proptest::test_runner::Config::with_cases(number) }
}
