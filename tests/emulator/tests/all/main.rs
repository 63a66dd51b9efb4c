//! The emulator over real TCP: one test binary, one file a subject.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on says so and ends")]

mod control;
mod faults;
mod graph;
mod limits;
mod program;
mod record;
mod sign_in;
mod world;
