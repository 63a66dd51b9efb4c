//! What `/readyz` says: whether the operator sees the resources it is responsible for.
//!
//! The operator is ready once every watch has its first list, and stays ready while lists and watches go on succeeding.
//! A process that is alive but blind (no `CustomResourceDefinition`, no permission, no API server) must not look healthy.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a watch may go without an answered list or watch request before the operator counts as blind.
///
/// Watches are re-opened every 200 s at the latest, so a healthy one is never this silent.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(240);

/// How long a watch may keep failing after it worked before the operator counts as not ready.
///
/// Long enough for an API server to roll over to its peer, which must not take the operator out of rotation.
pub const FAILURE_LIMIT: Duration = Duration::from_secs(30);

/// The name of the watch that covers every namespace. A watch of one namespace is named after it.
pub const ALL_NAMESPACES: &str = "all namespaces";

/// The readiness of this process, shared by those who find it out and by the one who tells it.
///
/// Clones are cheap and share one state.
#[derive(Clone, Debug)]
pub struct Health {
    facts: Arc<Mutex<Facts>>,
}

impl Health {
    /// Nothing is listed yet. `namespaces` are those the operator watches; none means all, in one watch.
    #[must_use]
    pub fn new(namespaces: &[String]) -> Self {
        Self { facts: Arc::new(Mutex::new(Facts::new(namespaces))) }
    }

    /// The first list of this watch is complete: its objects are in the store.
    pub fn list_done(&self, watch: &str) {
        self.facts().list_done(watch, now());
    }

    /// A list or watch request of this watch was answered with 2xx.
    pub fn watch_succeeded(&self, watch: &str) {
        self.facts().succeeded(watch, now());
    }

    /// This watch failed. `reason` is a whole sentence for a person: what happened and what to do about it.
    pub fn watch_failed(&self, watch: &str, reason: impl Into<String>) {
        self.facts().failed(watch, reason.into(), now());
    }

    /// There is an election, and the Lease could be read or written.
    pub fn election_works(&self) {
        self.facts().election = Some(Election { has_worked: true, trouble: None });
    }

    /// The Lease could not be read or written. `reason` is a whole sentence for a person.
    pub fn election_fails(&self, reason: impl Into<String>) {
        self.facts().election_fails(reason.into(), now());
    }

    /// Whether the operator is ready now.
    ///
    /// # Errors
    ///
    /// Why it is not: one whole sentence for a person.
    pub fn ready(&self) -> Result<(), String> {
        self.facts().ready(now())
    }

    /// The facts stay usable after a panic elsewhere: every change to them is complete in itself.
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// tokio's clock, so that tests in virtual time see readiness come and go.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// What is known. Pure: time comes in.
#[derive(Debug)]
struct Facts {
    /// Of every watch, by its name.
    watches: BTreeMap<String, Watch>,
    /// Of the election, once something is.
    election: Option<Election>,
}

/// What is known of the election.
#[derive(Debug, Default)]
struct Election {
    /// The Lease could be read or written since the start.
    has_worked: bool,
    trouble: Option<Trouble>,
}

/// What is known of one watch.
#[derive(Debug, Default)]
struct Watch {
    /// When a request was last answered, once the first list is complete.
    listed: Option<Instant>,
    /// The trouble since the last answered request.
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Trouble {
    since: Instant,
    /// The newest reason; the one a person can act on now.
    reason: String,
}

impl Facts {
    fn new(namespaces: &[String]) -> Self {
        let names = match namespaces {
            [] => vec![ALL_NAMESPACES.to_owned()],
            some => some.to_vec(),
        };
        Self { watches: names.into_iter().map(|name| (name, Watch::default())).collect(), election: None }
    }

    fn list_done(&mut self, watch: &str, now: Instant) {
        if let Some(watch) = self.watches.get_mut(watch) {
            watch.listed = Some(now);
            watch.trouble = None;
        }
    }

    /// A live list of a namespace that is not watched tells nothing about the watches, so an unknown name is passed over.
    fn succeeded(&mut self, watch: &str, now: Instant) {
        if let Some(watch) = self.watches.get_mut(watch) {
            watch.listed = watch.listed.map(|_| now);
            watch.trouble = None;
        }
    }

    fn failed(&mut self, watch: &str, reason: String, now: Instant) {
        if let Some(watch) = self.watches.get_mut(watch) {
            let since = watch.trouble.as_ref().map_or(now, |trouble| trouble.since);
            watch.trouble = Some(Trouble { since, reason });
        }
    }

    fn election_fails(&mut self, reason: String, now: Instant) {
        let election = self.election.get_or_insert_default();
        let since = election.trouble.as_ref().map_or(now, |trouble| trouble.since);
        election.trouble = Some(Trouble { since, reason });
    }

