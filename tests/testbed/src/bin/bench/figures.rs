//! The figures: what is measured, and how much it may be. The README's table has the same rows.

use std::fmt;

/// What a figure is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) bar: Bar,
}

const fn at_most(name: &'static str, limit: f64, unit: &'static str) -> Figure {
    Figure { name, unit, bar: Bar::AtMost(limit) }
}

const fn at_least(name: &'static str, limit: f64, unit: &'static str) -> Figure {
    Figure { name, unit, bar: Bar::AtLeast(limit) }
}

const FLOOR: &str = "% of the floor";

pub(crate) const RATE_AT_ONCE: Figure = at_least("removals a second, Graph answering at once", 85.0, FLOOR);
pub(crate) const RATE_DELAYED: Figure = at_least("removals a second, Graph answering after 50 ms", 85.0, FLOOR);
pub(crate) const CALLS: Figure = at_most("calls of the API server for a removal", 3.0, "");
pub(crate) const DELETES: Figure = at_most("DELETEs for a removal", 1.0, "");
pub(crate) const WRITES_OF_A_FAILURE: Figure = at_most("status writes for a failed attempt", 1.0, "");
pub(crate) const QUIET_MEDIAN: Figure =
    at_most("a new object beside 10,000 that wait, to its DELETE, median", 2.0, "s");
pub(crate) const QUIET_LAST: Figure = at_most("the same, 99th percentile", 2.0, "s");
pub(crate) const UNPAUSED: Figure =
    at_most("another credential beside a paused one, to its DELETE, 99th percentile", 2.0, "s");
pub(crate) const UNPAUSED_SHARE: Figure = at_most("the same, median, compared with no pause beside it", 2.0, "times");
pub(crate) const WRITES_OF_WAITING: Figure = at_most("status writes for 1,000 objects that wait", 0.0, "");
pub(crate) const LIST: Figure = at_most("first list of 10,000 finished objects, from the start", 5.0, "s");
pub(crate) const RESIDENT: Figure = at_most("memory with 10,000 finished objects", 48.0, "MiB");
pub(crate) const PEAK: Figure = at_most("the same, at its most", 64.0, "MiB");
pub(crate) const RESTART: Figure = at_most("restart with 10,000 finished objects, until ready", 5.0, "s");
pub(crate) const AFTER_RESTART: Figure = at_most("requests to Graph and writes after that restart", 0.0, "");
pub(crate) const IDLE: Figure = at_most("calls of the API server and of Graph in an idle minute", 0.0, "");
pub(crate) const LIST_OF_MANY: Figure = at_most("first list of 100,000 finished objects, from the start", 30.0, "s");
pub(crate) const RESIDENT_WITH_MANY: Figure = at_most("memory with 100,000 finished objects", 200.0, "MiB");
pub(crate) const PEAK_WITH_MANY: Figure = at_most("the same, at its most", 256.0, "MiB");

/// All of them, in the order in which they are printed.
#[cfg(test)]
pub(crate) const ALL: [Figure; 19] = [
    RATE_AT_ONCE,
    RATE_DELAYED,
    CALLS,
    DELETES,
    WRITES_OF_A_FAILURE,
    QUIET_MEDIAN,
    QUIET_LAST,
    UNPAUSED,
    UNPAUSED_SHARE,
    WRITES_OF_WAITING,
    LIST,
    RESIDENT,
    PEAK,
    RESTART,
    AFTER_RESTART,
    IDLE,
    LIST_OF_MANY,
    RESIDENT_WITH_MANY,
    PEAK_WITH_MANY,
];

impl Figure {
    pub(crate) fn is_met(&self, value: f64) -> bool {
        match self.bar {
            Bar::AtMost(limit) => value <= limit,
            Bar::AtLeast(limit) => value >= limit,
        }
    }

    /// The value as a share of its bar; none where the bar is zero.
    pub(crate) fn ratio(&self, value: f64) -> Option<f64> {
        let (Bar::AtMost(limit) | Bar::AtLeast(limit)) = self.bar;
        (limit > 0.0).then(|| value / limit)
    }

    /// A value with its unit: whole numbers as such, others as exactly as makes sense.
    pub(crate) fn with_unit(&self, value: f64) -> String {
        let digits = if value.fract() == 0.0 || value >= 100.0 {
            0
        } else if value >= 10.0 {
            1
        } else {
            3
        };
        format!("{value:.digits$} {}", self.unit).trim_end().to_owned()
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(out, "≤ {limit}"),
            Self::AtLeast(limit) => write!(out, "≥ {limit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cells of the README's table of costs, but for the two that say what was measured.
    fn rows_of_the_readme() -> Vec<(String, String)> {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
        let (_, table) = readme.split_once("| what | measured | bar | of the bar |\n").expect("the table's head");
        let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        rows.map(cells).map(|cells| (cells[1].clone(), cells[3].clone())).collect()
    }

    #[test]
    fn the_table_of_the_readme_has_the_rows_of_the_benchmark() {
        let ours: Vec<_> = ALL.iter().map(|row| (row.name.to_owned(), row.bar.to_string())).collect();
        assert_eq!(rows_of_the_readme(), ours);
    }

    #[test]
    fn a_figure_is_met_up_to_its_bar_and_no_further() {
        let rows = [(CALLS, 3.0, true), (CALLS, 3.001, false), (RATE_AT_ONCE, 85.0, true), (RATE_AT_ONCE, 84.9, false)];
        for (figure, value, met) in rows {
            assert_eq!(figure.is_met(value), met, "{figure:?} {value}");
        }
        assert_eq!((CALLS.ratio(1.5), IDLE.ratio(7.0)), (Some(0.5), None));
        assert_eq!((RESIDENT.with_unit(31.25), IDLE.with_unit(0.0)), ("31.2 MiB".to_owned(), "0".to_owned()));
    }
}
