//! What users hold in their hands: the definition, the chart, the README and the pages beside it, each used as they use
//! it, against a real API server.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod admission;
mod at_hand;
mod benchmark;
mod chart;
mod credentials;
mod definition;
mod entra;
mod evidence;
mod gitops;
mod installed;
mod pages;
mod readme;
mod rights;

type Outcome = Result<(), Box<dyn std::error::Error>>;
