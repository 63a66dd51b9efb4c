//! Attempts are counted as they were made, and nothing runs in circles.

use emulator::{Operation, Recorded};

use super::super::evidence::Evidence;
use super::super::ledger::Life;

/// More calls than these would have a cause that nobody thought of.
const CALLS_PER_EVENT: usize = 12;

/// Of an object that is alone in naming its owner, `status.attempts` as it was written last must be the number of DELETEs
/// before that of which neither was throttled itself nor its confirmation, but for one per process that ended: what that
/// one did may not have been recorded. Of all calls to the API server that are no watches there must be no more than a
/// dozen for each thing that happened.
pub(in super::super) fn judge(evidence: &Evidence<'_>, steps: usize) -> Vec<String> {
    let mut offences: Vec<String> = evidence.ledger.lives.iter().filter_map(|life| counted(evidence, life)).collect();
    let calls = evidence.audit.iter().filter(|entry| entry.verb != "watch" && entry.group != "coordination.k8s.io");
    let calls = calls.count();
    let events = steps + evidence.requests.len() + evidence.ledger.lives.len() + seconds(evidence);
    if calls > events * CALLS_PER_EVENT {
        offences.push(format!("{calls} calls to the API server for {events} events"));
    }
    offences
}

/// A broken Secret is looked at twice a second.
fn seconds(evidence: &Evidence<'_>) -> usize {
    let (first, last) = (evidence.audit.first(), evidence.audit.last());
    let span = first.zip(last).map(|(first, last)| last.answered.duration_since(first.received).as_secs());
    usize::try_from(span.unwrap_or_default()).unwrap_or_default()
}

fn counted(evidence: &Evidence<'_>, life: &Life) -> Option<String> {
    if evidence.ledger.naming(life.owner).count() > 1 {
        return None;
    }
    let last = evidence.writes.iter().rev().find(|write| write.uid == life.uid)?;
    let throttled = |request: &Recorded| matches!(request.status, Some(429 | 503));
    let is_of_the_owner = |request: &&Recorded| {
        request.target.as_ref().is_some_and(|target| evidence.ledger.owner(target.name()) == Some(life.owner))
    };
    let counts = |delete: &Recorded| {
        let next = evidence.requests.iter().filter(|request| request.number > delete.number).find(is_of_the_owner);
        let confirmation = next.filter(|next| next.operation == Operation::Confirm);
        delete.status.is_some() && !throttled(delete) && !confirmation.is_some_and(throttled)
    };
    let deletes = evidence.deletes().filter(|(delete, owner)| *owner == life.owner && delete.time <= last.span.began);
    let deletes: Vec<_> = deletes.map(|(delete, _)| delete).collect();
    let at_most = deletes.len();
    let surely = deletes.iter().filter(|delete| counts(delete)).count();
    // At most one is under way when a process ends.
    let at_least = surely.saturating_sub(evidence.ledger.endings.len());
    let attempts = usize::try_from(last.status.attempts).ok()?;
    let fits = (at_least..=at_most).contains(&attempts);
    (!fits).then(|| format!("{} counts {attempts} attempts; {at_least} to {at_most} were made", life.name))
}
