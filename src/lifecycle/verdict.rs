//! What an attempt can bring.

use jiff::Timestamp;

use crate::api::{ClientId, Reason, TenantId};

/// What Graph's answer means for the photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is gone, and Graph says that this request did it.
    Removed,
    /// It is there, and was left alone.
    Present,
    /// There is none. `confirmed`: Graph also said that the target exists.
    Absent {
        /// Whether the target is known to exist.
        confirmed: bool,
    },
    /// There is no such target.
    TargetNotFound,
    /// Graph cannot remove this target's photo.
    TargetNotSupported(Obstacle),
    /// Graph says 403, with a token as new as can be.
    PermissionDenied,
    /// Graph asks the credential to pause; it does so until that time.
    Throttled {
        /// When the credential's pause ends.
        until: Timestamp,
    },
    /// No answer, or none that can be understood.
    Unavailable,
    /// Graph refuses the request itself.
    Rejected,
}

impl Verdict {
    /// The reason that an object has after this answer to its first try.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Removed => Reason::Removed,
            Self::Present => Reason::WouldRemove,
            Self::Absent { .. } => Reason::AlreadyAbsent,
            Self::TargetNotFound => Reason::TargetNotFound,
            Self::TargetNotSupported(_) => Reason::TargetNotSupported,
            Self::PermissionDenied => Reason::PermissionDenied,
            Self::Throttled { .. } => Reason::Throttled,
            Self::Unavailable => Reason::GraphUnavailable,
            Self::Rejected => Reason::Rejected,
        }
    }
}

/// Why Graph cannot remove a target's photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The user or the tenant has no Exchange Online mailbox.
    NoMailbox,
    /// The mailbox is on premises, or an application access policy is in the way.
    ForeignMailbox,
    /// A personal Microsoft account.
    PersonalAccount,
    /// Graph does not let an application touch this group; a signed-in user could.
    ApplicationOnGroup,
}

/// One try, named by its last DELETE, as it goes into the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When the answer, or the failure, arrived.
    pub time: Timestamp,
    /// The tenant that was signed in to.
    pub tenant: TenantId,
    /// The application that signed in.
    pub client: ClientId,
    /// A user signed in, not the application itself.
    pub delegated: bool,
    /// What is to be said of the credential, in a whole sentence, though it works.
    pub notice: Option<String>,
    /// The `client-request-id` that was sent.
    pub client_request_id: String,
    /// How many DELETEs of this try Graph may have received: a try whose token is refused sends a second one, and one
    /// that finds no connection sends none.
    pub received: u32,
    /// The answer's status.
    pub http_status: Option<u16>,
    /// The answer's error code.
    pub error_code: Option<String>,
    /// The answer's `request-id`.
    pub request_id: Option<String>,
    /// The answer's `Retry-After`, in seconds, rounded up.
    pub retry_after_seconds: Option<i64>,
}

impl Attempt {
    /// How many of the DELETEs count: a throttled answer is none.
    pub(super) fn counted(&self, verdict: &Verdict) -> u32 {
        self.received.saturating_sub(u32::from(matches!(verdict, Verdict::Throttled { .. })))
    }
}

/// What is wrong with a credential. It is found once and told to every object that uses the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// [`Reason::CredentialNotFound`], [`Reason::CredentialInvalid`] or [`Reason::SignInUnavailable`].
    pub reason: Reason,
    /// What happened and what to do, in whole sentences without secrets.
    pub message: String,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// A request was made, and this came of it.
    Answer(Attempt, Verdict),
    /// A dry run asked for the photo.
    Rehearsal(Attempt, Verdict),
    /// A re-check asked for the photo, and removed one that had come back.
    Recheck(Attempt, Verdict),
    /// Graph refused the credential itself, twice, with a token as new as can be.
    Refusal(Attempt, Trouble),
    /// No request was made: the credential is of no use.
    Trouble(Trouble),
}

impl Brought {
    /// The try, if anything was sent.
    #[must_use]
    pub const fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Answer(attempt, _)
            | Self::Rehearsal(attempt, _)
            | Self::Recheck(attempt, _)
            | Self::Refusal(attempt, _) => Some(attempt),
            Self::Trouble(_) => None,
        }
    }
}
