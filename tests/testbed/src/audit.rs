//! The API server's audit log: who asked for what, and what came of it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Context, Error, Result};

/// One answered request (stage `ResponseComplete`; a watch appears when it ends).
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Kubernetes' verb: get, list, watch, create, update, patch, delete, deletecollection.
    pub verb: String,
    /// API group, empty for the core group.
    pub group: String,
    /// Resource, such as `secrets`; empty for a request such as `/readyz`.
    pub resource: String,
    /// Subresource, such as `status`; empty for none.
    pub subresource: String,
    /// Namespace; empty for cluster-wide requests.
    pub namespace: String,
    /// Name of the object; empty for lists.
    pub name: String,
    /// Who asked.
    pub user: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
    /// Path and query.
    pub uri: String,
    /// HTTP status of the answer.
    pub code: u16,
    /// What was written: of `photoremovals/status` only.
    pub request: Option<Value>,
    /// When the API server had the request.
    pub received: Timestamp,
    /// When it had answered; what was written was stored before.
    pub answered: Timestamp,
}

/// An event as the log has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    #[serde(default, rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
    request_object: Option<Value>,
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
}

#[derive(Default, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
    api_group: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
}

impl From<Event> for AuditEntry {
    fn from(event: Event) -> Self {
        Self {
            verb: event.verb,
            group: event.object_ref.api_group,
            resource: event.object_ref.resource,
            subresource: event.object_ref.subresource,
            namespace: event.object_ref.namespace,
            name: event.object_ref.name,
            user: event.user.username,
            user_agent: event.user_agent,
            uri: event.request_uri,
            code: event.response_status.code,
            request: event.request_object,
            received: event.request_received_timestamp,
            answered: event.stage_timestamp,
        }
    }
}

/// Reads the log from that byte on, and says where to go on the next time; a last line that is still being written is
/// left for then.
pub(crate) fn read(log: &Path, from: u64) -> Result<(Vec<AuditEntry>, u64)> {
    let failed = || format!("The audit log {} could not be read", log.display());
    let mut file = File::open(log).context(failed)?;
    file.seek(SeekFrom::Start(from)).context(failed)?;
    let mut log = Vec::new();
    file.read_to_end(&mut log).context(failed)?;
    let mut entries = Vec::new();
    let mut next = from;
    for line in log.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        next += line.len() as u64;
        let said = || String::from_utf8_lossy(line);
        let event: Event =
            serde_json::from_slice(line).map_err(|error| Error::new(format!("{}: {error} in {}", failed(), said())))?;
        if event.stage == "ResponseComplete" {
            entries.push(event.into());
        }
    }
    Ok((entries, next))
}
