//! Exchanges with servers that behave badly.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use super::*;
use crate::leadership::Term;

/// What the other side does once it has read a request's head.
#[derive(Clone, Copy)]
enum Then {
    Close,
    Hang,
}

/// A wire with short deadlines, and past any proxy of the machine that the tests run on.
fn wire() -> Wire {
    let http = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).user_agent(USER_AGENT);
    let deadlines = Deadlines { head: Duration::from_secs(1), whole: Duration::from_secs(2) };
    Wire { http: http.build().unwrap(), deadlines, license: License::always() }
}

/// Answers the first request with `answer`, and hands back what that request was.
async fn peer(answer: impl Into<Vec<u8>>, then: Then) -> (Url, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/users/jane@contoso.com", listener.local_addr().unwrap())).unwrap();
    let answer = answer.into();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(&answer).await.ok();
        if matches!(then, Then::Hang) {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        String::from_utf8(request).unwrap()
    });
    (url, heard)
}

async fn ask(answer: impl Into<Vec<u8>>, then: Then, bodies: Bodies) -> Result<Response, Failure> {
    let (url, _heard) = peer(answer, then).await;
    wire().exchange(reqwest::Request::new(Method::DELETE, url), bodies).await
}

#[tokio::test]
async fn a_delete_has_our_name_and_no_body_and_goes_nowhere_else_on_a_redirect() {
    let (url, heard) = peer("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", Then::Close).await;
    let mut request = reqwest::Request::new(Method::DELETE, url);
    request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer t"));
    let response = wire().exchange(request, Bodies::OfFailures).await.unwrap();
    assert_eq!(response.status, 302);
    let heard = heard.await.unwrap().to_ascii_lowercase();
    assert!(heard.starts_with("delete /users/jane@contoso.com http/1.1\r\n"), "{heard}");
    assert!(heard.contains("user-agent: photo-removal-operator/"), "{heard}");
    assert!(!heard.contains("transfer-encoding") && !heard.contains("content-"), "{heard}");
}

#[tokio::test]
async fn once_a_head_arrived_no_end_of_the_body_is_a_failure() {
    for (body, then, expected) in [
        ("Content-Length: 2\r\n\r\nab", Then::Close, "ab"),
        ("Content-Length: 20\r\n\r\nab", Then::Close, "ab"),
        ("Content-Length: 20\r\n\r\nab", Then::Hang, "ab"),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\nrubbish", Then::Close, "ab"),
        ("Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab", Then::Close, "ab"),
    ] {
        let response = ask(["HTTP/1.1 404 Not Found\r\n", body].concat(), then, Bodies::OfFailures).await.unwrap();
        assert_eq!((response.status, response.body.as_slice()), (404, expected.as_bytes()), "{body}");
    }
}

#[tokio::test]
async fn a_body_is_read_to_the_limit_and_not_at_all_where_the_head_says_everything() {
    let long = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; 3 * BODY_LIMIT]].concat();
    let read = ask(long.clone(), Then::Close, Bodies::All).await.unwrap();
    assert_eq!(read.body.len(), BODY_LIMIT);
    let unread = ask(long, Then::Hang, Bodies::OfFailures).await.unwrap();
    assert_eq!((unread.status, unread.body.len()), (200, 0));
}

#[tokio::test]
async fn without_a_head_the_request_counts_as_received_unless_there_was_no_connection() {
    for (answer, then, kind) in [
        ("", Then::Hang, "timeout"),
        ("", Then::Close, "reset"),
        ("HTTP/1.1 200", Then::Close, "reset"),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n", Then::Close, "protocol"),
    ] {
        let failure = ask(answer, then, Bodies::All).await.unwrap_err();
        assert_eq!((failure.received(), failure.kind()), (true, kind), "{answer:?}: {failure:?}");
    }
    // Nothing listens on the port of tcpmux.
    let request = reqwest::Request::new(Method::GET, Url::parse("http://127.0.0.1:1/").unwrap());
    let failure = wire().exchange(request, Bodies::All).await.unwrap_err();
    assert_eq!((failure.received(), failure.kind()), (false, "connect"), "{failure:?}");
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_has_received_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut secure = Url::parse("https://127.0.0.1/").unwrap();
    secure.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok();
        tokio::time::sleep(Duration::from_millis(200)).await;
    });
    let failure = wire().exchange(reqwest::Request::new(Method::GET, secure), Bodies::All).await.unwrap_err();
    assert_eq!((failure.received(), failure.kind()), (false, "tls"), "{failure:?}");
    plain.await.unwrap();
}

#[tokio::test]
async fn a_failure_says_nothing_of_whom_it_was_about() {
    let failure = ask("", Then::Close, Bodies::All).await.unwrap_err();
    let shown = format!("{failure} {failure:?}");
    assert!(!shown.contains("jane"), "{shown}");
}

#[test]
fn an_extra_ca_file_must_hold_certificates() {
    assert!(matches!(Wire::new(Some(b"")), Err(WireError::EmptyCa)));
    let broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    assert!(matches!(Wire::new(Some(broken)), Err(WireError::MalformedCa(_))));
}

/// A license whose term lasts so long.
fn licensed(length: Duration) -> License {
    let license = License::pending();
    license.extend(Term { since: license.now(), length });
    license
}

#[tokio::test]
async fn without_a_valid_license_nothing_is_sent() {
    let revoked = licensed(Duration::from_secs(60));
    revoked.revoke();
    for license in [License::pending(), licensed(Duration::ZERO), revoked] {
        let (url, heard) = peer("HTTP/1.1 204 No Content\r\n\r\n", Then::Close).await;
        let request = reqwest::Request::new(Method::DELETE, url);
        let failure = wire().licensed(license).exchange(request, Bodies::OfFailures).await.unwrap_err();
        assert_eq!((failure.kind(), failure.received()), ("license", false));
        assert!(!heard.is_finished(), "somebody connected");
    }
}

#[tokio::test]
async fn what_has_no_answer_when_the_license_ends_is_called_off_and_its_connection_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let license = licensed(Duration::from_secs(60));
    let wire = wire().licensed(license.clone());
    let asking =
        tokio::spawn(async move { wire.exchange(reqwest::Request::new(Method::DELETE, url), Bodies::All).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    license.revoke();
    let failure = asking.await.unwrap().unwrap_err();
    assert_eq!((failure.kind(), failure.received()), ("license", true));
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the connection is open");
}

#[tokio::test]
async fn a_term_that_is_made_longer_in_time_lets_what_is_under_way_go_on() {
    let license = licensed(Duration::from_millis(300));
    let (url, _heard) = peer("", Then::Hang).await;
    let longer = Term { since: license.now(), length: Duration::from_secs(60) };
    let wire = wire().licensed(license.clone());
    let asking = wire.exchange(reqwest::Request::new(Method::DELETE, url), Bodies::All);
    license.extend(longer);
    // The answer is late, after a second, and that is what ends it.
    assert_eq!(asking.await.unwrap_err().kind(), "timeout");
}
