//! The way of one request: read, recorded, throttled, perhaps failed on purpose, answered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::sync::Notify;
use url::Url;

use crate::answer::{self, Ids};
use crate::directory::Target;
use crate::faults::{Effect, Faults, Operation};
use crate::grants::{Grant, Holder};
use crate::graph::{self, Owner, Refused, Route};
use crate::limits::{Refusal, Throttle};
use crate::odd_answers::{EntraError, GraphError, RetryAfter};
use crate::play;
use crate::record::{self, Listener, Log, Recorded};
use crate::settings::InnerErrorName;
use crate::world::World;
use crate::{RequestLog, entra};

/// No request of this API has a body near this size.
const LONGEST_BODY: usize = 1024 * 1024;

/// The connection ends here, without an answer.
#[derive(Debug, thiserror::Error)]
#[error("The emulator was told to cut this connection.")]
pub(crate) struct Cut;

/// What the three listeners share. Locks are taken one at a time, so their order can't matter;
/// only `wait_for` runs a caller's code under one, the log's.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) throttle: Mutex<Throttle>,
    pub(crate) log: Mutex<Log>,
    pub(crate) changed: Notify,
    pub(crate) urls: Urls,
    pub(crate) request_log: RequestLog,
}

/// Where the listeners are.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    pub(crate) graph: Url,
    pub(crate) sign_in: Url,
    pub(crate) control: Url,
}

/// A request that was read to its end.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) listener: Listener,
    pub(crate) method: Method,
    pub(crate) path: String,
    query: Option<String>,
    headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) form: Vec<(String, String)>,
}

impl Arrived {
    pub(crate) async fn read(listener: Listener, request: Request<Incoming>) -> Result<Self, Cut> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), LONGEST_BODY).await.map_err(|_| Cut)?;
        let content_type = head.headers.get("content-type").and_then(|value| value.to_str().ok());
        let form = match listener {
            Listener::Graph => Vec::new(),
            Listener::SignIn => entra::form(content_type, &body),
        };
        Ok(Self {
            listener,
            form,
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            method: head.method,
            headers: head.headers,
            body,
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A field of the form.
    fn form_value(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }

    pub(crate) fn route(&self) -> Result<Route, Refused> {
        graph::route(&self.method, &self.path, self.query.as_deref())
    }

    /// The decoded value of a parameter in the query.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_deref()?.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// Whom and what a request is about, as far as that can be told before it is judged.
struct About {
    operation: Operation,
    target: Option<Target>,
    client_id: Option<String>,
    names: Vec<String>,
    /// Who is throttled for it; nobody for a request that does not say who asks.
    scope: Option<String>,
}

/// Counts a request as in flight until its answer's head is ready, or its client is gone.
struct Seat<'a> {
    shared: &'a Shared,
    scope: &'a str,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        lock(&self.shared.throttle).leave(self.scope);
    }
}

/// Notes that a request is over, also one whose client hung up, and logs it.
struct Line<'a> {
    shared: &'a Shared,
    number: u64,
    arrived: &'a Arrived,
    status: Option<u16>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        lock(&self.shared.log).note(self.number, |request| request.ended = Some(Timestamp::now()));
        self.shared.changed.notify_waiters();
        if self.shared.request_log == RequestLog::Stderr {
            let Arrived { listener, method, .. } = self.arrived;
            let path = self.arrived.path_and_query();
            let status = self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            eprintln!("{} {listener:?} {method} {path} {status}", Timestamp::now());
        }
    }
}

impl Shared {
    /// Answers one request, or cuts its connection.
    pub(crate) async fn exchange(&self, listener: Listener, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let arrived = Arrived::read(listener, request).await?;
        let ids = Ids::new(arrived.headers.get("client-request-id"));
        let about = self.about(&arrived);
        let number = self.keep(&arrived, &about);
        let mut line = Line { shared: self, number, arrived: &arrived, status: None };
        let mut answer = self.answer(&arrived, &about, &ids, number).await;
        if let Ok(response) = &mut answer {
            self.tell_share(response, about.scope.as_deref());
            self.pause_if_told(response, about.scope.as_deref(), number);
            line.status = Some(response.status().as_u16());
        }
        self.note(number, line.status, None);
        answer
    }

