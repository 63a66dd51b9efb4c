//! The definition's corners, against a real API server: the exact words of a refusal, awkward names, nulls and unknown
//! fields, what may change, how lists look. `tests/guide` walks the ordinary way.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod bed;
mod changes;
mod names;
mod refusals;
mod shown;
mod stored;

type Outcome = Result<(), Box<dyn std::error::Error>>;
