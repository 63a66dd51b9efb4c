//! What was measured, the bars, and whether they are met.

use std::fmt;

use crate::operator::{Removed, Rest};
use crate::{GRAPH_DELAY, WINDOW};

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Report {
    /// Removals a second of each round.
    pub(crate) floor: Vec<f64>,
    pub(crate) operator: Vec<Removed>,
    pub(crate) idle: Option<Rest>,
}

/// One line.
struct Line {
    what: String,
    value: String,
    bar: &'static str,
    met: bool,
}

impl Report {
    pub(crate) fn is_met(&self) -> bool {
        self.lines().iter().all(|line| line.met)
    }

    fn lines(&self) -> Vec<Line> {
        let floor = median(self.floor.clone());
        let of = |figure: fn(&Removed) -> f64| median(self.operator.iter().map(figure).collect());
        let share = of(|removed| removed.rate) / floor;
        let looks = self.operator.iter().map(|removed| removed.looks).max().unwrap_or(0);
        let (calls, deletes) = (of(|removed| removed.calls), of(|removed| removed.deletes));
        let line = |what: &str, value: String, bar, met| Line { what: what.to_owned(), value, bar, met };
        let mut lines = vec![
            line("rate, share of the floor's", format!("{:.0} %", share * 100.0), ">= 70 %", share >= 0.7),
            line("API calls a removal", format!("{calls:.3} (looks at the Secret: {looks})"), "<= 3", calls <= 3.0),
            line("DELETEs a removal", format!("{deletes:.2}"), "<= 1", deletes <= 1.0),
        ];
        if let Some(rest) = &self.idle {
            let what = format!("resident, {} finished objects", rest.objects);
            let value = format!("{:.1} MiB (peak {:.1})", rest.resident, rest.peak);
            lines.push(line(&what, value, "<= 64 MiB", rest.resident <= 64.0));
            let what = format!("calls in {} s of nothing", rest.idle.as_secs());
            lines.push(line(&what, rest.calls.to_string(), "0", rest.calls == 0));
        }
        lines
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        let delay = GRAPH_DELAY.as_millis();
        writeln!(
            out,
            "Beside it ran: etcd, kube-apiserver {} and the emulator on {cores} cores; {profile} build,",
            testbed::DEFAULT_KUBERNETES
        )?;
        writeln!(out, "Graph at {delay} ms, window {WINDOW}, medians of {} rounds.", self.floor.len())?;
        for line in self.lines() {
            let verdict = if line.met { "met" } else { "NOT met" };
            writeln!(out, "{:<36} {:>33}   {:<10} {verdict}", line.what, line.value, line.bar)?;
        }
        Ok(())
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => figures[length / 2],
        length => f64::midpoint(figures[length / 2 - 1], figures[length / 2]),
    }
}
