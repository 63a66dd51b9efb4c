//! What is known of one credential, and what to find out next. Pure: [`Credentials`](super::credentials::Credentials)
//! runs the errands.

mod parts;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub(super) use self::parts::{Content, Errand, Reading, Rhythm, Version, View};
use super::session::Session;
use crate::api::Reason;
use crate::cluster::ObjectRef;
use crate::identity::{Credential, SignInError};
use crate::lifecycle::{Seed, Trouble};

/// After an API server's failure it is asked again so soon.
const READ_AGAIN: Duration = Duration::from_secs(2);

/// Consent may be newer than a token, so a 403 is answered with a new token, but not more often than this: with
/// thousands of objects that are denied, each would fetch one.
const DENIAL_RENEWALS: Duration = Duration::from_secs(60);

/// A thousand objects that ask for a look now are one who asks; so often at most.
const HURRIES: Duration = Duration::from_secs(10);

/// One credential.
#[derive(Default)]
pub(super) struct Desk {
    /// What was read, and what it holds.
    content: Option<(Version, Result<Arc<Credential>, Trouble>)>,
    session: Option<Arc<Session>>,
    trouble: Option<Trouble>,
    /// Why the token in use could not be renewed.
    latent: Option<Trouble>,
    /// Until then, nobody needs to read it again before using the session.
    trusted_until: Option<Timestamp>,
    read_due: Option<Timestamp>,
    /// Sign-ins that failed in a row for one reason, and when they began to for one that may pass.
    failures: u32,
    failing_since: Option<Timestamp>,
    sign_in_due: Option<Timestamp>,
    /// Entra asked to be left alone until then.
    paused_until: Option<Timestamp>,
    /// The last look that somebody asked for: when it was made, or will be.
    hurried: Option<Timestamp>,
    /// How often in a row Graph refused what Entra gave.
    refusals: u32,
    denial_renewed: Option<Timestamp>,
    /// Objects that are to be woken when the view changes.
    waiting: HashSet<ObjectRef>,
    /// Some of them know nothing yet.
    has_untold: bool,
    /// Tries under way that wait for another token than theirs.
    pub(super) renewals: usize,
    /// Errands are being run.
    pub(super) served: bool,
}

impl Desk {
    /// What an object is told now. Unless that is a session, it waits here.
    pub(super) fn ask(&mut self, who: &ObjectRef, now: Timestamp) -> View {
        let view = self.view(now);
        self.has_untold |= matches!(view, View::Coming);
        if matches!(view, View::Ready(_)) {
            self.waiting.remove(who);
        } else {
            self.waiting.insert(who.clone());
        }
        view
    }

    fn view(&self, now: Timestamp) -> View {
        let trusted = self.trusted_until.is_some_and(|until| until > now);
        let session = self.session.as_ref().filter(|session| session.token.expires_at() > now);
        match (session, self.trouble.as_ref().or(self.latent.as_ref())) {
            (Some(session), _) if trusted => View::Ready(Arc::clone(session)),
            // A trouble that nobody has looked after for a while may be over.
            (None, Some(trouble)) if self.served || (trusted && !self.may_sign_in(now)) => {
                View::Trouble(trouble.clone())
            }
            _ => View::Coming,
        }
    }

    /// The version that was read last, if there was one.
    pub(super) fn known(&self) -> Option<String> {
        self.content.as_ref().map(|(version, _)| version.name.clone())
    }

    /// What came after that session: another one, or the trouble that there is none, whose end the object waits for here;
    /// nothing while it is found out.
    pub(super) fn successor(
        &mut self,
        session: &Arc<Session>,
        who: &ObjectRef,
    ) -> Option<Result<Arc<Session>, Trouble>> {
        match (&self.session, &self.trouble) {
            (Some(current), _) if !Arc::ptr_eq(current, session) => Some(Ok(Arc::clone(current))),
            (None, Some(trouble)) => {
                self.waiting.insert(who.clone());
                Some(Err(trouble.clone()))
            }
            _ => None,
        }
    }

    /// What to do next.
    pub(super) fn errand(&self, now: Timestamp) -> Errand {
        if self.read_due.is_none_or(|due| due <= now) {
            return Errand::Read;
        }
        if let Some((version, Ok(credential))) = &self.content
            && self.needs_token(now)
            && self.may_sign_in(now)
        {
            return Errand::SignIn(Content { version: version.clone(), credential: Arc::clone(credential) });
        }
        if !self.is_awaited() || matches!(self.view(now), View::Ready(_)) {
            return Errand::Close;
        }
        let next = [self.read_due, self.sign_in_due].into_iter().flatten().filter(|due| *due > now).min();
        let pause = next.map_or(READ_AGAIN, |next| next.duration_since(now).unsigned_abs());
        Errand::Pause(pause + Duration::from_millis(1))
    }

    /// Whether there are errands to run and nobody runs them.
    pub(super) fn wants_service(&self, now: Timestamp) -> bool {
        !self.served && !matches!(self.errand(now), Errand::Close)
    }

