//! What the definition shows: defaults, columns, selectors, and a description for everything.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray};
use photo_removal_operator::api;
use serde_json::{Value, json};

use crate::Outcome;
use crate::admission::{manifest, served};

/// kubectl's own limit for client-side apply, which keeps the whole object in an annotation, in bytes.
const APPLY_LIMIT: usize = 262_144;

#[tokio::test]
async fn a_new_object_waits_for_the_operator_before_anybody_wrote_to_it() -> Outcome {
    let (plane, namespace) = served("defaults").await?;
    let spec = json!({
        "target": {"user": "leaver@contoso.com", "group": null}, "credentials": {"secretRef": {"name": "graph"}},
    });
    plane.kubectl_with(&["create", "-n", &namespace, "-f", "-"], &manifest("x", &spec)).await?.ok()?;
    let stored = plane.kubectl(&["get", "phr", "x", "-n", &namespace, "-o", "json"]).await?.ok()?;
    let stored: Value = serde_json::from_str(&stored)?;
    assert_eq!(stored["spec"]["cloud"], "Global");
    assert_eq!(stored["spec"]["suspend"], false);
    assert_eq!(stored["spec"]["target"], json!({"user": "leaver@contoso.com"}), "a null is no value");
    assert_eq!(stored["status"]["observedGeneration"], -1);
    let condition = |kind: &str, status: &str| {
        json!({
            "type": kind, "status": status, "reason": "Pending", "message": api::PENDING_MESSAGE,
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        })
    };
    let expected = json!([condition("Ready", "False"), condition("Reconciling", "True")]);
    assert_eq!(stored["status"]["conditions"], expected);
    Ok(())
}

#[tokio::test]
async fn kubectl_shows_the_columns_and_selects_by_target_and_outcome() -> Outcome {
    let (plane, namespace) = served("columns").await?;
    let group = "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d";
    for (name, target) in [("a", json!({"user": "leaver@contoso.com"})), ("b", json!({"group": group}))] {
        let spec = json!({"target": target, "credentials": {"secretRef": {"name": "graph"}}});
        plane.kubectl_with(&["create", "-n", &namespace, "-f", "-"], &manifest(name, &spec)).await?.ok()?;
    }
    let status = json!({"status": {"outcome": "Removed"}}).to_string();
    let patch = ["patch", "phr", "a", "-n", &namespace, "--subresource=status", "--type=merge", "-p", &status];
    plane.kubectl(&patch).await?.ok()?;

    let table = plane.kubectl(&["get", "phr", "a", "-n", &namespace]).await?.ok()?;
    let head: Vec<_> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(head, ["NAME", "USER", "GROUP", "READY", "REASON", "OUTCOME", "AGE"]);
    assert!(table.lines().all(|line| line.len() <= 100), "wider than 100:\n{table}");
    let wide = plane.kubectl(&["get", "phr", "a", "-n", &namespace, "-o", "wide"]).await?.ok()?;
    let head: Vec<_> = wide.lines().next().unwrap_or_default().split_whitespace().skip(7).collect();
    assert_eq!(head, ["ATTEMPTS", "NEXT", "MESSAGE"]);

    let rows = [
        ("spec.target.user=leaver@contoso.com", "a"),
        (&format!("spec.target.group={group}"), "b"),
        ("status.outcome=Removed", "a"),
        ("status.outcome!=Removed", "b"),
    ];
    for (selector, expected) in rows {
        let get = ["get", "photoremoval", "-n", &namespace, "-o", "name", "--field-selector", selector];
        let found = plane.kubectl(&get).await?.ok()?;
        assert_eq!(found.trim(), format!("photoremoval.photoremoval.dev/{expected}"), "selected by {selector}");
    }
    Ok(())
}

#[tokio::test]
async fn kubectl_explains_a_field_with_an_example() -> Outcome {
    let (plane, _) = served("explains").await?;
    let text = plane.kubectl(&["explain", "photoremoval.spec.target.user"]).await?.ok()?;
    assert!(text.contains("user principal name") && text.contains("Example:"), "{text}");
    Ok(())
}

#[test]
fn every_field_has_a_description_that_reads_like_documentation() -> Outcome {
    let crd = api::crd();
    let schema = crd.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    let mut faults = Vec::new();
    for part in ["spec", "status"] {
        let schema = &schema.and_then(|schema| schema.properties.as_ref()).expect("properties")[part];
        check(part, schema, &mut faults);
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(api::crd_yaml()?.len() < APPLY_LIMIT);
    Ok(())
}

fn check(path: &str, schema: &JSONSchemaProps, faults: &mut Vec<String>) {
    let text = schema.description.as_deref().unwrap_or_default();
    let mut fault = |what: &str| faults.push(format!("{path}: {what}: {text:?}"));
    if text.len() < 10 {
        fault("no description");
    }
    if !text.ends_with(['.', ')']) && !text.is_empty() {
        fault("does not end as a sentence");
    }
    if text.contains("[`") || text.contains("](") || text.contains('\n') {
        fault("speaks to readers of Rust");
    }
    if schema.default.is_some() && path.starts_with("spec.") && !text.contains("Default: ") {
        fault("does not say its default");
    }
    let is_free_text = schema.type_.as_deref() == Some("string") && schema.enum_.is_none();
    if is_free_text && path.starts_with("spec.") && !text.contains("Example: ") {
        fault("has no example");
    }
    for (name, field) in schema.properties.iter().flatten() {
        check(&format!("{path}.{name}"), field, faults);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        check(&format!("{path}[]"), items, faults);
    }
}
