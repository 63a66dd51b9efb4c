//! The plan of a storm: what is done in which order. Pure: the same seed makes the same plan; what happens in between is
//! up to the machine.

mod draw;
mod trouble;

use std::fmt;
use std::time::Duration;

use crate::faults;

pub(super) use draw::draw;

/// How patient a storm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Nothing in it waits for more than a few seconds: for `cargo test`.
    Brief,
    /// Hanging servers and pauses of up to a minute, too.
    Patient,
}

/// Whether the operator's processes are ended in a storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endings {
    /// As the seed draws it.
    Drawn,
    /// Never: one process lives through all rounds, and its memory is watched.
    Never,
}

/// Who owns the photo that an object names, and what Microsoft's side makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    /// A user that the object names by its object id.
    UserById,
    UserWithoutPhoto,
    UnknownUser,
    OnPremises,
    Group,
    GroupWithoutPhoto,
    UnknownGroup,
    /// A group that applications may not touch.
    DelegatedGroup,
}

/// The owner of a photo.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) kind: Kind,
    /// The object id.
    pub(super) id: String,
    /// The principal name; of a group its id.
    pub(super) name: String,
}

/// Where a credential lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) namespace: usize,
    /// Of the Secret, or the `ServiceAccount`.
    pub(super) name: &'static str,
    pub(super) way: Way,
    /// Which of the [`APPS`] applications it signs in.
    pub(super) app: usize,
}

/// How it is proved that the application signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ClientSecret,
    Certificate,
    /// By tokens of a `ServiceAccount`; nothing is stored.
    Account,
    /// By the refresh token of a user who administers others. The operator replaces it whenever it signs in.
    User,
}

impl Place {
    const fn new(namespace: usize, name: &'static str, way: Way, app: usize) -> Self {
        Self { namespace, name, way, app }
    }
}

/// How many applications there are.
pub(super) const APPS: usize = 3;

/// Two namespaces, two applications, each signed in to in several ways at once, which share its pace, and one that users
/// sign in to. The last Secret never comes to be.
pub(super) const PLACES: [Place; 8] = [
    Place::new(0, "graph", Way::ClientSecret, 0),
    Place::new(1, "graph", Way::ClientSecret, 0),
    Place::new(0, "certificate", Way::Certificate, 0),
    Place::new(1, "other", Way::ClientSecret, 1),
    Place::new(1, "certificate", Way::Certificate, 1),
    Place::new(0, "account", Way::Account, 1),
    Place::new(0, "user", Way::User, 2),
    Place::new(1, "never", Way::ClientSecret, 1),
];

/// The place whose Secret never comes to be.
pub(super) const NEVER: usize = PLACES.len() - 1;

/// What an object asks for beside its owner. Times count from the moment at which it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) suspend: bool,
    pub(super) dry_run: bool,
    pub(super) not_before: Option<Duration>,
    /// Zero: it has passed already.
    pub(super) not_after: Option<Duration>,
    pub(super) backoff_limit: Option<i32>,
    /// In seconds.
    pub(super) ttl: Option<i64>,
}

/// A change of an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Suspend(bool),
    DryRun(bool),
    /// In so long, or, absent, no more.
    NotBefore(Option<Duration>),
    NotAfter(Option<Duration>),
    /// The annotation gets this value.
    Retry(u64),
}

/// A change of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tampering {
    /// The Secret holds a client secret, or a certificate, that Entra does not know, or a refresh token that was revoked;
    /// the account names an application that there is not.
    Break,
    /// The Secret lacks a key; the account an annotation.
    Garble,
    Delete,
    Mend,
    /// The application gets another client secret, or certificate, the old one ends, and the Secret holds the new one a
    /// moment later. The user's tokens are revoked, and the Secret holds a new one a moment later. An account is made anew.
    Rotate,
    /// The Secret signs in the other application; the account names it, and is not trusted by it.
    Replace,
}

