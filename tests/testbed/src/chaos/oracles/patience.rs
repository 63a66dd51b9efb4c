//! Nobody comes back before a `Retry-After` has passed.

use emulator::{Listener, Recorded};
use jiff::Timestamp;

use super::super::evidence::Evidence;

/// A request that came early, `Limits::grace` for those that were under way aside, is an offence unless a process ended
/// between the throttled answer and the request, and the pause was lost with it: it had not been recorded before in the
/// status of an object that was still there when the successor began. Pauses of the sign-in are never recorded.
pub(in super::super) fn judge(evidence: &Evidence<'_>) -> Vec<String> {
    let early = evidence.requests.iter().filter_map(|request| request.early.map(|told| (request, told)));
    let offences = early.filter_map(|(request, told)| {
        let why = offence(evidence, request, told)?;
        let about = (request.listener, request.operation, &request.client_id);
        Some(format!("request {} at {} {about:?} came early: told at {told}; {why}", request.number, request.time))
    });
    offences.collect()
}

fn offence(evidence: &Evidence<'_>, request: &Recorded, told: Timestamp) -> Option<String> {
    let endings = evidence.ledger.endings.iter();
    let ended = endings.filter(|ending| ending.span.done >= told && ending.span.began <= request.time);
    let Some(ended) = ended.map(|ending| ending.span.began).max() else {
        return Some("no process had ended in between".to_owned());
    };
    if request.listener == Listener::SignIn {
        return None;
    }
    let recorded = tellers(evidence, request, told).find_map(|teller| {
        let id = teller.header("client-request-id");
        evidence.writes.iter().find(|write| {
            let last = write.status.last_attempt.as_ref().and_then(|last| last.client_request_id.as_deref());
            let is_there = evidence
                .ledger
                .lives
                .iter()
                .any(|life| life.uid == write.uid && life.gone.is_none_or(|gone| gone.done > request.time));
            // What the object says now: an answer that came later took the pause's place.
            let overwritten = evidence.writes.iter().any(|later| {
                later.uid == write.uid && later.span.began > write.span.done && later.span.done < request.time
            });
            last == Some(id) && write.span.done < ended && is_there && !overwritten
        })
    });
    recorded.map(|write| format!("a process had ended, but {} told of the pause since {}", write.uid, write.span.done))
}

/// The requests of the same application whose answers asked for the pause.
fn tellers<'a>(evidence: &'a Evidence<'_>, early: &'a Recorded, told: Timestamp) -> impl Iterator<Item = &'a Recorded> {
    evidence.requests.iter().filter(move |request| {
        let until = request.ended.zip(request.retry_after).map(|(ended, wait)| {
            ended.saturating_add(std::time::Duration::from_secs_f64(wait)).unwrap_or(Timestamp::MAX)
        });
        let same = request.client_id == early.client_id && request.listener == early.listener;
        let before = request.ended.is_some_and(|ended| ended <= early.time && ended >= told);
        same && before && until.is_some_and(|until| until > early.time)
    })
}
