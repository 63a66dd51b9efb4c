//! What kubectl shows: lists that fit a terminal, and an explanation of every field.

use photo_removal_operator::api::crd;
use serde_json::{Value, json};

use crate::Outcome;
use crate::bed::{Bed, GUID, with_group, with_user};

/// The width, in characters, that a list of users should fit.
const USERS: usize = 100;

/// As much more as a GUID is longer than an ordinary principal name; its column cannot be narrower.
const GROUPS: usize = USERS + 16;

#[tokio::test]
async fn lists_fit_a_terminal() -> Outcome {
    // The longest reason there is beside no outcome, and the longest outcome.
    let stalled = json!({"conditions": [ready("False", "CredentialNotFound")]});
    let done = json!({"conditions": [ready("True", "AlreadyAbsent")], "outcome": "AlreadyAbsent", "attempts": 1});
    for (spec, width) in [(with_user("jane.doe@contoso.com"), USERS), (with_group(GUID), GROUPS)] {
        let bed = Bed::new("list").await?;
        for (name, status) in [("jane-doe", &stalled), ("john-doe", &done)] {
            bed.create(&json!({"metadata": {"name": name}, "spec": spec})).await.expect("a resource");
            let change = json!({"status": status}).to_string();
            let patch = ["patch", "phr", name, "--subresource=status", "--type=merge", "--patch", &change];
            bed.kubectl(&patch, "").await?.ok()?;
        }
        let list = bed.kubectl(&["get", "phr"], "").await?.ok()?;
        let widest = list.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or_default();
        assert!(list.lines().count() == 3 && widest <= width, "{widest} characters:\n{list}");
        let wide = bed.kubectl(&["get", "phr", "john-doe", "-o", "wide", "--no-headers"], "").await?.ok()?;
        let columns: Vec<&str> = wide.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        assert_eq!(columns.last(), Some(&"There was no photo."), "{wide}");
    }
    Ok(())
}

#[tokio::test]
async fn kubectl_explains_every_field() -> Outcome {
    let bed = Bed::new("explain").await?;
    let crd = serde_json::to_value(crd())?;
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut fields = Vec::new();
    for part in ["spec", "status"] {
        walk(&format!("photoremoval.{part}"), &schema["properties"][part], &mut fields);
    }
    assert!(fields.len() > 30, "only {} fields found", fields.len());
    for (field, description) in fields {
        let said = bed.kubectl(&["explain", &field], "").await?.ok()?;
        assert!(one_line(&said).contains(&one_line(&description)), "{field}: {description:?} is not in {said}");
    }
    Ok(())
}

fn ready(status: &str, reason: &str) -> Value {
    let time = "2026-01-01T00:00:00Z";
    json!({
        "type": "Ready", "status": status, "reason": reason, "message": "There was no photo.", "lastTransitionTime": time,
    })
}

/// The path and the description of each field, those of lists too, as kubectl names them.
fn walk(path: &str, schema: &Value, fields: &mut Vec<(String, String)>) {
    fields.push((path.to_owned(), schema["description"].as_str().unwrap_or("(no description)").to_owned()));
    let inner = if schema["items"].is_object() { &schema["items"] } else { schema };
    for (name, field) in inner["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), field, fields);
    }
}

/// kubectl breaks lines where it likes.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
