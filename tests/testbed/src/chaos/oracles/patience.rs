//! Nobody comes back before a `Retry-After` has passed.

use emulator::{Listener, Recorded};
use jiff::{SignedDuration, Timestamp};
use photo_removal_operator::api::{Outcome, PhotoRemovalStatus};

use super::super::evidence::{Evidence, Write};

/// A request that came early, `Limits::grace` for those that were under way aside, is an offence, with these exceptions:
///
/// - A process ended between the throttled answer and the request, and no object told of the pause: nothing that was
///   stored before of those that were still there when the request came, and not at rest, says so.
/// - An object keeps one pause: one that met another application's since tells of that.
/// - Pauses of the sign-in are stored nowhere, so the end of a process excuses every one of them.
///
/// A pause is the application's, whichever Secret it was met with: at Graph, and at the sign-in.
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
    if !evidence.ledger.clients.iter().any(|client| request.client_id.as_ref() == Some(client)) {
        return None;
    }
    let endings = evidence.ledger.endings.iter().map(|ending| ending.span);
    let ended = endings.filter(|ended| ended.done >= told && ended.began <= request.time);
    let Some(ended) = ended.map(|ended| ended.began).max() else {
        return Some("no process had ended in between".to_owned());
    };
    if request.listener == Listener::SignIn {
        return None;
    }
    let there = evidence.ledger.lives.iter().filter(|life| life.gone.is_none_or(|gone| gone.began > request.time));
    there.into_iter().find_map(|life| {
        let writes = evidence.writes.iter().filter(|write| write.uid == life.uid && write.span.done < ended);
        let last = writes.clone().max_by_key(|write| write.span.done)?;
        let unclear = |write: &Write| write.uid == life.uid && write.span.done > last.span.done;
        // At rest it keeps nothing.
        if last.status.outcome.is_some_and(Outcome::is_real) || evidence.unclear.iter().any(unclear) {
            return None;
        }
        let client = request.client_id.as_deref()?;
        if last.status.pause.as_ref().is_some_and(|pause| pause.client_id != client) {
            return None;
        }
        // Whatever it said later: until the pause is over, nothing that it may say ends it.
        let until = writes.filter_map(|write| pause(evidence, &write.status, client)).max()?;
        (until > request.time).then(|| format!("a process had ended, but {} told of a pause until {until}", life.name))
    })
}

/// Until when an object says that this application is to stay away: in so many words, or by the answer that it had.
fn pause(evidence: &Evidence<'_>, status: &PhotoRemovalStatus, client: &str) -> Option<Timestamp> {
    let told = status.pause.as_ref().filter(|pause| pause.client_id == client).map(|pause| pause.until);
    let last = status.last_attempt.as_ref().filter(|last| matches!(last.http_status, Some(429 | 503)));
    // Whose it was the request tells: the credential may name another application by now.
    let last = last.filter(|last| {
        let request = last.client_request_id.as_ref().and_then(|id| evidence.request(id));
        request.is_some_and(|request| request.client_id.as_deref() == Some(client))
    });
    let asked = last.and_then(|last| last.time.checked_add(SignedDuration::from_secs(last.retry_after_seconds?)).ok());
    told.max(asked)
}

#[cfg(test)]
mod tests {
    use emulator::Recorded;
    use serde_json::json;

    use super::judge;
    use crate::chaos::evidence::Evidence;
    use crate::chaos::ledger::{Ending, Ledger, Span, Why};

    /// A request to the sign-in of the first application, which several Secrets sign in, that came a second after it was
    /// told to stay away.
    fn early() -> Recorded {
        let request = json!({
            "number": 7, "time": "2026-01-01T00:00:02Z", "sinceStartMilliseconds": 2000, "listener": "signIn",
            "operation": "token", "method": "POST", "path": "/", "clientId": "shared", "headers": {}, "form": [],
            "bodyLength": 0, "early": "2026-01-01T00:00:01Z",
        });
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn a_pause_of_the_sign_in_is_every_secrets_of_the_application() {
        let mut ledger = Ledger { clients: vec!["shared".to_owned()], ..Ledger::default() };
        let requests = [early()];
        assert_eq!(judge(&Evidence::new(&ledger, &requests, &[])).len(), 1);
        let [began, done] = ["2026-01-01T00:00:01.2Z", "2026-01-01T00:00:01.4Z"].map(|time| time.parse().unwrap());
        ledger.endings.push(Ending { span: Span { began, done }, overslept: None, why: Why::Told });
        assert_eq!(judge(&Evidence::new(&ledger, &requests, &[])), [""; 0], "the process that was told had ended");
    }
}
