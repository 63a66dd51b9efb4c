//! One bounded HTTP exchange, as Microsoft Graph and Microsoft Entra both need it: it ends in time, reads no more than
//! it should, follows no redirect, and lets nothing personal or secret out in its errors.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use reqwest::{Certificate, redirect};
use tokio::time::{Instant, timeout, timeout_at};

use crate::clock;
use crate::leadership::License;

/// How long a connection may take to come about: name, TCP, proxy and TLS together.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// How long an answer may take, counted from the call: longer than a service that means to answer needs, short enough
/// that a half-open connection does not hold a turn for ever.
const DEADLINES: Deadlines = Deadlines { head: Duration::from_secs(30), whole: Duration::from_secs(60) };

/// How long an idle connection is kept. Short, since a request that is sent into a connection which the other side, or a
/// NAT on the way, has just given up counts as one that may have arrived.
const IDLE: Duration = Duration::from_secs(30);

/// How much of a body is read, in bytes: many times what an error or a token needs.
const BODY_LIMIT: usize = 64 * 1024;

const USER_AGENT: &str = concat!("photo-removal-operator/", env!("CARGO_PKG_VERSION"));

/// A handle on the one pool of connections that goes to Microsoft. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Wire {
    http: reqwest::Client,
    deadlines: Deadlines,
    license: License,
}

#[derive(Clone, Copy, Debug)]
struct Deadlines {
    /// For the head of the answer.
    head: Duration,
    /// For everything, the body included.
    whole: Duration,
}

/// Why there can be no [`Wire`].
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The file of extra certificate authorities is not what it should be.
    #[error("the extra CA file is not a list of PEM certificates")]
    MalformedCa(#[source] reqwest::Error),
    /// It holds no certificate.
    #[error("the extra CA file holds no PEM certificate")]
    EmptyCa,
    /// TLS cannot be set up, for example because the system has no certificate authorities at all and none were given.
    #[error("HTTPS could not be set up")]
    Tls(#[source] reqwest::Error),
}

/// No answer: nothing of a response's head arrived.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no answer ({kind})")]
pub struct Failure {
    received: bool,
    kind: &'static str,
    /// Without the URL, which may name a person. `Arc` since one failed sign-in is told to many.
    #[source]
    source: Option<Arc<reqwest::Error>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// At most [`BODY_LIMIT`] bytes of the body; fewer if it ended badly or late.
    pub(crate) body: Vec<u8>,
    /// When the head arrived.
    pub(crate) arrived: Timestamp,
}

/// Which bodies the caller has a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// All.
    All,
    /// Those that explain a failure: of a 2xx the head says everything.
    OfFailures,
}

impl Wire {
    /// Sets up the client, with the system's proxies (`HTTPS_PROXY`, `NO_PROXY`) and certificate authorities.
    /// `extra_ca`: PEM certificates of further authorities to trust.
    ///
    /// # Errors
    /// See [`WireError`].
    pub fn new(extra_ca: Option<&[u8]>) -> Result<Self, WireError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .http1_only()
            // A redirect could carry the bearer token, or a secret, to another host.
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_DEADLINE)
            .pool_idle_timeout(IDLE);
        if let Some(pem) = extra_ca {
            let authorities = Certificate::from_pem_bundle(pem).map_err(WireError::MalformedCa)?;
            if authorities.is_empty() {
                return Err(WireError::EmptyCa);
            }
            builder = builder.tls_certs_merge(authorities);
        }
        let http = builder.build().map_err(WireError::Tls)?;
        Ok(Self { http, deadlines: DEADLINES, license: License::always() })
    }

    /// The same pool of connections, for requests that are sent only while the license is valid.
    #[must_use]
    pub fn licensed(&self, license: License) -> Self {
        Self { license, ..self.clone() }
    }

    /// Sends `request` and returns what came back within the [`DEADLINES`]. Once a head has arrived nothing is a failure
    /// any more: the head counts, and the body is what could be read of it.
    ///
    /// With a license that is not valid nothing is sent; one that ends calls off what has no answer yet, be it that the
    /// connection is still being made, or that the request is on its way.
    ///
    /// A body that is not read to its end costs the connection, nothing else.
    ///
    /// # Errors
    /// [`Failure`] if no head arrived.
    pub(crate) async fn exchange(&self, request: reqwest::Request, bodies: Bodies) -> Result<Response, Failure> {
        let end = Instant::now() + self.deadlines.whole;
        if !self.license.is_valid() {
            return Err(Failure::forbidden());
        }
        let asked = timeout(self.deadlines.head, self.http.execute(request));
        let answer = tokio::select! {
            // First, whatever it is that woke this task: nothing is written by it once the license has ended.
            biased;
            () = self.license.ended() => return Err(Failure::called_off()),
            answer = asked => answer,
        };
        let mut answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Failure::of(error)),
            Err(_) => return Err(Failure::late()),
        };
        let arrived = clock::now();
        let status = answer.status();
        let headers = std::mem::take(answer.headers_mut());
        let body = match bodies {
            Bodies::OfFailures if status.is_success() => Vec::new(),
            Bodies::OfFailures | Bodies::All => read(answer, end).await,
        };
        Ok(Response { status: status.as_u16(), headers, body, arrived })
    }
}

/// What can be read of the body until then.
async fn read(mut answer: reqwest::Response, end: Instant) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < BODY_LIMIT {
        let Ok(Ok(Some(chunk))) = timeout_at(end, answer.chunk()).await else { break };
        let room = BODY_LIMIT - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    body
}

impl Failure {
    /// Whether the other side may have received the request: false only if no connection came about.
    #[must_use]
    pub const fn received(&self) -> bool {
        self.received
    }

    /// What went wrong, in a word that serves as a metric's label: `dns`, `tls`, `connect`, `timeout`, `reset`,
    /// `protocol`, `request` or `license`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// A request that could not be put into words, and so was never sent.
    pub(crate) const fn unsent() -> Self {
        Self { received: false, kind: "request", source: None }
    }

    /// Never sent, since this replica may not.
    const fn forbidden() -> Self {
        Self { received: false, kind: "license", source: None }
    }

    /// Given up since this replica may not send any more; it may have been sent before.
    const fn called_off() -> Self {
        Self { received: true, kind: "license", source: None }
    }

    /// The head did not arrive in time. The connection has a shorter deadline of its own, so it had come about.
    const fn late() -> Self {
        Self { received: true, kind: "timeout", source: None }
    }

    fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let kind = kind(&error);
        let received = !(error.is_connect() || error.is_builder());
        Self { received, kind, source: Some(Arc::new(error)) }
    }
}

fn kind(error: &reqwest::Error) -> &'static str {
    if error.is_builder() {
        "request"
    } else if error.is_timeout() {
        "timeout"
    } else if error.is_dns() {
        "dns"
    } else if causes(error).any(<dyn StdError>::is::<rustls::Error>) {
        "tls"
    } else if error.is_connect() {
        "connect"
    } else if causes(error).any(broken_off) {
        "reset"
    } else {
        "protocol"
    }
}

/// An error and what caused it, outermost first. `io::Error` skips the error that it wraps when asked for its source,
/// and TLS errors travel in one.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner as &(dyn StdError + 'static)),
        None => error.source(),
    }
}

fn broken_off(cause: &(dyn StdError + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    // Of an answer that ends before its head does, hyper only tells by its text that it was incomplete.
    cause.to_string().contains("connection closed")
        || cause.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        })
}

#[cfg(test)]
mod tests;
