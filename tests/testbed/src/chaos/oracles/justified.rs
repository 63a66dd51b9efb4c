//! No DELETE that nobody asks for, and none after the outcome.

use emulator::Recorded;

use super::super::evidence::{Evidence, Read, Write};
use super::super::ledger::{Life, Span};

/// A read that was lost with the audit log of a killed API server had been answered so shortly before.
const LOST: std::time::Duration = std::time::Duration::from_secs(2);

/// Every DELETE must follow a live read that found an object which named the target, wanted its removal then, and had no
/// outcome; and no such object may have got its outcome before the DELETE. The exception: the process that sent the
/// DELETE whose outcome it is had ended meanwhile, and the API server did its last write after the successor's read.
pub(in super::super) fn judge(evidence: &Evidence<'_>) -> Vec<String> {
    let unjustified = evidence.deletes().filter_map(|(delete, owner)| {
        let lives: Vec<_> = evidence.ledger.naming(owner).collect();
        if lives.iter().any(|life| justifies(evidence, life, delete)) || is_unseen(evidence, delete) {
            return None;
        }
        let why: Vec<_> = lives.iter().map(|life| explain(evidence, life, delete)).collect();
        let kind = evidence.ledger.owners[owner].kind;
        Some(format!(
            "DELETE {} at {} for owner {owner} ({kind:?}) is not justified: {}",
            delete.number,
            delete.time,
            why.join("; ")
        ))
    });
    unjustified.collect()
}

fn justifies(evidence: &Evidence<'_>, life: &Life, delete: &Recorded) -> bool {
    let Some(read) = evidence.read_before(&life.namespace, &life.name, delete.time) else { return false };
    if !life.wanted(&read.span, delete.time) {
        return false;
    }
    match evidence.outcome(&life.uid) {
        Some(outcome) if outcome.span.done <= delete.time => was_left_behind(evidence, outcome, read, delete),
        _ => true,
    }
}

/// Whether the outcome is the last write of a process that had ended before the API server did it.
fn was_left_behind(evidence: &Evidence<'_>, outcome: &Write, read: &Read, delete: &Recorded) -> bool {
    let Some(proof) = &outcome.status.evidence else { return false };
    let Some(sent) = evidence.request(&proof.client_request_id) else { return false };
    read.span.began <= outcome.span.done && evidence.ledger.a_process_ended(sent.time, delete.time)
}

fn is_unseen(evidence: &Evidence<'_>, delete: &Recorded) -> bool {
    let lost =
        |outage: &Span| outage.began <= delete.time && delete.time.duration_since(outage.began).unsigned_abs() < LOST;
    evidence.ledger.outages.iter().any(lost)
}

fn explain(evidence: &Evidence<'_>, life: &Life, delete: &Recorded) -> String {
    let read = evidence.read_before(&life.namespace, &life.name, delete.time);
    let outcome = evidence.outcome(&life.uid).map(|write| write.span);
    format!(
        "{} made {:?}, gone {:?}, asked {:?}, last read {:?}, outcome {outcome:?}",
        life.name,
        life.made().done,
        life.gone,
        life.versions,
        read.map(|read| read.span),
    )
}
