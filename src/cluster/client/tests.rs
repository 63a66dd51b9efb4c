//! The layers around kube's client.

use std::future::{pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::WatchParams;
use tower::{Layer, ServiceExt, service_fn};

use super::*;

const LIST: &str = "/apis/photoremoval.dev/v1alpha1/photoremovals?limit=500";

type Answer = Result<Response<String>, BoxError>;

fn status(code: u16) -> Answer {
    Ok(Response::builder().status(code).body("{}".to_owned())?)
}

/// One GET through the layer; the API server's answer is `answer`.
async fn get(
    health: &Health,
    metrics: &Metrics,
    path: &str,
    answer: impl Future<Output = Answer> + Send + 'static,
) -> Result<Response<Bounded<String>>, BoxError> {
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

/// kube's client with the operator's layers around an API server.
fn around<B>(answer: impl Fn() -> BoxFuture<'static, Result<Response<B>, BoxError>> + Send + 'static) -> kube::Client
where
    B: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let inner = service_fn(move |_| answer());
    kube::Client::new(
        turns().layer(Attended { inner, metrics: Metrics::new(), health: Health::new(&[]) }),
        "offboarding",
    )
}

fn read(client: &kube::Client) -> impl Future<Output = Result<Option<Secret>, CallError>> + use<> {
    let secrets: Api<Secret> = Api::default_namespaced(client.clone());
    async move { called("reading the Secret", secrets.get_opt("graph")).await }
}

/// A body that neither goes on nor ends.
struct Endless;

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, BoxError>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let client = around(|| Box::pin(ready(Ok(Response::new(Endless)))));
    let text = read(&client).await.map_err(|error| error.to_string());
    assert_eq!(text, Err("reading the Secret: the API server did not finish its answer within 15 s".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_watch_lasts_and_the_refusal_of_one_does_not() {
    for (code, lasts) in [(200, true), (500, false)] {
        let client = around(move || Box::pin(ready(Ok(Response::builder().status(code).body(Endless).unwrap()))));
        let secrets: Api<Secret> = Api::default_namespaced(client);
        let watched = async {
            let events = secrets.watch(&WatchParams::default(), "0").await?;
            pin!(events).next().await.transpose()
        };
        let ended = timeout(Duration::from_secs(60 * 60), watched).await;
        let overdue = ended.ok().map(|ended| ended.is_err_and(|error| Unfinished::found_in(&error).is_some()));
        assert_eq!(overdue, (!lasts).then_some(true), "answered with {code}");
    }
}

/// Twice as many calls as there are turns have no answer, and each holds its turn for ten seconds.
#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_call_begins_when_its_turn_has_come() {
    const STUCK: usize = 2 * CALLS_AT_ONCE;
    let calls = AtomicUsize::new(0);
    let client = around(move || match calls.fetch_add(1, Ordering::SeqCst) {
        0..STUCK => Box::pin(pending()),
        _ => Box::pin(ready(Ok(Response::new(r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {}}"#.to_owned())))),
    });
    let begun = tokio::time::Instant::now();
    let stuck = join_all((0..STUCK).map(|_| read(&client)));
    let (stuck, waited) = tokio::join!(stuck, read(&client));
    assert!(stuck.iter().all(Result::is_err), "answers of an API server that gives none");
    assert!(waited.is_ok() && begun.elapsed() > CALL_DEADLINE, "{waited:?} after {:?}", begun.elapsed());
}

#[test]
fn an_error_never_quotes_the_answer() {
    let error = serde_json::from_str::<u8>("\n \"canary\"").err();
    assert!(error.as_ref().is_some_and(|error| error.to_string().contains("canary")), "{error:?}");
    let error = error.map(|error| CallError::of("reading the Secret", kube::Error::SerdeError(error)));
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    assert_eq!(error.map(|error| error.category()), Some("Unreadable"));
}
