//! Wires the rooms together. A reconcile reads, asks the heart what to do, does it, and records what came of it;
//! nothing in here decides about a removal.
//!
//! An object that cannot go on now never holds anything: it is parked with its credential (no token yet, or none to be
//! had) or queued for a slot, and is woken when that changes.

mod attempt;
mod context;
mod credentials;
mod desk;
mod error;
mod holder;
mod keep;
mod leader;
mod observe;
mod reconcile;
mod resume;
mod run;
mod session;
mod standby;
#[cfg(test)]
mod tests;
mod wake;

pub use run::{RunError, run};
