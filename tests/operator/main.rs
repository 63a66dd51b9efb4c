//! The operator against a real API server and the emulator.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod answers;

type Outcome = Result<(), Box<dyn std::error::Error>>;
