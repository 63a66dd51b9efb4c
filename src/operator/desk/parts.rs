//! What goes over a desk: who asks is told a [`View`], whoever serves is given an [`Errand`] and brings a [`Reading`].

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::identity::Credential;
use crate::lifecycle::{Backoff, Trouble};
use crate::operator::session::Session;

/// The waits that a desk keeps.
#[derive(Clone, Copy, Debug)]
pub(in crate::operator) struct Rhythm {
    /// A Secret or ServiceAccount is trusted for so long, and a broken one looked at so often.
    pub(in crate::operator) recheck: Duration,
    /// While signing in fails and may work again by itself.
    pub(in crate::operator) retries: Backoff,
    /// While Entra or Graph refuse the credential.
    pub(in crate::operator) looks: Backoff,
}

/// What an object is told that asks for the credential.
pub(in crate::operator) enum View {
    /// Signed in.
    Ready(Arc<Session>),
    /// It is being found out; the object will be woken.
    Coming,
    /// It is of no use; the object will be woken when that changes.
    Trouble(Trouble),
}

/// What to do next for a credential.
pub(in crate::operator) enum Errand {
    /// Read the Secret or the ServiceAccount.
    Read,
    SignIn(Content),
    /// Nothing, for so long.
    Pause(Duration),
    /// Nothing, until somebody asks.
    Close,
}

/// What reading the Secret or the ServiceAccount brought.
pub(in crate::operator) enum Reading {
    /// There is none, or the operator may not read it.
    Missing(Trouble),
    /// It is there. `ours`: what changed since the version that the caller knows is the operator's own writing.
    Found { version: Version, credential: Result<Credential, Trouble>, ours: bool },
    /// It is there, and the same as before.
    Unchanged,
    /// The API server failed; nothing is known.
    Failed,
}

/// Of a Secret or a ServiceAccount.
#[derive(Clone)]
pub(in crate::operator) struct Version {
    pub(in crate::operator) name: String,
    /// When it was written, as far as that is known.
    pub(in crate::operator) written: Option<Timestamp>,
}

/// A credential as it was read.
#[derive(Clone)]
pub(in crate::operator) struct Content {
    pub(in crate::operator) version: Version,
    pub(in crate::operator) credential: Arc<Credential>,
}
