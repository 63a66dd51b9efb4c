//! Nothing is removed that nobody asks for any more: what changes between the look and the DELETE, and during it.

use std::time::Duration;

use emulator::{Fault, Operation, Target};
use http::StatusCode;
use photo_removal_operator::api::{Outcome as Became, Reason};
use serde_json::json;
use testbed::{Matcher, SOON, World, eventually};

use crate::Outcome;
use crate::given::{calls, deletes, on_delete, sign_ins, slow, stays, until_deleted};

const USER: &str = "jane.doe@contoso.com";

/// A world whose operator has seen the object, waits for its sign-in (a second), and hears of no change meanwhile.
async fn blind() -> testbed::Result<World> {
    let world = World::builder().faulty_api().build().await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    world.api().inject(Matcher::any().containing("watch=true"), testbed::Fault::Hang);
    world.emulator().add_fault(Fault::on(Operation::Token, slow(1000)));
    world.start_operator().await?;
    eventually("the sign-in is under way", SOON, || async { (sign_ins(&world) == 1).then_some(()) }).await?;
    Ok(world)
}

/// The operator looked at the object live before anything was sent.
async fn nothing_is_sent(world: &World) -> Outcome {
    eventually("a live read", SOON, || async { (calls(world, "GET", "/photoremovals/jane") > 0).then_some(()) })
        .await?;
    stays("DELETEs", || deletes(world, USER)).await;
    assert_eq!(deletes(world, USER), 0, "DELETEs");
    assert!(world.emulator().has_photo(&Target::user(USER)), "the photo stays");
    Ok(())
}

#[tokio::test]
async fn an_object_that_was_suspended_unnoticed_is_not_acted_on() -> Outcome {
    let world = blind().await?;
    world.edit("jane", &json!({"spec": {"suspend": true}})).await?;
    nothing_is_sent(&world).await?;
    world.wait_for_reason("jane", Reason::Suspended).await?;
    Ok(())
}

#[tokio::test]
async fn an_object_that_was_deleted_unnoticed_is_not_acted_on() -> Outcome {
    let world = blind().await?;
    world.delete("jane").await?;
    nothing_is_sent(&world).await
}

#[tokio::test]
async fn an_object_that_was_replaced_unnoticed_is_acted_on_as_it_is_now() -> Outcome {
    let world = blind().await?;
    world.delete("jane").await?;
    world.user("other@contoso.com");
    world.remove("jane", "other@contoso.com").await?;
    nothing_is_sent(&world).await?;
    world.api().clear();
    world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!(deletes(&world, "other@contoso.com"), 1, "DELETEs of the one who is named now");
    assert_eq!(deletes(&world, USER), 0, "DELETEs of the one who was named before");
    Ok(())
}

/// The operator acts on the second object while its cache still has the first.
#[tokio::test]
async fn what_was_done_for_an_object_that_the_watch_has_not_brought_yet_is_kept_when_its_write_fails() -> Outcome {
    let world = blind().await?;
    world.delete("jane").await?;
    world.remove("jane", USER).await?;
    let writes = Matcher::any().containing("/status").times(1);
    let refused = world.api().inject(writes, testbed::Fault::Status(StatusCode::INTERNAL_SERVER_ERROR));
    eventually("the write is refused", SOON, || async { (refused.hits() == 1).then_some(()) }).await?;
    let status = world.wait_for("jane", "an outcome", |status| status.outcome.is_some()).await?;
    assert_eq!((status.outcome, status.attempts), (Some(Became::Removed), 1), "{status:?}");
    assert_eq!(deletes(&world, USER), 1, "DELETEs");
    Ok(())
}

#[tokio::test]
async fn a_change_that_is_seen_live_and_not_yet_by_the_watch_does_not_make_a_loop() -> Outcome {
    let world = blind().await?;
    world.edit("jane", &json!({"spec": {"credentials": {"secretRef": {"name": "not-there"}}}})).await?;
    nothing_is_sent(&world).await?;
    let reads = calls(&world, "GET", "/photoremovals/jane");
    assert!(reads < 10, "{reads} live reads of one object in about two seconds");
    Ok(())
}

