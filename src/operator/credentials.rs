//! The credentials in use. Each is found out once, however many objects wait for it, and a broken one is looked after by
//! one task that reads one Secret or ServiceAccount.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use kube::Client;
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::desk::{Content, Desk, Errand, Reading, Rhythm, View};
use super::holder::{Holders, Proven, Rotation};
use super::reconcile::contained;
use super::session::{Session, Source};
use super::wake::Wake;
use crate::clock;
use crate::cluster::ObjectRef;
use crate::graph::Clouds;
use crate::identity::{Grant, SignIn, SignInError};
use crate::lifecycle::{Seed, Trouble};
use crate::metrics::Metrics;
use crate::pacing::Account;

/// Every credential that an object uses. Cheap to clone.
#[derive(Clone)]
pub(super) struct Credentials {
    shared: Arc<Shared>,
}

/// What finding out needs.
pub(super) struct Means {
    pub(super) client: Client,
    pub(super) sign_in: SignIn,
    pub(super) clouds: Arc<Clouds>,
    pub(super) rhythm: Rhythm,
    pub(super) wake: Wake,
    pub(super) metrics: Metrics,
}

struct Shared {
    means: Means,
    holders: Holders,
    desks: Mutex<HashMap<Source, Desk>>,
    /// Until when Entra asked an application to be left alone, whichever Secret it signed in from. Those that are over are
    /// dropped.
    pauses: Mutex<HashMap<Account, Timestamp>>,
    /// Something changed at some desk.
    changed: Notify,
    /// Some desk's pause is over before its time.
    hurried: Notify,
}

impl Credentials {
    pub(super) fn new(means: Means) -> Self {
        let holders = Holders::new(means.client.clone());
        Self {
            shared: Arc::new(Shared {
                means,
                holders,
                desks: Mutex::default(),
                pauses: Mutex::default(),
                changed: Notify::new(),
                hurried: Notify::new(),
            }),
        }
    }

    /// The credential, if it is signed in. Otherwise the object is woken when that changes.
    pub(super) fn ask(&self, source: &Source, who: &ObjectRef) -> View {
        let mut desks = self.shared.lock();
        // With another credential it does not wait for the old one any more.
        desks.iter_mut().filter(|(other, _)| *other != source).for_each(|(_, desk)| desk.forget(who));
        let desk = desks.entry(source.clone()).or_default();
        let view = desk.ask(who, clock::now());
        self.serve_if_wanted(desk, source);
        view
    }

    /// Somebody put right what was wrong with the credential, in Entra perhaps: it is looked at now. Does little if it is
    /// asked for a thousand times.
    pub(super) fn hurry(&self, source: &Source) {
        let hurries = self.shared.lock().get_mut(source).is_some_and(|desk| desk.hurry(clock::now()));
        if hurries {
            self.shared.hurried.notify_waiters();
        }
    }

    /// The credential with another token than that of the session, which Graph does not take.
    ///
    /// # Errors
    /// When no other token is to be had; the object is woken when that changes.
    pub(super) async fn renewed(&self, session: &Arc<Session>, who: &ObjectRef) -> Result<Arc<Session>, Trouble> {
        let (renewal, woken) = Renewal::of(&self.shared, session);
        self.shared.wake(woken);
        loop {
            // Registered before the look, so that no change between the two is missed.
            let changed = self.shared.changed.notified();
            {
                let mut desks = self.shared.lock();
                let desk = desks.entry(renewal.source.clone()).or_default();
                match desk.successor(session, who) {
                    Some(successor) => {
                        self.serve_if_wanted(desk, renewal.source);
                        return successor;
                    }
                    None => self.serve(desk, renewal.source),
                }
            }
            changed.await;
        }
    }

    /// As [`Credentials::renewed`], for a token that lacks a permission; none if a new token is hardly worth asking for.
    pub(super) async fn renewed_for_denial(
        &self,
        session: &Arc<Session>,
        who: &ObjectRef,
    ) -> Option<Result<Arc<Session>, Trouble>> {
        let worth_it = self.shared.at(&session.source, |desk| desk.may_renew_for_denial(clock::now()));
        if worth_it { Some(self.renewed(session, who).await) } else { None }
    }

