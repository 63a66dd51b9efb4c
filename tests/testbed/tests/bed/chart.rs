//! The chart: what Helm makes of it, and what the API server says to that.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use testbed::{ControlPlane, chart, eventually, shared};

use crate::{Outcome, SOON};

const RELEASE: &str = "photos";

/// Values that differ as much as they can; every one must lint, render and be accepted.
fn scenarios(watched: &[&str]) -> Vec<(&'static str, Value)> {
    vec![
        ("default", json!({})),
        ("watched namespaces", json!({"watchNamespaces": watched})),
        ("everything", everything()),
        ("no rights, no CRD", json!({"rbac": {"create": false}, "crds": {"enabled": false}})),
        ("given account", json!({"serviceAccount": {"create": false, "name": "given"}})),
        ("names", json!({"nameOverride": "42", "fullnameOverride": "4711", "crds": {"keep": false}})),
        ("no proxy for some", json!({"proxy": {"noProxy": "emulator.test"}})),
        ("as a dependency", json!({"global": {"any": "thing"}, "enabled": true})),
        ("one pod without a lease", json!({"leaderElection": {"enabled": false}})),
        ("no own ids", json!({"podSecurityContext": {"runAsUser": null, "runAsGroup": null}})),
    ]
}

fn everything() -> Value {
    json!({
        "replicas": 2,
        "leaderElection": {"leaseDuration": "30s", "renewDeadline": "20s", "retryPeriod": "4s"},
        "operator": {
            "selector": "shard=a,tier in (x, y)",
            "clouds": ["Global=https://login.test,https://graph.test", "China=http://127.0.0.1:1,http://127.0.0.1:2"],
            "maxInFlight": 8,
            "retry": {"base": "5s", "cap": "1h30m"},
            "stalledRecheck": "2h",
            "credentialRecheck": "1m",
            "log": {"format": "text", "level": "info,photo_removal_operator=debug"},
        },
        "image": {"repository": "registry.test/operator", "tag": "1", "digest": format!("sha256:{}", "0".repeat(64)), "pullPolicy": "Never"},
        "imagePullSecrets": [{"name": "registry"}],
        "commonLabels": {"team": "identity", "app.kubernetes.io/name": "not-this"},
        "serviceAccount": {"name": "own", "annotations": {"a": "b"}},
        "serviceAccountCredentials": {"enabled": false},
        "delegatedCredentials": {"enabled": true, "resourceNames": ["graph", "one.more"]},
        "crds": {"annotations": {"c": "d"}},
        "proxy": {"https": "http://proxy.test:3128", "noProxy": ".test"},
        "caBundle": {"configMap": "authorities", "key": "bundle.pem"},
        "podAnnotations": {"e": "f"},
        "podLabels": {"g": "h"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}]}}},
        "priorityClassName": "system-cluster-critical",
        "extraArgs": ["--extra=1"],
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    })
}

