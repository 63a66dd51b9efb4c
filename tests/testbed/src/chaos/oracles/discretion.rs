//! Nothing secret gets out, nothing is asked for that is forbidden, nothing panics.

use super::super::evidence::Evidence;
use crate::AuditEntry;

/// A text that anybody may come to see.
pub(in super::super) struct Place {
    pub(in super::super) name: String,
    pub(in super::super) text: String,
}

/// None of the canaries, in whatever case, may be in any of the places.
pub(in super::super) fn judge(canaries: &[String], places: &[Place]) -> Vec<String> {
    let canaries: Vec<String> = canaries.iter().map(|canary| canary.to_lowercase()).collect();
    let mut offences = Vec::new();
    for Place { name, text } in places {
        let text = text.to_lowercase();
        let found = canaries.iter().enumerate().filter(|(_, canary)| !canary.is_empty() && text.contains(*canary));
        // The canary itself is not quoted.
        offences.extend(found.map(|(number, _)| format!("canary {number} of {} is in {name}", canaries.len())));
        offences.extend(text.lines().filter(|line| tells_of_a_panic(line)).map(|line| format!("{name}: {line}")));
    }
    offences
}

/// A line of a log, or of the metrics, in lower case.
fn tells_of_a_panic(line: &str) -> bool {
    let counts = line.starts_with("controller_runtime_reconcile_panics_total") && !line.ends_with(" 0");
    counts || line.contains("panicked") && !line.starts_with('#')
}

/// The operator's rights are enough for what it does. An API server that starts knows no rights before it is ready.
pub(in super::super) fn forbidden(evidence: &Evidence<'_>) -> Vec<String> {
    let starting = |entry: &&AuditEntry| {
        let outages = &evidence.ledger.outages;
        outages.iter().any(|outage| outage.began <= entry.received && entry.received <= outage.done)
    };
    let forbidden = evidence.audit.iter().filter(|entry| entry.code == 403 && !starting(entry));
    forbidden.map(|entry| format!("{} {} was forbidden", entry.verb, entry.uri)).collect()
}
