//! What users write and read: the `PhotoRemoval` resource, its status and conditions, and the closed list of reasons.
//!
//! Wire types only: nothing in here decides, waits or talks to anything. What was written is parsed once, by
//! [`PhotoRemovalSpec::parse`], into a [`Removal`] that cannot hold a wrong value; every other room works with that.

mod crd;
mod ids;
mod reason;
mod removal;
mod spec;
mod status;

pub use crd::{crd, crd_yaml};
pub use ids::{ClientId, GroupId, InvalidId, TenantId, UserId};
pub use reason::{Category, Reason};
pub use removal::{CredentialRef, Holder, InvalidSpec, Removal, Target, is_object_name};
pub use spec::{
    Cloud, CredentialsSpec, PhotoRemoval, PhotoRemovalSpec, SecretReference, ServiceAccountReference, SignedInUser,
    TargetSpec,
};
pub use status::{Evidence, LastAttempt, Outcome, PENDING_MESSAGE, Pause, PhotoRemovalStatus, condition};
