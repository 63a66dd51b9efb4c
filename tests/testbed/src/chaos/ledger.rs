//! What the storm did, and when: the scenario that everything else is held against. Pure.

use jiff::Timestamp;

use super::plan::Owner;

/// Between these two moments something of ours took effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) began: Timestamp,
    pub(super) done: Timestamp,
}

/// What an object asked for, with times on the clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) suspend: bool,
    pub(super) dry_run: bool,
    pub(super) not_before: Option<Timestamp>,
    pub(super) not_after: Option<Timestamp>,
    pub(super) backoff_limit: Option<i32>,
    pub(super) ttl: Option<i64>,
}

impl Asked {
    /// Whether a DELETE may be decided on at some moment between the two.
    fn wants_removal(&self, read: &Span, sent: Timestamp) -> bool {
        let has_begun = self.not_before.is_none_or(|begin| begin <= sent);
        let has_not_ended = self.not_after.is_none_or(|end| end > read.began);
        !self.suspend && !self.dry_run && has_begun && has_not_ended
    }
}

/// One object, from its making to its end: one uid.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) object: usize,
    pub(super) owner: usize,
    pub(super) place: usize,
    /// What it asked for, and since when; never empty.
    pub(super) versions: Vec<(Span, Asked)>,
    /// How often a person asked for a try.
    pub(super) asks: usize,
    /// When it was deleted, by us; the operator deletes those with a time to live.
    pub(super) gone: Option<Span>,
}

impl Life {
    pub(super) fn made(&self) -> Span {
        self.versions[0].0
    }

    pub(super) fn asked(&self) -> &Asked {
        &self.versions[self.versions.len() - 1].1
    }

    /// Whether a live read at that time could find the object.
    pub(super) fn is_there(&self, read: &Span) -> bool {
        self.made().began <= read.done && self.gone.is_none_or(|gone| gone.done >= read.began)
    }

    /// Whether that live read could find it wanting a removal that was then sent.
    pub(super) fn wanted(&self, read: &Span, sent: Timestamp) -> bool {
        let ends = self.versions[1..].iter().map(|(since, _)| Some(since.done)).chain([None]);
        let versions = self.versions.iter().zip(ends);
        self.is_there(read)
            && versions.into_iter().any(|((since, asked), end)| {
                let in_force = since.began <= read.done && end.is_none_or(|end| end >= read.began);
                in_force && asked.wants_removal(read, sent)
            })
    }
}

/// The end of a process of the operator.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    /// From the signal, or the loss, or the moment at which it froze shortly before, until the process was seen to be gone.
    pub(super) span: Span,
    /// When it was frozen, if it led before and its term was over when it woke.
    pub(super) overslept: Option<Span>,
    pub(super) why: Why,
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Told,
    /// Another one leads, or may soon: it ends by itself, and is started anew.
    LostTheLead,
}

/// Everything that was done.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) owners: Vec<Owner>,
    pub(super) lives: Vec<Life>,
    pub(super) endings: Vec<Ending>,
    /// Every change of a credential, and of which place's.
    pub(super) tampered: Vec<(usize, Span)>,
    /// The client ids of the applications.
    pub(super) clients: Vec<String>,
    /// From each kill of the API server, whose last moments are missing in its audit log, until the next is ready.
    pub(super) outages: Vec<Span>,
}

impl Ledger {
    /// The owner of that name or id, in whatever case.
    pub(super) fn owner(&self, name: &str) -> Option<usize> {
        let is = |owner: &Owner| owner.id.eq_ignore_ascii_case(name) || owner.name.eq_ignore_ascii_case(name);
        self.owners.iter().position(is)
    }

    /// The latest life of an object of the plan.
    pub(super) fn latest(&mut self, object: usize) -> Option<&mut Life> {
        self.lives.iter_mut().rev().find(|life| life.object == object)
    }

    pub(super) fn naming(&self, owner: usize) -> impl Iterator<Item = &Life> {
        self.lives.iter().filter(move |life| life.owner == owner)
    }

    /// Whether a process ended, or was ending, between the two.
    pub(super) fn a_process_ended(&self, from: Timestamp, to: Timestamp) -> bool {
        self.endings.iter().any(|ending| ending.span.done >= from && ending.span.began <= to)
    }
}
