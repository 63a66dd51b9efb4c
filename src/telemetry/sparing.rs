//! How much is logged: ten thousand objects that meet the same trouble say it a hundred times a minute, not ten thousand
//! times.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

use crate::clock;

/// Lines a minute from one place in the code. What is looked for with `debug` or `trace` is not spared.
const LINES: u64 = 100;

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// Lets so many lines of each kind through. There are as many kinds as places in the code that log.
#[derive(Default)]
pub(super) struct Sparing {
    kinds: Mutex<HashMap<Identifier, Kind>>,
}

/// The lines of one kind in this minute.
#[derive(Default)]
struct Kind {
    since: Option<Timestamp>,
    lines: u64,
}

impl Kind {
    /// Whether one more line is to be written.
    fn admits(&mut self, now: Timestamp) -> bool {
        // A clock that was set back starts a new minute, too.
        if self.since.is_none_or(|since| now < since || now.duration_since(since) >= MINUTE) {
            *self = Self { since: Some(now), lines: 0 };
        }
        self.lines += 1;
        self.lines <= LINES
    }
}

impl<S: Subscriber> Filter<S> for Sparing {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return true;
        }
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.entry(metadata.callsite()).or_default().admits(clock::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::Arc;
    use tracing_subscriber::layer::{Layer, SubscriberExt};

    #[test]
    fn a_minute_has_so_many_lines_of_a_kind_and_the_next_one_as_many_again() {
        let mut kind = Kind::default();
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let admitted = |kind: &mut Kind, second| (0..1_000).filter(|_| kind.admits(at(second))).count();
        assert_eq!([0, 59, 60, 30].map(|second| admitted(&mut kind, second)), [100, 0, 100, 100]);
    }

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn ten_thousand_objects_with_one_trouble_do_not_fill_the_log_and_hide_no_other() {
        let page = Page::default();
        let writer = page.clone();
        let layer =
            tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_filter(Sparing::default());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for number in 0..10_000 {
                tracing::warn!(number, "trouble");
            }
            tracing::warn!("another one");
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let lines = |word| text.lines().filter(|line| line.contains(word)).count();
        // The clock may have gone into a second minute.
        assert!((100..=200).contains(&lines("trouble")), "{} lines", lines("trouble"));
        assert_eq!(lines("another one"), 1);
    }
}
