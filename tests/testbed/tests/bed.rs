//! The test bed's own tests, and those of the chart that need no operator.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed test panics")]

#[path = "bed/chart.rs"]
mod chart;
#[path = "bed/faults.rs"]
mod faults;
#[path = "bed/plane.rs"]
mod plane;
#[path = "bed/pods.rs"]
mod pods;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Long enough for a busy machine; a test that passes does not wait for it.
const SOON: std::time::Duration = std::time::Duration::from_secs(30);
