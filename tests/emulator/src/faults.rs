//! Faults on demand: what goes wrong, for which requests, how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::odd_answers::{Answer, EntraError, GraphError, OddToken, Payload, RetryAfter};
use crate::record::Listener;
use crate::settings::milliseconds;

/// One way of failing and the requests it waits for. Faults are asked in the order in which they were added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The requests that meet it.
    pub on: Matcher,
    /// How many requests meet it before it is gone; absent: every one, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Whether the request is carried out behind the fault's back.
    #[serde(default)]
    pub effect: Effect,
    /// What happens instead of the ordinary answer.
    pub what: FaultKind,
}

impl Fault {
    /// A fault that meets every request of this operation, for ever, in place of the operation.
    #[must_use]
    pub fn on(operation: Operation, what: FaultKind) -> Self {
        Self { on: Matcher::of(operation), times: None, effect: Effect::None, what }
    }

    /// The same fault for requests about one user id, principal name, group id or client id only.
    #[must_use]
    pub fn about(mut self, name: impl Into<String>) -> Self {
        self.on.about = Some(name.into());
        self
    }

    /// The same fault for so many requests only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same fault, but the request takes effect although the answer says otherwise.
    #[must_use]
    pub fn with_effect(mut self) -> Self {
        self.effect = Effect::CarriedOut;
        self
    }
}

/// What a request asks for, as far as faults and counters care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// `DELETE .../photo/$value`.
    Delete,
    /// `GET .../photo/$value`.
    GetPhoto,
    /// `GET /users/{id}?$select=id`, and the same of groups and of `/me`.
    Confirm,
    /// `POST /{tenant}/oauth2/v2.0/token`.
    Token,
    /// `POST /{tenant}/oauth2/v2.0/devicecode`.
    DeviceCode,
    /// What a library asks the sign-in host before it signs in: where the endpoints are.
    Discovery,
    /// Whatever either host refuses for its path or method.
    Other,
    /// In a matcher only: any of the above that arrives at Graph.
    AnyGraph,
    /// In a matcher only: everything.
    Any,
}

/// Chooses requests by what they ask and whom they are about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Matcher {
    /// What is asked.
    pub operation: Operation,
    /// A user id, principal name, group id or client id; absent: anyone. Upper and lower case are the same, and a known
    /// user is found by id and by principal name, whichever the request used. A sign-in is about its client, and about
    /// the user of its refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

impl Matcher {
    /// Every request of this operation.
    #[must_use]
    pub fn of(operation: Operation) -> Self {
        Self { operation, about: None }
    }

    /// The same, about one user, group or client only.
    #[must_use]
    pub fn about(mut self, name: impl Into<String>) -> Self {
        self.about = Some(name.into());
        self
    }

    pub(crate) fn matches(&self, listener: Listener, operation: Operation, names: &[String]) -> bool {
        let asked = match self.operation {
            Operation::Any => true,
            Operation::AnyGraph => listener == Listener::Graph,
            wanted => wanted == operation,
        };
        let about = self.about.as_ref().is_none_or(|name| names.contains(&name.to_lowercase()));
        asked && about
    }
}

/// Whether a request that met a fault was carried out all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// The fault stands in front: nothing changed.
    #[default]
    None,
    /// Everything happened, only the answer is wrong: the photo is gone although the client reads 429.
    CarriedOut,
}

