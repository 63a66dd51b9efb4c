//! What may change after creation: everything but whose photo it is and where.

use serde_json::{Value, json};

use crate::Outcome;
use crate::bed::{Bed, GUID, secret};

const TARGET: &str = "target cannot be changed; create another PhotoRemoval for another target";
const CLOUD: &str = "cloud cannot be changed; create another PhotoRemoval for another cloud";

#[tokio::test]
async fn whose_photo_it_is_and_where_does_not_change() -> Outcome {
    let bed = Bed::new("fixed").await?;
    create(&bed).await;
    let rows = [
        (json!({"target": {"user": "other@contoso.com"}}), TARGET),
        // Graph would take it for the same person; Kubernetes cannot know.
        (json!({"target": {"user": "Leaver@contoso.com"}}), TARGET),
        (json!({"target": {"user": null, "group": GUID}}), TARGET),
        (json!({"cloud": "Global"}), CLOUD),
        // Left out, it is the default's.
        (json!({"cloud": null}), CLOUD),
    ];
    for (spec, words) in rows {
        let said = patch(&bed, &spec).await?.failure()?;
        assert!(said.contains(words), "of {spec}: expected {words:?}, came {said}");
    }
    Ok(())
}

#[tokio::test]
async fn the_rest_changes_and_each_change_is_a_new_generation() -> Outcome {
    let bed = Bed::new("loose").await?;
    create(&bed).await;
    let rows = [
        json!({"suspend": true}),
        json!({"suspend": null}),
        json!({"credentials": secret("another")}),
        json!({"credentials": {"tenantId": "contoso.com"}}),
        json!({"credentials": {"tenantId": null, "clientId": GUID}}),
    ];
    for (changes, spec) in rows.into_iter().enumerate() {
        let changed: Value = serde_json::from_str(&patch(&bed, &spec).await?.ok()?)?;
        assert_eq!(changed["metadata"]["generation"], changes + 2, "after {spec}");
    }
    Ok(())
}

async fn create(bed: &Bed) {
    let spec = json!({
        "target": {"user": "leaver@contoso.com"}, "credentials": secret("graph"), "cloud": "USGovernmentL4",
    });
    bed.create(&json!({"metadata": {"name": "x"}, "spec": spec})).await.expect("a resource");
}

async fn patch(bed: &Bed, spec: &Value) -> Result<testbed::Output, testbed::Error> {
    let change = json!({"spec": spec}).to_string();
    bed.kubectl(&["patch", "phr", "x", "--type=merge", "--output=json", "--patch", &change], "").await
}
