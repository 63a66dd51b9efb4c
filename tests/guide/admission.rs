//! What the API server takes and what it refuses, and in which words.

use photo_removal_operator::api;
use serde_json::{Value, json};
use testbed::{ControlPlane, Output, SOON, eventually, shared};

use crate::Outcome;

const GUID: &str = "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d";

/// A shared plane that serves the definition, and a namespace.
pub(crate) async fn served(prefix: &str) -> Result<(&'static ControlPlane, String), testbed::Error> {
    let plane = shared().await?;
    let crd = api::crd_yaml().expect("the definition as YAML");
    plane.kubectl_with(&["apply", "--server-side", "-f", "-"], &crd).await?.ok()?;
    let get = || async { plane.kubectl(&["get", "photoremovals", "-A"]).await?.ok() };
    eventually("photoremovals are served", SOON, get).await?;
    Ok((plane, plane.namespace(prefix).await?))
}

pub(crate) fn manifest(name: &str, spec: &Value) -> String {
    json!({
        "apiVersion": "photoremoval.dev/v1alpha1", "kind": "PhotoRemoval", "metadata": {"name": name}, "spec": spec,
    })
    .to_string()
}

async fn create(plane: &ControlPlane, namespace: &str, spec: &Value) -> Result<Output, testbed::Error> {
    let dry = ["create", "-n", namespace, "--dry-run=server", "-f", "-"];
    plane.kubectl_with(&dry, &manifest("x", spec)).await
}

#[allow(clippy::needless_pass_by_value, reason = "the rows of the tables read better so")]
fn with(target: Value, credentials: Value) -> Value {
    json!({"target": target, "credentials": credentials})
}

fn secret() -> Value {
    json!({"secretRef": {"name": "graph"}})
}

/// A good spec with these fields of its life.
#[allow(clippy::needless_pass_by_value, reason = "the rows of the tables read better so")]
fn life(fields: Value) -> Value {
    let mut spec = with(user(), secret());
    if let (Some(spec), Some(fields)) = (spec.as_object_mut(), fields.as_object()) {
        spec.extend(fields.clone());
    }
    spec
}

fn user() -> Value {
    json!({"user": "leaver@contoso.com"})
}

