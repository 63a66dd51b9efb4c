//! What is stored of what was written: nulls, unknown fields, a status that nobody may write.

use serde_json::{Value, json};

use crate::Outcome;
use crate::bed::{Bed, GUID, secret, with_group};

#[tokio::test]
async fn a_null_is_as_good_as_nothing() -> Outcome {
    let bed = Bed::new("nulls").await?;
    let plain =
        bed.create(&json!({"metadata": {"name": "plain"}, "spec": with_group(GUID)})).await.expect("a resource");
    let nulls = json!({
        "target": {"group": GUID, "user": null},
        "credentials": {"secretRef": secret("graph")["secretRef"], "tenantId": null, "clientId": null},
        "cloud": null,
        "suspend": null,
    });
    let nulls = json!({"metadata": {"name": "nulls"}, "spec": nulls, "status": null});
    let nulls = bed.create(&nulls).await.expect("a resource");
    assert_eq!(nulls["spec"], plain["spec"]);
    assert_eq!(nulls["status"], plain["status"]);
    assert_eq!(nulls["status"]["observedGeneration"], -1);
    Ok(())
}

#[tokio::test]
async fn a_status_that_a_user_writes_is_not_kept() -> Outcome {
    let bed = Bed::new("status").await?;
    let claim = json!({"metadata": {"name": "claim"}, "spec": with_group(GUID), "status": {"outcome": "Removed"}});
    let created = bed.create(&claim).await.expect("a resource");
    assert_eq!(created["status"]["outcome"], Value::Null, "{created}");
    Ok(())
}

#[tokio::test]
async fn a_field_that_is_unknown_is_not_kept_and_refused_where_kubectl_is_strict() -> Outcome {
    let bed = Bed::new("unknown").await?;
    let mut spec = with_group(GUID);
    spec["target"]["url"] = json!("https://contoso.com");
    spec["dryrun"] = json!(true);
    let created = bed.create(&json!({"metadata": {"name": "lax"}, "spec": spec})).await.expect("a resource");
    assert_eq!(created["spec"]["target"], json!({"group": GUID}));
    assert_eq!(created["spec"]["dryrun"], Value::Null);

    let manifest = json!({
        "apiVersion": "photoremoval.dev/v1alpha1", "kind": "PhotoRemoval", "metadata": {"name": "strict"}, "spec": spec,
    });
    let said = bed.kubectl(&["create", "-f", "-", "--validate=strict"], &manifest.to_string()).await?.failure()?;
    for field in ["spec.dryrun", "spec.target.url"] {
        assert!(said.contains(&format!("unknown field \"{field}\"")), "{said}");
    }
    Ok(())
}
