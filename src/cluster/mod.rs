//! Kubernetes: the watch, the live read, the status write, the Secret, the ServiceAccount, the event and the Lease. Each
//! call has a deadline, each answer a longest length; nothing in here decides.

mod bounded;
pub mod client;
mod event;
mod lease;
mod removals;
mod secret;
mod service_account;
mod stored;
mod watch;

pub use client::CallError;
pub use event::{Note, publish};
pub use lease::Leases;
pub use removals::{Live, Removals, WriteError};
pub use secret::{SecretContent, Write, apply_values, put_value, read_secret};
pub use service_account::{ServiceAccountContent, read_service_account, request_token};
pub use stored::{HEEDED, Stored};
pub use watch::{Hooks, Scope, watch};

use kube::runtime::reflector;

/// An object's namespace and name.
pub type ObjectRef = reflector::ObjectRef<Stored>;