#[tokio::test]
async fn what_makes_sense_is_taken() -> Outcome {
    let (plane, namespace) = served("accepts").await?;
    let rows = [
        with(user(), secret()),
        with(json!({"user": GUID}), secret()),
        with(json!({"user": "guest_fabrikam.com#EXT#@contoso.com"}), secret()),
        with(json!({"user": "$cash@contoso.com"}), secret()),
        with(json!({"user": "o'brien.x_y-z!^~@sub.contoso.com"}), secret()),
        with(json!({"group": GUID}), secret()),
        with(user(), json!({"secretRef": {"name": "a.b-c"}, "tenantId": GUID, "clientId": GUID.to_uppercase()})),
        with(user(), json!({"secretRef": {"name": "graph"}, "tenantId": "contoso.onmicrosoft.com"})),
        with(user(), json!({"secretRef": {"name": "graph"}, "tenantId": "consumers"})),
        with(json!({"me": {}}), secret()),
        with(user(), json!({"serviceAccountRef": {"name": "offboarder.v2"}})),
        with(user(), json!({"serviceAccountRef": {"name": "offboarder"}, "tenantId": GUID, "clientId": GUID})),
        json!({"target": user(), "credentials": secret(), "cloud": "China", "suspend": true}),
        life(json!({"notBefore": "2026-12-01T00:00:00Z", "notAfter": "2026-12-31T00:00:00+01:00"})),
        life(json!({"notAfter": "2020-01-01T00:00:00Z", "dryRun": true})),
        life(json!({"backoffLimit": 0, "ttlSecondsAfterFinished": 0})),
        life(json!({"backoffLimit": 2_147_483_647, "ttlSecondsAfterFinished": 1_000_000_000})),
        life(json!({"recheckInterval": "1h"})),
        life(json!({"recheckInterval": "36h15m30s"})),
        life(json!({"recheckInterval": "1000000000s"})),
        json!({"target": {"user": "leaver@contoso.com", "group": null}, "credentials": secret()}),
    ];
    for spec in rows {
        create(plane, &namespace, &spec).await?.ok().map_err(|error| format!("{spec}: {error}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_plain_words() -> Outcome {
    let (plane, namespace) = served("rejects").await?;
    let one_target = "target takes exactly one of user, group and me";
    let one_reference = "credentials takes exactly one of secretRef and serviceAccountRef";
    let no_account = "serviceAccountRef.name must be the name of a ServiceAccount";
    let no_user = "user must be an object id (a GUID) or a user principal name such as leaver@contoso.com";
    let no_secret = "secretRef.name must be the name of a Secret";
    let no_tenant = "tenantId must be a GUID, a domain such as contoso.onmicrosoft.com, or consumers";
    let not_before = "notBefore must be before notAfter";
    let no_recheck = "recheckInterval must be a duration of at least one hour, such as 24h or 1h30m";
    let rows = [
        (with(json!({}), secret()), one_target),
        (with(json!({"user": "a@contoso.com", "group": GUID}), secret()), one_target),
        (with(json!({"user": "a@contoso.com", "me": {}}), secret()), one_target),
        (with(json!({"me": {"name": "jane"}}), secret()), "unknown field \"spec.target.me.name\""),
        (with(json!({"user": "leaver"}), secret()), no_user),
        (with(json!({"user": "leaver@contoso"}), secret()), no_user),
        (with(json!({"user": "a@b@contoso.com"}), secret()), no_user),
        (with(json!({"user": ""}), secret()), no_user),
        (with(json!({"user": "a%2Fb@contoso.com"}), secret()), no_user),
        (with(json!({"user": ".."}), secret()), no_user),
        (with(json!({"user": "a/../b@contoso.com"}), secret()), no_user),
        (with(json!({"group": "marketing"}), secret()), "group must be an object id (a GUID)"),
        (with(user(), json!({})), one_reference),
        (with(user(), json!({"secretRef": {"name": "a"}, "serviceAccountRef": {"name": "a"}})), one_reference),
        (with(user(), json!({"serviceAccountRef": {"name": "system:admin"}})), no_account),
        (with(user(), json!({"secretRef": {"name": "Graph"}})), no_secret),
        (with(user(), json!({"secretRef": {"name": "../graph"}})), no_secret),
        (with(user(), json!({"secretRef": {"name": ""}})), no_secret),
        (with(user(), json!({"secretRef": {"name": "graph"}, "tenantId": "contoso"})), no_tenant),
        (with(user(), json!({"secretRef": {"name": "graph"}, "clientId": "app"})), "clientId must be a GUID"),
        (json!({"target": user()}), "spec.credentials: Required value"),
        (json!({"credentials": secret()}), "spec.target: Required value"),
        (json!({"target": user(), "credentials": secret(), "cloud": "Mars"}), "Unsupported value: \"Mars\""),
        (json!({"target": user(), "credentials": secret(), "suspend": "yes"}), "spec.suspend"),
        (life(json!({"dryrun": true})), "unknown field \"spec.dryrun\""),
        (life(json!({"dryRun": "yes"})), "spec.dryRun"),
        (life(json!({"notBefore": "2026-12-01T00:00:00Z", "notAfter": "2026-12-01T00:00:00Z"})), not_before),
        (life(json!({"notBefore": "2026-12-01T00:00:01Z", "notAfter": "2026-12-01T01:00:00+01:00"})), not_before),
        (life(json!({"notAfter": "tomorrow"})), "spec.notAfter"),
        (life(json!({"backoffLimit": -1})), "spec.backoffLimit"),
        (life(json!({"ttlSecondsAfterFinished": -1})), "spec.ttlSecondsAfterFinished"),
        (life(json!({"ttlSecondsAfterFinished": 10_000_000_000_i64})), "spec.ttlSecondsAfterFinished"),
        (life(json!({"recheckInterval": "59m"})), no_recheck),
        (life(json!({"recheckInterval": "-2h"})), no_recheck),
        (life(json!({"recheckInterval": ""})), no_recheck),
        (life(json!({"recheckInterval": "daily"})), no_recheck),
        (life(json!({"recheckInterval": "99999999999999h"})), "spec.recheckInterval"),
        (life(json!({"recheckInterval": "1h", "ttlSecondsAfterFinished": 60})), "do not go together"),
    ];
    for (spec, expected) in rows {
        let said = create(plane, &namespace, &spec).await?.failure().map_err(|error| format!("{spec}: {error}"))?;
        assert!(said.contains(expected), "of {spec} wanted {expected:?}, got {said}");
    }
    Ok(())
}

#[tokio::test]
async fn target_and_cloud_cannot_be_changed_and_the_rest_can() -> Outcome {
    let (plane, namespace) = served("immutable").await?;
    let create = ["create", "-n", &namespace, "-f", "-"];
    plane.kubectl_with(&create, &manifest("x", &with(user(), secret()))).await?.ok()?;
    let patch = |change: Value| {
        let (namespace, change) = (namespace.clone(), change.to_string());
        async move { plane.kubectl(&["patch", "phr", "x", "-n", &namespace, "--type=merge", "-p", &change]).await }
    };
    let rows = [
        (json!({"spec": {"target": {"user": "other@contoso.com"}}}), "target cannot be changed"),
        (json!({"spec": {"cloud": "China"}}), "cloud cannot be changed"),
    ];
    for (change, expected) in rows {
        let said = patch(change.clone()).await?.failure()?;
        assert!(said.contains(expected), "of {change} wanted {expected:?}, got {said}");
    }
    patch(json!({"spec": {"suspend": true, "credentials": {"secretRef": {"name": "other"}}}})).await?.ok()?;
    Ok(())
}
