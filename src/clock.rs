//! The one place that asks what time it is. The pure rooms get the time as a parameter; a test keeps it so.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The time, in the whole milliseconds that a status keeps.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the place")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// How long it is until then; nothing if it is past.
#[must_use]
pub fn until(time: Timestamp) -> Option<Duration> {
    rest(now(), time)
}

/// How long to sleep from a time to a later one; nothing if it is not later. A millisecond more than the difference of two
/// rounded times, so that whoever sleeps so long wakes after it.
#[must_use]
pub fn rest(from: Timestamp, to: Timestamp) -> Option<Duration> {
    let rest = to.duration_since(from);
    (rest.is_positive()).then(|| rest.unsigned_abs() + Duration::from_millis(1))
}

/// Measures how long something takes, whatever the wall clock does meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the place")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
