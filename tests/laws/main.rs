//! The proof of the heart: laws that hold for every input (proptest), and a model in which the real `decide` and
//! `record` run through every interleaving of crash, lag, loss and edit (stateright).
//!
//! Only the pure rooms are under proof here, so nothing in this binary waits, listens or writes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail by panicking")]

mod given;

mod backing_off;
mod deciding;
mod naming;
mod recording;

mod model;
