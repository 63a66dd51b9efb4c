//! What was measured, with what it was measured on, for people (the README's table) and for machines.

use std::fmt;

use serde_json::{Value, json};

use crate::figures::Figure;

/// Everything that was measured.
pub(crate) struct Report {
    setup: Vec<(&'static str, String)>,
    measured: Vec<(Figure, f64)>,
}

impl Report {
    pub(crate) fn new(setup: Vec<(&'static str, String)>) -> Self {
        Self { setup, measured: Vec::new() }
    }

    /// Takes a figure down, and shows it to whoever waits.
    pub(crate) fn note(&mut self, figure: Figure, value: f64) {
        let verdict = if figure.is_met(value) { "" } else { "   NOT MET" };
        eprintln!("    {}: {} (bar: {}){verdict}", figure.name, figure.with_unit(value), figure.bar);
        self.measured.push((figure, value));
    }

    /// Takes down, once, what a figure cannot be understood without.
    pub(crate) fn beside(&mut self, what: &'static str, value: String) {
        if self.setup.iter().all(|(known, _)| *known != what) {
            self.setup.push((what, value));
        }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.measured.iter().all(|(figure, value)| figure.is_met(*value))
    }

    pub(crate) fn json(&self) -> Value {
        let setup: serde_json::Map<_, _> =
            self.setup.iter().map(|(what, value)| ((*what).to_owned(), json!(value))).collect();
        let figure = |(figure, value): &(Figure, f64)| {
            json!({
                "figure": figure.name, "value": value, "unit": figure.unit, "bar": figure.bar.to_string(),
                "ratio": figure.ratio(*value), "ok": figure.is_met(*value),
            })
        };
        json!({"setup": setup, "figures": self.measured.iter().map(figure).collect::<Vec<_>>(), "ok": self.is_met()})
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setup: Vec<_> = self.setup.iter().map(|(what, value)| format!("{what}: {value}")).collect();
        writeln!(out, "{}.\n", setup.join("; "))?;
        writeln!(out, "| what | measured | bar | of the bar |\n|---|---|---|---|")?;
        for (figure, value) in &self.measured {
            let ratio = figure.ratio(*value).map(|ratio| format!("{:.0} %", ratio * 100.0)).unwrap_or_default();
            let verdict = if figure.is_met(*value) { "" } else { " **not met**" };
            writeln!(out, "| {} | {} | {} | {ratio}{verdict} |", figure.name, figure.with_unit(*value), figure.bar)?;
        }
        Ok(())
    }
}

/// The value below which that share of them lies.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place")]
    let place = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(place).copied().unwrap_or(f64::NAN)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[length / 2],
        length => f64::midpoint(values[length / 2 - 1], values[length / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{CALLS, IDLE};

    #[test]
    fn machines_and_people_read_the_same_of_a_report() {
        let mut report = Report::new(vec![("cores", "2".to_owned())]);
        report.note(CALLS, 2.5);
        assert!(report.is_met());
        report.note(IDLE, 1.0);
        assert!(!report.is_met());
        let json = report.json();
        assert_eq!((&json["ok"], &json["setup"]["cores"]), (&json!(false), &json!("2")));
        let expected =
            json!({"figure": CALLS.name, "value": 2.5, "unit": "", "bar": "≤ 3", "ratio": 2.5 / 3.0, "ok": true});
        assert_eq!(json["figures"][0], expected);
        let page = report.to_string();
        assert!(page.contains("| calls of the API server for a removal | 2.500 | ≤ 3 | 83 % |"), "{page}");
        assert!(page.contains("| 1 | ≤ 0 |  **not met** |"), "{page}");
    }

    #[test]
    fn of_a_hundred_values_the_99th_is_the_last_but_one() {
        let values: Vec<_> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(values.clone(), 0.99), quantile(vec![7.0], 0.99)), (99.0, 7.0));
        assert!((median(values) - 50.5).abs() < f64::EPSILON);
    }
}
