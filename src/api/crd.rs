//! The CustomResourceDefinition that the program prints.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::{PENDING_MESSAGE, PhotoRemoval, Reason, condition};

/// The definition of `PhotoRemoval`, with the status that a new object has before the operator's first write.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    let mut crd = PhotoRemoval::crd();
    for version in &mut crd.spec.versions {
        let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
            continue;
        };
        schema.description = Some(DESCRIPTION.to_owned());
        schema.title = None;
        if let Some(status) = schema.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
            status.default = Some(JSON(before_the_first_write()));
            describe_conditions(status);
        }
        tidy(schema);
    }
    crd
}

/// [`crd`] as YAML, the bytes of the file under `crds/`.
///
/// # Errors
/// None that is known of: the definition is plain data.
pub fn crd_yaml() -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&crd())
}

const DESCRIPTION: &str = "PhotoRemoval removes the profile photo of one Microsoft 365 user or group through Microsoft \
    Graph, once, and keeps the proof in its status. Creating it is what removes the photo; deleting it sends nothing.";

/// A new object reads well in `kubectl get`, is InProgress for kstatus, and costs no write. The first write replaces
/// the 1970, as Gateway API's does.
fn before_the_first_write() -> serde_json::Value {
    let pending = |kind: &str, status: &str| {
        json!({
            "type": kind,
            "status": status,
            "reason": Reason::Pending.as_str(),
            "message": PENDING_MESSAGE,
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        })
    };
    json!({
        "observedGeneration": -1,
        "conditions": [pending(condition::READY, "False"), pending(condition::RECONCILING, "True")],
    })
}

/// Makes the schema read well and say what it means, all the way down: descriptions lose the line breaks of the source,
/// and a field given as `null` is dropped by the API server instead of being kept as a value of its own.
fn tidy(schema: &mut JSONSchemaProps) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray::Schema;
    schema.nullable = None;
    schema.description = schema.description.take().map(|text| text.replace('\n', " "));
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(tidy);
    if let Some(Schema(items)) = &mut schema.items {
        tidy(items);
    }
}

/// Kubernetes' own words for a condition's fields speak to authors of controllers; these speak to readers.
fn describe_conditions(status: &mut JSONSchemaProps) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray::Schema;
    let items = status.properties.as_mut().and_then(|properties| properties.get_mut("conditions"));
    let Some(Schema(condition)) = items.and_then(|conditions| conditions.items.as_mut()) else { return };
    condition.description = Some("One aspect of where the object stands.".to_owned());
    let words = [
        ("type", "Ready, Reconciling or Stalled."),
        ("status", "True or False; Unknown is not used."),
        ("reason", "Why, in one word of the closed list that the README explains. Example: `TargetNotFound`."),
        ("message", "One sentence on what happened and, if anything can be done, one on what to do."),
        ("observedGeneration", "The `metadata.generation` that the condition speaks of."),
        ("lastTransitionTime", "When `status` last changed; 1970 until the operator has looked at the resource."),
    ];
    let Some(fields) = condition.properties.as_mut() else { return };
    for (field, text) in words {
        if let Some(field) = fields.get_mut(field) {
            field.description = Some(text.to_owned());
        }
    }
}
