//! The job, done with exactly what the chart gives: its definition, its rights, its account, its arguments.

use std::collections::BTreeSet;

use emulator::{App, Emulator, Issuer, Options, Target, Tenant, User};
use serde_json::{Value, json};
use testbed::{AuditEntry, ControlPlane, SOON, chart, eventually};

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

#[tokio::test]
async fn switched_off_service_accounts_are_not_used_and_the_object_says_what_is_missing() -> Outcome {
    let plane = ControlPlane::start(testbed::Options::default()).await?;
    let emulator = microsoft(&plane, &["offboarding"]).await?;
    let off = json!({"serviceAccountCredentials": {"enabled": false}});
    let (_operator, _) = install(&plane, &emulator, off, &["offboarding"]).await?;
    ask(&plane, "offboarding").await?;
    done(&plane, "offboarding", "secret").await?;
    let message = || async {
        let said =
            ["get", "photoremoval/account", "-n", "offboarding", "-o", "jsonpath={.status.conditions[*].message}"];
        let said = plane.kubectl(&said).await?.ok()?;
        let expected = "Give its ServiceAccount the verb get on ServiceAccounts";
        if said.contains(expected) { Ok(()) } else { Err(testbed::Error::from(said.as_str())) }
    };
    eventually("the object says which right is missing", SOON, message).await?;
    let [_, (_, user)] = leavers("offboarding");
    assert!(emulator.has_photo(&Target::user(user)), "the photo was not to be removed");
    let asked =
        plane.audit()?.into_iter().any(|entry| entry.subresource == "token" && entry.namespace == "offboarding");
    assert!(!asked, "a token was asked for");
    Ok(())
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

/// Installs the chart with these values and has two photos removed in each of the namespaces, one with a Secret, one
/// with a `ServiceAccount`.
async fn works(plane: &ControlPlane, values: Value, namespaces: &[&str]) -> Outcome {
    let emulator = microsoft(plane, namespaces).await?;
    let (operator, rendered) = install(plane, &emulator, values, namespaces).await?;
    for namespace in namespaces {
        ask(plane, namespace).await?;
        for (name, user) in leavers(namespace) {
            done(plane, namespace, name).await?;
            assert!(!emulator.has_photo(&Target::user(&user)), "the photo of {user} is still there");
        }
    }
    saw_only_what_it_may(plane, &operator.user, &rendered).await
}

/// The operator as these values install it, and what Helm made of them.
async fn install(
    plane: &ControlPlane,
    emulator: &Emulator,
    mut values: Value,
    namespaces: &[&str],
) -> Result<(installed::Installed, String), Box<dyn std::error::Error>> {
    values["operator"] = json!({"clouds": [emulator.cloud_flag()]});
    for namespace in namespaces.iter().chain(&["home"]) {
        plane.kubectl(&["create", "namespace", namespace]).await?.ok()?;
    }
    let rendered = chart::render(&values, "release", "home")?;
    apply(plane, &rendered).await?;
    Ok((installed::start(plane, "home", &[]).await?, rendered))
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

/// A tenant, and an application with a secret that also trusts a `ServiceAccount` in each of the namespaces.
async fn microsoft(plane: &ControlPlane, namespaces: &[&str]) -> Result<Emulator, Box<dyn std::error::Error>> {
    let emulator = Emulator::start(Options::default()).await?;
    emulator.put_tenant(Tenant::new(TENANT));
    let jwks = plane.kubectl(&["get", "--raw", "/openid/v1/jwks"]).await?.ok()?;
    emulator.put_issuer(Issuer { issuer: plane.issuer().to_owned(), jwks: serde_json::from_str(&jwks)? });
    let mut app = App::new(CLIENT, "secret").in_tenant(TENANT);
    for namespace in namespaces {
        let subject = format!("system:serviceaccount:{namespace}:offboarder");
        app = app.with_federated_credential(plane.issuer(), &subject, "api://AzureADTokenExchange");
        for (_, user) in leavers(namespace) {
            emulator.put_user(User::new(user).with_photo());
        }
    }
    emulator.put_app(app);
    Ok(emulator)
}

/// The removals of a namespace, by name, and whose photo each is about: the name says how it signs in.
fn leavers(namespace: &str) -> [(&'static str, String); 2] {
    ["secret", "account"].map(|name| (name, format!("{name}.{namespace}@contoso.com")))
}

/// A Secret, a `ServiceAccount`, and a removal with each.
fn manifests(namespace: &str) -> String {
    let [by_secret, by_account] = leavers(namespace);
    let removal = |(name, user): (&str, String), credentials: Value| {
        json!({
            "apiVersion": "photoremoval.dev/v1alpha1", "kind": "PhotoRemoval", "metadata": {"name": name},
            "spec": {"target": {"user": user}, "credentials": credentials},
        })
    };
    let annotations = json!({"azure.workload.identity/tenant-id": TENANT, "azure.workload.identity/client-id": CLIENT});
    let objects = [
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "graph"},
            "stringData": {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": "secret"},
        }),
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "offboarder", "annotations": annotations},
        }),
        removal(by_secret, json!({"secretRef": {"name": "graph"}})),
        removal(by_account, json!({"serviceAccountRef": {"name": "offboarder"}})),
    ];
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

async fn ask(plane: &ControlPlane, namespace: &str) -> Outcome {
    let manifests = manifests(namespace);
    // The definition may take a moment to be served.
    let apply = || async { plane.kubectl_with(&["apply", "-n", namespace, "-f", "-"], &manifests).await?.ok() };
    eventually("the manifests are taken", SOON, apply).await?;
    Ok(())
}

async fn done(plane: &ControlPlane, namespace: &str, name: &str) -> Outcome {
    let removal = format!("photoremoval/{name}");
    let wait = ["wait", "-n", namespace, &removal, "--for=condition=Ready", "--timeout=60s"];
    plane.kubectl(&wait).await?.ok()?;
    let event = || async {
        let events = plane.kubectl(&["events", "-n", namespace, "--for", &removal]).await?.ok()?;
        if events.contains("Removed") { Ok(()) } else { Err(testbed::Error::from(events.as_str())) }
    };
    Ok(eventually("the event is published", SOON, event).await?)
}

/// The audit log shows no refusal, no verb that the rendered roles do not name, and each way to a credential.
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
    let needed = [("secrets", "", "get"), ("serviceaccounts", "", "get"), ("serviceaccounts", "token", "create")];
    for (resource, sub, verb) in needed {
        let seen = |entry: &AuditEntry| (&*entry.resource, &*entry.subresource, &*entry.verb) == (resource, sub, verb);
        assert!(entries.iter().any(seen), "no {verb} {resource}/{sub} in the audit log");
    }
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
