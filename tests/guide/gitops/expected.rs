//! What each tool must say of a removal: the table that `docs/gitops.md` shows to users.

use kube::ResourceExt;
use photo_removal_operator::api::{PhotoRemoval, Reason};

/// From the fifth refusal on a person must act.
const REFUSALS: i32 = 5;

/// Where a removal stands for whoever waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// New or changed, and the operator has not looked yet: whatever the conditions say is of the past.
    Unseen,
    /// The operator goes on by itself.
    GoingOn,
    /// Somebody asked for a rest.
    Resting,
    /// The job is done.
    Done,
    /// A person must act.
    Stuck,
    /// Deleted, and somebody's finalizer keeps it.
    Terminating,
}

/// What the tools say in one word each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct States<'a> {
    pub(super) kstatus: &'a str,
    /// Flux without health check expressions.
    pub(super) flux_built_in: &'a str,
    /// Flux with those of our example.
    pub(super) flux: &'a str,
    pub(super) argo: &'a str,
}

impl State {
    /// Where this version of an object stands.
    pub(super) fn of(object: &PhotoRemoval) -> Result<Self, String> {
        let status = object.status.clone().unwrap_or_default();
        if object.metadata.deletion_timestamp.is_some() {
            return Ok(Self::Terminating);
        }
        if status.observed_generation != object.metadata.generation {
            return Ok(Self::Unseen);
        }
        let reason = status.reason().ok_or_else(|| format!("{} has no reason: {status:?}", object.name_any()))?;
        Ok(Self::after(reason, status.failures))
    }

    /// Where an object stands for this reason, after so many tries that ended with it. A new reason needs a decision here.
    pub(super) const fn after(reason: Reason, tries: i32) -> Self {
        match reason {
            Reason::Removed | Reason::AlreadyAbsent | Reason::WouldRemove | Reason::NothingToRemove => Self::Done,
            Reason::Pending
            | Reason::Scheduled
            | Reason::Throttled
            | Reason::GraphUnavailable
            | Reason::SignInUnavailable
            | Reason::CredentialNotFound => Self::GoingOn,
            Reason::Suspended => Self::Resting,
            Reason::Rejected if tries < REFUSALS => Self::GoingOn,
            Reason::Rejected
            | Reason::CredentialInvalid
            | Reason::PermissionDenied
            | Reason::TargetNotFound
            | Reason::TargetNotSupported
            | Reason::BackoffLimitExceeded
            | Reason::Expired => Self::Stuck,
        }
    }

    /// What each tool says of an object that stands there. Neither kstatus nor Flux has a word for a rest: one that will
    /// go on when it is told to is neither done nor failed.
    pub(super) const fn verdict(self) -> States<'static> {
        let (kstatus, flux, argo) = match self {
            Self::Unseen | Self::GoingOn => ("InProgress", "InProgress", "Progressing"),
            Self::Resting => ("InProgress", "InProgress", "Suspended"),
            Self::Done => ("Current", "Current", "Healthy"),
            Self::Stuck => ("Failed", "Failed", "Degraded"),
            // Expressions cannot say Terminating.
            Self::Terminating => ("Terminating", "InProgress", "Progressing"),
        };
        States { kstatus, flux_built_in: kstatus, flux, argo }
    }
}
