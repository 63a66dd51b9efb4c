//! What users hold in their hands: the definition, the chart and the README, each used as they use it, against a real
//! API server.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod admission;
mod chart;
mod definition;
mod installed;
mod readme;
mod rights;

type Outcome = Result<(), Box<dyn std::error::Error>>;
