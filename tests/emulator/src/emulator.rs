//! The emulator as tests hold it: started, told who there is, asked what arrived.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use url::Url;

use crate::control;
use crate::directory::{App, CONSUMERS, Group, Issuer, Target, Tenant, User};
use crate::exchange::{Shared, Urls, lock};
use crate::faults::{Fault, Faults, Matcher, Operation};
use crate::grants::Holder;
use crate::limits::Throttle;
use crate::record::{Listener, Log, Recorded};
use crate::sessions::{Decision, Life, RefreshTokens, Session};
use crate::settings::{Behaviour, Limits, Roots};
use crate::world::{Hosts, State, World};
use crate::{entra, serve};

/// How to start. The default is for tests: free ports, an empty directory, Microsoft's limits, no log.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The ports on 127.0.0.1; 0 takes a free one.
    pub ports: Ports,
    /// Who there is, and the limits and answers in force.
    pub state: State,
    /// Where a line for each request goes.
    pub request_log: RequestLog,
    /// Where clients find the two hosts, if not at the listeners.
    pub roots: Roots,
}

/// The ports of the three listeners; 0 takes a free one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// Microsoft Graph.
    pub graph: u16,
    /// Entra's sign-in host.
    pub sign_in: u16,
    /// The control API.
    pub control: u16,
}

/// Where a line for each request goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestLog {
    /// Nowhere.
    #[default]
    Silent,
    /// To standard error.
    Stderr,
}

/// What was waited for did not come.
#[derive(Debug, thiserror::Error)]
#[error("What was waited for did not come within {0:?}.")]
pub struct TimedOut(Duration);

/// Microsoft's side on loopback. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    /// Aborted on drop.
    _listeners: JoinSet<()>,
}

impl Emulator {
    /// Starts the three listeners, inside a running tokio runtime.
    ///
    /// # Errors
    /// A port that can't be had.
    pub async fn start(options: Options) -> io::Result<Self> {
        let (graph, graph_url) = serve::bind(options.ports.graph).await?;
        let (sign_in, sign_in_url) = serve::bind(options.ports.sign_in).await?;
        let (control, control_url) = serve::bind(options.ports.control).await?;
        let shared = Arc::new(Shared {
            world: Mutex::new(World::default()),
            faults: Mutex::new(Faults::default()),
            throttle: Mutex::new(Throttle::default()),
            log: Mutex::new(Log::new()),
            changed: Notify::new(),
            urls: Urls { graph: graph_url, sign_in: sign_in_url, control: control_url },
            request_log: options.request_log,
        });
        shared.set_state(options.state);
        shared.set_roots(&options.roots);
        let mut listeners = JoinSet::new();
        for (socket, listener) in [(graph, Listener::Graph), (sign_in, Listener::SignIn)] {
            let shared = Arc::clone(&shared);
            listeners.spawn(async move {
                serve::serve(shared, socket, listener).await;
            });
        }
        let router = control::router(Arc::clone(&shared));
        listeners.spawn(async move {
            // axum's server never ends by itself.
            axum::serve(control, router).await.ok();
        });
        Ok(Self { shared, _listeners: listeners })
    }

    /// Graph's root, such as `http://127.0.0.1:40123/`.
    #[must_use]
    pub fn graph_url(&self) -> Url {
        self.shared.urls.graph.clone()
    }

    /// The sign-in host's root.
    #[must_use]
    pub fn sign_in_url(&self) -> Url {
        self.shared.urls.sign_in.clone()
    }

    /// The control API's root.
    #[must_use]
    pub fn control_url(&self) -> Url {
        self.shared.urls.control.clone()
    }

    /// The value of the operator's `--cloud` flag: `Global=SIGN_IN_URL,GRAPH_URL`, where clients find the two.
    #[must_use]
    pub fn cloud_flag(&self) -> String {
        let Hosts { graph, sign_in } = lock(&self.shared.world).hosts.clone();
        format!("Global={sign_in},{graph}")
    }

    /// Says where clients find the two hosts from now on. Tokens keep the audience of their issue.
    pub fn set_roots(&self, roots: &Roots) {
        self.shared.set_roots(roots);
    }

    /// Everything that can be seeded, as it is now.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// Replaces directory, limits, answers and faults. Tokens and records stay.
    pub fn set_state(&self, state: State) {
        self.shared.set_state(state);
    }

