//! How many pods there are, and how one follows another.

use serde_json::{Value, json};
use testbed::chart;

use crate::Outcome;

#[test]
fn several_pods_are_spread_and_hand_over_and_a_single_one_without_a_lease_is_replaced() -> Outcome {
    let spec = |values: &Value| {
        let documents = chart::documents(&chart::render(values, "photos", "operator")?)?;
        let found = documents.iter().find(|document| document["kind"] == "Deployment");
        Ok::<_, testbed::Error>(found.map(|deployment| deployment["spec"].clone()).unwrap_or_default())
    };
    for (values, replicas, strategy, spread) in [
        (json!({}), 1, "RollingUpdate", false),
        (json!({"replicas": 2}), 2, "RollingUpdate", true),
        (json!({"leaderElection": {"enabled": false}}), 1, "Recreate", false),
    ] {
        let spec = spec(&values)?;
        let pod = &spec["template"]["spec"];
        let spreads = pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].is_object();
        assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&json!(replicas), &json!(strategy)), "{values}");
        assert_eq!(spreads, spread, "{values}");
    }
    Ok(())
}
