//! The operator against a real API server and Microsoft's side as the emulator plays it.
//!
//! | file | what it proves |
//! |---|---|
//! | `answers.rs`, `confirming.rs`, `tokens.rs`, `throttling.rs` | what each of Graph's answers leads to |
//! | `reasons.rs`, `secrets.rs`, `signing_in.rs`, `looks.rs` | each reason, how an object gets there and away again |
//! | `ways/` | each way to sign in, each cloud |
//! | `lifetimes/` | dates, limits, rehearsals, re-checks, retries, the end |
//! | `quiet.rs` | what costs nothing |
//! | `careful.rs`, `writing.rs`, `restarting.rs` | nothing is removed that nobody asks for, nothing twice, nothing forgotten |
//! | `pacing.rs` | windows, pauses, turns |
//! | `program.rs`, `discreet.rs` | the program: signals, endpoints, flags, what it never tells |
//! | `check.rs` | `check`: what it says of a credential |
//! | `login.rs` | a user's sign-in, from the code to the Secret |
//! | `rubbish.rs`, `outages.rs` | input and servers that are not what they should be |
//! | `chaos.rs` | all of that at once, by a seed |
//!
//! `picture.rs` is what all of them compare; `given.rs` is what they start from.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]
#![allow(clippy::disallowed_methods, reason = "the tests measure real time")]

mod given;
mod picture;

mod answers;
mod careful;
mod chaos;
mod check;
mod confirming;
mod discreet;
mod lifetimes;
mod login;
mod looks;
mod outages;
mod pacing;
mod program;
mod quiet;
mod reasons;
mod replicas;
mod restarting;
mod rubbish;
mod secrets;
mod signing_in;
mod throttling;
mod tokens;
mod ways;
mod writing;

type Outcome = Result<(), Box<dyn std::error::Error>>;