    fn may_sign_in(&self, now: Timestamp) -> bool {
        self.sign_in_due.is_none_or(|due| due <= now)
    }

    fn needs_token(&self, now: Timestamp) -> bool {
        self.session.as_ref().is_none_or(|session| session.token.renew_at() <= now)
    }

    /// Takes in what reading brought; returns whom to wake.
    pub(super) fn read(&mut self, reading: Reading, rhythm: &Rhythm, now: Timestamp) -> Vec<ObjectRef> {
        match reading {
            Reading::Failed => {
                self.read_due = Some(later(now, READ_AGAIN));
                return Vec::new();
            }
            Reading::Missing(trouble) => {
                self.content = None;
                self.start_over();
                self.read_due = Some(later(now, rhythm.recheck));
                return self.tell(Some(trouble));
            }
            Reading::Unchanged => self.trusted_until = Some(later(now, rhythm.recheck)),
            Reading::Found { version, credential, ours } => {
                self.trusted_until = Some(later(now, rhythm.recheck));
                let known = self.known().is_some_and(|known| known == version.name);
                if !known && !ours && !self.is_served_by(credential.as_ref().ok()) {
                    self.start_over();
                }
                self.content = Some((version, credential.map(Arc::new)));
            }
        }
        // With a session in use it is read ahead of time, so that nobody waits for it.
        let share = if self.session.is_some() { 2 } else { 1 };
        self.read_due = Some(later(now, rhythm.recheck / share));
        match &self.content {
            Some((_, Err(trouble))) => {
                let trouble = trouble.clone();
                self.tell(Some(trouble))
            }
            _ => match self.view(now) {
                View::Ready(_) => self.tell(None),
                // The same Secret as before, and signing in is not due: whoever came meanwhile is told why.
                View::Trouble(trouble) if !self.may_sign_in(now) => self.tell(Some(trouble)),
                View::Trouble(_) | View::Coming => Vec::new(),
            },
        }
    }

    /// Whether the session came of just that credential, so that somebody changed something else.
    fn is_served_by(&self, credential: Option<&Credential>) -> bool {
        match (&self.session, &self.content, credential) {
            (Some(_), Some((_, Ok(known))), Some(credential)) => known.is_same(credential),
            _ => false,
        }
    }

    /// The operator itself made that version of the Secret. The session goes on: it came of what the Secret holds now.
    pub(super) fn rewritten(&mut self, content: Content) {
        self.content = Some((content.version, Ok(content.credential)));
    }

    /// Somebody else wrote to the Secret since: nothing is done with it before it is read again.
    pub(super) fn was_outrun(&mut self, now: Timestamp) {
        (self.read_due, self.trusted_until) = (Some(now), None);
    }

    /// There is nothing to sign in with, since the API server gives no token of the `ServiceAccount`; a token that Entra
    /// gave serves until it ends. Returns whom to wake.
    pub(super) fn lacked_proof(&mut self, trouble: Trouble, rhythm: &Rhythm, now: Timestamp) -> Vec<ObjectRef> {
        self.sign_in_due = Some(later(now, rhythm.recheck));
        self.went_without(trouble, now)
    }

    /// The API server failed before there was anything to sign in with.
    pub(super) fn found_no_way(&mut self, now: Timestamp) {
        self.sign_in_due = Some(later(now, READ_AGAIN));
    }

    /// An errand broke off.
    pub(super) fn broke_off(&mut self, now: Timestamp) {
        let again = Some(later(now, READ_AGAIN));
        (self.read_due, self.sign_in_due) = (self.read_due.max(again), self.sign_in_due.max(again));
    }

    /// A sign-in succeeded. Returns whom to wake.
    pub(super) fn signed_in(&mut self, session: Session, rhythm: &Rhythm, now: Timestamp) -> Vec<ObjectRef> {
        self.session = Some(Arc::new(session));
        (self.failures, self.failing_since, self.sign_in_due, self.latent) = (0, None, None, None);
        self.read_due = self.read_due.min(Some(later(now, rhythm.recheck / 2)));
        self.tell(None)
    }

    /// A sign-in failed; the old token serves until it ends. Returns whom to wake.
    pub(super) fn sign_in_failed(
        &mut self,
        error: &SignInError,
        rhythm: &Rhythm,
        seed: Seed<'_>,
        now: Timestamp,
    ) -> Vec<ObjectRef> {
        let since = if error.is_tolerated() { Some(*self.failing_since.get_or_insert(now)) } else { None };
        let trouble = error.trouble(since.map_or(Duration::ZERO, |since| now.duration_since(since).unsigned_abs()));
        // What was learned of an outage says nothing of a refusal, and the other way round.
        let same = self.latent.as_ref().or(self.trouble.as_ref()).is_some_and(|before| before.reason == trouble.reason);
        self.failures = if same { self.failures.saturating_add(1) } else { 1 };
        let backoff = if trouble.reason == Reason::SignInUnavailable { rhythm.retries } else { rhythm.looks };
        // The longer one: a Retry-After may say zero, or name a time that has passed.
        let wait = backoff.after(self.failures, seed).max(error.retry_after().unwrap_or_default());
        self.sign_in_due = Some(later(now, wait));
        self.paused_until = error.retry_after().map(|pause| later(now, pause));
        self.went_without(trouble, now)
    }

