//! A request as it is compared: a list of facts, without what changes from run to run.

use std::collections::BTreeMap;

use emulator::{Assertion, Listener, Operation, Recorded};
use serde_json::Value;
use uuid::Uuid;

use crate::removals::REMOVALS;

/// What was said: the name of the removal and the kind of the request, and its facts.
pub(crate) type Conversation = BTreeMap<(&'static str, Kind), Facts>;

/// Names such as `path` or `form grant_type`, and what they are.
pub(crate) type Facts = BTreeMap<String, String>;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Learning where to sign in.
    Discovery,
    /// Getting a token.
    SignIn,
    /// Deleting a photo.
    Delete,
}

/// The removal that a request belongs to which says of none.
pub(crate) const ANY: &str = "(any)";

/// The requests by removal and kind. Of discoveries one stands for all.
///
/// # Panics
/// If a request was sent twice, or is of no kind that is expected.
pub(crate) fn conversation(requests: &[Recorded]) -> Conversation {
    let mut conversation = Conversation::new();
    for request in requests {
        let kind = match (request.listener, request.operation) {
            (Listener::SignIn, Operation::Discovery) => Kind::Discovery,
            (Listener::SignIn, Operation::Token) => Kind::SignIn,
            // Where Graph does not understand the path, neither does the emulator.
            (Listener::Graph, Operation::Delete | Operation::Other) => Kind::Delete,
            other => panic!("{other:?}: nobody asked for {request:?}"),
        };
        let client = request.client_id.as_deref();
        let removal = REMOVALS.iter().find(|removal| client == Some(&removal.client())).map_or(ANY, |it| it.name);
        let before = conversation.insert((removal, kind), facts(request));
        assert!(before.is_none() || kind == Kind::Discovery, "{removal}: sent twice: {request:?}");
    }
    conversation
}

fn facts(request: &Recorded) -> Facts {
    let mut facts = path_facts(&request.path);
    let mut note = |name: &str, value: &str| facts.insert(name.to_owned(), value.to_owned());
    note("sent", "yes");
    note("method", &request.method);
    note("answer", &request.status.unwrap_or_default().to_string());
    note("body", if request.body_length == 0 { "none" } else { "some" });
    for (name, value) in &request.headers {
        let value = match name.as_str() {
            // Not said to Microsoft, but to the next proxy.
            "connection" => continue,
            "authorization" => value.split(' ').next().unwrap_or_default(),
            "content-length" if value != "0" => "of the body",
            _ => value,
        };
        note(&format!("header {name}"), &without_id(value));
    }
    for (name, value) in &request.form {
        note(&format!("form {name}"), value);
    }
    if let Some(assertion) = &request.assertion {
        facts.extend(assertion_facts(assertion, request.time.as_second()));
    }
    facts
}

/// What a path means, and how each unusual character of the name in it is written: together that is every byte of it.
fn path_facts(path: &str) -> Facts {
    let (version, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let (slashes, rest) = (rest.len() - rest.trim_start_matches('/').len() + 1, rest.trim_start_matches('/'));
    let plain: String = characters(rest).map(|(character, _)| character).collect();
    let mut facts = Facts::from([
        ("path".to_owned(), format!("/{version}/{plain}")),
        ("slashes behind the first part of the path".to_owned(), slashes.to_string()),
    ]);
    let name = rest.strip_prefix("users('").and_then(|rest| rest.split_once("')")).map(|(name, _)| name);
    let name = name.or_else(|| rest.split('/').nth(1)).unwrap_or_default();
    let unusual = characters(name).filter(|(character, _)| !character.is_ascii_alphanumeric());
    facts.extend(unusual.map(|(character, written)| (format!("written {character}"), written.to_owned())));
    facts
}

/// The characters of a path, and how each is written in it.
fn characters(mut path: &str) -> impl Iterator<Item = (char, &str)> {
    std::iter::from_fn(move || {
        let first = path.chars().next()?;
        let escaped = path.strip_prefix('%').and_then(|rest| u8::from_str_radix(rest.get(..2)?, 16).ok());
        let (written, rest) = path.split_at(if escaped.is_some() { 3 } else { first.len_utf8() });
        path = rest;
        Some((escaped.map_or(first, char::from), written))
    })
}

fn assertion_facts(assertion: &Assertion, now: i64) -> Facts {
    // The times of another issuer's token are that issuer's.
    let is_own = !assertion.claims["iss"].as_str().unwrap_or_default().contains("://");
    let mut facts = Facts::new();
    for (part, values) in [("header", &assertion.header), ("claim", &assertion.claims)] {
        for (name, value) in values.as_object().into_iter().flatten() {
            let value = match (name.as_str(), value.as_f64()) {
                ("iat" | "nbf" | "exp", Some(time)) if is_own => minutes_from(now, time),
                ("iat" | "nbf" | "exp", Some(_)) => "a time".to_owned(),
                _ => without_id(&text(value)),
            };
            facts.insert(format!("assertion {part} {name}"), value);
        }
    }
    facts
}

/// How far off a time is. In minutes, so that it does not matter how long the request was under way.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "seconds of this century")]
fn minutes_from(now: i64, time: f64) -> String {
    // A whole number: a float would tell zero from minus zero.
    let minutes = ((time - now as f64) / 60.0).round() as i64;
    format!("{minutes:+} min")
}

fn without_id(value: &str) -> String {
    if Uuid::parse_str(value).is_ok() { "a fresh id".to_owned() } else { value.to_owned() }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn a_path_is_what_it_means_and_how_it_is_written() {
    let facts = |pairs: &[(&str, &str)]| -> Facts {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let slashes = "slashes behind the first part of the path";
    for (path, expected) in [
        ("/v1.0//me/photo/$value", facts(&[("path", "/v1.0/me/photo/$value"), (slashes, "2")])),
        (
            "/v1.0/users/a%23b@c.d/photo/$value",
            facts(&[
                ("path", "/v1.0/users/a#b@c.d/photo/$value"),
                (slashes, "1"),
                ("written #", "%23"),
                ("written @", "@"),
                ("written .", "."),
            ]),
        ),
        (
            "/v1.0/users('$o''h')/photo/$value",
            facts(&[
                ("path", "/v1.0/users('$o''h')/photo/$value"),
                (slashes, "1"),
                ("written $", "$"),
                ("written '", "'"),
            ]),
        ),
    ] {
        assert_eq!(path_facts(path), expected, "{path}");
    }
}
