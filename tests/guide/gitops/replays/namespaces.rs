//! A namespace is deleted, and Kubernetes' own controller empties it.

use std::time::Duration;

use emulator::{Fault, FaultKind, Operation, Target, User};
use photo_removal_operator::api::{PhotoRemoval, Reason};
use serde_json::{Value, json};
use testbed::{ControlPlane, Options, Result, SOON, World, eventually};

use super::{NAME, Replay, USER, new_photo};
use crate::Outcome;

/// Empties namespaces that are being deleted and lets them go.
const CONTROLLER: &str = "namespace-controller";

/// It leaves a deleted namespace alone for five seconds, and looks again later at what is not empty yet.
const EMPTIED: &str = "--timeout=90s";

/// So long that it does not come to an end within a test.
const NEVER: Duration = Duration::from_secs(3600);

/// A world with a second namespace, for the test to delete. The operator's own account is in the first.
async fn world() -> Result<World> {
    let plane = ControlPlane::start(Options::default()).await?;
    let patient = World::builder().on(plane).namespaces(2).everywhere().config(|config| {
        (config.retry_base, config.retry_cap, config.stalled_recheck) = (NEVER, NEVER, NEVER);
    });
    patient.build().await
}

fn doomed(world: &World) -> &str {
    &world.namespaces()[1]
}

/// A removal in the namespace that is to go.
async fn remove(world: &World, name: &str, fields: &Value) -> Result<PhotoRemoval> {
    let user = format!("{name}@contoso.com");
    let mut manifest = world.manifest(name, &user);
    manifest["metadata"]["namespace"] = json!(doomed(world));
    if let (Some(spec), Some(fields)) = (manifest["spec"].as_object_mut(), fields.as_object()) {
        spec.extend(fields.clone());
    }
    if user != USER {
        world.emulator().put_user(User::new(&user).with_photo());
    }
    world.apply(&manifest).await
}

async fn wait_for_reason(world: &World, name: &str, reason: Reason) -> Result<PhotoRemoval> {
    let removals = world.removals(doomed(world));
    let what = format!("the reason {reason} of {name}");
    let look = || async {
        let object = removals.get(name).await.map_err(|error| error.to_string())?;
        let seen = object.status.as_ref().and_then(photo_removal_operator::api::PhotoRemovalStatus::reason);
        if seen == Some(reason) { Ok(object) } else { Err(format!("{seen:?}")) }
    };
    eventually(&what, SOON, look).await
}

async fn delete_namespace(world: &World, wait: &[&str]) -> Result<String> {
    let arguments = [&["delete", "namespace", doomed(world)], wait].concat();
    world.plane().kubectl(&arguments).await?.ok()
}

