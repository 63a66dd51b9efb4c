//! A plain-http reverse proxy in front of the API server that fails when it is told to.
//!
//! Its clients need no certificate: whatever they ask is asked under the proxy's identity. Answers stream through, so
//! watches work.

use std::fmt;
use std::future::pending;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use crate::error::{Context, Error, Result, chain};
use crate::kubeconfig::{self, Identity};

/// Headers that belong to one connection and must not be passed on, and those that the other side sets anew.
const OF_ONE_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    // The answer is passed on as it is, and only the client could undo a compression that it asked for.
    header::ACCEPT_ENCODING,
];

/// What happens to a matching request instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `Retry-After` in whole seconds; the API server does not see the request.
    TooManyRequests {
        /// How long the client is told to wait.
        retry_after: Duration,
    },
    /// An answer of this status with a `Status` body; the API server does not see the request.
    Status(StatusCode),
    /// Never an answer; the API server does not see the request.
    Hang,
    /// The connection closes; the API server does not see the request.
    Drop,
    /// The API server does what was asked, then the connection closes without an answer.
    DropAfterCommit,
    /// The API server does what was asked, and its answer is so late.
    Delay(Duration),
}

/// Which requests a fault is for: all, unless narrowed.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    method: Option<Method>,
    contains: Vec<String>,
    times: Option<usize>,
}

impl Matcher {
    /// Every request, every time.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Only this HTTP method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only where path and query contain this, such as `/status` or `watch=true`; several must all be there.
    #[must_use]
    pub fn containing(mut self, part: &str) -> Self {
        self.contains.push(part.to_owned());
        self
    }

    /// Only so often; after that requests pass.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.contains.iter().all(|part| path.contains(part))
    }
}

/// A fault that was injected, to be counted and ended.
#[derive(Clone, Debug)]
pub struct Injected {
    hits: Arc<AtomicUsize>,
    over: Arc<Mutex<bool>>,
}

impl Injected {
    /// How many requests it has met.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// Ends it; what hangs goes on hanging.
    pub fn end(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// One request that arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The fault that it met; none when it was passed on.
    pub fault: Option<Fault>,
}

struct Rule {
    matcher: Matcher,
    fault: Fault,
    injected: Injected,
}

impl Rule {
    /// Whether this request meets the fault; if so it is counted.
    fn meets(&self, method: &Method, path: &str) -> bool {
        let over = *self.injected.over.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = self.matcher.times.is_some_and(|times| self.injected.hits() >= times);
        let meets = !over && !spent && self.matcher.matches(method, path);
        if meets {
            self.injected.hits.fetch_add(1, Ordering::SeqCst);
        }
        meets
    }
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    seen: Vec<Seen>,
}

/// The proxy. It runs on the runtime it was started on and ends when dropped, with all its connections.
pub struct ApiFaults {
    address: SocketAddr,
    kubeconfig: PathBuf,
    state: Arc<Mutex<State>>,
    cut: Arc<Notify>,
    task: JoinHandle<()>,
}

impl ApiFaults {
    pub(crate) async fn start(identity: &Path, folder: &Path) -> Result<Self> {
        let failed = || "The fault proxy could not be started".to_owned();
        let mut config = kubeconfig::config(identity).await?;
        config.disable_compression = true;
        let upstream = Client::try_from(config).context(failed)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context(failed)?;
        let address = listener.local_addr().context(failed)?;
        let file = kubeconfig::fresh(folder);
        kubeconfig::write(&file, &format!("http://{address}"), None, &Identity::None)?;
        let state = Arc::new(Mutex::new(State::default()));
        let cut = Arc::new(Notify::new());
        let task = tokio::spawn(accept(listener, upstream, Arc::clone(&state), Arc::clone(&cut)));
        Ok(Self { address, kubeconfig: file, state, cut, task })
    }

    /// The proxy's address, such as `http://127.0.0.1:34567`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig that goes through the proxy.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client that goes through the proxy, without retries of its own.
    ///
    /// # Errors
    ///
    /// No client can be made of the kubeconfig.
    pub async fn client(&self) -> Result<Client> {
        kubeconfig::plain_client(&self.kubeconfig).await
    }

