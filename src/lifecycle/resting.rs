//! Which objects need not be remembered.

use jiff::Timestamp;

use super::{Seen, Step, decide};
use crate::api::{Category, Outcome};

/// Whether nothing will be done for the object at any time, until somebody changes it: what became of the photo is
/// recorded and its status says so, and it asks neither for another look nor for its own end.
#[must_use]
pub fn rests(seen: &Seen<'_>) -> bool {
    let asks_for_more = seen.spec.recheck_interval.is_some() || seen.spec.ttl_seconds_after_finished.is_some();
    seen.status.outcome.is_some_and(Outcome::is_real)
        && seen.status.category() == Category::Done
        && seen.is_observed()
        && !asks_for_more
        && seen.status.pause.is_none()
        // Whatever else there may be to do; without a wait in it, one time is as good as another.
        && decide(seen, Timestamp::UNIX_EPOCH) == Step::Rest
}
