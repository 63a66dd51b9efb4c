//! The status: what happened, with evidence.
#![allow(unreachable_pub, reason = "the schema's derive repeats each struct inside a function")]

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the CRD's default says of an object that the operator has not written to yet.
pub const PENDING_MESSAGE: &str = "Waiting for the operator.";

/// The types of our conditions.
pub mod condition {
    /// True when the job is done.
    pub const READY: &str = "Ready";
    /// True while the operator goes on by itself; absent otherwise.
    pub const RECONCILING: &str = "Reconciling";
    /// True when a person must act; absent otherwise.
    pub const STALLED: &str = "Stalled";
}

/// What the operator found and did. Written by the operator only.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhotoRemovalStatus {
    /// The `metadata.generation` that this status speaks of; -1 until the operator has looked at the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready` is always there: True when the job is done. `Reconciling` is there and True while the operator goes on by
    /// itself, `Stalled` is there and True when a person must act. All carry the same reason and message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_string()]))]
    pub conditions: Vec<Condition>,

    /// What became of the photo: Removed (Microsoft Graph said it removed it) or AlreadyAbsent (there was none); of a dry
    /// run WouldRemove (there is one) or NothingToRemove. Absent until known. The first two never change afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,

    /// How many DELETEs Microsoft Graph answered or may have received, the successful one too. Throttled answers do not
    /// count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: i32,

    /// How many tries in a row ended with the present reason. The waits between tries grow with it; it starts over when
    /// the reason or the spec changes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: i32,

    /// How many tries have failed in all since the spec last changed or a retry was asked for; spec.backoffLimit is held
    /// against it. Throttled answers do not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: i32,

    /// When the first attempt was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,

    /// When the outcome was recorded or the object stalled; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Timestamp>,

    /// When it is tried next; absent unless the time is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_time: Option<Timestamp>,

    /// The last DELETE, or the GET of a dry run or a re-check, and what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<LastAttempt>,

    /// The pause that Microsoft Graph asked for when this resource was last tried: a restart of the operator keeps it.
    /// Absent once a later try got through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,

    /// The proof, written together with the outcome and never overwritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,

    /// With spec.recheckInterval: how many photos were removed in all, the first one too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub removals: i32,

    /// The value of the annotation photoremoval.dev/retry (or Flux's reconcile.fluxcd.io/requestedAt) that was acted on; of
    /// a long one its beginning and a check sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_retry: Option<String>,

    /// What a newer version wrote and this one does not know: written back as it was read. No part of the schema.
    #[serde(flatten)]
    #[schemars(skip)]
    pub other: BTreeMap<String, Value>,
}

impl PhotoRemovalStatus {
    /// The status of an object that has none, as only a CRD without our default makes them.
    pub const UNTOUCHED: Self = Self {
        observed_generation: None,
        conditions: Vec::new(),
        outcome: None,
        attempts: 0,
        failures: 0,
        failed: 0,
        start_time: None,
        completion_time: None,
        next_attempt_time: None,
        last_attempt: None,
        pause: None,
        evidence: None,
        removals: 0,
        last_handled_retry: None,
        other: BTreeMap::new(),
    };
}

/// What became of the photo: Removed (Microsoft Graph said it removed it) or AlreadyAbsent (there was none); of a dry run
/// WouldRemove (there is one) or NothingToRemove. Absent until known. The first two never change afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// Microsoft Graph answered the DELETE with success.
    Removed,
    /// There was no photo.
    AlreadyAbsent,
    /// A dry run found a photo.
    WouldRemove,
    /// A dry run found none.
    NothingToRemove,
}

impl Outcome {
    /// Whether it is what became of the photo, and not what would.
    #[must_use]
    pub const fn is_real(self) -> bool {
        matches!(self, Self::Removed | Self::AlreadyAbsent)
    }
}

/// One DELETE, or the GET of a dry run or a re-check, and what came of it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastAttempt {
    /// When the answer, or the failure, arrived.
    pub time: Timestamp,

    /// The HTTP status of Microsoft Graph's answer; absent when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<i32>,

    /// Microsoft Graph's error code. Example: `ErrorAccessDenied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,

    /// Microsoft Graph's `request-id`: what Microsoft's support asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,

    /// The `client-request-id` that the operator sent with the request, a GUID: finds it in the tenant's logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,

    /// The `Retry-After` of the answer, in seconds, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<i64>,
}

/// A pause that Microsoft Graph asked for. It holds for everything that the application does in the tenant, whichever
/// Secret it signs in from.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// When it ends: nothing is sent before.
    pub until: Timestamp,

    /// The Microsoft Entra tenant that was signed in to, as the credential names it.
    pub tenant_id: String,

    /// The Microsoft Entra application that signed in.
    pub client_id: String,
}

/// The proof of an outcome: when, in which tenant, by which application, with which answer, under which ids in
/// Microsoft's logs.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// When Microsoft Graph's answer arrived.
    pub time: Timestamp,

    /// The Microsoft Entra tenant that was signed in to, as the credential names it.
    pub tenant_id: String,

    /// The Microsoft Entra application that signed in.
    pub client_id: String,

    /// The HTTP status of Microsoft Graph's answer to the DELETE: a 2xx of a photo that was removed, 404 of one that was
    /// not there. Absent only where a version wrote it that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<i32>,

    /// Microsoft Graph's `request-id` of the DELETE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,

    /// The `client-request-id` that the operator sent with the DELETE.
    pub client_request_id: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(number: &i32) -> bool {
    *number == 0
}
