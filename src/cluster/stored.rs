//! What is kept in memory of a stored object.
//!
//! Finished objects are most of what there is, and nothing is done for them: of one at rest only its name is kept. Its
//! record stays with the API server, and since none of it is here, nothing old can be written over it from here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::api::{PhotoRemoval, PhotoRemovalSpec, PhotoRemovalStatus};
use crate::lifecycle::{Seen, rests};

/// The annotations and labels by which others ask for a try, or that say who keeps the object in the cluster. Whatever
/// else is written there, which may be 256 KiB an object, is nothing to the operator.
pub const HEEDED: [&str; 5] = [
    "photoremoval.dev/retry",
    "reconcile.fluxcd.io/requestedAt",
    "argocd.argoproj.io/tracking-id",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
];

/// A stored object, slimmed as it is read. It need not fit the schema: one that an older schema let in must not stop the
/// others.
#[derive(Clone, Debug)]
pub enum Stored {
    /// One for which something is to be done, now or later: all of it that is used.
    Whole(Box<PhotoRemoval>),
    /// One for which nothing is to be done until it changes: its name and version.
    AtRest(Box<ObjectMeta>),
    /// One that does not fit the schema: its metadata.
    Unfit(Box<ObjectMeta>),
}

impl Stored {
    /// Whether nothing is to be done for it until it changes.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        matches!(self, Self::AtRest(_))
    }

    /// No more of it than whose it is: enough to have it looked at.
    #[must_use]
    pub fn named(&self) -> Self {
        let ObjectMeta { name, namespace, resource_version, .. } = self.meta();
        Self::AtRest(named(name.clone(), namespace.clone(), resource_version.clone()))
    }

    fn of(object: PhotoRemoval) -> Self {
        if rests(&Seen::of(&object, None)) {
            let ObjectMeta { name, namespace, resource_version, .. } = object.metadata;
            Self::AtRest(named(name, namespace, resource_version))
        } else {
            Self::Whole(Box::new(object))
        }
    }
}

/// The version is what a watch goes on from.
fn named(name: Option<String>, namespace: Option<String>, resource_version: Option<String>) -> Box<ObjectMeta> {
    Box::new(ObjectMeta { name, namespace, resource_version, ..ObjectMeta::default() })
}

/// An object on the wire. The spec and the status may be anything.
#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    metadata: RawMeta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

/// What is used of the metadata. All else is passed over as it is read: the managed fields alone are three quarters of an
/// object.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawMeta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    annotations: Option<BTreeMap<String, String>>,
    labels: Option<BTreeMap<String, String>>,
}

impl RawMeta {
    fn slimmed(self) -> ObjectMeta {
        let heeded = |mut words: BTreeMap<String, String>| {
            words.retain(|word, _| HEEDED.contains(&word.as_str()));
            words
        };
        ObjectMeta {
            name: self.name,
            namespace: self.namespace,
            uid: self.uid,
            resource_version: self.resource_version,
            generation: self.generation,
            creation_timestamp: self.creation_timestamp,
            deletion_timestamp: self.deletion_timestamp,
            annotations: self.annotations.map(heeded),
            labels: self.labels.map(heeded),
            ..ObjectMeta::default()
        }
    }
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Raw { metadata, spec, status } = Raw::deserialize(from)?;
        let metadata = metadata.slimmed();
        Ok(match (PhotoRemovalSpec::deserialize(&spec), Option::<PhotoRemovalStatus>::deserialize(&status)) {
            (Ok(spec), Ok(status)) => Self::of(PhotoRemoval { metadata, spec, status }),
            _ => Self::Unfit(Box::new(metadata)),
        })
    }
}

impl Resource for Stored {
    type DynamicType = ();
    type Scope = <PhotoRemoval as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        PhotoRemoval::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        PhotoRemoval::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        PhotoRemoval::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        PhotoRemoval::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Whole(object) => &object.metadata,
            Self::AtRest(meta) | Self::Unfit(meta) => meta,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Whole(object) => &mut object.metadata,
            Self::AtRest(meta) | Self::Unfit(meta) => meta,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CANARY: &str = "leaver@contoso.com";

    fn removal() -> Value {
        json!({
            "apiVersion": "photoremoval.dev/v1alpha1", "kind": "PhotoRemoval",
            "metadata": {
                "name": "leaver", "namespace": "offboarding", "uid": "u", "resourceVersion": "7", "generation": 1,
                "labels": {"team": CANARY, "helm.toolkit.fluxcd.io/name": "leavers"},
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY, "photoremoval.dev/retry": "1"},
                "managedFields": [{"manager": CANARY}], "finalizers": [CANARY],
            },
            "spec": {"target": {"user": CANARY}, "credentials": {"secretRef": {"name": "graph"}}},
            "status": {
                "observedGeneration": 1, "outcome": "Removed", "attempts": 1,
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Removed", "message": "Removed.",
                    "observedGeneration": 1, "lastTransitionTime": "2026-11-24T08:13:52Z",
                }],
            },
        })
    }

    fn stored(change: impl FnOnce(&mut Value)) -> Stored {
        let mut object = removal();
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn of_an_object_at_rest_its_name_and_version_are_kept_and_nothing_else() {
        let stored = stored(|_| {});
        let ObjectMeta { name, namespace, resource_version, .. } = stored.meta();
        assert_eq!(
            [name, namespace, resource_version].map(Option::as_deref),
            [Some("leaver"), Some("offboarding"), Some("7")]
        );
        assert!(stored.is_at_rest() && !format!("{stored:?}").contains(CANARY), "{stored:?}");
    }

    #[test]
    fn an_object_that_asks_for_anything_is_kept_without_what_others_wrote_beside_it() {
        let changes: [fn(&mut Value); 6] = [
            |object| object["status"] = json!({"observedGeneration": -1}),
            |object| object["metadata"]["generation"] = json!(2),
            |object| object["status"]["outcome"] = json!("WouldRemove"),
            |object| object["spec"]["recheckInterval"] = json!("24h"),
            |object| object["spec"]["ttlSecondsAfterFinished"] = json!(60),
            |object| object["status"]["conditions"][0]["observedGeneration"] = json!(0),
        ];
        for (row, change) in changes.into_iter().enumerate() {
            let stored = stored(change);
            let Stored::Whole(object) = &stored else { panic!("row {row}: {stored:?}") };
            let meta = &object.metadata;
            assert!(!format!("{meta:?}").contains(CANARY), "row {row}: {meta:?}");
            let kept = [&meta.annotations, &meta.labels].map(|words| words.iter().flatten().count());
            assert_eq!(kept, [1, 1], "row {row}: {meta:?}");
            assert!(object.status.is_some() && object.spec.target.user.is_some(), "row {row}: {object:?}");
        }
    }

    #[test]
    fn one_that_does_not_fit_the_schema_stops_no_list() {
        let unfit = stored(|object| object["spec"] = json!("nonsense"));
        assert!(matches!(&unfit, Stored::Unfit(meta) if meta.uid.as_deref() == Some("u")), "{unfit:?}");
        let bare: Stored = serde_json::from_value(json!({})).unwrap();
        assert!(matches!(bare, Stored::Unfit(_)), "{bare:?}");
    }

    #[test]
    fn an_object_that_is_only_named_is_found_under_the_same_name() {
        let whole = stored(|object| object["status"] = json!({}));
        let (named, whole) =
            (super::super::ObjectRef::from_obj(&whole.named()), super::super::ObjectRef::from_obj(&whole));
        assert_eq!(named, whole);
    }
}
