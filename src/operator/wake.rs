//! Wakes objects: asks the controller that watches an object to look at it again.

use std::collections::HashMap;
use std::sync::Arc;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use crate::cluster::{ObjectRef, Scope};

/// Reaches every controller. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Wake {
    senders: Arc<HashMap<Option<String>, UnboundedSender<ObjectRef>>>,
}

/// What one controller is asked to look at.
pub(super) type Calls = UnboundedReceiver<ObjectRef>;

impl Wake {
    /// One line to each scope's controller.
    ///
    /// The lines have no bound, but no more objects wait in them than there are: each was parked once.
    pub(super) fn new(scopes: &[Scope]) -> (Self, Vec<Calls>) {
        let mut senders = HashMap::new();
        let mut calls = Vec::new();
        for scope in scopes {
            let (sender, receiver) = unbounded();
            senders.insert(scope.namespace.clone(), sender);
            calls.push(receiver);
        }
        (Self { senders: Arc::new(senders) }, calls)
    }

    pub(super) fn wake(&self, who: ObjectRef) {
        if let Some(sender) = self.senders.get(&who.namespace).or_else(|| self.senders.get(&None)) {
            // A controller that has ended has nothing to look at.
            drop(sender.unbounded_send(who));
        }
    }
}