    /// Adds a tenant, or replaces the one of that id.
    pub fn put_tenant(&self, tenant: Tenant) {
        lock(&self.shared.world).put_tenant(tenant);
    }

    /// Removes a tenant; nothing happens if there is none.
    pub fn remove_tenant(&self, id: &str) {
        lock(&self.shared.world).remove_tenant(id);
    }

    /// Registers an application, or replaces the one of that client id; tokens keep the roles of their issue.
    pub fn put_app(&self, app: App) {
        lock(&self.shared.world).put_app(app);
    }

    /// Removes an application; nothing happens if there is none.
    pub fn remove_app(&self, client_id: &str) {
        lock(&self.shared.world).remove_app(client_id);
    }

    /// Adds a user, or replaces the one of that id or principal name.
    pub fn put_user(&self, user: User) {
        lock(&self.shared.world).put_user(user);
    }

    /// Removes a user by id or principal name; nothing happens if there is none.
    pub fn remove_user(&self, name: &str) {
        lock(&self.shared.world).remove_user(name);
    }

    /// Adds a group, or replaces the one of that id.
    pub fn put_group(&self, group: Group) {
        lock(&self.shared.world).put_group(group);
    }

    /// Removes a group; nothing happens if there is none.
    pub fn remove_group(&self, id: &str) {
        lock(&self.shared.world).remove_group(id);
    }

    /// Whether the owner is there and has a photo.
    #[must_use]
    pub fn has_photo(&self, target: &Target) -> bool {
        lock(&self.shared.world).photo(target).unwrap_or(false)
    }

    /// Puts a photo (back) there; false if there is no such owner.
    #[must_use = "a photo that could not be put back proves nothing"]
    pub fn put_photo(&self, target: &Target) -> bool {
        lock(&self.shared.world).set_photo(target, true)
    }

    /// A token for a signed-in user, as the delegated flows would give; `scopes` such as `User.ReadWrite`.
    #[must_use]
    pub fn issue_delegated_token(&self, tenant: &str, client_id: &str, user_id: &str, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let holder = Holder::User(user_id.to_owned());
        lock(&self.shared.world).issue(tenant, client_id, holder, scopes)
    }

    /// A refresh token for a user who signed in to an application at this tenant, [`CONSUMERS`] or `consumers` for a
    /// personal account; `scopes` such as `User.ReadWrite`.
    #[must_use]
    pub fn issue_refresh_token(&self, tenant: &str, client_id: &str, user_id: &str, scopes: &[&str]) -> String {
        let tenant = if tenant.eq_ignore_ascii_case("consumers") { CONSUMERS } else { tenant };
        lock(&self.shared.world).sessions.issue(Session {
            tenant: tenant.to_owned(),
            client_id: client_id.to_owned(),
            user: user_id.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        })
    }

    /// Revokes refresh tokens, as a new password or an administrator does; says how many were valid.
    #[must_use = "a revocation that met no token proves nothing"]
    pub fn revoke(&self, which: &RefreshTokens) -> usize {
        lock(&self.shared.world).sessions.end(which, Life::Revoked)
    }

    /// Lets refresh tokens lie unused for 90 days; says how many were valid.
    #[must_use = "an age that met no token proves nothing"]
    pub fn age(&self, which: &RefreshTokens) -> usize {
        lock(&self.shared.world).sessions.end(which, Life::Aged)
    }

    /// Does what the person does who was shown this code; false if no such code waits, or if that user can't sign in
    /// where it was asked for.
    #[must_use = "a decision that nobody could take proves nothing"]
    pub fn decide(&self, user_code: &str, decision: &Decision) -> bool {
        entra::decide(&mut lock(&self.shared.world), user_code, decision)
    }

    /// Publishes an issuer's keys, or replaces them: the real Entra fetches them from the issuer.
    pub fn put_issuer(&self, issuer: Issuer) {
        lock(&self.shared.world).put_issuer(issuer);
    }

    /// Ends every access token now.
    pub fn expire_tokens(&self) {
        lock(&self.shared.world).grants.expire();
    }

    /// Every access token issued so far, for tests that look for them where they must not be.
    #[must_use]
    pub fn issued_tokens(&self) -> Vec<String> {
        lock(&self.shared.world).grants.issued().to_vec()
    }

