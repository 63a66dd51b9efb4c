//! Waiting for a condition: the one place that sleeps.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::error::{Error, Result};

/// Time between two looks: short against what a person notices, long against a loopback request.
const INTERVAL: Duration = Duration::from_millis(50);

/// What one look at the world brought: found, or what was seen instead.
pub trait Sight {
    /// What is waited for.
    type Found;

    /// # Errors
    ///
    /// What was seen instead, for the message of a wait that was in vain.
    fn found(self) -> std::result::Result<Self::Found, String>;
}

impl<T> Sight for Option<T> {
    type Found = T;

    fn found(self) -> std::result::Result<T, String> {
        self.ok_or_else(|| "it was not there".to_owned())
    }
}

impl<T, E: Debug> Sight for std::result::Result<T, E> {
    type Found = T;

    fn found(self) -> std::result::Result<T, String> {
        self.map_err(|seen| format!("{seen:?}"))
    }
}

/// Looks again and again until `look` brings `Some` or `Ok`, at most until `deadline` has passed.
///
/// A look that returns `Err(state)` tells what it saw, and the last state is in the error's message.
///
/// # Errors
///
/// Names what was waited for, for how long, and what was seen last.
pub async fn eventually<S, F, Fut>(what: &str, deadline: Duration, mut look: F) -> Result<S::Found>
where
    S: Sight,
    F: FnMut() -> Fut,
    Fut: Future<Output = S>,
{
    let end = Instant::now() + deadline;
    let mut last = "nothing, the first look did not end".to_owned();
    // A look that hangs ends with the deadline as well.
    while let Ok(sight) = timeout_at(end, look()).await {
        match sight.found() {
            Ok(found) => return Ok(found),
            Err(seen) => last = seen,
        }
        if Instant::now() + INTERVAL >= end {
            break;
        }
        sleep(INTERVAL).await;
    }
    Err(Error::new(format!("{what}: waited {deadline:?} in vain, last seen: {last}")))
}