    /// Graph does not take the session's token, as new as it is. The object is woken when that changes.
    pub(super) fn refused(&self, session: &Arc<Session>, who: &ObjectRef, trouble: Trouble) {
        let rhythm = &self.shared.means.rhythm;
        let seed = Seed(session.source.credential.holder.name());
        let mut desks = self.shared.lock();
        let desk = desks.entry(session.source.clone()).or_default();
        let woken = desk.refused(session, who, trouble, rhythm, seed, clock::now());
        self.serve_if_wanted(desk, &session.source);
        drop(desks);
        self.shared.wake(woken);
    }

    /// Graph took the session's token.
    pub(super) fn proved(&self, session: &Session) {
        self.shared.at(&session.source, Desk::proved);
    }

    /// That object does not wait for any credential any more.
    pub(super) fn forget(&self, who: &ObjectRef) {
        self.shared.lock().values_mut().for_each(|desk| desk.forget(who));
    }

    fn serve_if_wanted(&self, desk: &mut Desk, source: &Source) {
        if desk.wants_service(clock::now()) {
            self.serve(desk, source);
        }
    }

    fn serve(&self, desk: &mut Desk, source: &Source) {
        if !std::mem::replace(&mut desk.served, true) {
            tokio::spawn(run_errands(Arc::clone(&self.shared), source.clone()));
        }
    }
}

/// Somebody in the middle of a try who waits for another token. The desk stays open meanwhile: closed, it would forget what
/// it has found out before anybody could look, and begin again at once.
struct Renewal<'a> {
    shared: &'a Shared,
    source: &'a Source,
}

impl<'a> Renewal<'a> {
    /// Also returns whom to wake.
    fn of(shared: &'a Shared, session: &'a Arc<Session>) -> (Self, Vec<ObjectRef>) {
        let source = &session.source;
        let woken = shared.at(source, |desk| {
            desk.renewals += 1;
            desk.drop_token(session, clock::now())
        });
        (Self { shared, source }, woken)
    }
}

impl Drop for Renewal<'_> {
    fn drop(&mut self) {
        self.shared.at(self.source, |desk| desk.renewals = desk.renewals.saturating_sub(1));
    }
}

/// Runs a desk's errands until there are none. One such task a credential at most.
async fn run_errands(shared: Arc<Shared>, source: Source) {
    let mut has_paused = false;
    loop {
        // Registered before the look, so that nobody hurries it in vain.
        let mut hurried = pin!(shared.hurried.notified());
        hurried.as_mut().enable();
        let errand = match shared.next_errand(&source, has_paused) {
            Errand::Read => shared.read(&source).boxed(),
            Errand::SignIn(content) => shared.sign_in(&source, content).boxed(),
            Errand::Pause(rest) => {
                // Whether it was hurried or slept well, the desk knows what to do.
                drop(timeout(rest, hurried).await);
                has_paused = true;
                continue;
            }
            Errand::Close => break,
        };
        // Otherwise nobody would run this desk's errands any more.
        if contained(errand.map(Ok)).await.is_err() {
            shared.means.metrics.reconcile_panicked();
            shared.at(&source, |desk| desk.broke_off(clock::now()));
        }
    }
    shared.changed.notify_waiters();
}

impl Shared {
    /// What to do next. Desks that nobody needs are thrown away as this one closes, before anybody else comes to it.
    fn next_errand(&self, source: &Source, has_paused: bool) -> Errand {
        let (mut desks, now) = (self.lock(), clock::now());
        let desk = desks.entry(source.clone()).or_default();
        // Whoever waited for the end of the trouble may have been deleted or suspended during the pause.
        let errand = if has_paused && desk.is_abandoned() { Errand::Close } else { desk.errand(now) };
        desk.served = !matches!(errand, Errand::Close);
        if !desk.served {
            desks.retain(|_, desk| !desk.is_idle(now));
        }
        errand
    }

    async fn read(&self, source: &Source) {
        let known = self.at(source, |desk| desk.known());
        let reading = self.holders.read(source, known.as_deref()).await;
        self.take_in(source, reading);
    }

