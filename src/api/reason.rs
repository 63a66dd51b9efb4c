//! The closed list of reasons: why an object is in the state that its conditions show.

use std::fmt;

/// Why a `PhotoRemoval` is where it is. The name is the `reason` of its conditions and of its events, and the
/// `result` label of the attempts metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Graph answered the DELETE with a 2xx.
    Removed,
    /// There was no photo to remove.
    AlreadyAbsent,
    /// A dry run found a photo.
    WouldRemove,
    /// A dry run found no photo.
    NothingToRemove,
    /// Not tried yet, or waiting for its turn.
    Pending,
    /// `spec.notBefore` lies ahead.
    Scheduled,
    /// `spec.suspend` is true.
    Suspended,
    /// Graph asked the whole credential to pause.
    Throttled,
    /// Graph could not be reached, or gave no answer that can be understood.
    GraphUnavailable,
    /// The same of Microsoft Entra's token endpoint.
    SignInUnavailable,
    /// The Secret or ServiceAccount is not there (yet), or the operator may not use it.
    CredentialNotFound,
    /// What is there cannot be used, or Entra or Graph refuse it.
    CredentialInvalid,
    /// Graph answered 403: a permission is missing.
    PermissionDenied,
    /// No such user or group.
    TargetNotFound,
    /// The target's photo cannot be removed through Graph.
    TargetNotSupported,
    /// Graph refuses the request itself.
    Rejected,
    /// As many tries failed as `spec.backoffLimit` lets fail.
    BackoffLimitExceeded,
    /// `spec.notAfter` has passed.
    Expired,
}

/// What a reason means to whoever waits for the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// The job is done: `Ready=True`.
    Done,
    /// The operator goes on by itself: `Ready=False`, `Reconciling=True`.
    GoingOn,
    /// Somebody asked for a rest: `Ready=False` alone.
    Resting,
    /// A person must act: `Ready=False`, `Stalled=True`.
    Stuck,
}

impl Reason {
    /// Every reason, in the order in which the documentation lists them.
    pub const ALL: [Self; 18] = [
        Self::Removed,
        Self::AlreadyAbsent,
        Self::WouldRemove,
        Self::NothingToRemove,
        Self::Pending,
        Self::Scheduled,
        Self::Suspended,
        Self::Throttled,
        Self::GraphUnavailable,
        Self::SignInUnavailable,
        Self::CredentialNotFound,
        Self::CredentialInvalid,
        Self::PermissionDenied,
        Self::TargetNotFound,
        Self::TargetNotSupported,
        Self::Rejected,
        Self::BackoffLimitExceeded,
        Self::Expired,
    ];

    /// The name on the wire, in UpperCamelCase as Kubernetes wants a condition's reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "Removed",
            Self::AlreadyAbsent => "AlreadyAbsent",
            Self::WouldRemove => "WouldRemove",
            Self::NothingToRemove => "NothingToRemove",
            Self::Pending => "Pending",
            Self::Scheduled => "Scheduled",
            Self::Suspended => "Suspended",
            Self::Throttled => "Throttled",
            Self::GraphUnavailable => "GraphUnavailable",
            Self::SignInUnavailable => "SignInUnavailable",
            Self::CredentialNotFound => "CredentialNotFound",
            Self::CredentialInvalid => "CredentialInvalid",
            Self::PermissionDenied => "PermissionDenied",
            Self::TargetNotFound => "TargetNotFound",
            Self::TargetNotSupported => "TargetNotSupported",
            Self::Rejected => "Rejected",
            Self::BackoffLimitExceeded => "BackoffLimitExceeded",
            Self::Expired => "Expired",
        }
    }

    /// The reason of that name, if it is one of ours.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// What it means when it stands alone. [`Reason::Rejected`] is [`Category::GoingOn`] for its first tries and
    /// [`Category::Stuck`] after them, which only the count of failures can tell.
    #[must_use]
    pub const fn category(self) -> Category {
        match self {
            Self::Removed | Self::AlreadyAbsent | Self::WouldRemove | Self::NothingToRemove => Category::Done,
            Self::Pending
            | Self::Scheduled
            | Self::Throttled
            | Self::GraphUnavailable
            | Self::SignInUnavailable
            | Self::CredentialNotFound
            | Self::Rejected => Category::GoingOn,
            Self::Suspended => Category::Resting,
            Self::CredentialInvalid
            | Self::PermissionDenied
            | Self::TargetNotFound
            | Self::TargetNotSupported
            | Self::BackoffLimitExceeded
            | Self::Expired => Category::Stuck,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