#[tokio::test]
async fn an_edit_while_the_delete_is_under_way_does_not_lose_the_outcome() -> Outcome {
    for change in [
        json!({"metadata": {"labels": {"team": "a"}}}),
        json!({"spec": {"suspend": true}}),
        json!({"spec": {"credentials": {"secretRef": {"name": "not-there"}}}}),
    ] {
        let world = World::start().await?;
        world.user(USER);
        world.emulator().add_fault(on_delete(USER, slow(500)));
        world.remove("jane", USER).await?;
        until_deleted(&world, USER, 1).await?;
        world.edit("jane", &change).await?;
        let status = world.wait_for_reason("jane", Reason::Removed).await?;
        assert_eq!((status.attempts, deletes(&world, USER)), (1, 1), "{change}: attempts and DELETEs");
        let object = world.get("jane").await?;
        let observed = object.status.and_then(|status| status.observed_generation);
        assert_eq!(observed, object.metadata.generation, "{change}: observedGeneration");
    }
    Ok(())
}

/// What the first object's DELETE brings is not written to the second of its name; `api_fails`: not even late.
async fn replaced_while_under_way(times: usize) -> Outcome {
    let world = World::builder().faulty_api().start().await?;
    world.user(USER);
    world.user("other@contoso.com");
    world.emulator().add_fault(on_delete(USER, slow(500)));
    let writes = Matcher::any().containing("/status").times(times);
    world.api().inject(writes, testbed::Fault::Status(StatusCode::INTERNAL_SERVER_ERROR));
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    world.delete("jane").await?;
    let second = world.remove("jane", "other@contoso.com").await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!(world.get("jane").await?.metadata.uid, second.metadata.uid, "the second object");
    assert_eq!((status.outcome, status.attempts), (Some(Became::Removed), 1), "{status:?}");
    assert_eq!((deletes(&world, USER), deletes(&world, "other@contoso.com")), (1, 1), "DELETEs");
    let sent = world.emulator().requests();
    let own = sent.iter().find(|request| request.path.contains("other@contoso.com"));
    let own = own.map(|request| request.header("client-request-id").to_owned());
    assert_eq!(status.evidence.map(|evidence| evidence.client_request_id), own, "evidence names its own DELETE");
    Ok(())
}

#[tokio::test]
async fn what_was_done_for_one_object_is_not_told_of_another_of_its_name() -> Outcome {
    replaced_while_under_way(0).await
}

#[tokio::test]
async fn what_could_not_be_written_of_one_object_does_not_hold_up_another_of_its_name() -> Outcome {
    replaced_while_under_way(1).await
}

#[tokio::test]
async fn an_object_that_is_deleted_while_its_delete_is_under_way_leaves_nothing_behind() -> Outcome {
    let world = World::builder().config(|config| config.max_in_flight = 1).start().await?;
    world.user(USER);
    world.user("other@contoso.com");
    world.emulator().add_fault(on_delete(USER, slow(500)));
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    world.remove("other", "other@contoso.com").await?;
    world.delete("jane").await?;
    world.wait_for_reason("other", Reason::Removed).await?;
    assert_eq!(deletes(&world, USER), 1, "DELETEs");
    Ok(())
}

#[tokio::test]
async fn an_object_that_a_finalizer_keeps_while_it_is_deleted_is_left_alone() -> Outcome {
    let world = World::builder().config(|config| config.retry_base = Duration::from_secs(1)).build().await?;
    world.user(USER);
    let mut manifest = world.manifest("jane", USER);
    manifest["metadata"]["finalizers"] = json!(["example.com/keep"]);
    world.apply(&manifest).await?;
    world.delete("jane").await?;
    world.start_operator().await?;
    world.user("other@contoso.com");
    world.remove("other", "other@contoso.com").await?;
    world.wait_for_reason("other", Reason::Removed).await?;
    assert_eq!(deletes(&world, USER), 0, "DELETEs");
    world.edit("jane", &json!({"metadata": {"finalizers": null}})).await?;
    Ok(())
}
