//! Why a look at an object came to nothing.

use crate::cluster::CallError;

/// Why a reconcile came to nothing. It is tried again; the object's status does not speak of it, since it could not be
/// written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The API server did not do what it was asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Others write to the object all the time.
    #[error("the status could not be written, since the object changes all the time")]
    Contended,
    /// The API server, or a policy of the cluster, finds the status wrong.
    #[error(
        "the API server refused the status (HTTP 422); look at the cluster's admission policies for photoremovals/status"
    )]
    Unfit,
    /// A fault in the operator.
    #[error("the reconcile panicked")]
    Panicked,
}

impl Error {
    pub(super) fn category(&self) -> &'static str {
        match self {
            Self::Call(error) => error.category(),
            Self::Contended => "Contended",
            Self::Unfit => "Unfit",
            Self::Panicked => "Panicked",
        }
    }
}
