//! The test bed: a real etcd and kube-apiserver, real kubectl and Helm, for every test that needs a cluster.
//!
//! - [`ControlPlane`] starts a plane of its own; [`shared`] lends the one that all tests of a binary use, each in its own namespace.
//! - [`ApiFaults`] stands between a client and a plane and makes the API server fail in chosen ways.
//! - [`InspectingProxy`] lets programs find the emulator under Microsoft's own host names.
//! - [`World`] puts the operator, Microsoft's side and a plane together.
//! - [`chaos`] storms against the operator, by a seed, and judges what comes of it.
//! - [`chart`] renders the Helm chart.
//! - [`eventually`] waits for a condition; nothing here or in the tests sleeps and hopes.
//!
//! What always holds: nothing is skipped when a program is missing, it fails with one sentence that says what to do;
//! and whatever happens to the test process, its programs and its temporary folder go with it.
#![allow(
    clippy::disallowed_methods,
    reason = "clock and sleep are kept out of the operator's pure code; a test bed waits for real programs"
)]

mod assets;
mod audit;
mod certificates;
pub mod chaos;
pub mod chart;
mod error;
mod faults;
mod flags;
mod kubeconfig;
mod kubectl;
mod plane;
mod proxy;
mod supervisor;
mod wait;
mod world;

pub use assets::{DEFAULT_KUBERNETES, assets, assets_of, gitops_judge, helm, python_with_sdks};
pub use audit::AuditEntry;
pub use certificates::{SigningPair, signing_pair};
pub use error::{Error, Result};
pub use faults::{ApiFaults, Fault, Injected, Matcher, Seen};
pub use kubectl::Output;
pub use plane::{ControlPlane, Options, shared};
pub use proxy::InspectingProxy;
pub use wait::{Sight, eventually};
pub use world::{Builder, LEASE, LEASE_RULES, OPERATOR_RULES, Rule, SECRET, SOON, SecretData, World};