    async fn answer(&self, arrived: &Arrived, about: &About, ids: &Ids, number: u64) -> Result<Response<Body>, Cut> {
        let (latency, spelling) = {
            let world = lock(&self.world);
            (world.behaviour.latency, world.behaviour.inner_error)
        };
        let _seat = match self.let_in(about) {
            Ok(seat) => seat,
            Err(refusal) => {
                self.note_early(number, &refusal);
                return Ok(throttled(&refusal, arrived.listener, ids, spelling));
            }
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let fault = lock(&self.faults).take(arrived.listener, about.operation, &about.names);
        let ordinary = || self.ordinary(arrived, ids);
        let Some(fault) = fault else {
            return Ok(ordinary());
        };
        self.note(number, None, Some(fault.what.name()));
        let carried_out = match fault.effect {
            Effect::CarriedOut => Some(ordinary()),
            Effect::None => None,
        };
        play::play(&fault.what, || carried_out.unwrap_or_else(ordinary), ids, spelling).await
    }

    /// What Microsoft would answer if nothing went wrong.
    fn ordinary(&self, arrived: &Arrived, ids: &Ids) -> Response<Body> {
        let mut world = lock(&self.world);
        let mut response = match arrived.listener {
            Listener::Graph => graph::answer(&mut world, arrived, ids),
            Listener::SignIn => entra::answer(&mut world, arrived, ids),
        };
        drop(world);
        ids.stamp(&mut response);
        response
    }

    fn about(&self, arrived: &Arrived) -> About {
        match arrived.listener {
            Listener::Graph => self.about_graph(arrived),
            Listener::SignIn => self.about_sign_in(arrived),
        }
    }

    fn about_graph(&self, arrived: &Arrived) -> About {
        let world = lock(&self.world);
        let grant = graph::authenticate(&world, arrived.authorization()).ok();
        let route = arrived.route().ok();
        let target = match route.as_ref().map(|route| &route.owner) {
            Some(Owner::Named(target)) => Some(target.clone()),
            Some(Owner::Me) => grant.and_then(|grant| match &grant.holder {
                Holder::User(id) => Some(Target::user(id)),
                Holder::Application => None,
            }),
            None => None,
        };
        let client_id = grant.map(|grant| grant.client_id.clone());
        let mut names = target.as_ref().map(|target| world.names(target)).unwrap_or_default();
        names.extend(client_id.as_ref().map(|id| id.to_lowercase()));
        About {
            operation: route.map_or(Operation::Other, |route| route.operation),
            target,
            client_id,
            names,
            scope: grant.map(Grant::scope),
        }
    }

    fn about_sign_in(&self, arrived: &Arrived) -> About {
        let place = entra::place(&arrived.path);
        let client_id = arrived.form_value("client_id").map(str::to_owned);
        let scope = place.as_ref().zip(client_id.as_ref()).map(|(place, id)| format!("sign-in {}/{id}", place.realm));
        let mut names: Vec<String> = client_id.iter().map(|id| id.to_lowercase()).collect();
        if let Some(token) = arrived.form_value("refresh_token") {
            let world = lock(&self.world);
            let user = world.sessions.refresh_token(token).map(|(session, _)| Target::user(&session.user));
            names.extend(user.iter().flat_map(|user| world.names(user)));
        }
        About {
            operation: place.map_or(Operation::Other, |place| place.operation()),
            target: None,
            client_id,
            names,
            scope,
        }
    }

    fn keep(&self, arrived: &Arrived, about: &About) -> u64 {
        let mut log = lock(&self.log);
        let headers = log.headers(&arrived.headers);
        let number = log.push(Recorded {
            number: 0,
            time: Timestamp::now(),
            since_start: Duration::ZERO,
            listener: arrived.listener,
            operation: about.operation,
            method: arrived.method.to_string(),
            path: arrived.path_and_query(),
            target: about.target.clone(),
            client_id: about.client_id.clone(),
            headers,
            form: record::without_secrets(&arrived.form),
            assertion: record::assertion(&arrived.form),
            body_length: arrived.body.len(),
            status: None,
            fault: None,
            ended: None,
            retry_after: None,
            early: None,
            names: about.names.clone(),
        });
        drop(log);
        self.changed.notify_waiters();
        number
    }

    fn note(&self, number: u64, status: Option<u16>, fault: Option<&str>) {
        lock(&self.log).answered(number, status, fault);
        self.changed.notify_waiters();
    }

    /// Entra has no limit of its own here, but both remember whom they told to stay away.
    fn let_in<'a>(&'a self, about: &'a About) -> Result<Option<Seat<'a>>, Refusal> {
        let Some(scope) = about.scope.as_deref() else {
            return Ok(None);
        };
        let mut throttle = lock(&self.throttle);
        if matches!(about.operation, Operation::Token | Operation::DeviceCode) {
            return throttle.stay_away(scope).map(|()| None);
        }
        throttle.enter(scope)?;
        Ok(Some(Seat { shared: self, scope }))
    }

    fn tell_share(&self, response: &mut Response<Body>, scope: Option<&str>) {
        if let Some(share) = scope.and_then(|scope| lock(&self.throttle).share_to_tell(scope)) {
            answer::put(response, "x-ms-throttle-limit-percentage", &format!("{share:.2}"));
        }
    }

    fn note_early(&self, number: u64, refusal: &Refusal) {
        if let Refusal::Paused { told, in_good_faith: false, .. } = refusal {
            lock(&self.log).note(number, |request| request.early = Some(*told));
        }
    }

    fn pause_if_told(&self, response: &Response<Body>, scope: Option<&str>, number: u64) {
        let throttling = matches!(response.status().as_u16(), 429 | 503);
        if let (true, Some(scope), Some(span)) = (throttling, scope, answer::retry_after(response)) {
            lock(&self.throttle).pause(scope, span);
            lock(&self.log).note(number, |request| request.retry_after = Some(span.as_secs_f64()));
        }
    }
}

fn throttled(refusal: &Refusal, listener: Listener, ids: &Ids, spelling: InnerErrorName) -> Response<Body> {
    let (error, wait) = match refusal {
        Refusal::InFlight => {
            let message = "Application is over its MailboxConcurrency limit.";
            (GraphError::new(429, "ApplicationThrottled", message), None)
        }
        Refusal::Window(left) | Refusal::Paused { left, .. } => {
            (GraphError::new(429, "TooManyRequests", "Too many requests."), Some(*left))
        }
    };
    // Rounded up: who waits exactly as long as told must not be early.
    let wait = wait.map(|left| left.as_secs() + u64::from(left.subsec_nanos() > 0));
    let retry_after = wait.map(RetryAfter::seconds);
    match listener {
        Listener::Graph => answer::graph(&GraphError { retry_after, ..error }, ids, spelling),
        Listener::SignIn => {
            let error = EntraError {
                status: 429,
                error: "temporarily_unavailable".to_owned(),
                codes: Vec::new(),
                description: Some("Too many requests.".to_owned()),
                retry_after,
            };
            answer::entra(&error, ids)
        }
    }
}

/// A lock that outlives a panic of another test: what it guards is never half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
