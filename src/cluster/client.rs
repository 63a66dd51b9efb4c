//! The Kubernetes client: kube's own, with bounds on every call and its answer, counted, and heard by [`Health`].

use std::error::Error as StdError;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, header};
use kube::client::{Body, ClientBuilder};
use tokio::time::timeout;
use tower::Service;
use tower::layer::layer_fn;
use tower::limit::ConcurrencyLimitLayer;

use super::bounded::{Bounded, Bounds, CALL_DEADLINE, LONGEST_ANSWER, Unfinished};
use crate::health::{ALL_NAMESPACES, Health};
use crate::metrics::Metrics;

/// How long the API server may take to the head of its answer, a watch's too: it sends that head at once.
///
/// kube has had no read time-out since version 4, so a half-open connection would hold a call for ever.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// How many calls are under way at a time; further ones wait their turn. A call is over, in this sense, with its head.
/// Each costs a connection: without a bound, ten thousand objects that learn of one trouble would open a thousand.
///
/// The wait for a turn is no part of a deadline, since none of it is the API server's. It ends, since each call before
/// it does within [`HEAD_DEADLINE`].
const CALLS_AT_ONCE: usize = 64;

const USER_AGENT: &str = concat!("photo-removal-operator/", env!("CARGO_PKG_VERSION"));

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// A client for the cluster that `config` names.
///
/// kube's own retries are switched off: they would repeat a 429, 503 or 504 up to 15 times (about 160 s, and any
/// `Retry-After` on top) behind the caller's back. Watches and reconciles have a back-off of their own.
///
/// # Errors
///
/// When `config` holds something no client can be made of: a bad certificate, key, credential plugin or proxy.
pub fn client(mut config: kube::Config, metrics: Metrics, health: Health) -> Result<kube::Client, kube::Error> {
    config.default_retry = false;
    config.headers.push((header::USER_AGENT, HeaderValue::from_static(USER_AGENT)));
    let attended = layer_fn(move |inner| Attended { inner, metrics: metrics.clone(), health: health.clone() });
    Ok(ClientBuilder::try_from(config)?.with_layer(&attended).with_layer(&turns()).build())
}

/// Outside of the deadlines, which begin when the turn has come.
fn turns() -> ConcurrencyLimitLayer {
    ConcurrencyLimitLayer::new(CALLS_AT_ONCE)
}

/// Makes a call. `what` says what for, as in "reading the Secret".
///
/// # Errors
///
/// See [`CallError`]. A call without an answer may still have reached the API server.
pub async fn called<T>(what: &'static str, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, CallError> {
    call.await.map_err(|error| CallError::of(what, error))
}

/// As [`called`], for at most `time` in all, the wait for a turn included.
///
/// # Errors
///
/// As [`called`].
pub async fn within<T>(
    what: &'static str,
    time: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, CallError> {
    timeout(time, called(what, call)).await.unwrap_or(Err(CallError::Deadline { what, time }))
}

/// Why a call to the API server brought nothing. Neither its text nor its sources quote an answer that was meant as a
/// success, which may be a Secret or a token.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The API server took longer than it was given.
    #[error("{what}: the API server did not finish its answer within {} s", time.as_secs_f32())]
    Deadline {
        /// What was asked for.
        what: &'static str,
        /// How long it was given.
        time: Duration,
    },
    /// The answer is not what Kubernetes answers. Only the place is kept: serde's own text quotes the value it met, and
    /// the debug output of a UTF-8 error holds the whole body.
    #[error("{what}: the API server's answer cannot be understood ({place})")]
    Unreadable {
        /// What was asked for.
        what: &'static str,
        /// Where it goes wrong, as in "line 1, column 63".
        place: String,
    },
    /// The API server refused, or it could not be reached.
    #[error("{what}: the call to the API server failed")]
    Failed {
        /// What was asked for.
        what: &'static str,
        /// The refusal, or what went wrong on the way.
        #[source]
        source: Box<kube::Error>,
    },
}

