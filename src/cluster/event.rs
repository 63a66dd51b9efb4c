//! Events: one for each change of an object's reason.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client, Resource};

use super::client::called;
use super::{CallError, Live};
use crate::api::PhotoRemoval;

/// Who reports. Kubernetes wants a qualified name.
const CONTROLLER: &str = "photoremoval.dev/operator";

/// Kubernetes' limit for a note, in bytes.
const NOTE_LIMIT: usize = 1024;

/// What an event says.
#[derive(Clone, Debug)]
pub struct Note<'a> {
    /// The reason that the object has now, or another word of this kind.
    pub reason: &'a str,
    /// Whether somebody should look at it.
    pub warns: bool,
    /// The message of its conditions.
    pub message: &'a str,
    /// The resourceVersion that the status write brought about: names the change, so that an event that is published
    /// again after a crash or a lost answer is known to be there already.
    pub change: &'a str,
}

/// Publishes one event about the object. One that is there already is fine.
///
/// # Errors
/// When the API server does not answer in time or refuses; nobody's work should depend on it.
pub async fn publish(
    client: &Client,
    instance: &str,
    live: &Live,
    note: &Note<'_>,
    now: Timestamp,
) -> Result<(), CallError> {
    let namespace = live.meta.namespace.clone().unwrap_or_default();
    let event = event(instance, live, note, now);
    let api = Api::<Event>::namespaced(client.clone(), &namespace);
    match called("publishing an event", api.create(&PostParams::default(), &event)).await {
        Err(error) if error.code() != Some(409) => Err(error),
        _ => Ok(()),
    }
}

fn event(instance: &str, live: &Live, note: &Note<'_>, now: Timestamp) -> Event {
    Event {
        metadata: ObjectMeta {
            name: Some(name(live, note)),
            namespace: live.meta.namespace.clone(),
            ..ObjectMeta::default()
        },
        action: Some("RemovePhoto".to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(truncated(note.message)),
        reason: Some(note.reason.to_owned()),
        regarding: Some(regarding(live)),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        type_: Some(if note.warns { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    }
}

fn regarding(live: &Live) -> ObjectReference {
    ObjectReference {
        api_version: Some(PhotoRemoval::api_version(&()).into_owned()),
        kind: Some(PhotoRemoval::kind(&()).into_owned()),
        name: live.meta.name.clone(),
        namespace: live.meta.namespace.clone(),
        uid: live.meta.uid.clone(),
        resource_version: live.meta.resource_version.clone(),
        field_path: None,
    }
}

/// `<object>.<change>`: a resourceVersion is given once in the life of a cluster, so two changes never share a name. The
/// object's name is cut where the whole would be too long.
fn name(live: &Live, note: &Note<'_>) -> String {
    let object: String = live.meta.name.as_deref().unwrap_or_default().chars().take(230).collect();
    format!("{}.{}", object.trim_end_matches(['.', '-']), note.change)
}

fn truncated(message: &str) -> String {
    let mut end = message.len().min(NOTE_LIMIT);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_no_longer_than_kubernetes_takes_and_breaks_between_letters() {
        for (message, length) in [
            ("a".repeat(9), 9),
            ("a".repeat(5_000), NOTE_LIMIT),
            (format!("a{}", "\u{e4}".repeat(5_000)), NOTE_LIMIT - 1),
        ] {
            assert_eq!(truncated(&message).len(), length);
        }
    }
}