    fn ready(&self, now: Instant) -> Result<(), String> {
        self.watches.iter().try_for_each(|(name, watch)| watch.ready(name, now))?;
        self.election.as_ref().map_or(Ok(()), |election| election.ready(now))
    }
}

impl Election {
    /// A replica that stands by is ready, and one that could not even do that must not look so.
    fn ready(&self, now: Instant) -> Result<(), String> {
        match &self.trouble {
            Some(trouble) if !self.has_worked || now.duration_since(trouble.since) > FAILURE_LIMIT => {
                Err(trouble.reason.clone())
            }
            _ => Ok(()),
        }
    }
}

impl Watch {
    fn ready(&self, name: &str, now: Instant) -> Result<(), String> {
        let Some(last_answer) = self.listed else {
            return Err(match &self.trouble {
                Some(trouble) => trouble.reason.clone(),
                None => format!("The first list of photoremovals ({name}) is not complete yet."),
            });
        };
        if let Some(trouble) = &self.trouble
            && now.duration_since(trouble.since) > FAILURE_LIMIT
        {
            return Err(trouble.reason.clone());
        }
        let silence = now.duration_since(last_answer);
        if silence > SILENCE_LIMIT {
            return Err(format!(
                "No list or watch of photoremovals ({name}) has succeeded for {} s.",
                silence.as_secs()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any instant will do to start from")]
mod tests {
    use super::*;

    fn second(seconds: u64, start: Instant) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn listed(start: Instant) -> Facts {
        let mut facts = Facts::new(&[]);
        facts.list_done(ALL_NAMESPACES, start);
        facts
    }

    #[test]
    fn nothing_is_ready_before_every_first_list() {
        let start = Instant::now();
        let mut facts = Facts::new(&["a".to_owned(), "b".to_owned()]);
        facts.list_done("a", start);
        facts.succeeded("b", start);
        assert!(facts.ready(start).is_err_and(|why| why.contains("(b)")));
        facts.list_done("b", start);
        assert_eq!(facts.ready(start), Ok(()));
    }

    #[test]
    fn before_the_first_list_the_reason_is_the_newest_failure() {
        let start = Instant::now();
        let mut facts = Facts::new(&[]);
        facts.failed(ALL_NAMESPACES, "No CRD.".to_owned(), start);
        facts.failed(ALL_NAMESPACES, "No permission.".to_owned(), start);
        assert_eq!(facts.ready(start), Err("No permission.".to_owned()));
    }

    #[test]
    fn a_short_failure_after_a_long_quiet_watch_is_forgiven_and_a_long_one_is_not() {
        let start = Instant::now();
        let mut facts = listed(start);
        facts.failed(ALL_NAMESPACES, "Gone.".to_owned(), second(200, start));
        facts.failed(ALL_NAMESPACES, "Gone.".to_owned(), second(229, start));
        assert_eq!(facts.ready(second(230, start)), Ok(()));
        assert_eq!(facts.ready(second(231, start)), Err("Gone.".to_owned()));
        facts.succeeded(ALL_NAMESPACES, second(232, start));
        assert_eq!(facts.ready(second(232, start)), Ok(()));
    }

    #[test]
    fn silence_is_not_health() {
        let start = Instant::now();
        let facts = listed(start);
        assert_eq!(facts.ready(second(240, start)), Ok(()));
        assert!(facts.ready(second(241, start)).is_err_and(|why| why.contains("241 s")));
    }

    #[test]
    fn an_election_that_never_worked_is_not_ready_and_one_that_fails_for_a_moment_is() {
        let start = Instant::now();
        let mut facts = listed(start);
        facts.election_fails("Refused.".to_owned(), start);
        assert_eq!(facts.ready(start), Err("Refused.".to_owned()));
        facts.election = Some(Election { has_worked: true, trouble: None });
        facts.election_fails("Gone.".to_owned(), second(1, start));
        facts.election_fails("Gone.".to_owned(), second(31, start));
        assert_eq!(facts.ready(second(31, start)), Ok(()));
        assert_eq!(facts.ready(second(32, start)), Err("Gone.".to_owned()));
    }

    #[test]
    fn one_watch_cannot_speak_for_another() {
        let start = Instant::now();
        let mut facts = Facts::new(&["a".to_owned(), "b".to_owned()]);
        facts.list_done("a", start);
        facts.list_done("b", start);
        facts.failed("b", "Forbidden.".to_owned(), start);
        facts.succeeded("a", second(31, start));
        facts.succeeded("elsewhere", second(31, start));
        assert_eq!(facts.ready(second(31, start)), Err("Forbidden.".to_owned()));
    }
}
