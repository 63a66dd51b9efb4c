//! What happened, from the record of Microsoft's side and from the API server's audit log.

use emulator::{Operation, Recorded};
use jiff::Timestamp;
use photo_removal_operator::api::{Outcome, PhotoRemovalStatus};

use super::ledger::{Ledger, Span};
use crate::AuditEntry;

/// A status that was stored.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) uid: String,
    pub(super) span: Span,
    pub(super) status: PhotoRemovalStatus,
}

/// An object that was read live.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) span: Span,
}

/// All of a round.
pub(super) struct Evidence<'a> {
    pub(super) ledger: &'a Ledger,
    /// What Microsoft's side met, in order.
    pub(super) requests: &'a [Recorded],
    /// What the operator asked of the API server, in the order of the answers.
    pub(super) audit: &'a [AuditEntry],
    pub(super) writes: Vec<Write>,
    /// Statuses that may have been stored: the API server gave up on the answer.
    pub(super) unclear: Vec<Write>,
    pub(super) reads: Vec<Read>,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(ledger: &'a Ledger, requests: &'a [Recorded], audit: &'a [AuditEntry]) -> Self {
        let done = |entry: &&AuditEntry| (200..300).contains(&entry.code) && entry.resource == "photoremovals";
        let writes = audit.iter().filter(done).filter_map(write).collect();
        let unclear = audit.iter().filter(|entry| entry.code >= 500 && entry.resource == "photoremovals");
        let unclear = unclear.filter_map(write).collect();
        let reads = audit.iter().filter(done).filter(|entry| entry.verb == "get").map(read).collect();
        Self { ledger, requests, audit, writes, unclear, reads }
    }

    /// Every DELETE and the number of its owner.
    pub(super) fn deletes(&self) -> impl Iterator<Item = (&Recorded, usize)> {
        let deletes = self.requests.iter().filter(|request| request.operation == Operation::Delete);
        deletes.filter_map(|request| {
            let target = request.target.as_ref()?;
            Some((request, self.ledger.owner(target.name())?))
        })
    }

    /// The request that carried that id.
    pub(super) fn request(&self, id: &str) -> Option<&Recorded> {
        self.requests.iter().find(|request| request.header("client-request-id") == id)
    }

    /// The write that brought the object of that uid its outcome.
    pub(super) fn outcome(&self, uid: &str) -> Option<&Write> {
        self.writes.iter().find(|write| write.uid == uid && write.status.outcome.is_some_and(Outcome::is_real))
    }

    /// The last live read of an object before that moment.
    pub(super) fn read_before(&self, namespace: &str, name: &str, moment: Timestamp) -> Option<&Read> {
        let reads = self.reads.iter().filter(|read| read.namespace == namespace && read.name == name);
        reads.filter(|read| read.span.began <= moment).max_by_key(|read| read.span.began)
    }
}

fn write(entry: &AuditEntry) -> Option<Write> {
    let body = entry.request.as_ref().filter(|_| entry.subresource == "status")?;
    Some(Write {
        uid: body["metadata"]["uid"].as_str()?.to_owned(),
        span: span(entry),
        status: serde_json::from_value(body["status"].clone()).ok()?,
    })
}

fn read(entry: &AuditEntry) -> Read {
    Read { namespace: entry.namespace.clone(), name: entry.name.clone(), span: span(entry) }
}

fn span(entry: &AuditEntry) -> Span {
    Span { began: entry.received, done: entry.answered }
}