/// The operator goes on elsewhere as if nothing had happened.
async fn is_well(world: &World) -> Outcome {
    world.user("next@contoso.com");
    world.remove("next", "next@contoso.com").await?;
    world.wait_for_reason("next", Reason::Removed).await?;
    assert_eq!(world.ask("/readyz").await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn namespace_deleted() -> Outcome {
    let world = world().await?;
    world.start_operator().await?;
    world.plane().run_controllers(&[CONTROLLER]).await?;
    let failing = emulator::catalogue::named("500").ok_or("no fault 500")?;
    world.emulator().add_fault(Fault::on(Operation::Delete, failing).about("waiting@contoso.com"));
    world.user(USER);
    for (name, fields, reason) in [
        (NAME, json!({}), Reason::Removed),
        ("suspended", json!({"suspend": true}), Reason::Suspended),
        ("scheduled", json!({"notBefore": "2999-01-01T00:00:00Z"}), Reason::Scheduled),
        ("waiting", json!({}), Reason::GraphUnavailable),
        ("early", json!({"credentials": {"secretRef": {"name": "later"}}}), Reason::CredentialNotFound),
    ] {
        remove(&world, name, &fields).await?;
        let object = wait_for_reason(&world, name, reason).await?;
        assert_eq!(object.metadata.finalizers, None, "{name} has a finalizer");
    }
    new_photo(&world);
    let sent = world.emulator().requests().len();
    delete_namespace(&world, &["--wait", EMPTIED]).await?;
    assert_eq!(world.emulator().requests().len(), sent, "requests while the namespace went");
    Replay::NamespaceDeleted.ends_as_the_page_says(&world).await?;
    is_well(&world).await
}

/// Its objects are still there, and ask for what they asked for; nothing can be made there any more.
#[tokio::test]
async fn an_operator_that_meets_a_namespace_on_its_way_out_does_not_hold_it_up() -> Outcome {
    let world = world().await?;
    world.user(USER);
    remove(&world, NAME, &json!({})).await?;
    // Nobody empties it yet.
    delete_namespace(&world, &["--wait=false"]).await?;
    world.start_operator().await?;
    wait_for_reason(&world, NAME, Reason::Removed).await?;
    let refused = remove(&world, "late", &json!({})).await.err().ok_or("a removal is taken")?;
    assert!(refused.to_string().contains("being terminated"), "{refused}");
    let events = world.plane().kubectl(&["get", "events", "-n", doomed(&world), "-o", "name"]).await?.ok()?;
    assert_eq!(events, "", "events in a namespace that is being deleted");
    world.plane().run_controllers(&[CONTROLLER]).await?;
    delete_namespace(&world, &["--wait", EMPTIED]).await?;
    assert_eq!(world.emulator().deletes_of(&Target::user(USER)), 1);
    is_well(&world).await
}

/// The answer comes when the object is gone: it is written nowhere, and nothing waits for it.
#[tokio::test]
async fn an_answer_that_comes_after_the_namespace_is_let_go() -> Outcome {
    let world = world().await?;
    world.start_operator().await?;
    world.plane().run_controllers(&[CONTROLLER]).await?;
    world.user(USER);
    let slow = FaultKind::SlowHead { delay: Duration::from_secs(20) };
    world.emulator().add_fault(Fault::on(Operation::Delete, slow).about(USER));
    remove(&world, NAME, &json!({})).await?;
    let asked = || async { (world.emulator().deletes_of(&Target::user(USER)) > 0).then_some(()) };
    eventually("the DELETE is under way", SOON, asked).await?;
    delete_namespace(&world, &["--wait", EMPTIED]).await?;
    let answered = || async {
        let metrics = world.metrics().await.map_err(|error| error.to_string())?;
        let count = r#"photoremoval_graph_requests_total{operation="delete_photo",code="200"} 1"#;
        if metrics.contains(count) { Ok(()) } else { Err(metrics) }
    };
    assert!(answered().await.is_err(), "the answer came before the namespace was gone");
    eventually("the answer", SOON, answered).await?;
    is_well(&world).await?;
    assert_eq!(world.emulator().deletes_of(&Target::user(USER)), 1);
    Ok(())
}

/// Of the namespaces that the operator was told to watch, one is gone, and with it the right to watch it.
#[tokio::test]
async fn an_operator_of_chosen_namespaces_goes_on_in_the_others_and_says_so_after_a_start() -> Outcome {
    let plane = ControlPlane::start(Options::default()).await?;
    let world = World::builder().on(plane).namespaces(2).start().await?;
    world.plane().run_controllers(&[CONTROLLER]).await?;
    world.user(USER);
    remove(&world, NAME, &json!({})).await?;
    wait_for_reason(&world, NAME, Reason::Removed).await?;
    delete_namespace(&world, &["--wait", EMPTIED]).await?;
    is_well(&world).await?;
    world.restart_operator().await?;
    world.user("after@contoso.com");
    world.remove("after", "after@contoso.com").await?;
    world.wait_for_reason("after", Reason::Removed).await?;
    let unready = || async {
        let (code, said) = world.ask("/readyz").await.map_err(|error| error.to_string())?;
        if code == 503 && said.contains("list and watch") { Ok(()) } else { Err(format!("{code}: {said}")) }
    };
    eventually("it says that it may not watch what it was told to", SOON, unready).await?;
    Ok(())
}