/// One thing that is done.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Create {
        object: usize,
        owner: usize,
        place: usize,
        wish: Wish,
    },
    Edit {
        object: usize,
        change: Change,
    },
    Delete {
        object: usize,
    },
    /// Deletes and makes it again under the same name, with the same spec.
    Recreate {
        object: usize,
    },
    /// Something is wrong with Graph.
    Microsoft {
        label: String,
        fault: Box<emulator::Fault>,
    },
    /// Something is wrong with Entra, for one application.
    SignIn {
        label: String,
        app: usize,
        fault: Box<emulator::Fault>,
    },
    ExpireTokens,
    Tamper {
        place: usize,
        how: Tampering,
    },
    /// Something is wrong with the API server.
    Api {
        label: String,
        matcher: faults::Matcher,
        fault: faults::Fault,
    },
    /// Every connection to the API server breaks.
    Cut,
    Compact,
    StopApi,
    StartApi,
    PauseApi,
    ResumeApi,
    /// `kill -9`.
    Kill {
        replica: usize,
    },
    Terminate {
        replica: usize,
    },
    Start {
        replica: usize,
    },
    /// It gets no processor for so long, as on a machine that sleeps.
    Freeze {
        replica: usize,
        length: Duration,
    },
}

/// An action and the wait before it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) after: Duration,
    pub(super) action: Action,
}

/// Everything that is done, and to whom.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) owners: Vec<Owner>,
    pub(super) steps: Vec<Step>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}ms {}", self.after.as_millis(), self.action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { object, owner, place, wish } => {
                let Place { namespace, name, .. } = PLACES[*place];
                write!(f, "create o{object} owner {owner} in {namespace} by {name}{wish}")
            }
            Self::Edit { object, change } => write!(f, "edit o{object} {change:?}"),
            Self::Delete { object } => write!(f, "delete o{object}"),
            Self::Recreate { object } => write!(f, "recreate o{object}"),
            Self::Microsoft { label, .. } | Self::SignIn { label, .. } => write!(f, "microsoft {label}"),
            Self::Tamper { place, how } => {
                write!(f, "credential {}/{} {how:?}", PLACES[*place].namespace, PLACES[*place].name)
            }
            Self::Api { label, .. } => write!(f, "api {label}"),
            Self::Kill { replica } => write!(f, "kill -9 {replica}"),
            Self::Terminate { replica } => write!(f, "terminate {replica}"),
            Self::Start { replica } => write!(f, "start {replica}"),
            Self::Freeze { replica, length } => write!(f, "freeze {replica} for {} ms", length.as_millis()),
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |wait: &Option<Duration>| wait.map(|wait| wait.as_secs().to_string());
        let parts = [
            ("suspended", self.suspend.then(String::new)),
            ("dry", self.dry_run.then(String::new)),
            ("notBefore+", seconds(&self.not_before)),
            ("notAfter+", seconds(&self.not_after)),
            ("limit", self.backoff_limit.map(|limit| limit.to_string())),
            ("ttl", self.ttl.map(|ttl| ttl.to_string())),
        ];
        parts.iter().try_for_each(|(name, value)| match value {
            Some(value) => write!(f, " {name}{value}"),
            None => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Endings, Temper, draw};

    fn text(seed: u64, temper: Temper) -> Vec<String> {
        draw(seed, 200, 2, temper, Endings::Drawn).steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_seed_makes_the_same_plan_again() {
        for temper in [Temper::Brief, Temper::Patient] {
            assert_eq!(text(1, temper), text(1, temper));
            assert_ne!(text(1, temper), text(2, temper));
        }
    }

    #[test]
    fn nobody_ends_a_process_that_is_to_live() {
        let plan = draw(1, 500, 2, Temper::Patient, Endings::Never);
        let ends =
            |step: &&super::Step| matches!(step.action, super::Action::Kill { .. } | super::Action::Terminate { .. });
        assert_eq!(plan.steps.iter().filter(ends).count(), 0);
    }
}
