//! The operator against a real API server and the emulator of Microsoft's side.
//!
//! | file | holds |
//! |---|---|
//! | `answers.rs` | what Graph's answers come to: the table of the design |
//! | `reasons.rs` | every reason, how an object gets there and how it leaves |
//! | `quiet.rs` | what is not sent and not written |
//! | `turns.rs` | windows, pauses and turns |
//! | `cluster.rs` | an API server that fails, restarts or forgets; objects that do not fit |
//! | `process.rs` | the program: signals, probes, logs, flags |
#![allow(clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod answers;
mod cluster;
mod process;
mod quiet;
mod reasons;
mod turns;

type Outcome = Result<(), Box<dyn std::error::Error>>;
