//! Attempts are counted as they were made, and nothing runs in circles.

use photo_removal_operator::api::PhotoRemoval;

use super::super::evidence::Evidence;

/// More calls than these would have a cause that nobody thought of.
const CALLS_PER_EVENT: usize = 12;

/// Of an object that is alone in naming its owner, `status.attempts` must be the number of DELETEs that were not
/// throttled, but for one per process that ended: what that one did may not have been recorded. Of all calls to the API
/// server that are no watches there must be no more than a dozen for each thing that happened.
pub(in super::super) fn judge(evidence: &Evidence<'_>, steps: usize, found: &[PhotoRemoval]) -> Vec<String> {
    let mut offences: Vec<String> = found.iter().filter_map(|object| counted(evidence, object)).collect();
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

fn counted(evidence: &Evidence<'_>, object: &PhotoRemoval) -> Option<String> {
    let uid = object.metadata.uid.as_deref()?;
    let life = evidence.ledger.lives.iter().find(|life| life.uid == uid)?;
    if evidence.ledger.naming(life.owner).count() > 1 {
        return None;
    }
    let deletes: Vec<_> = evidence.deletes().filter(|(_, owner)| *owner == life.owner).collect();
    let throttled = |status| status == Some(429) || status == Some(503);
    let at_most = deletes.len();
    let surely = deletes.iter().filter(|(delete, _)| delete.status.is_some() && !throttled(delete.status)).count();
    // At most one is under way when a process ends.
    let at_least = surely.saturating_sub(evidence.ledger.endings.len());
    let attempts = usize::try_from(object.status.as_ref()?.attempts).ok()?;
    let fits = (at_least..=at_most).contains(&attempts);
    (!fits).then(|| format!("{} counts {attempts} attempts; {at_least} to {at_most} were made", life.name))
}