impl CallError {
    fn of(what: &'static str, error: kube::Error) -> Self {
        let place = match (Unfinished::found_in(&error), &error) {
            (Some(Unfinished::Overdue), _) => return Self::Deadline { what, time: CALL_DEADLINE },
            (Some(Unfinished::TooLong), _) => format!("longer than {LONGEST_ANSWER} bytes"),
            (_, kube::Error::SerdeError(error)) => format!("line {}, column {}", error.line(), error.column()),
            (_, kube::Error::FromUtf8(error)) => format!("no UTF-8 after {} bytes", error.utf8_error().valid_up_to()),
            _ => return Self::Failed { what, source: Box::new(error) },
        };
        Self::Unreadable { what, place }
    }

    /// The HTTP status of a refusal; `None` when there was no answer or none that can be understood.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Failed { source, .. } => refusal(source),
            Self::Deadline { .. } | Self::Unreadable { .. } => None,
        }
    }

    /// A stable word for logs and metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Deadline { .. } => "Deadline",
            Self::Unreadable { .. } => "Unreadable",
            Self::Failed { .. } => match self.code() {
                Some(401 | 403) => "Forbidden",
                Some(404) => "NotFound",
                Some(409) => "Conflict",
                Some(_) => "Refused",
                None => "Unreachable",
            },
        }
    }
}

/// Why a list or watch of photoremovals failed, as a whole sentence for [`Health::watch_failed`].
#[must_use]
pub fn why_watching_failed(error: &kube::Error) -> String {
    match refusal(error) {
        Some(404) => "The CustomResourceDefinition photoremovals.photoremoval.dev is not installed; apply it: \
                      photo-removal-operator crd | kubectl apply --server-side -f -"
            .to_owned(),
        Some(code @ (401 | 403)) => format!(
            "The API server refuses to let this operator list and watch photoremovals ({code}); check its ServiceAccount's role."
        ),
        Some(code) => format!("The API server answers a list or watch of photoremovals with {code}."),
        None => format!("The API server gives no answer that makes sense: {}.", innermost(error)),
    }
}

/// kube makes code 0 of a refusal whose body is JSON but no `Status`, as of a proxy in between.
pub(super) fn refusal(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) if status.code != 0 => Some(status.code),
        _ => None,
    }
}

/// The cause at the bottom: "connection refused" says more than "service error".
#[must_use]
pub fn innermost(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The API server sent no head within [`HEAD_DEADLINE`].
#[derive(Debug, thiserror::Error)]
#[error("the API server did not begin its answer within {} s", HEAD_DEADLINE.as_secs())]
struct NoAnswer;

/// Bounds each request and its answer, counts it, and tells [`Health`] of the lists and watches that work.
struct Attended<S> {
    inner: S,
    metrics: Metrics,
    health: Health,
}

impl<S, B> Service<Request<Body>> for Attended<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = Response<Bounded<B>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.method().clone();
        let watch = watch_of(&method, request.uri().path());
        let metrics = self.metrics.clone();
        let health = self.health.clone();
        let lasts = lasts(request.uri().query());
        let bounds = Bounds::from_now();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = match timeout(HEAD_DEADLINE, answer).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(NoAnswer.into()),
            };
            let status = answer.as_ref().ok().map(Response::status);
            metrics.kubernetes_request(&method, status.map(|status| status.as_u16()));
            if let Some(watch) = watch
                && status.is_some_and(|status| status.is_success())
            {
                health.watch_succeeded(&watch);
            }
            // A watch that is refused says why, and that ends.
            let bounds = (!lasts || !status.is_some_and(|status| status.is_success())).then_some(bounds);
            answer.map(|answer| answer.map(|body| Bounded::new(body, bounds)))
        })
    }
}

/// Whether the answer is meant to last: a watch.
fn lasts(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|part| part == "watch=true"))
}

/// The name of the watch that this request belongs to, if it lists or watches photoremovals.
fn watch_of(method: &Method, path: &str) -> Option<String> {
    let parent = path.strip_suffix("/photoremovals").filter(|_| method == Method::GET)?;
    let namespace = parent.rsplit_once("/namespaces/").map(|(_, namespace)| namespace);
    Some(namespace.unwrap_or(ALL_NAMESPACES).to_owned())
}

#[cfg(test)]
mod tests;
