//! The Kubernetes client: kube's own, with a deadline on every call, counted, and heard by [`Health`].

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

use crate::health::{ALL_NAMESPACES, Health};
use crate::metrics::Metrics;

/// How long the API server may take to the head of its answer, a watch's too: it sends that head at once.
///
/// kube has had no read time-out since version 4, so a half-open connection would hold a call for ever.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// How long a whole call may take, its body included: [`HEAD_DEADLINE`] and time for a page of a list.
pub const CALL_DEADLINE: Duration = Duration::from_secs(15);

/// How many calls are under way at a time; further ones wait their turn. A watch is over, in this sense, with its head.
/// Each costs a connection: without a bound, ten thousand objects that learn of one trouble would open a thousand.
const CALLS_AT_ONCE: usize = 64;

const USER_AGENT: &str = concat!("photo-removal-operator/", env!("CARGO_PKG_VERSION"));

type BoxError = Box<dyn StdError + Send + Sync>;

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
    let layer = layer_fn(move |inner| Attended { inner, metrics: metrics.clone(), health: health.clone() });
    Ok(ClientBuilder::try_from(config)?.with_layer(&layer).with_layer(&turns()).build())
}

/// Outside of the deadline of the head, which begins when the turn has come.
fn turns() -> ConcurrencyLimitLayer {
    ConcurrencyLimitLayer::new(CALLS_AT_ONCE)
}

/// Runs a whole call, its body included, for at most [`CALL_DEADLINE`]. `what` says what for, as in "reading the Secret".
///
/// # Errors
///
/// What kube reports, and [`CallError::Deadline`]. A dropped call may still have reached the API server.
pub async fn within<T>(what: &'static str, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, CallError> {
    within_time(what, CALL_DEADLINE, call).await
}

/// As [`within`], for at most `time`, which counts where it is shorter than [`HEAD_DEADLINE`].
///
/// # Errors
///
/// As [`within`].
pub async fn within_time<T>(
    what: &'static str,
    time: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, CallError> {
    match timeout(time, call).await {
        Ok(answer) => answer.map_err(|error| CallError::of(what, error)),
        Err(_) => Err(CallError::Deadline { what, time }),
    }
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
        let place = match &error {
            kube::Error::SerdeError(error) => format!("line {}, column {}", error.line(), error.column()),
            kube::Error::FromUtf8(error) => format!("no UTF-8 after {} bytes", error.utf8_error().valid_up_to()),
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
fn refusal(error: &kube::Error) -> Option<u16> {
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

/// Bounds each request, counts it, and tells [`Health`] of the lists and watches that work.
struct Attended<S> {
    inner: S,
    metrics: Metrics,
    health: Health,
}

impl<S, B> Service<Request<Body>> for Attended<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.method().clone();
        let watch = watch_of(&method, request.uri().path());
        let metrics = self.metrics.clone();
        let health = self.health.clone();
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
            answer
        })
    }
}

/// The name of the watch that this request belongs to, if it lists or watches photoremovals.
fn watch_of(method: &Method, path: &str) -> Option<String> {
    let parent = path.strip_suffix("/photoremovals").filter(|_| method == Method::GET)?;
    let namespace = parent.rsplit_once("/namespaces/").map(|(_, namespace)| namespace);
    Some(namespace.unwrap_or(ALL_NAMESPACES).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, poll_fn, ready};
    use tower::{Layer, ServiceExt, service_fn};

    const LIST: &str = "/apis/photoremoval.dev/v1alpha1/photoremovals?limit=500";

    type Answer = Result<Response<()>, BoxError>;

    fn status(code: u16) -> Answer {
        Ok(Response::builder().status(code).body(())?)
    }

    /// One GET through the layer; the API server's answer is `answer`.
    async fn get(
        health: &Health,
        metrics: &Metrics,
        path: &str,
        answer: impl Future<Output = Answer> + Send + 'static,
    ) -> Answer {
        let mut answer = Some(answer);
        let service = Attended {
            inner: service_fn(move |_| {
                let answer = answer.take();
                async move {
                    match answer {
                        Some(answer) => answer.await,
                        None => Err("called twice".into()),
                    }
                }
            }),
            metrics: metrics.clone(),
            health: health.clone(),
        };
        service.oneshot(Request::get(path).body(Body::empty())?).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_never_answers_is_given_up_and_counted() -> Result<(), BoxError> {
        let (health, metrics) = (Health::new(&[]), Metrics::new());
        let answer = get(&health, &metrics, LIST, pending()).await;
        assert!(answer.is_err_and(|error| error.is::<NoAnswer>()));
        let line = r#"rest_client_requests_total{code="<error>",method="GET"} 1"#;
        assert!(metrics.encode()?.contains(line));
        Ok(())
    }

    #[tokio::test]
    async fn only_an_answered_list_or_watch_of_photoremovals_ends_the_trouble() -> Result<(), BoxError> {
        let (health, metrics) = (Health::new(&[]), Metrics::new());
        let waiting = health.ready();
        for (path, code, heard) in [
            (LIST, 404, false),
            ("/api/v1/namespaces/a/secrets/photoremovals-key", 200, false),
            ("/apis/photoremoval.dev/v1alpha1/namespaces/a/photoremovals", 200, false),
            (LIST, 200, true),
        ] {
            health.watch_failed(ALL_NAMESPACES, "Trouble.");
            get(&health, &metrics, path, ready(status(code))).await?;
            let expected = if heard { waiting.clone() } else { Err("Trouble.".to_owned()) };
            assert_eq!(health.ready(), expected, "{path} {code}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn no_more_calls_are_under_way_than_there_are_turns() {
        let mut service = turns().layer(service_fn(|()| pending::<Result<(), BoxError>>()));
        let mut under_way = Vec::new();
        for _ in 0..CALLS_AT_ONCE {
            assert!(futures::poll!(poll_fn(|context| service.poll_ready(context))).is_ready());
            under_way.push(service.call(()));
        }
        assert!(futures::poll!(poll_fn(|context| service.poll_ready(context))).is_pending());
        under_way.pop();
        assert!(futures::poll!(poll_fn(|context| service.poll_ready(context))).is_ready());
    }

    #[test]
    fn a_watch_of_one_namespace_is_named_after_it() {
        let path = "/apis/photoremoval.dev/v1alpha1/namespaces/a/photoremovals";
        assert_eq!(watch_of(&Method::GET, path).as_deref(), Some("a"));
        assert_eq!(watch_of(&Method::POST, path), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let answer = within("reading the Secret", pending::<Result<(), kube::Error>>()).await;
        let text = answer.map_err(|error| error.to_string());
        assert_eq!(text, Err("reading the Secret: the API server did not finish its answer within 15 s".to_owned()));
    }

    #[test]
    fn an_error_never_quotes_the_answer() {
        let error = serde_json::from_str::<u8>("\n \"canary\"").err();
        assert!(error.as_ref().is_some_and(|error| error.to_string().contains("canary")), "{error:?}");
        let error = error.map(|error| CallError::of("reading the Secret", kube::Error::SerdeError(error)));
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(error.map(|error| error.category()), Some("Unreadable"));
    }
}
