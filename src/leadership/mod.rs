//! Who may send: of several replicas the one that holds the Lease, and only while its term lasts.
//!
//! [`Candidate`] is pure and decides; [`License`] is what every request for Graph asks just before it is written. The
//! calls to the API server are made elsewhere.
//!
//! Two replicas never send at the same time, by three rules, each on one replica's own clocks:
//!
//! - A leader's term ends a renew deadline (10 s) after it *began* to write the renewal that the API server confirmed.
//! - Everybody else waits for a lease duration (15 s) after they *saw* that renewal, which is after it was stored.
//! - Each write carries the version that it replaces, so one that comes late, or second, is refused.
//!
//! So clocks may disagree as they like, and their speeds by as much as the lease is longer than the deadline: by half,
//! less the moment that calling off takes. A term ends by whichever of two clocks is further on, since the steady one may
//! stand still while the machine sleeps; a wall clock that is set back while it does deceives both.

mod candidate;
mod license;

pub use candidate::{Candidate, Claim, Held, Loss, Moment, Record, Step, Term, Terms};
pub use license::License;
