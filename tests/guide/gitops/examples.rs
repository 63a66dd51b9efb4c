//! Argo CD's test data: some of the stories' objects as files, with what Argo CD must make of them.

use std::collections::BTreeMap;
use std::fs;

use photo_removal_operator::api::PENDING_MESSAGE;
use serde_json::{Map, Value, json};

use super::expected::State;
use super::judge::{ARGO, health_test};
use super::stories::{self, Played};
use super::typed;
use crate::Outcome;
use crate::pages::root;

/// The health check where those put it who do not wait for Argo CD to have it.
pub(super) const CONFIG_MAP: &str = "docs/gitops/argocd/argocd-cm.yaml";

/// Its key there.
pub(super) const KEY: &str = "resource.customizations.health.photoremoval.dev_PhotoRemoval";

/// Whatever time it was.
const TIME: &str = "2026-11-24T08:00:00Z";

/// What differs from run to run, by key, and what stands in the files instead.
const VOLATILE: [(&str, &str); 9] = [
    ("uid", "4f1c2d3e-5a6b-4c7d-8e9f-0a1b2c3d4e5f"),
    ("resourceVersion", "1042"),
    ("requestId", "33333333-2222-4333-8444-555555555555"),
    ("clientRequestId", "44444444-2222-4333-8444-555555555555"),
    ("creationTimestamp", TIME),
    ("startTime", TIME),
    ("completionTime", TIME),
    ("nextAttemptTime", "2026-11-24T09:00:00Z"),
    ("until", "2026-11-24T09:00:00Z"),
];

/// `UPDATE=1 cargo test --test guide gitops` writes the files anew instead of comparing them.
#[tokio::test]
async fn argo_cds_test_data_is_what_the_api_server_holds_and_passes_argo_cds_test() -> Outcome {
    let mut files = tests(stories::played().await?)?;
    files.insert(CONFIG_MAP.to_owned(), config_map()?);
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    for (path, expected) in &files {
        let file = root().join(path);
        if update {
            fs::write(&file, expected)?;
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(&found, expected, "{path} is old: run `UPDATE=1 cargo test --test guide gitops`");
    }
    for entry in fs::read_dir(root().join(ARGO).join("testdata"))? {
        let path = format!("{ARGO}/testdata/{}", entry?.file_name().display());
        assert!(files.contains_key(&path), "{path} is no story's");
    }
    // As it runs in Argo CD's own repository.
    health_test().await
}

#[test]
fn the_config_map_holds_the_health_check() -> Outcome {
    let config: Value = serde_saphyr::from_str(&config_map()?)?;
    let script = fs::read_to_string(root().join(ARGO).join("health.lua"))?;
    assert_eq!(config["data"][KEY], json!(script), "{CONFIG_MAP}");
    Ok(())
}

/// The test data and `health_test.yaml`, by path.
fn tests(all: &[Played]) -> Result<BTreeMap<String, String>, Box<dyn std::error::Error>> {
    let mut shown: Vec<_> = all.iter().map(|played| (played.story.reason.as_str(), &played.arrived)).collect();
    shown.extend(all.first().map(|played| ("Edited", &played.edited)));
    let mut files = BTreeMap::new();
    let mut list = Vec::new();
    for (name, object) in shown {
        let state = State::of(&typed(object)?)?;
        let health = state.verdict().argo;
        let words = [health.to_lowercase(), snake(name)];
        let path = format!("testdata/{}.yaml", if name == health { snake(name) } else { words.join("_") });
        let message = match state {
            State::Unseen => PENDING_MESSAGE,
            _ => object["status"]["conditions"][0]["message"].as_str().unwrap_or_default(),
        };
        list.push(json!({"healthStatus": {"message": message, "status": health}, "inputPath": path}));
        files.insert(format!("{ARGO}/{path}"), serde_saphyr::to_string(&steady(object))?);
    }
    files.insert(format!("{ARGO}/health_test.yaml"), serde_saphyr::to_string(&json!({"tests": list}))?);
    Ok(files)
}

fn config_map() -> std::io::Result<String> {
    let script = fs::read_to_string(root().join(ARGO).join("health.lua"))?;
    let indented = script.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") });
    Ok(format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\n  namespace: argocd\ndata:\n  {KEY}: |\n{}",
        indented.collect::<String>(),
    ))
}

/// The object as every run has it, without what Argo CD does not look at.
fn steady(object: &Value) -> Value {
    let mut object = calmed(object);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        metadata.remove("finalizers");
    }
    object
}

fn calmed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(fields.iter().map(calmed_field).collect::<Map<_, _>>()),
        Value::Array(values) => values.iter().map(calmed).collect(),
        other => other.clone(),
    }
}

fn calmed_field((key, value): (&String, &Value)) -> (String, Value) {
    let known = VOLATILE.iter().find(|(volatile, _)| volatile == key);
    let is_1970 = value.as_str().is_some_and(|text| text.starts_with("1970"));
    let calm = match known {
        Some((_, fixed)) => json!(fixed),
        None if ["time", "lastTransitionTime"].contains(&key.as_str()) && !is_1970 => json!(TIME),
        None => calmed(value),
    };
    (key.clone(), calm)
}

/// `TargetNotFound` as `target_not_found`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}
