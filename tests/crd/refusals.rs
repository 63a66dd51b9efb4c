//! What a person reads whose resource is refused: the field, and a sentence in plain words.

use serde_json::{Value, json};

use crate::Outcome;
use crate::bed::{Bed, GUID, secret, with_credentials, with_group, with_user};

const USER: &str = "user must be an object id (a GUID) or a user principal name such as leaver@contoso.com, made of \
    letters, digits and ' . - _ ! # ^ ~ $ before the @";
const GROUP: &str = "group must be an object id (a GUID)";
const ONE_TARGET: &str = "target takes exactly one of user, group and me";
const ONE_CREDENTIAL: &str = "credentials takes exactly one of secretRef and serviceAccountRef";
const SECRET: &str = "secretRef.name must be the name of a Secret: lower-case letters, digits, '-' and '.'";
const TENANT: &str = "tenantId must be a GUID, a domain such as contoso.onmicrosoft.com, or consumers";
const CLIENT: &str = "clientId must be a GUID";

#[tokio::test]
async fn a_refusal_names_the_field_and_says_what_it_takes() -> Outcome {
    let bed = Bed::new("refusals").await?;
    let cloud = |cloud: Value| json!({"target": {"group": GUID}, "credentials": secret("graph"), "cloud": cloud});
    let both = json!({"target": {"user": "leaver@contoso.com", "group": GUID}, "credentials": secret("graph")});
    let no_cloud = "Unsupported value: \"global\": supported values: \"Global\", \"USGovernmentL4\", \"USGovernmentL5\", \"China\"";
    let rows = [
        (with_user("leaver"), "spec.target.user", USER),
        (with_user(""), "spec.target.user", USER),
        (with_group("all-staff@contoso.com"), "spec.target.group", GROUP),
        (with_group("all-staff-newsletter@contoso.onmicrosoft.com"), "spec.target.group", GROUP),
        (with_group(""), "spec.target.group", GROUP),
        (json!({"target": {}, "credentials": secret("graph")}), "spec.target", ONE_TARGET),
        (both, "spec.target", ONE_TARGET),
        (json!({"target": {"group": GUID, "me": {}}, "credentials": secret("graph")}), "spec.target", ONE_TARGET),
        (with_credentials(&json!({"serviceAccountRef": {"name": "a"}})), "spec.credentials", ONE_CREDENTIAL),
        (json!({"target": {"group": GUID}, "credentials": {}}), "spec.credentials", ONE_CREDENTIAL),
        (with_credentials(&secret("Graph")), "spec.credentials.secretRef.name", SECRET),
        (with_credentials(&json!({"tenantId": "common"})), "spec.credentials.tenantId", TENANT),
        (with_credentials(&json!({"clientId": "offboarder"})), "spec.credentials.clientId", CLIENT),
        (with_credentials(&json!({"secretRef": {}})), "spec.credentials.secretRef.name", "Required value"),
        (cloud(json!("global")), "spec.cloud", no_cloud),
    ];
    for (spec, field, words) in rows {
        let refusal = bed.try_out(&spec).await.expect_err("a refusal");
        assert!(
            refusal.contains(&(field.to_owned(), words.to_owned())),
            "of {spec}: expected {words:?} of {field}, came {refusal:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_status_holds_only_what_the_operator_can_mean() -> Outcome {
    let bed = Bed::new("status").await?;
    bed.create(&json!({"metadata": {"name": "x"}, "spec": with_group(GUID)})).await.expect("a resource");
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "Removed", "message": "Gone.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let rows = [
        (json!({"outcome": "Gone"}), "Unsupported value: \"Gone\""),
        (json!({"conditions": [condition, condition]}), "Duplicate value"),
        (json!({"conditions": [{"type": "Ready", "status": "True"}]}), "Required value"),
        (json!({"nextAttemptTime": "tomorrow"}), "status.nextAttemptTime"),
        (json!({"pause": {"until": "2026-01-01T00:00:00Z"}}), "status.pause.clientId"),
    ];
    for (status, expected) in rows {
        let change = json!({"status": status}).to_string();
        let patch = ["patch", "phr", "x", "--subresource=status", "--type=merge", "--patch", &change];
        let said = bed.kubectl(&patch, "").await?.failure()?;
        assert!(said.contains(expected), "of {change}: expected {expected:?}, came {said}");
    }
    Ok(())
}
