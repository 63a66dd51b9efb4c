//! From what is meant to bytes: Graph's and Entra's error objects, headers, bodies.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::odd_answers::{Answer, EntraError, GraphError, Inner, Payload, RetryAfter};
use crate::settings::InnerErrorName;

/// `{"error":{"code":"ServiceUnavailable","message":""}}`, compressed.
const GZIP: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 45, 42, 202, 47, 82, 178, 170, 86, 74, 206, 79, 73, 85, 178, 82, 10,
    78, 45, 42, 203, 76, 78, 13, 205, 75, 44, 75, 204, 204, 73, 76, 202, 73, 85, 210, 81, 202, 77, 45, 46, 78, 76, 7,
    73, 43, 213, 214, 2, 0, 186, 227, 78, 100, 52, 0, 0, 0,
];

/// What both hosts put on every answer to one request; gateways in front of them do not, nor do raw faults.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    request: String,
    client_request: Option<String>,
}

impl Ids {
    /// A fresh `request-id`, and the client's own if it sent one.
    pub(crate) fn new(client_request: Option<&HeaderValue>) -> Self {
        Self {
            request: Uuid::new_v4().to_string(),
            client_request: client_request.and_then(|id| id.to_str().ok()).map(str::to_owned),
        }
    }

    pub(crate) fn stamp(&self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        let ids = [("request-id", Some(&self.request)), ("client-request-id", self.client_request.as_ref())];
        for (name, id) in ids {
            if let Some(value) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
                headers.entry(name).or_insert(value);
            }
        }
    }

    pub(crate) fn correlation(&self) -> &str {
        self.client_request.as_deref().unwrap_or(&self.request)
    }
}

/// An answer with this status and JSON.
pub(crate) fn json(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status_code(status);
    put(&mut response, "content-type", "application/json");
    response
}

/// An answer without a body.
pub(crate) fn bare(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status_code(status);
    response
}

/// A Graph error as Graph writes it.
pub(crate) fn graph(error: &GraphError, ids: &Ids, spelling: InnerErrorName) -> Response<Body> {
    let mut body = json!({"code": error.code, "message": error.message});
    let spelling = match error.inner {
        Inner::AsSet => Some(spelling),
        Inner::Named(name) => Some(name),
        Inner::Absent => None,
    };
    if let Some(name) = spelling.map(inner_name) {
        body[name] = inner(&error.inner_codes, ids, name);
    }
    let mut response = json(error.status, &json!({"error": body}));
    if let Some(retry_after) = &error.retry_after {
        put(&mut response, "retry-after", &retry_after.now());
    }
    for (name, value) in &error.headers {
        put(&mut response, name, value);
    }
    ids.stamp(&mut response);
    response
}

/// The ids, and around them one object for each more general code.
fn inner(codes: &[String], ids: &Ids, name: &str) -> Value {
    let mut inner = json!({"date": seconds(Timestamp::now()), "request-id": ids.request});
    if let Some(id) = &ids.client_request {
        inner["client-request-id"] = json!(id);
    }
    let Some((last, outer)) = codes.split_last() else {
        return inner;
    };
    inner["code"] = json!(last);
    outer.iter().rev().fold(inner, |inside, code| json!({"code": code, name: inside}))
}

fn inner_name(name: InnerErrorName) -> &'static str {
    match name {
        InnerErrorName::Camel => "innerError",
        InnerErrorName::Lower => "innererror",
    }
}

/// An Entra error as Entra writes it.
pub(crate) fn entra(error: &EntraError, ids: &Ids) -> Response<Body> {
    let now = seconds(Timestamp::now()).replace('T', " ") + "Z";
    let (trace, correlation) = (&ids.request, ids.correlation());
    let number = error.codes.first().map(|code| format!("AADSTS{code}: ")).unwrap_or_default();
    let said = error.description.as_deref().unwrap_or("The emulator was told to fail.");
    let mut body = json!({
        "error": error.error,
        "error_description": format!("{number}{said} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}"),
        "error_codes": error.codes,
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
    });
    if let Some(code) = error.codes.first() {
        body["error_uri"] = json!(format!("https://login.microsoftonline.com/error?code={code}"));
    }
    let mut response = json(error.status, &body);
    put(&mut response, "x-ms-request-id", trace);
    if let Some(retry_after) = &error.retry_after {
        put(&mut response, "retry-after", &retry_after.now());
    }
    ids.stamp(&mut response);
    response
}

/// An answer that a fault spells out, and its bytes for faults that play with them.
pub(crate) fn spelled_out(answer: &Answer) -> (Response<Body>, Bytes) {
    let (content_type, bytes) = match &answer.body {
        Payload::Empty => (None, Bytes::new()),
        Payload::Json(value) => (Some("application/json"), value.to_string().into()),
        Payload::Html(page) => (Some("text/html"), page.clone().into()),
        Payload::Text(text) => (Some("application/json"), text.clone().into()),
        Payload::Bytes(bytes) => (Some("application/octet-stream"), bytes.clone().into()),
        Payload::Gzip => (Some("application/json"), Bytes::from_static(GZIP)),
    };
    let mut response = Response::new(Body::from(bytes.clone()));
    *response.status_mut() = status_code(answer.status);
    if let Some(content_type) = content_type {
        put(&mut response, "content-type", content_type);
    }
    if let Some(retry_after) = &answer.retry_after {
        put(&mut response, "retry-after", &retry_after.now());
    }
    for (name, value) in &answer.headers {
        put(&mut response, name, value);
    }
    (response, bytes)
}

/// How long this answer asks the client to stay away.
pub(crate) fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    RetryAfter::read(text)
}

/// Sets a header; one that HTTP can't carry is left out rather than spoiling the answer.
pub(crate) fn put(response: &mut Response<Body>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}

/// A status from a number; a number that is none becomes 500, which no test expects.
pub(crate) fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// `2024-07-01T12:00:00`, as Graph writes it: UTC, no zone.
fn seconds(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..19).unwrap_or(&text).to_owned()
}
