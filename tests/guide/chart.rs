//! The job, done with exactly what the chart gives: its definition, its rights, its account, its arguments.

use std::collections::BTreeSet;

use emulator::{App, Emulator, Options, Target, Tenant, User};
use serde_json::{Value, json};
use testbed::{ControlPlane, SOON, chart, eventually};

use crate::{Outcome, installed};

const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const CLIENT: &str = "aaaaaaaa-2222-4333-8444-555555555555";

#[tokio::test]
async fn the_operator_works_with_what_the_chart_gives_it_everywhere() -> Outcome {
    let plane = ControlPlane::start(testbed::Options::default()).await?;
    works(&plane, json!({}), &["offboarding"]).await
}

#[tokio::test]
async fn the_operator_works_with_what_the_chart_gives_it_in_two_namespaces() -> Outcome {
    let plane = ControlPlane::start(testbed::Options::default()).await?;
    works(&plane, json!({"watchNamespaces": ["offboarding", "leavers"]}), &["offboarding", "leavers"]).await
}

#[test]
fn the_rights_that_the_tests_work_with_are_the_charts() -> Outcome {
    let rendered = chart::documents(&chart::render(&json!({}), "release", "home")?)?;
    let role = rendered.iter().find(|document| document["kind"] == "ClusterRole").expect("a ClusterRole");
    let rules = testbed::OPERATOR_RULES
        .map(|(group, resource, verbs)| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs}));
    assert_eq!(role["rules"], json!(rules));
    Ok(())
}

/// Installs the chart with these values and has one photo removed in each of the namespaces.
async fn works(plane: &ControlPlane, mut values: Value, namespaces: &[&str]) -> Outcome {
    let emulator = microsoft(namespaces).await?;
    values["operator"] = json!({"clouds": [emulator.cloud_flag()]});
    for namespace in namespaces.iter().chain(&["home"]) {
        plane.kubectl(&["create", "namespace", namespace]).await?.ok()?;
    }
    let rendered = chart::render(&values, "release", "home")?;
    apply(plane, &rendered).await?;
    let operator = installed::start(plane, "home", &[]).await?;
    for namespace in namespaces {
        remove(plane, namespace).await?;
        let gone = Target::user(user(namespace));
        assert!(!emulator.has_photo(&gone), "the photo is still there for {namespace}");
    }
    saw_only_what_it_may(plane, &operator.user, &rendered).await
}

/// Server-side, as GitOps tools do it. What names no namespace goes into the release's.
async fn apply(plane: &ControlPlane, rendered: &str) -> Outcome {
    for mut document in chart::documents(rendered)? {
        let metadata = &mut document["metadata"];
        if metadata["namespace"].is_null() {
            metadata["namespace"] = json!("home");
        }
        plane.kubectl_with(&["apply", "--server-side", "-f", "-"], &document.to_string()).await?.ok()?;
    }
    Ok(())
}

async fn microsoft(namespaces: &[&str]) -> std::io::Result<Emulator> {
    let emulator = Emulator::start(Options::default()).await?;
    emulator.put_tenant(Tenant::new(TENANT));
    emulator.put_app(App::new(CLIENT, "secret").in_tenant(TENANT));
    for namespace in namespaces {
        emulator.put_user(User::new(user(namespace)).with_photo());
    }
    Ok(emulator)
}

fn user(namespace: &str) -> String {
    format!("{namespace}@contoso.com")
}

async fn remove(plane: &ControlPlane, namespace: &str) -> Outcome {
    let manifests = format!(
        "{}\n---\n{}",
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "graph"},
            "stringData": {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": "secret"},
        }),
        json!({
            "apiVersion": "photoremoval.dev/v1alpha1", "kind": "PhotoRemoval", "metadata": {"name": "leaver"},
            "spec": {"target": {"user": user(namespace)}, "credentials": {"secretRef": {"name": "graph"}}},
        })
    );
    // The definition may take a moment to be served.
    let apply = || async { plane.kubectl_with(&["apply", "-n", namespace, "-f", "-"], &manifests).await?.ok() };
    eventually("the manifests are taken", SOON, apply).await?;
    let wait = ["wait", "-n", namespace, "photoremoval/leaver", "--for=condition=Ready", "--timeout=60s"];
    plane.kubectl(&wait).await?.ok()?;
    let event = || async {
        let events = plane.kubectl(&["events", "-n", namespace, "--for", "photoremoval/leaver"]).await?.ok()?;
        if events.contains("Removed") { Ok(()) } else { Err(testbed::Error::from(events.as_str())) }
    };
    Ok(eventually("the event is published", SOON, event).await?)
}

/// The audit log shows no refusal, no verb that the rendered roles do not name, and of Secrets one verb.
async fn saw_only_what_it_may(plane: &ControlPlane, user: &str, rendered: &str) -> Outcome {
    let allowed = allowed(rendered)?;
    let published = || async {
        let entries = plane.audit()?.into_iter().filter(|entry| entry.user == user).collect::<Vec<_>>();
        if entries.iter().any(|entry| entry.resource == "events") {
            return Ok(entries);
        }
        Err(testbed::Error::from("no event in the audit log yet"))
    };
    let entries = eventually("the audit log tells of the event", SOON, published).await?;
    for entry in &entries {
        let resource = match entry.subresource.as_str() {
            "" => entry.resource.clone(),
            sub => format!("{}/{sub}", entry.resource),
        };
        assert_ne!(entry.code, 403, "the operator was refused {} {resource}", entry.verb);
        assert!(allowed.contains(&(resource.clone(), entry.verb.clone())), "no rule for {} {resource}", entry.verb);
    }
    assert!(entries.iter().any(|entry| entry.resource == "secrets" && entry.verb == "get"), "a Secret was read");
    Ok(())
}

/// Every resource and verb that the rendered roles name.
fn allowed(rendered: &str) -> Result<BTreeSet<(String, String)>, testbed::Error> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut allowed = BTreeSet::new();
    for document in chart::documents(rendered)? {
        for rule in document["rules"].as_array().into_iter().flatten() {
            for resource in texts(&rule["resources"]) {
                allowed.extend(texts(&rule["verbs"]).into_iter().map(|verb| (resource.clone(), verb)));
            }
        }
    }
    Ok(allowed)
}
