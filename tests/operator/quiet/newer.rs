//! What a newer version wrote: an older one that comes back leaves it, and sends nothing again.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::ApiResource;
use photo_removal_operator::api::{PhotoRemoval, Reason, crd};
use serde_json::{Value, json};
use testbed::{ControlPlane, Options, SOON, World, eventually};

use crate::Outcome;
use crate::given::{A_WHILE, calls, deletes, stays};

/// The definition of a version to come: more outcomes and more fields in the status.
fn newer() -> CustomResourceDefinition {
    let mut newer = crd();
    for version in &mut newer.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let status = schema.and_then(|schema| schema.properties.as_mut()?.get_mut("status")).expect("a status");
        status.x_kubernetes_preserve_unknown_fields = Some(true);
        let outcome = status.properties.as_mut().and_then(|fields| fields.get_mut("outcome")).expect("an outcome");
        outcome.enum_ = None;
    }
    newer.metadata.managed_fields = None;
    newer
}

/// The removals of the world as they are stored, whatever a version makes of them.
fn raw(world: &World) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<PhotoRemoval>(&());
    Api::namespaced_with(world.client().clone(), world.namespace(), &resource)
}

async fn stored(world: &World, name: &str) -> Result<Value, kube::Error> {
    raw(world).get(name).await.map(|object| object.data["status"].clone())
}

/// Every name's photo was removed under the newer definition, and no operator runs now.
async fn removed_under_the_newer(names: &[&str]) -> Result<World, Box<dyn std::error::Error>> {
    let plane = ControlPlane::start(Options::default()).await?;
    let world = World::builder().on(plane).without_definition().faulty_api().build().await?;
    let definitions = Api::<CustomResourceDefinition>::all(world.client().clone());
    let parameters = PatchParams::apply("testbed").force();
    definitions.patch("photoremovals.photoremoval.dev", &parameters, &Patch::Apply(&newer())).await?;
    let removals = raw(&world);
    eventually("photoremovals are served", SOON, || async { removals.list(&ListParams::default()).await }).await?;
    world.start_operator().await?;
    for name in names {
        let user = format!("{name}@contoso.com");
        world.user(&user);
        world.remove(name, &user).await?;
        world.wait_for_reason(name, Reason::Removed).await?;
    }
    world.stop_operator().await?;
    Ok(world)
}

/// What the newer version added to the status.
async fn add(world: &World, name: &str, change: &Value) -> Result<Value, kube::Error> {
    let patch = Patch::Merge(json!({"status": change}));
    raw(world).patch_status(name, &PatchParams::default(), &patch).await?;
    stored(world, name).await
}

/// A marker that begins and ends after everything stored was looked at.
async fn until_all_is_looked_at(world: &World) -> Outcome {
    world.user("marker@contoso.com");
    world.remove("marker", "marker@contoso.com").await?;
    world.wait_for_reason("marker", Reason::Removed).await?;
    Ok(())
}

#[tokio::test]
async fn an_outcome_and_a_field_of_a_newer_version_are_left_and_nothing_is_sent_again() -> Outcome {
    let world = removed_under_the_newer(&["field", "outcome"]).await?;
    let verification = json!({"by": "auditor", "times": 2});
    let field = add(&world, "field", &json!({"verification": verification})).await?;
    assert_eq!(field["verification"], verification, "the newer definition keeps the field");
    add(&world, "outcome", &json!({"outcome": "Anonymised", "verification": verification})).await?;
    let written = |name: &str| calls(&world, "PUT", &format!("/photoremovals/{name}/status"));
    let before = (written("field"), written("outcome"));
    world.start_operator().await?;
    until_all_is_looked_at(&world).await?;
    let what = "outcome to say that this version cannot read it";
    eventually(what, A_WHILE, || async {
        let status = stored(&world, "outcome").await.map_err(|error| error.to_string())?;
        if status["conditions"].to_string().contains("does not fit") { Ok(()) } else { Err(status.to_string()) }
    })
    .await?;
    world.restart_operator().await?;
    world.delete("marker").await?;
    until_all_is_looked_at(&world).await?;
    stays("status writes of field and outcome", || (written("field"), written("outcome"))).await;
    assert_eq!(stored(&world, "field").await?, field, "field: the status as the newer version left it");
    let outcome = stored(&world, "outcome").await?;
    let kept = (&outcome["outcome"], &outcome["verification"], &outcome["evidence"]["clientId"]);
    let expected = (&json!("Anonymised"), &verification, &json!(world.credential().1));
    assert_eq!(kept, expected, "outcome: outcome, verification and evidence");
    let writes = (written("field") - before.0, written("outcome") - before.1);
    assert_eq!(writes, (0, 1), "status writes of field and outcome, over two starts");
    for user in ["field@contoso.com", "outcome@contoso.com"] {
        assert_eq!(deletes(&world, user), 1, "DELETEs about {user}");
    }
    Ok(())
}

#[tokio::test]
async fn a_write_of_an_older_version_leaves_a_field_of_a_newer_one() -> Outcome {
    let world = removed_under_the_newer(&["finished"]).await?;
    let verification = json!({"by": "auditor", "times": 2});
    add(&world, "finished", &json!({"verification": verification})).await?;
    world.start_operator().await?;
    let edited = world.edit("finished", &json!({"spec": {"suspend": true}})).await?;
    let observed = |status: &photo_removal_operator::api::PhotoRemovalStatus| {
        status.observed_generation == edited.metadata.generation
    };
    world.wait_for("finished", "the new generation", observed).await?;
    let status = stored(&world, "finished").await?;
    assert_eq!(status["verification"], verification, "finished: the field after the write, in {status}");
    Ok(())
}
