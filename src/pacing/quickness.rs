//! Whether answers are as quick as they can be. Pure: time comes in as a parameter.

use std::time::Duration;

use jiff::Timestamp;

use super::elapsed;

/// Answers below this are quick, whatever was better: no queue worth avoiding is so short, and much of it is the way.
const QUICK: f64 = 0.1;

/// Slower than the best of late by this factor is not quick: requests queue up somewhere, and more of them would only wait.
const SLOWER: f64 = 2.0;

/// How many answers the average is over.
const MEMORY: f64 = 16.0;

/// From so many answers on an average says something.
const FIRST: f64 = 8.0;

/// One answer counts as at most so much slower than the average: a single slow one proves nothing.
const OUTLIER: f64 = 4.0;

/// How long the best average is remembered, at least; at most twice as long.
const LATELY: Duration = Duration::from_secs(60);

/// The average time that answers take, beside the best average of the last minute or two.
#[derive(Debug, Default)]
pub(super) struct Quickness {
    /// In seconds.
    average: f64,
    /// How many answers it is over, up to [`MEMORY`].
    answers: f64,
    best: f64,
    /// The best of the minute before this one.
    best_before: f64,
    /// When this minute began.
    since: Option<Timestamp>,
}

impl Quickness {
    /// An answer took so long. Whether answers are quick.
    pub(super) fn answered(&mut self, took: Duration, now: Timestamp) -> bool {
        let took = took.as_secs_f64();
        self.answers = (self.answers + 1.0).min(MEMORY);
        let took = if self.answers > FIRST { took.min(self.average * OUTLIER) } else { took };
        self.average += (took - self.average) / self.answers;
        if self.answers < FIRST {
            return true;
        }
        let since = *self.since.get_or_insert_with(|| {
            (self.best, self.best_before) = (self.average, self.average);
            now
        });
        if elapsed(since, now) > LATELY {
            (self.best_before, self.best, self.since) = (self.best, self.average, Some(now));
        }
        self.best = self.best.min(self.average);
        self.average <= (self.best.min(self.best_before) * SLOWER).max(QUICK)
    }
}