    /// From now on matching requests meet the fault. The first rule that matches wins.
    #[allow(clippy::must_use_candidate, reason = "a test that counts nothing and ends nothing drops the handle")]
    pub fn inject(&self, matcher: Matcher, fault: Fault) -> Injected {
        let injected = Injected { hits: Arc::default(), over: Arc::default() };
        let rule = Rule { matcher, fault, injected: injected.clone() };
        lock(&self.state).rules.push(rule);
        injected
    }

    /// Breaks every connection now, in the middle of whatever it carries: the watches, and calls that are under way.
    pub fn cut(&self) {
        self.cut.notify_waiters();
    }

    /// Ends all faults.
    pub fn clear(&self) {
        lock(&self.state).rules.clear();
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state).seen.clone()
    }
}

impl Drop for ApiFaults {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for ApiFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiFaults").field("address", &self.address).finish_non_exhaustive()
    }
}

type Answer = Response<Either<Full<Bytes>, Body>>;

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, upstream: Client, state: Arc<Mutex<State>>, cut: Arc<Notify>) {
    // Dropped with this task: no connection outlives the proxy.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (upstream, state, cut) = (upstream.clone(), Arc::clone(&state), Arc::clone(&cut));
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, &upstream, &state));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // An error is how a connection ends here, on either side's wish.
                ended = connection => drop(ended),
                () = cut.notified() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers one request; an error closes the connection without an answer.
async fn answer(request: Request<Incoming>, upstream: &Client, state: &Mutex<State>) -> Result<Answer> {
    let dropped = || Err(Error::new("The connection was dropped on purpose."));
    match meet(&request, state) {
        None => Ok(forward(request, upstream).await),
        Some(Fault::TooManyRequests { retry_after }) => {
            let mut answer = failure(StatusCode::TOO_MANY_REQUESTS, "injected");
            let seconds = HeaderValue::from(retry_after.as_secs());
            answer.headers_mut().insert(header::RETRY_AFTER, seconds);
            Ok(answer)
        }
        Some(Fault::Status(status)) => Ok(failure(status, "injected")),
        Some(Fault::Hang) => pending().await,
        Some(Fault::Drop) => dropped(),
        Some(Fault::DropAfterCommit) => {
            forward(request, upstream).await;
            dropped()
        }
        Some(Fault::Delay(delay)) => {
            let answer = forward(request, upstream).await;
            tokio::time::sleep(delay).await;
            Ok(answer)
        }
    }
}

/// Notes the request and finds its fault.
fn meet(request: &Request<Incoming>, state: &Mutex<State>) -> Option<Fault> {
    let method = request.method().clone();
    let path = request.uri().to_string();
    let mut state = lock(state);
    let met = state.rules.iter().find(|rule| rule.meets(&method, &path));
    let fault = met.map(|rule| rule.fault);
    state.seen.push(Seen { method, path, fault });
    fault
}

async fn forward(request: Request<Incoming>, upstream: &Client) -> Answer {
    match pass_on(request, upstream).await {
        Ok(answer) => answer,
        Err(error) => failure(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

async fn pass_on(request: Request<Incoming>, upstream: &Client) -> Result<Answer> {
    let (mut head, body) = request.into_parts();
    strip(&mut head.headers);
    let body = body.collect().await.context(|| "The request's body broke off".to_owned())?;
    let request = Request::from_parts(head, Body::from(body.to_bytes()));
    let answer = upstream
        .send(request)
        .await
        .map_err(|error| Error::new(format!("The API server did not answer: {}", chain(&error))))?;
    let (mut head, body) = answer.into_parts();
    strip(&mut head.headers);
    Ok(Response::from_parts(head, Either::Right(body)))
}

fn strip(headers: &mut HeaderMap) {
    for name in &OF_ONE_CONNECTION {
        headers.remove(name);
    }
}

/// An answer of the shape that the API server's own failures have.
fn failure(status: StatusCode, message: &str) -> Answer {
    let body = serde_json::json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": status.canonical_reason().unwrap_or_default().replace(' ', ""),
        "code": status.as_u16(),
    });
    let mut answer = Response::new(Either::Left(Full::from(body.to_string())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
