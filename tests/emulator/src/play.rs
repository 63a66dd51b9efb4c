//! Faults as they reach the client: odd answers, slow ones, endless ones, none.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{Stream, StreamExt, stream};
use http::Response;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::answer::{self, Ids};
use crate::catalogue;
use crate::exchange::Cut;
use crate::faults::FaultKind;
use crate::grants;
use crate::odd_answers::OddToken;
use crate::settings::InnerErrorName;

/// What one piece of a long body holds: spaces, which no parser of JSON minds.
const PIECE: &[u8] = &[b' '; 64 * 1024];

/// How many such pieces make a gibibyte.
const PIECES: usize = 1024 * 1024 * 1024 / PIECE.len();

/// Lets a fault happen. `ordinary` is what would have been answered without it.
pub(crate) async fn play(
    what: &FaultKind,
    ordinary: impl FnOnce() -> Response<Body>,
    ids: &Ids,
    spelling: InnerErrorName,
) -> Result<Response<Body>, Cut> {
    let known = match what {
        FaultKind::Known(name) => catalogue::named(name),
        _ => None,
    };
    let response = match known.as_ref().unwrap_or(what) {
        FaultKind::Known(_) => ordinary(),
        FaultKind::Answer(answer) => answer::spelled_out(answer).0,
        FaultKind::Graph(error) => answer::graph(error, ids, spelling),
        FaultKind::Entra(error) => answer::entra(error, ids),
        FaultKind::OddToken(how) => odd_token(ordinary(), *how).await,
        FaultKind::SlowHead { delay } => {
            sleep(*delay).await;
            ordinary()
        }
        FaultKind::SlowBody { answer, pause } => {
            let (head, bytes) = answer::spelled_out(answer);
            slow(head, &bytes, *pause)
        }
        FaultKind::EndlessBody { status } => streamed(*status, None, whole(stream::repeat(PIECE))),
        FaultKind::HugeBody { status, gibibytes } => {
            let pieces = PIECES.saturating_mul(usize::try_from(*gibibytes).unwrap_or(usize::MAX));
            let length = u64::from(*gibibytes) << 30;
            streamed(*status, Some(length), whole(stream::repeat(PIECE).take(pieces)))
        }
        FaultKind::ResetBeforeHead => return Err(Cut),
        FaultKind::ResetMidBody { status } => cut_in_half(*status),
        // Dropped together with the connection when the client hangs up.
        FaultKind::Hang => std::future::pending().await,
        FaultKind::Redirect { status, to } => {
            let mut response = answer::bare(*status);
            answer::put(&mut response, "location", to);
            response
        }
    };
    Ok(response)
}

/// The ordinary answer, unless it is no token.
async fn odd_token(ordinary: Response<Body>, how: OddToken) -> Response<Body> {
    let (head, body) = ordinary.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Ok(Value::Object(mut token)) = serde_json::from_slice(&bytes) else {
        return Response::from_parts(head, Body::from(bytes));
    };
    if token.contains_key("access_token") {
        match how {
            OddToken::WithoutExpiresIn => drop(token.remove("expires_in")),
            OddToken::ExpiresInAsText => {
                let text = token.get("expires_in").map(ToString::to_string);
                token.insert("expires_in".to_owned(), json!(text));
            }
            OddToken::WithoutAccessToken => drop(token.remove("access_token")),
            OddToken::Opaque => {
                let opaque = token["access_token"].as_str().map(grants::last_part).map(str::to_owned);
                token.insert("access_token".to_owned(), json!(opaque));
            }
            OddToken::OtherTokenType => drop(token.insert("token_type".to_owned(), json!("pop"))),
        }
    }
    Response::from_parts(head, Body::from(Value::Object(token).to_string()))
}

fn slow(head: Response<Body>, bytes: &Bytes, pause: Duration) -> Response<Body> {
    let length = bytes.len().to_string();
    let trickle = stream::iter(bytes.to_vec()).then(move |byte| async move {
        sleep(pause).await;
        Ok::<_, io::Error>(Bytes::from(vec![byte]))
    });
    let mut response = head.map(|_| Body::from_stream(trickle));
    answer::put(&mut response, "content-length", &length);
    response
}

fn cut_in_half(status: u16) -> Response<Body> {
    let half: &[u8] = b"{\"error\":{\"code\":\"";
    let cut = stream::once(async {
        // One turn of the task, in which the first half goes out; a failing body would take it along otherwise.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    let length = u64::try_from(half.len() * 2).ok();
    streamed(status, length, whole(stream::iter([half])).chain(cut))
}

fn streamed(
    status: u16,
    length: Option<u64>,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Response<Body> {
    let mut response = Response::new(Body::from_stream(pieces));
    *response.status_mut() = answer::status_code(status);
    answer::put(&mut response, "content-type", "application/json");
    if let Some(length) = length {
        answer::put(&mut response, "content-length", &length.to_string());
    }
    response
}

/// A stream that does not fail.
fn whole(pieces: impl Stream<Item = &'static [u8]>) -> impl Stream<Item = io::Result<Bytes>> {
    pieces.map(|piece| Ok(Bytes::from_static(piece)))
}
