//! Everything that the model's steps can change: the API server, the operator, Microsoft Graph, and the clock.

use std::sync::Arc;

use jiff::Timestamp;
use photo_removal_operator::api::{Outcome, PhotoRemovalSpec, PhotoRemovalStatus, condition};
use photo_removal_operator::lifecycle::{Brought, Purpose, Step};

use crate::given::{Object, before_the_first_write};

/// One version of the object, as the API server stored it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// `metadata.resourceVersion`.
    pub(super) version: u32,
    pub(super) object: Arc<Object>,
}

impl Stored {
    pub(super) fn new(version: u32, birth: u8, spec: &PhotoRemovalSpec) -> Self {
        let (spec, status) = (spec.clone(), before_the_first_write());
        let object = Object { uid: birth.to_string(), generation: 1, deleting: false, retry: None, spec, status };
        Self { version, object: Arc::new(object) }
    }

    pub(super) fn decide(&self, now: Timestamp) -> Step {
        self.object.decide(now)
    }
}

/// What the operator is in the middle of. It works on one object once at a time, so there is one of these at most.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// The cached object looks as if a try were due: it is read live next.
    Read,
    /// A try is due, of a request of that kind. `truth` is what the API server held when that was decided.
    Try { on: Stored, truth: Option<Stored>, kind: Kind },
    /// A request is under way.
    Await { on: Stored, request: String, kind: Kind },
    /// A re-check found a photo: the object is read live again before it is removed.
    Again { on: Stored, request: String },
    /// What an attempt for that generation brought is kept until it is written, or its object is gone. `on` is read anew
    /// when it is stale.
    Keep { uid: String, generation: i64, brought: Box<Brought>, on: Option<Stored> },
    /// `decide` gave a status to write.
    Note { on: Stored, status: Box<PhotoRemovalStatus> },
}

/// What is asked of Graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The photo's removal, for the first time.
    Remove,
    /// Whether there is a photo.
    Look(Purpose),
    /// The removal of a photo that came back.
    RemoveAgain,
}

/// How much may still go wrong, so that the model ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    /// Crashes, lost writes, stale events.
    pub(super) faults: u8,
    /// Edits, deletions, new Secrets, new photos, new users.
    pub(super) edits: u8,
    /// Answers that are not the plain truth: throttled, unavailable, lost, denied, refused.
    pub(super) answers: u8,
    /// DELETEs in all.
    pub(super) requests: u8,
}

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Breach {
    /// A DELETE was sent although the API server holds an outcome for that uid.
    DeleteAfterOutcome,
    /// A DELETE was sent for an object that was suspended, deleted or another one when the try was decided.
    DeleteUnasked,
    /// Two DELETEs for one uid were under way at once.
    TwoAtOnce,
    /// A status speaks of a request that was made for another uid.
    WrongObject,
    /// A status holds an outcome that Graph did not give for the request in its evidence.
    NeverSaid,
    /// A recorded outcome or evidence was changed.
    Overwritten,
    /// More attempts are recorded than Graph can have received.
    Overcounted,
    /// A write changed nothing.
    IdleWrite,
}

#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    /// What every object of the model asks for when it is created.
    pub(super) wish: Arc<PhotoRemovalSpec>,
    /// What the API server holds under the one name of this model.
    pub(super) server: Option<Stored>,
    /// The last resourceVersion that was given.
    pub(super) version: u32,
    /// The last uid that was given.
    pub(super) birth: u8,
    /// What the operator's watch showed last. A crash does not mend it: a list may be served from an old cache.
    pub(super) cache: Option<Stored>,
    pub(super) tasks: Vec<Task>,
    /// The operator knows that the credential is of no use until its Secret changes.
    pub(super) refused: bool,
    pub(super) secret_is_good: bool,
    pub(super) photo: bool,
    pub(super) target: bool,
    pub(super) budget: Budget,
    /// How many DELETEs were sent; numbers them.
    pub(super) requests: u8,
    /// What only the model knows: the outcomes that Graph gave, by request.
    pub(super) said: Vec<(String, Outcome)>,
    /// What only the model knows: how many DELETEs for each uid Graph received and did not throttle.
    pub(super) received: Vec<u32>,
    /// What only the model knows: whether the operator was ever killed.
    pub(super) crashed: bool,
    pub(super) breach: Option<Breach>,
}

impl World {
    pub(super) fn new(budget: Budget, wish: PhotoRemovalSpec) -> Self {
        Self {
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            server: Some(Stored::new(1, 0, &wish)),
            wish: wish.into(),
            version: 1,
            birth: 0,
            cache: None,
            tasks: Vec::new(),
            refused: false,
            secret_is_good: true,
            photo: true,
            target: true,
            budget,
            requests: 0,
            said: Vec::new(),
            received: vec![0],
            crashed: false,
            breach: None,
        }
    }

    pub(super) fn holds(&self, stored: &Stored) -> bool {
        self.server.as_ref().is_some_and(|server| server.version == stored.version)
    }

    pub(super) fn status(&self) -> Option<&PhotoRemovalStatus> {
        self.server.as_ref().map(|server| &server.object.status)
    }

    pub(super) fn break_promise(&mut self, breach: Breach) {
        self.breach.get_or_insert(breach);
    }

    /// Stores a changed object.
    pub(super) fn store(&mut self, object: Object) {
        self.version += 1;
        self.server = Some(Stored { version: self.version, object: Arc::new(object) });
    }

    /// Stores a status, and looks at what every status must hold to.
    pub(super) fn commit(&mut self, status: PhotoRemovalStatus) {
        let Some(server) = self.server.clone() else { return };
        let (uid, before) = (&server.object.uid, &server.object.status);
        let own = |id: &str| id.split('/').next() == Some(uid);
        let last = status.last_attempt.as_ref().and_then(|last| last.client_request_id.as_deref());
        let proof = status.evidence.as_ref().map(|evidence| evidence.client_request_id.as_str());
        if before == &status {
            self.break_promise(Breach::IdleWrite);
        }
        if !last.is_none_or(own) || !proof.is_none_or(own) {
            self.break_promise(Breach::WrongObject);
        }
        let is_real = |status: &PhotoRemovalStatus| status.outcome.is_some_and(Outcome::is_real);
        if is_real(before) && (before.outcome, &before.evidence) != (status.outcome, &status.evidence) {
            self.break_promise(Breach::Overwritten);
        }
        let said = |outcome| self.said.iter().any(|(id, said)| Some(id.as_str()) == proof && *said == outcome);
        if !status.outcome.is_none_or(|outcome| !outcome.is_real() || said(outcome)) {
            self.break_promise(Breach::NeverSaid);
        }
        let received = uid.parse::<usize>().ok().and_then(|birth| self.received.get(birth)).copied();
        if u32::try_from(status.attempts).ok() > received {
            self.break_promise(Breach::Overcounted);
        }
        self.store(server.object.with(status));
    }

    pub(super) fn is_ready(&self) -> bool {
        self.status().is_some_and(|status| {
            status.conditions.iter().any(|shown| shown.type_ == condition::READY && shown.status == "True")
        })
    }
}
