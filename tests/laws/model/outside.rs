//! What happens around the operator: time, the watch, crashes, and people.

use photo_removal_operator::api::PhotoRemovalSpec;

use super::world::{Kind, Stored, Task, World};
use crate::given::Object;

/// Something that a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Turns `spec.suspend` on or off.
    Suspend,
    /// Deletes the object.
    Delete,
    /// Deletes the object, which somebody else's finalizer keeps.
    BeginToDelete,
    /// Creates an object of the same name.
    Create,
    /// Changes the Secret: a good one becomes bad, a bad one good.
    Rotate,
    /// Uploads a new photo.
    Upload,
    /// Creates the user.
    Hire,
    /// Turns `spec.dryRun` on or off.
    Rehearse,
}

impl Deed {
    pub(super) const OF_A_REMOVAL: [Self; 7] =
        [Self::Suspend, Self::Delete, Self::BeginToDelete, Self::Create, Self::Rotate, Self::Upload, Self::Hire];
    pub(super) const OF_A_LOOK: [Self; 6] =
        [Self::Suspend, Self::Delete, Self::Create, Self::Rotate, Self::Upload, Self::Rehearse];
}

impl World {
    /// The process is killed. A DELETE that was under way arrives, or does not; an answer that was not written is gone.
    pub(super) fn crash(&mut self, arrives: bool) {
        for task in std::mem::take(&mut self.tasks) {
            if let Task::Await { on, kind: Kind::Remove | Kind::RemoveAgain, .. } = task
                && arrives
            {
                self.received[on.object.uid.parse::<usize>().unwrap()] += 1;
                self.photo &= !(self.target && self.secret_is_good);
            }
        }
        self.refused = false;
        self.crashed = true;
    }

    /// The operator sees the object as it was when it was created, or when the one before it was.
    pub(super) fn go_back(&mut self, birth: u8) {
        self.cache = Some(Stored::new(0, birth, &self.wish));
    }

    /// The clock goes on to the time of the next attempt.
    pub(super) fn wait(&mut self) {
        if let Some(next) = self.status().and_then(|status| status.next_attempt_time) {
            self.now = self.now.max(next);
        }
    }

    /// Whether there is anything for the deed to be done to.
    pub(super) fn can(&self, deed: Deed) -> bool {
        match deed {
            Deed::Suspend | Deed::Delete | Deed::Rehearse => self.server.is_some(),
            Deed::BeginToDelete => self.server.as_ref().is_some_and(|server| !server.object.deleting),
            Deed::Create => self.server.is_none(),
            Deed::Rotate => true,
            Deed::Upload => self.target && !self.photo,
            Deed::Hire => !self.target,
        }
    }

    pub(super) fn perform(&mut self, deed: Deed) {
        match deed {
            Deed::Suspend => self.edit(|object| {
                let spec = PhotoRemovalSpec { suspend: !object.spec.suspend, ..object.spec.clone() };
                Object { generation: object.generation + 1, spec, ..object.clone() }
            }),
            Deed::Rehearse => self.edit(|object| {
                let spec = PhotoRemovalSpec { dry_run: !object.spec.dry_run, ..object.spec.clone() };
                Object { generation: object.generation + 1, spec, ..object.clone() }
            }),
            Deed::BeginToDelete => self.edit(|object| Object { deleting: true, ..object.clone() }),
            Deed::Delete => self.server = None,
            Deed::Create => {
                self.birth += 1;
                self.version += 1;
                self.received.push(0);
                self.server = Some(Stored::new(self.version, self.birth, &self.wish));
            }
            Deed::Rotate => {
                self.secret_is_good = !self.secret_is_good;
                self.refused = false;
            }
            Deed::Upload => self.photo = true,
            Deed::Hire => (self.target, self.photo) = (true, true),
        }
    }

    fn edit(&mut self, change: impl FnOnce(&Object) -> Object) {
        if let Some(server) = self.server.take() {
            self.store(change(&server.object));
        }
    }
}