    fn take_in(&self, source: &Source, reading: Reading) {
        let woken = self.at(source, |desk| desk.read(reading, &self.means.rhythm, clock::now()));
        self.wake(woken);
    }

    async fn sign_in(&self, source: &Source, content: Content) {
        let account = Account::new(source.cloud, content.credential.tenant(), content.credential.client());
        if let Some(pause) = self.pause(&account) {
            let error = SignInError::Unavailable { retry_after: Some(pause), source: None };
            let woken = self.could_not_sign_in(source, &error);
            return self.wake(woken);
        }
        let credential = match self.holders.prove(source, &content.credential).await {
            Proven::Ready(credential) => credential,
            Proven::Missing(trouble) => return self.take_in(source, Reading::Missing(trouble)),
            Proven::Refused(trouble) => {
                let woken = self.at(source, |desk| desk.lacked_proof(trouble, &self.means.rhythm, clock::now()));
                return self.wake(woken);
            }
            Proven::Failed => return self.at(source, |desk| desk.found_no_way(clock::now())),
        };
        let endpoints = self.means.clouds.endpoints(source.cloud);
        let woken = match self.means.sign_in.redeem(&credential, endpoints, clock::now()).await {
            Ok(Grant { token, refresh_token, .. }) => {
                self.means.metrics.token_request("Success");
                let notice = match refresh_token {
                    Some(new) => self.keep(source, content, new).await,
                    None => None,
                };
                let session = Session::new(source.clone(), &credential, token, notice);
                self.at(source, |desk| desk.signed_in(session, &self.means.rhythm, clock::now()))
            }
            Err(error) => {
                let until = error.retry_after().and_then(|pause| clock::now().checked_add(pause).ok());
                self.remember(account, until);
                self.failed(source, &error)
            }
        };
        self.wake(woken);
    }

    /// Puts a new refresh token where the old one is. Until that is done the old one is kept, and serves on. Returns
    /// what people should be told if it cannot be done.
    async fn keep(&self, source: &Source, content: Content, token: SecretString) -> Option<String> {
        match self.holders.keep(source, content, token).await {
            Rotation::Written(content) => self.at(source, |desk| desk.rewritten(content)),
            Rotation::Outrun => self.at(source, |desk| desk.was_outrun(clock::now())),
            Rotation::Refused(notice) => return Some(notice),
            Rotation::Unchanged | Rotation::Failed => {}
        }
        None
    }

    /// Returns whom to wake.
    fn failed(&self, source: &Source, error: &SignInError) -> Vec<ObjectRef> {
        if let SignInError::Unavailable { source: Some(failure), .. } = error {
            tracing::warn!(kind = failure.kind(), "Microsoft Entra could not be reached");
        }
        let result = if matches!(error, SignInError::Refused { .. }) { "Refused" } else { "Unavailable" };
        self.means.metrics.token_request(result);
        self.could_not_sign_in(source, error)
    }

    fn could_not_sign_in(&self, source: &Source, error: &SignInError) -> Vec<ObjectRef> {
        let seed = Seed(source.credential.holder.name());
        self.at(source, |desk| desk.sign_in_failed(error, &self.means.rhythm, seed, clock::now()))
    }

    /// What is left of the pause that Entra asked the application for.
    fn pause(&self, account: &Account) -> Option<Duration> {
        let pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.get(account).copied().and_then(clock::until)
    }

    /// Keeps the longer one of the pauses that the application was asked for.
    fn remember(&self, account: Account, until: Option<Timestamp>) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.retain(|_, until| clock::until(*until).is_some());
        if let Some(until) = until {
            let longest = pauses.entry(account).or_insert(until);
            *longest = until.max(*longest);
        }
    }

    fn wake(&self, woken: Vec<ObjectRef>) {
        self.changed.notify_waiters();
        for who in woken {
            self.means.wake.wake(who);
        }
    }

    fn at<R>(&self, source: &Source, act: impl FnOnce(&mut Desk) -> R) -> R {
        act(self.lock().entry(source.clone()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Source, Desk>> {
        // A panic elsewhere leaves the desks as they were: every change to one is a single call.
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