    /// Does what is due later now, or a moment later if somebody else asked for the same a moment ago, or Entra asked to
    /// be left alone until then. True if that is sooner than it was.
    pub(super) fn hurry(&mut self, now: Timestamp) -> bool {
        let again = self.hurried.map(|at| later(at, HURRIES));
        let soon = [again, self.paused_until].into_iter().flatten().fold(now, Timestamp::max);
        let is_signed_in = self.session.as_ref().is_some_and(|session| session.token.expires_at() > now);
        if is_signed_in || self.sign_in_due.or(self.read_due).is_none_or(|due| due <= soon) {
            return false;
        }
        self.hurried = Some(soon);
        (self.read_due, self.sign_in_due) = (Some(soon), Some(soon));
        true
    }

    /// There is no new token: told at once, or, while the old one serves, kept for when it does not.
    fn went_without(&mut self, trouble: Trouble, now: Timestamp) -> Vec<ObjectRef> {
        if self.session.as_ref().is_some_and(|session| session.token.expires_at() > now) {
            self.latent = Some(trouble);
            return Vec::new();
        }
        (self.session, self.latent) = (None, None);
        self.tell(Some(trouble))
    }

    /// That token is not to be used any more. Returns whom to wake.
    pub(super) fn drop_token(&mut self, session: &Arc<Session>, now: Timestamp) -> Vec<ObjectRef> {
        if !self.session.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            return Vec::new();
        }
        self.session = None;
        // Why there is no other one is known already, and asking again is not due.
        match self.latent.take().filter(|_| self.sign_in_due.is_some_and(|due| due > now)) {
            Some(trouble) => self.tell(Some(trouble)),
            None => Vec::new(),
        }
    }

    /// Whether a 403 may be answered with a new token.
    pub(super) fn may_renew_for_denial(&mut self, now: Timestamp) -> bool {
        let recently = self.denial_renewed.is_some_and(|at| at + DENIAL_RENEWALS > now);
        if !recently {
            self.denial_renewed = Some(now);
        }
        !recently
    }

    /// Graph refused that session for good, to an object that waits here for the end of that. Returns whom else to wake.
    pub(super) fn refused(
        &mut self,
        session: &Arc<Session>,
        who: &ObjectRef,
        trouble: Trouble,
        rhythm: &Rhythm,
        seed: Seed<'_>,
        now: Timestamp,
    ) -> Vec<ObjectRef> {
        if !self.session.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            return Vec::new();
        }
        self.session = None;
        self.refusals = self.refusals.saturating_add(1);
        self.sign_in_due = Some(later(now, rhythm.looks.after(self.refusals, seed)));
        let woken = self.tell(Some(trouble));
        self.waiting.insert(who.clone());
        woken
    }

    /// Graph took the token.
    pub(super) fn proved(&mut self) {
        self.refusals = 0;
    }

    /// That object does not wait any more.
    pub(super) fn forget(&mut self, who: &ObjectRef) {
        self.waiting.remove(who);
    }

    /// Nobody waits any more for the end of its trouble.
    pub(super) fn is_abandoned(&self) -> bool {
        self.session.is_none() && self.trouble.is_some() && !self.is_awaited()
    }

    fn is_awaited(&self) -> bool {
        self.renewals > 0 || !self.waiting.is_empty()
    }

    /// Whether it can be thrown away.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        !self.served
            && !self.is_awaited()
            && self.session.as_ref().is_none_or(|session| session.token.expires_at() <= now)
    }

    /// A Secret that changed may hold the cure: what was found out with the old one counts no more, though it is what
    /// objects are told until more is known.
    fn start_over(&mut self) {
        let Self { trouble, trusted_until, read_due, hurried, waiting, has_untold, renewals, served, .. } =
            std::mem::take(self);
        let kept = Self { trouble, trusted_until, read_due, hurried, waiting, ..Self::default() };
        *self = Self { has_untold, renewals, served, ..kept };
    }

    /// Those who wait are woken when what they would be told has changed; with good news they need not wait any more.
    fn tell(&mut self, trouble: Option<Trouble>) -> Vec<ObjectRef> {
        let somebody_knows_nothing = std::mem::take(&mut self.has_untold);
        let news = somebody_knows_nothing || trouble != self.trouble || trouble.is_none();
        self.trouble = trouble;
        match (&self.trouble, news) {
            (None, _) => self.waiting.drain().collect(),
            (Some(_), true) => self.waiting.iter().cloned().collect(),
            (Some(_), false) => Vec::new(),
        }
    }
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