/// What happens instead of, or to, the ordinary answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum FaultKind {
    /// One of [`crate::catalogue`], by its name; a name that is not there leaves the ordinary answer.
    Known(String),
    /// Any status, headers and body.
    Answer(Answer),
    /// A Graph error in Graph's own shape.
    Graph(GraphError),
    /// An Entra error in Entra's own shape.
    Entra(EntraError),
    /// The ordinary token answer, spoiled.
    OddToken(OddToken),
    /// The ordinary answer, its head so late; nothing takes effect for a client that hangs up before.
    SlowHead {
        /// Before the first byte.
        #[serde(rename = "delayMilliseconds", with = "milliseconds")]
        delay: Duration,
    },
    /// The head at once, then one byte of the body at a time.
    SlowBody {
        /// The answer to trickle.
        answer: Answer,
        /// Between two bytes.
        #[serde(rename = "pauseMilliseconds", with = "milliseconds")]
        pause: Duration,
    },
    /// A body without an end: it streams until the client hangs up.
    EndlessBody {
        /// The status in front of it.
        status: u16,
    },
    /// A body with an end very far away, made while it is read.
    HugeBody {
        /// The status in front of it.
        status: u16,
        /// Its length, also given as `Content-Length`.
        gibibytes: u32,
    },
    /// The connection is reset before any byte of an answer. With [`Effect::CarriedOut`]: the effect without its answer.
    ResetBeforeHead,
    /// The head and half a body, then a reset.
    ResetMidBody {
        /// The status in front of it.
        status: u16,
    },
    /// No answer ever: the connection stays open until the client or the emulator ends.
    Hang,
    /// A redirect, also to the other listener; see `Emulator::bearers_on_sign_in`.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The `Location`, as it stands.
        to: String,
    },
}

impl FaultKind {
    /// A Graph error with this status, code and message.
    #[must_use]
    pub fn graph(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Graph(GraphError::new(status, code, message))
    }

    /// 429 `TooManyRequests` with this `Retry-After`, or without one.
    #[must_use]
    pub fn throttled(retry_after: Option<RetryAfter>) -> Self {
        let mut error = GraphError::new(429, "TooManyRequests", "Too many requests.");
        error.retry_after = retry_after;
        Self::Graph(error)
    }

    /// An Entra error with this status, `error` and AADSTS number.
    #[must_use]
    pub fn entra(status: u16, error: impl Into<String>, code: u32) -> Self {
        Self::Entra(EntraError { status, error: error.into(), codes: vec![code], description: None, retry_after: None })
    }

    /// A page of HTML, as gateways send.
    #[must_use]
    pub fn html(status: u16) -> Self {
        let page = "<html><head><title>Service unavailable</title></head><body><h1>Our services aren't available right now</h1></body></html>";
        Self::Answer(Answer::new(status, Payload::Html(page.to_owned())))
    }

    /// A status without a body.
    #[must_use]
    pub fn bare(status: u16) -> Self {
        Self::Answer(Answer::new(status, Payload::Empty))
    }

    /// The status that the fault spells out, if it does.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(answer) | Self::SlowBody { answer, .. } => Some(answer.status),
            Self::Graph(error) => Some(error.status),
            Self::Entra(error) => Some(error.status),
            Self::EndlessBody { status }
            | Self::HugeBody { status, .. }
            | Self::ResetMidBody { status }
            | Self::Redirect { status, .. } => Some(*status),
            Self::Known(_) | Self::OddToken(_) | Self::SlowHead { .. } | Self::ResetBeforeHead | Self::Hang => None,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Known(_) => "known",
            Self::Answer(_) => "answer",
            Self::Graph(_) => "graph",
            Self::Entra(_) => "entra",
            Self::OddToken(_) => "oddToken",
            Self::SlowHead { .. } => "slowHead",
            Self::SlowBody { .. } => "slowBody",
            Self::EndlessBody { .. } => "endlessBody",
            Self::HugeBody { .. } => "hugeBody",
            Self::ResetBeforeHead => "resetBeforeHead",
            Self::ResetMidBody { .. } => "resetMidBody",
            Self::Hang => "hang",
            Self::Redirect { .. } => "redirect",
        }
    }
}

/// The list of faults that wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.0
    }

    /// The first fault that this request meets; one that was its last time leaves the list.
    pub(crate) fn take(&mut self, listener: Listener, operation: Operation, names: &[String]) -> Option<Fault> {
        self.0.retain(|fault| fault.times != Some(0));
        let index = self.0.iter().position(|fault| fault.on.matches(listener, operation, names))?;
        let fault = self.0[index].clone();
        if let Some(times) = &mut self.0[index].times {
            *times -= 1;
        }
        self.0.retain(|fault| fault.times != Some(0));
        Some(fault)
    }
}