fn documents(values: &Value) -> testbed::Result<Vec<Value>> {
    chart::documents(&chart::render(values, RELEASE, "operator")?)
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

/// The pod's spec of the Deployment that these values give.
fn pod(values: &Value) -> testbed::Result<Value> {
    let documents = documents(values)?;
    Ok(of_kind(&documents, "Deployment")[0]["spec"]["template"].clone())
}

#[test]
fn helm_finds_no_fault() -> Outcome {
    for (name, values) in scenarios(&["a", "b"]) {
        chart::lint(&values).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

#[test]
fn two_renders_are_the_same_bytes_on_every_supported_version() -> Outcome {
    for (name, values) in scenarios(&["a", "b"]) {
        let once = chart::render(&values, RELEASE, "operator")?;
        for version in ["1.33.0", "1.37.2-gke.1"] {
            let again = chart::render_with(&values, RELEASE, "operator", &["--kube-version", version])?;
            assert_eq!(once, again, "{name} on Kubernetes {version}");
        }
    }
    let refused = chart::render_with(&json!({}), RELEASE, "operator", &["--kube-version", "1.32.9"]);
    let said = refused.expect_err("Kubernetes 1.32 is not supported").to_string();
    assert!(said.contains("incompatible with Kubernetes v1.32.9"), "{said}");
    Ok(())
}

#[test]
fn templates_use_nothing_that_differs_from_render_to_render() -> Outcome {
    for entry in fs::read_dir(chart::folder().join("templates"))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        for forbidden in ["lookup", "rand", "genCA", "genSelf", "genSigned", "genPrivate", "now", "uuidv4", "hook"] {
            let mut words = text.split(|c: char| !c.is_alphanumeric());
            assert!(!words.any(|word| word.starts_with(forbidden)), "{} uses {forbidden}", path.display());
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_api_server_accepts_every_rendering() -> Outcome {
    let plane = shared().await?;
    let (own, other) = (plane.namespace("chart").await?, plane.namespace("chart").await?);
    for (name, values) in scenarios(&[&own, &other]) {
        let rendered = chart::render(&values, RELEASE, &own)?;
        let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
        let accepted = plane.kubectl_with(&apply, &rendered).await?;
        accepted.ok().map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_restricted_namespace_accepts_the_pod() -> Outcome {
    let plane = shared().await?;
    let namespace = plane.namespace("restricted").await?;
    let level = "pod-security.kubernetes.io/enforce=restricted";
    plane.kubectl(&["label", "namespace", &namespace, level]).await?.ok()?;
    let create = ["create", "--dry-run=server", "--namespace", &namespace, "-f", "-"];
    for (name, values) in scenarios(&["a"]) {
        let pod = as_pod(pod(&values)?);
        let accepted = plane.kubectl_with(&create, &pod.to_string()).await?;
        accepted.ok().map_err(|error| format!("{name}: {error}"))?;
    }
    let lax = as_pod(pod(&json!({"securityContext": {"capabilities": null}}))?);
    let refused = plane.kubectl_with(&create, &lax.to_string()).await?.failure()?;
    assert!(
        refused.contains("violates PodSecurity"),
        "a lax pod must be refused, so that acceptance means something: {refused}"
    );
    Ok(())
}

/// A pod of a Deployment's template.
fn as_pod(mut template: Value) -> Value {
    template["apiVersion"] = json!("v1");
    template["kind"] = json!("Pod");
    template["metadata"]["name"] = json!("operator");
    template
}

#[test]
fn only_values_that_are_set_become_flags() -> Outcome {
    let arguments = |values: Value| Ok::<_, testbed::Error>(pod(&values)?["spec"]["containers"][0]["args"].clone());
    assert_eq!(
        arguments(json!({}))?,
        json!([
            "run",
            "--http=0.0.0.0:8080",
            "--log-format=json",
            "--leader-election",
            "--lease-name=photos-photo-removal-operator",
        ])
    );
    let alone = json!({"leaderElection": {"enabled": false, "leaseDuration": "30s"}});
    assert_eq!(arguments(alone)?, json!(["run", "--http=0.0.0.0:8080", "--log-format=json"]));
    assert_eq!(arguments(json!({"watchNamespaces": ["a", "b"]}))?[2], "--namespaces=a,b");
    let expected = json!([
        "run",
        "--http=0.0.0.0:8080",
        "--selector=shard=a,tier in (x, y)",
        "--cloud=Global=https://login.test,https://graph.test",
        "--cloud=China=http://127.0.0.1:1,http://127.0.0.1:2",
        "--max-in-flight=8",
        "--retry-base=5s",
        "--retry-cap=1h30m",
        "--stalled-recheck=2h",
        "--credential-recheck=1m",
        "--log-format=text",
        "--leader-election",
        "--lease-name=photos-photo-removal-operator",
        "--lease-duration=30s",
        "--lease-renew-deadline=20s",
        "--lease-retry-period=4s",
        "--ca-file=/etc/photo-removal-operator/ca/bundle.pem",
        "--extra=1",
    ]);
    assert_eq!(arguments(everything())?, expected);
    Ok(())
}

#[test]
fn the_environment_names_pod_log_level_and_proxy() -> Outcome {
    let names = |values: Value| {
        let pod = pod(&values)?;
        let env = pod["spec"]["containers"][0]["env"].as_array().cloned().unwrap_or_default();
        Ok::<_, testbed::Error>(env.into_iter().map(|e| (e["name"].clone(), e["value"].clone())).collect::<Vec<_>>())
    };
    let plain = [(json!("POD_NAMESPACE"), Value::Null), (json!("POD_NAME"), Value::Null)];
    assert_eq!(names(json!({}))?, plain);
    let more = [
        (json!("RUST_LOG"), json!("info,photo_removal_operator=debug")),
        (json!("HTTPS_PROXY"), json!("http://proxy.test:3128")),
        (json!("NO_PROXY"), json!("$(KUBERNETES_SERVICE_HOST),.test")),
        (json!("TZ"), json!("UTC")),
    ];
    assert_eq!(names(everything())?[2..], more);
    Ok(())
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let table = [
        (json!({"replicas": 2, "leaderElection": {"enabled": false}}), "replicas must be 1"),
        (json!({"replicas": -1}), "replicas"),
        (json!({"leaderElection": {"leaseDuration": "15"}}), "leaseDuration"),
        (json!({"operator": {"maxInflight": 2}}), "maxInflight"),
        (json!({"operator": {"maxInFlight": 0}}), "maxInFlight"),
        (json!({"operator": {"retry": {"base": "5 seconds"}}}), "base"),
        (json!({"operator": {"clouds": ["Mars=https://a,https://b"]}}), "clouds"),
        (json!({"operator": {"log": {"format": "xml"}}}), "format"),
        (json!({"watchNamespaces": "a,b"}), "watchNamespaces"),
        (json!({"watchNamespaces": ["Not-A-Namespace"]}), "watchNamespaces"),
        (json!({"image": {"digest": "sha256:12"}}), "digest"),
        (json!({"serviceAccountCredentials": {"enabled": "no"}}), "serviceAccountCredentials"),
        (json!({"delegatedCredentials": {"names": ["graph"]}}), "names"),
        (json!({"delegatedCredentials": {"resourceNames": ["*"]}}), "resourceNames"),
        (json!({"serviceAccount": {"create": false}}), "serviceAccount.name must be given"),
    ];
    for (values, named) in table {
        let said = chart::render(&values, RELEASE, "operator").expect_err("these values make no sense").to_string();
        assert!(said.contains(named), "{values} was refused without naming {named}: {said}");
    }
}

#[test]
fn the_token_is_mounted_by_the_chart_alone() -> Outcome {
    let documents = documents(&json!({}))?;
    assert_eq!(of_kind(&documents, "ServiceAccount")[0]["automountServiceAccountToken"], false);
    let pod = pod(&json!({}))?;
    assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
    let mount = &pod["spec"]["containers"][0]["volumeMounts"][0];
    assert_eq!(mount["mountPath"], "/var/run/secrets/kubernetes.io/serviceaccount");
    let sources = &pod["spec"]["volumes"][0]["projected"]["sources"];
    assert_eq!(sources[0]["serviceAccountToken"], json!({"path": "token", "expirationSeconds": 3600}));
    assert_eq!(sources[1]["configMap"]["name"], "kube-root-ca.crt");
    assert_eq!(sources[2]["downwardAPI"]["items"][0]["path"], "namespace");
    Ok(())
}

#[test]
fn watched_namespaces_get_roles_and_nothing_else_does() -> Outcome {
    let wide = documents(&json!({}))?;
    assert_eq!(of_kind(&wide, "ClusterRole").len(), 1);
    let of_the_lease = |role: &&Value| role["metadata"]["name"] == "photos-photo-removal-operator-leader-election";
    assert!(of_kind(&wide, "Role").iter().all(of_the_lease));
    let narrow = documents(&json!({"watchNamespaces": ["a", "b"]}))?;
    assert!(of_kind(&narrow, "ClusterRole").is_empty() && of_kind(&narrow, "ClusterRoleBinding").is_empty());
    let mut granted = of_kind(&narrow, "Role");
    granted.retain(|role| !of_the_lease(role));
    let places: Vec<_> = granted.iter().map(|role| &role["metadata"]["namespace"]).collect();
    assert_eq!(places, ["a", "b"]);
    let rules = &of_kind(&wide, "ClusterRole")[0]["rules"];
    assert!(granted.iter().all(|role| role["rules"] == *rules));
    assert_eq!(of_kind(&narrow, "RoleBinding").len(), 3);
    Ok(())
}

#[tokio::test]
async fn with_watched_namespaces_the_account_may_act_in_them_only() -> Outcome {
    let plane = shared().await?;
    let (own, watched) = (plane.namespace("chart").await?, plane.namespace("watched").await?);
    let values = json!({"watchNamespaces": [watched], "crds": {"enabled": false}});
    let apply = ["apply", "--server-side", "-f", "-"];
    plane.kubectl_with(&apply, &chart::render(&values, RELEASE, &own)?).await?.ok()?;
    let account = format!("system:serviceaccount:{own}:{RELEASE}-photo-removal-operator");
    let may = async |verb: &str, what: &str, namespace: &str| may(plane, &account, verb, what, namespace).await;
    eventually("the roles are in force", SOON, async || {
        if may("get", "/secrets", &watched).await? { Ok(()) } else { Err(testbed::Error::from("not yet")) }
    })
    .await?;
    let events = ("create", "events.k8s.io/events");
    for (verb, what) in
        [("watch", "photoremoval.dev/photoremovals"), ("update", "photoremoval.dev/photoremovals/status"), events]
    {
        assert!(may(verb, what, &watched).await?, "{verb} {what} is not allowed");
    }
    for (verb, what) in [("list", "/secrets"), ("create", "/events"), ("patch", "photoremoval.dev/photoremovals")] {
        assert!(!may(verb, what, &watched).await?, "{verb} {what} is allowed");
    }
    assert!(!may("get", "/secrets", &own).await?, "secrets beside the operator are readable");
    Ok(())
}

/// Whether the API server lets `account` do this to `what`: group, resource and perhaps subresource, with slashes.
async fn may(plane: &ControlPlane, account: &str, verb: &str, what: &str, namespace: &str) -> testbed::Result<bool> {
    let mut parts = what.splitn(3, '/');
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": account, "resourceAttributes": {
            "namespace": namespace,
            "verb": verb,
            "group": parts.next(),
            "resource": parts.next(),
            "subresource": parts.next().unwrap_or_default(),
        }},
    });
    let create = ["create", "-f", "-", "-o", "jsonpath={.status.allowed}"];
    Ok(plane.kubectl_with(&create, &review.to_string()).await?.ok()? == "true")
}

#[test]
fn the_crd_is_the_file_with_helms_annotation() -> Outcome {
    let file = fs::read_to_string(chart::folder().join("files/photoremovals.photoremoval.dev.yaml"))?;
    let file = chart::documents(&file)?.remove(0);
    let rendered = |values: Value| {
        Ok::<_, testbed::Error>(
            of_kind(&documents(&values)?, "CustomResourceDefinition").first().map(|crd| (*crd).clone()),
        )
    };
    let kept = rendered(json!({"crds": {"annotations": {"a": "b"}}}))?.ok_or("the CRD is missing")?;
    assert_eq!(alike(&kept["spec"]), alike(&file["spec"]));
    assert_eq!(kept["metadata"]["name"], file["metadata"]["name"]);
    assert_eq!(kept["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    assert_eq!(kept["metadata"]["annotations"]["a"], "b");
    let removable = rendered(json!({"crds": {"keep": false}}))?.ok_or("the CRD is missing")?;
    assert_eq!(removable["metadata"]["annotations"], file["metadata"]["annotations"]);
    assert_eq!(rendered(json!({"crds": {"enabled": false}}))?, None);
    Ok(())
}

/// Whole numbers as such: Helm writes large ones without their point.
fn alike(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(alike).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), alike(value))).collect(),
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}

#[test]
fn every_value_is_explained_where_it_stands_and_in_the_schema() -> Outcome {
    let text = fs::read_to_string(chart::folder().join("values.yaml"))?;
    let values = chart::documents(&text)?.remove(0);
    let schema: Value = serde_json::from_str(&fs::read_to_string(chart::folder().join("values.schema.json"))?)?;
    let mut described = BTreeSet::new();
    describe(&schema, "", &mut described);
    let mut given = BTreeSet::new();
    paths(&values, &schema, "", &mut given);
    // Helm's own keys, which no user sets here.
    given
        .extend(["global", "enabled", "resources.claims", "resources.requests", "resources.limits"].map(str::to_owned));
    assert_eq!(given, described, "values.yaml (left) and values.schema.json (right) name different values");
    let lines: Vec<_> = text.lines().collect();
    for path in
        given.iter().filter(|path| !["global", "enabled"].contains(&path.as_str()) && !path.starts_with("resources."))
    {
        let key = path.rsplit('.').next().unwrap_or(path);
        let key = format!("{}{key}:", "  ".repeat(path.matches('.').count()));
        let commented = lines.windows(2).any(|pair| pair[1].starts_with(&key) && pair[0].trim_start().starts_with('#'));
        assert!(commented, "{path} has no comment in values.yaml");
    }
    Ok(())
}

/// Paths of all properties that the schema describes; one without description is a failure.
fn describe(schema: &Value, at: &str, into: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        assert!(property["description"].is_string(), "{path} has no description in values.schema.json");
        describe(property, &path, into);
        into.insert(path);
    }
}

/// Paths of all values, as deep as the schema describes them.
fn paths(values: &Value, schema: &Value, at: &str, into: &mut BTreeSet<String>) {
    for (name, value) in values.as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let inner = &schema["properties"][name];
        if inner["properties"].is_object() {
            paths(value, inner, &path, into);
        }
        into.insert(path);
    }
}
