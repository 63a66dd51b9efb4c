//! `/livez`, `/readyz` and `/metrics` over plain HTTP.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::health::Health;
use crate::metrics::Metrics;

/// How long a connection may last. It carries one request, and every answer is ready in milliseconds;
/// whoever sends or reads more slowly than this is stuck or hostile.
const CONNECTION_LIFE: Duration = Duration::from_secs(10);

/// How many connections are served at once; further ones wait in the kernel's queue.
/// A kubelet and a few Prometheus replicas need a handful.
const CONNECTIONS: usize = 32;

/// The media type that Prometheus asks for and that `Metrics::encode` writes.
/// <https://prometheus.io/docs/specs/om/open_metrics_spec/#overall-structure>
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every answer ends its connection, so that a connection's life bounds a request.
const ONE_REQUEST: [(HeaderName, &str); 1] = [(header::CONNECTION, "close")];

/// Serves the three endpoints on `listener` until `shutdown` is done and the running answers are out, which takes
/// at most ten seconds more.
///
/// # Errors
///
/// None today: a failing `accept` is tried again, a failing connection is dropped.
pub async fn run(
    listener: TcpListener,
    metrics: Metrics,
    health: Health,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(Bounded::new(listener), router(metrics, health)).with_graceful_shutdown(shutdown).await
}

/// No handler takes a body, so none is ever read, however long it is.
fn router(metrics: Metrics, health: Health) -> Router {
    Router::new()
        .route("/livez", get(async || (ONE_REQUEST, "ok")))
        .route("/readyz", get(ready).with_state(health))
        .route("/metrics", get(measure).with_state(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, ONE_REQUEST, "There are /livez, /readyz and /metrics."))
        .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, ONE_REQUEST, "Use GET."))
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    match health.ready() {
        Ok(()) => (StatusCode::OK, ONE_REQUEST, "ok".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, ONE_REQUEST, reason),
    }
}

async fn measure(State(metrics): State<Metrics>) -> impl IntoResponse {
    match metrics.encode() {
        Ok(text) => (ONE_REQUEST, [(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "The metrics cannot be written.");
            (StatusCode::INTERNAL_SERVER_ERROR, ONE_REQUEST).into_response()
        }
    }
}

/// Accepts so many connections at once, each for so long. axum 0.8 sets no time-out of its own: hyper's needs a timer,
/// which `axum::serve` does not give it.
struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Bounded {
    fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(CONNECTIONS)) }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed, so there is always a place to wait for.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let connection = Connection { stream, end_of_life: Box::pin(sleep(CONNECTION_LIFE)), _place: place };
        (connection, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails every read and write once its time is over.
struct Connection {
    stream: TcpStream,
    end_of_life: Pin<Box<Sleep>>,
    /// Given back when the connection is dropped.
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// The stream, while there is time. Polling the timer also has it wake whoever waits for the stream.
    fn alive(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        match self.end_of_life.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(Pin::new(&mut self.stream)),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive(context)?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.alive(context)?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive(context)?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive(context)?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::ALL_NAMESPACES;
    use std::error::Error;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    type Outcome = Result<(), Box<dyn Error>>;

    /// What the server says to `request`, until it closes the connection.
    async fn ask(address: SocketAddr, request: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn each_path_answers_as_kubernetes_and_prometheus_expect() -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let health = Health::new(&[]);
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(run(listener, Metrics::new(), health.clone(), async {
            stopped.await.unwrap_or(());
        }));
        let get = async |path: &str| ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;

        assert!(get("/livez").await?.starts_with("HTTP/1.1 200"));
        let unready = get("/readyz").await?;
        assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
        assert!(unready.contains("The first list of photoremovals"), "{unready}");
        health.list_done(ALL_NAMESPACES);
        assert!(get("/readyz").await?.starts_with("HTTP/1.1 200"));
        let metrics = get("/metrics").await?;
        assert!(metrics.contains(OPEN_METRICS) && metrics.ends_with("# EOF\n"), "{metrics}");
        assert!(get("/").await?.starts_with("HTTP/1.1 404"));
        let posted = ask(address, "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n").await?;
        assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");

        stop.send(()).map_err(|()| "the server ended by itself")?;
        server.await??;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_finishes_its_request_is_dropped() -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(run(listener, Metrics::new(), Health::new(&[]), std::future::pending()));
        // The paused clock jumps to the end of the connection's life as soon as everyone waits.
        let answer = ask(address, "GET /livez HTTP/1.1\r\nHost:").await;
        assert!(answer.map_or(true, |text| text.is_empty()));
        Ok(())
    }

    #[tokio::test]
    async fn no_more_connections_are_served_at_once_than_there_are_places() -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut bounded = Bounded::new(listener);
        let mut clients = Vec::new();
        let mut served = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(TcpStream::connect(address).await?);
            served.push(bounded.accept().await.0);
        }
        clients.push(TcpStream::connect(address).await?);
        let mut next = Box::pin(bounded.accept());
        assert!(futures::poll!(next.as_mut()).is_pending(), "a place too many");
        served.pop();
        next.await;
        Ok(())
    }
}
