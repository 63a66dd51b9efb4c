//! Who lost the lead in its sleep sends nothing when it wakes.

use std::collections::HashSet;

use emulator::{Listener, Recorded};

use super::super::evidence::Evidence;

/// Of a process that led, was frozen for longer than its term, and ended at once when it woke: from then on no request to
/// Graph may carry a token that was in use before it froze. Only a leader has tokens, each its own.
pub(in super::super) fn judge(evidence: &Evidence<'_>) -> Vec<String> {
    let graph = || evidence.requests.iter().filter(|request| request.listener == Listener::Graph);
    let overslept = evidence.ledger.endings.iter().filter_map(|ending| ending.overslept);
    let offences = overslept.flat_map(|frozen| {
        let before = graph().filter(|request| request.time < frozen.began).map(token);
        let before: HashSet<&str> = before.filter(|token| !token.is_empty()).collect();
        let after = graph().filter(move |request| request.time > frozen.done && before.contains(token(request)));
        after.map(move |request| {
            let (number, time, operation) = (request.number, request.time, request.operation);
            format!("request {number} ({operation:?}) at {time} is of a process that was frozen from {frozen:?} and led no more")
        })
    });
    offences.collect()
}

/// The record tells tokens apart without showing them.
fn token(request: &Recorded) -> &str {
    request.header("authorization")
}

#[cfg(test)]
mod tests {
    use emulator::Recorded;
    use serde_json::json;

    use super::judge;
    use crate::chaos::evidence::Evidence;
    use crate::chaos::ledger::{Ending, Ledger, Span, Why};

    fn delete(second: u8, token: &str) -> Recorded {
        let request = json!({
            "number": second, "time": format!("2026-01-01T00:00:0{second}Z"), "sinceStartMilliseconds": 0,
            "listener": "graph", "operation": "delete", "method": "DELETE", "path": "/",
            "headers": {"authorization": token}, "form": [], "bodyLength": 0,
        });
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn whoever_wakes_with_an_old_token_and_uses_it_is_found() {
        let span = |began: &str, done: &str| Span { began: began.parse().unwrap(), done: done.parse().unwrap() };
        let frozen = span("2026-01-01T00:00:02.5Z", "2026-01-01T00:00:06.5Z");
        let ended = span("2026-01-01T00:00:02.5Z", "2026-01-01T00:00:08Z");
        let ledger = Ledger {
            endings: vec![Ending { span: ended, overslept: Some(frozen), why: Why::LostTheLead }],
            ..Ledger::default()
        };
        let by_another = [delete(1, "Bearer token-1"), delete(5, "Bearer token-2"), delete(7, "Bearer token-2")];
        let by_itself = [delete(1, "Bearer token-1"), delete(5, "Bearer token-2"), delete(7, "Bearer token-1")];
        let found = |requests: &[Recorded]| judge(&Evidence::new(&ledger, requests, &[])).len();
        assert_eq!((found(&by_another), found(&by_itself)), (0, 1));
    }
}
