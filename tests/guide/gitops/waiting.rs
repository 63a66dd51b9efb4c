//! `kubectl wait`, for scripts: it ends when section "Waiting" of the README says so, and not before.

use photo_removal_operator::api::Reason;
use serde_json::json;
use testbed::{Output, World};

use crate::Outcome;

const USER: &str = "leaver@contoso.com";

/// As the README has it, with its own time-out.
async fn wait(world: &World, name: &str, condition: &str, timeout: &str) -> testbed::Result<Output> {
    let object = format!("phr/{name}");
    let (condition, timeout) = (format!("--for=condition={condition}"), format!("--timeout={timeout}"));
    world.plane().kubectl(&["wait", &object, "-n", world.namespace(), &condition, &timeout]).await
}

#[tokio::test]
async fn kubectl_waits_for_ready_and_for_stalled_from_before_the_operator_on() -> Outcome {
    let world = World::builder().build().await?;
    world.user(USER);
    world.remove("leaver", USER).await?;
    world.remove("unknown", "nobody@contoso.com").await?;
    let start = async {
        // Both waits see the objects as nobody has looked at them.
        world.start_operator().await?;
        Ok::<_, testbed::Error>(())
    };
    let (ready, stalled, started) =
        tokio::join!(wait(&world, "leaver", "Ready", "60s"), wait(&world, "unknown", "Stalled", "60s"), start);
    started?;
    assert!(ready?.ok()?.contains("condition met"), "Ready");
    assert!(stalled?.ok()?.contains("condition met"), "Stalled");
    for (name, condition) in [("leaver", "Stalled"), ("unknown", "Ready")] {
        let said = wait(&world, name, condition, "1s").await?.failure()?;
        assert!(said.contains("timed out"), "{condition} of {name}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn kubectl_takes_no_answer_to_an_older_spec() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    world.remove("leaver", USER).await?;
    world.remove("unknown", "nobody@contoso.com").await?;
    world.wait_for_reason("leaver", Reason::Removed).await?;
    world.wait_for_reason("unknown", Reason::TargetNotFound).await?;
    world.stop_operator().await?;
    for (name, condition) in [("leaver", "Ready"), ("unknown", "Stalled")] {
        world.edit(name, &json!({"spec": {"suspend": true}})).await?;
        let said = wait(&world, name, condition, "1s").await?.failure()?;
        assert!(said.contains("timed out"), "{condition} of {name}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_suspended_removal_is_neither_ready_nor_stalled() -> Outcome {
    let world = World::start().await?;
    let mut manifest = world.manifest("leaver", USER);
    manifest["spec"]["suspend"] = json!(true);
    world.apply(&manifest).await?;
    world.wait_for_reason("leaver", Reason::Suspended).await?;
    for condition in ["Ready", "Stalled"] {
        let said = wait(&world, "leaver", condition, "1s").await?.failure()?;
        assert!(said.contains("timed out"), "{condition}: {said}");
    }
    Ok(())
}