    /// Every refresh token issued so far, likewise.
    #[must_use]
    pub fn issued_refresh_tokens(&self) -> Vec<String> {
        lock(&self.shared.world).sessions.issued().to_vec()
    }

    /// Changes how the emulator answers from now on.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        lock(&self.shared.world).behaviour = behaviour;
    }

    /// Changes the limits from now on.
    pub fn set_limits(&self, limits: Limits) {
        lock(&self.shared.throttle).limits = limits;
    }

    /// Adds a fault behind those that are there.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.shared.faults).add(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// The faults that still wait for their turn, with the times they have left.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        lock(&self.shared.faults).list().to_vec()
    }

    /// Forgets every `Retry-After` that was handed out, as if they had passed.
    pub fn forgive(&self) {
        lock(&self.shared.throttle).forgive();
    }

    /// How many requests came before a `Retry-After` had passed that their application (or client) was told,
    /// `Limits::grace` aside.
    #[must_use]
    pub fn early_returns(&self) -> u64 {
        lock(&self.shared.throttle).early_returns()
    }

    /// The most Graph requests that one application ever had in flight, refused ones not counted.
    #[must_use]
    pub fn max_in_flight(&self) -> u32 {
        lock(&self.shared.throttle).max_in_flight()
    }

    /// Every request since the last [`clear`](Self::clear), oldest first; of very many (half a million) the older half
    /// is forgotten.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.shared.log).requests().to_vec()
    }

    /// How many requests of that kind arrived, whatever was answered.
    #[must_use]
    pub fn count(&self, matcher: &Matcher) -> usize {
        lock(&self.shared.log).requests().iter().filter(|request| request.is(matcher)).count()
    }

    /// How many DELETEs of this owner's photo arrived, by whichever of its names.
    #[must_use]
    pub fn deletes_of(&self, target: &Target) -> usize {
        self.count(&Matcher::of(Operation::Delete).about(target.name()))
    }

    /// The requests that brought a bearer token to the sign-in host: tokens that followed a redirect.
    #[must_use]
    pub fn bearers_on_sign_in(&self) -> Vec<Recorded> {
        let astray = |request: &&Recorded| {
            request.listener == Listener::SignIn && request.header("authorization").starts_with("Bearer")
        };
        lock(&self.shared.log).requests().iter().filter(astray).cloned().collect()
    }

    /// Forgets the requests and starts the counters anew. Directory, faults, tokens and pauses stay.
    pub fn clear(&self) {
        lock(&self.shared.log).clear();
        lock(&self.shared.throttle).clear();
    }

    /// Waits until the requests so far are as `condition` wants them. It is asked again after every
    /// arrival and answer, under the log's lock: it must look at its argument, not ask this emulator for requests.
    ///
    /// # Errors
    /// `deadline` passed first.
    pub async fn wait_for(
        &self,
        mut condition: impl FnMut(&[Recorded]) -> bool,
        deadline: Duration,
    ) -> Result<(), TimedOut> {
        let met = async {
            loop {
                let mut changed = std::pin::pin!(self.shared.changed.notified());
                // Before the look, so that a change between look and wait is not missed.
                changed.as_mut().enable();
                if condition(lock(&self.shared.log).requests()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(deadline, met).await.map_err(|_| TimedOut(deadline))
    }
}

impl Shared {
    pub(crate) fn state(&self) -> State {
        let state = lock(&self.world).state();
        let limits = lock(&self.throttle).limits.clone();
        let faults = lock(&self.faults).list().to_vec();
        State { limits, faults, ..state }
    }

    pub(crate) fn set_roots(&self, roots: &Roots) {
        let host = |root: &Option<Url>, listener: &Url| {
            root.as_ref().unwrap_or(listener).as_str().trim_end_matches('/').to_owned()
        };
        lock(&self.world).hosts =
            Hosts { graph: host(&roots.graph, &self.urls.graph), sign_in: host(&roots.sign_in, &self.urls.sign_in) };
    }

    pub(crate) fn set_state(&self, state: State) {
        lock(&self.world).replace(&state);
        lock(&self.throttle).limits = state.limits;
        let mut faults = lock(&self.faults);
        faults.clear();
        state.faults.into_iter().for_each(|fault| faults.add(fault));
    }
}
