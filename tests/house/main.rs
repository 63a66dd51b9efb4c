//! Checks of the house itself: what the compiler does not enforce and every room relies on. No cluster is needed.
//!
//! Each check looks at the files of the repository and names every offender, with the file and the line. The checks of
//! the checks are beside them: a fixture that breaks the rule must be found.
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail by panicking")]

mod dependencies;
mod generated;
mod habits;
mod repository;
mod rooms;
mod source;
mod tools;
mod words;

/// Fails with every offender, one a line.
#[track_caller]
fn none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}; {} offenders:\n  {}\n", offenders.len(), offenders.join("\n  "));
}
