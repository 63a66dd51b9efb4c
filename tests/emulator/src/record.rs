//! What arrived and what became of it, kept for the tests that ask.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::directory::Target;
use crate::faults::{Matcher, Operation};
use crate::jwt;

/// Which of the two hosts a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Listener {
    /// Microsoft Graph.
    Graph,
    /// Entra's sign-in host.
    SignIn,
}

/// One request, without its secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// Counts up from 1, also over `clear`.
    pub number: u64,
    /// When its body had arrived.
    pub time: Timestamp,
    /// The same since the emulator's start.
    #[serde(rename = "sinceStartMilliseconds", with = "crate::settings::milliseconds")]
    pub since_start: Duration,
    /// The host it came to.
    pub listener: Listener,
    /// What it asked for.
    pub operation: Operation,
    /// The method as sent.
    pub method: String,
    /// Path and query as they stood on the wire, nothing decoded.
    pub path: String,
    /// The owner in the path, decoded once; `None` where the path names none.
    pub target: Option<Target>,
    /// The client id of the form, or of the token.
    pub client_id: Option<String>,
    /// Headers by lower-case name, repeated ones joined by ", ". `Authorization` reads `Bearer token-3`:
    /// the same token has the same number in every record.
    pub headers: BTreeMap<String, String>,
    /// The fields of the token endpoint's form in their order, secrets and assertions as `present`.
    pub form: Vec<(String, String)>,
    /// What the client assertion says, without what makes it one: its signature.
    pub assertion: Option<Assertion>,
    /// The bytes of the body.
    pub body_length: usize,
    /// The status that was sent; `None` while it is under way, and when the connection was reset or abandoned.
    pub status: Option<u16>,
    /// The kind of the fault that it met.
    pub fault: Option<String>,
    /// When its answer's head was ready, or its connection was gone; `None` while it is under way.
    pub ended: Option<Timestamp>,
    /// How long the answer asked its application to stay away.
    #[serde(rename = "retryAfterSeconds")]
    pub retry_after: Option<f64>,
    /// Of a request that came before a `Retry-After` had passed, `Limits::grace` aside: when that had been told.
    pub early: Option<Timestamp>,
    /// Every name of whom it is about, in lower case.
    #[serde(skip)]
    pub(crate) names: Vec<String>,
}

/// A client assertion that was taken apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assertion {
    /// Its header.
    pub header: Value,
    /// Its claims.
    pub claims: Value,
}

impl Recorded {
    /// A header's value, or "" if it was not sent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(&name.to_lowercase()).map_or("", String::as_str)
    }

    /// Whether this is a request of that kind, as for faults.
    #[must_use]
    pub fn is(&self, matcher: &Matcher) -> bool {
        matcher.matches(self.listener, self.operation, &self.names)
    }
}

/// A program that runs for weeks must not grow for weeks: at this many requests the older half is forgotten.
const MOST_REQUESTS: usize = 500_000;

/// The requests since the last `clear`, oldest first.
#[derive(Debug)]
pub(crate) struct Log {
    requests: Vec<Recorded>,
    next: u64,
    tokens: HashMap<String, usize>,
    started: Timestamp,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { requests: Vec::new(), next: 1, tokens: HashMap::new(), started: Timestamp::now() }
    }

    /// Keeps a request under the next number, which is returned.
    pub(crate) fn push(&mut self, mut request: Recorded) -> u64 {
        if self.requests.len() >= MOST_REQUESTS {
            self.requests.drain(..MOST_REQUESTS / 2);
        }
        request.number = self.next;
        request.since_start = Duration::try_from(request.time.duration_since(self.started)).unwrap_or_default();
        self.next += 1;
        self.requests.push(request);
        self.next - 1
    }

    /// Notes what became of a request, unless it was cleared in the meantime.
    pub(crate) fn answered(&mut self, number: u64, status: Option<u16>, fault: Option<&str>) {
        self.note(number, |request| {
            request.status = status.or(request.status);
            request.fault = fault.map(str::to_owned).or(request.fault.take());
        });
    }

    /// Notes something about a request, unless it was cleared in the meantime.
    pub(crate) fn note(&mut self, number: u64, note: impl FnOnce(&mut Recorded)) {
        if let Ok(index) = self.requests.binary_search_by_key(&number, |request| request.number) {
            note(&mut self.requests[index]);
        }
    }

    pub(crate) fn requests(&self) -> &[Recorded] {
        &self.requests
    }

    pub(crate) fn clear(&mut self) {
        self.requests.clear();
    }

    /// Headers as they are kept: readable, but without anything that could be used.
    pub(crate) fn headers(&mut self, headers: &HeaderMap) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::<String, String>::new();
        for (name, value) in headers {
            let mut value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            if name == http::header::AUTHORIZATION {
                value = self.without_token(&value);
            }
            kept.entry(name.as_str().to_owned())
                .and_modify(|first| *first = format!("{first}, {value}"))
                .or_insert(value);
        }
        kept
    }

    fn without_token(&mut self, authorization: &str) -> String {
        let Some(token) = bearer(authorization) else {
            return "(not a bearer token)".to_owned();
        };
        let next = self.tokens.len() + 1;
        let number = self.tokens.entry(token.to_owned()).or_insert(next);
        format!("Bearer token-{number}")
    }
}

/// The token of an `Authorization` header; the scheme's case does not matter.
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Form fields as they are kept.
pub(crate) fn without_secrets(form: &[(String, String)]) -> Vec<(String, String)> {
    const SECRET: [&str; 6] = ["client_secret", "client_assertion", "refresh_token", "device_code", "password", "code"];
    let kept = |(name, value): &(String, String)| {
        let value = if SECRET.contains(&name.as_str()) { "present" } else { value };
        (name.clone(), value.to_owned())
    };
    form.iter().map(kept).collect()
}

/// The assertion among the fields, if there is one that can be read.
pub(crate) fn assertion(form: &[(String, String)]) -> Option<Assertion> {
    let (_, text) = form.iter().find(|(name, _)| name == "client_assertion")?;
    let jwt = jwt::read(text)?;
    Some(Assertion { header: jwt.header, claims: jwt.claims })
}
