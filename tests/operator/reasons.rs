//! The reasons that do not come from one answer of Graph: how an object gets there, and away again.

mod credentials;
mod deleting;
mod edits;
mod events;
mod sign_in;
mod stalled;
mod thousand;
mod versions;
mod waits;

use emulator::{Fault, Operation, Target};
use photo_removal_operator::api::{Category, PENDING_MESSAGE, Reason, condition};
use serde_json::json;
use testbed::World;

use crate::Outcome;
use crate::given::{A_WHILE, deletes, known, on_delete, patient, sign_ins, stays, writes};
use crate::picture::Picture;

const USER: &str = "jane.doe@contoso.com";

#[tokio::test]
async fn an_object_is_pending_until_there_is_an_operator() -> Outcome {
    let world = World::builder().build().await?;
    world.user(USER);
    let object = world.remove("jane", USER).await?;
    let status = object.status.unwrap_or_default();
    let shown: Vec<_> =
        status.conditions.iter().map(|one| (one.type_.as_str(), one.status.as_str(), one.reason.as_str())).collect();
    assert_eq!(shown, [("Ready", "False", "Pending"), ("Reconciling", "True", "Pending")]);
    assert!(status.conditions.iter().all(|one| one.message == PENDING_MESSAGE), "{status:?}");
    assert_eq!(status.observed_generation, Some(-1));
    assert!(status.conditions.iter().all(|one| one.last_transition_time.0.as_second() == 0), "{status:?}");
    world.start_operator().await?;
    Picture::after(Reason::Removed, 200).expect(&world, "jane", USER).await?;
    Ok(())
}

#[tokio::test]
async fn a_suspended_object_rests_and_goes_on_when_it_is_told_to() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    let mut manifest = world.manifest("jane", USER);
    manifest["spec"]["suspend"] = json!(true);
    world.apply(&manifest).await?;
    let status = world.wait_for_reason("jane", Reason::Suspended).await?;
    assert_eq!((status.category(), status.observed_generation), (Category::Resting, Some(1)), "{status:?}");
    assert!(status.next_attempt_time.is_none() && status.completion_time.is_none(), "{status:?}");
    stays("requests of a suspended object", || world.emulator().requests().len()).await;
    assert_eq!(world.emulator().requests(), [], "requests of a suspended object");
    world.edit("jane", &json!({"spec": {"suspend": false}})).await?;
    let mut expected = Picture::after(Reason::Removed, 200);
    expected.events.insert(0, ("Suspended".to_owned(), "Normal".to_owned()));
    expected.expect(&world, "jane", USER).await?;
    Ok(())
}

#[tokio::test]
async fn suspending_ends_a_wait_and_going_on_does_not_wait_for_it() -> Outcome {
    let world = patient().start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("500")).times(1));
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::GraphUnavailable).await?;
    world.edit("jane", &json!({"spec": {"suspend": true}})).await?;
    let status = world.wait_for_reason("jane", Reason::Suspended).await?;
    assert_eq!((status.next_attempt_time, status.failures), (None, 0), "{status:?}");
    world.edit("jane", &json!({"spec": {"suspend": false}})).await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!(status.attempts, 2, "{status:?}");
    Ok(())
}

#[tokio::test]
async fn graph_that_stays_away_is_asked_ever_less_often_and_every_wait_is_written_down() -> Outcome {
    let world = World::builder().config(|config| config.retry_cap = std::time::Duration::from_secs(60)).start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("500")).times(5));
    world.remove("jane", USER).await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!((status.attempts, status.failures), (6, 0), "{status:?}");
    let times: Vec<_> = world
        .emulator()
        .requests()
        .into_iter()
        .filter(|request| request.operation == Operation::Delete)
        .map(|request| request.since_start.as_millis())
        .collect();
    // min(cap, 100 ms * 2^n), half of it jitter.
    for (n, pair) in times.windows(2).enumerate() {
        let (waited, whole) = (pair[1] - pair[0], 100 << n);
        assert!(waited * 2 >= whole, "wait {n} was {waited} ms, expected at least half of {whole} ms");
    }
    let failed = writes(&world, "jane").await?;
    assert_eq!(failed.len(), 6, "one write a try: {failed:?}");
    let events = world.events_of("jane").await?;
    let reasons: Vec<_> = events.iter().filter_map(|event| event.reason.as_deref()).collect();
    assert_eq!(reasons, ["GraphUnavailable", "Removed"], "one event a change of reason");
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_refused_five_times_is_stalled() -> Outcome {
    let world = World::builder().config(|config| config.stalled_recheck = crate::given::NEVER).start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("400 BadRequest")));
    world.remove("jane", USER).await?;
    let expected = Picture::stuck(Reason::Rejected, 400).code("BadRequest").tries(5);
    expected.expect(&world, "jane", USER).await?;
    for (number, write) in writes(&world, "jane").await?.iter().enumerate() {
        let request = write.request.as_ref().ok_or("a write without a body")?;
        let stalled =
            request["status"]["conditions"].as_array().into_iter().flatten().any(|one| one["type"] == "Stalled");
        assert_eq!(stalled, number == 4, "whether refusal {number} stalls: {request}");
    }
    Ok(())
}

#[tokio::test]
async fn a_changed_spec_wakes_a_stalled_object() -> Outcome {
    let world = patient().start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("400 extensionError")).times(1));
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::TargetNotSupported).await?;
    world.put_secret(world.namespace(), "another", &world.good_secret()).await?;
    world.edit("jane", &json!({"spec": {"credentials": {"secretRef": {"name": "another"}}}})).await?;
    let mut expected = Picture::after(Reason::Removed, 200).tries(2);
    expected.events.insert(0, ("TargetNotSupported".to_owned(), "Warning".to_owned()));
    expected.expect(&world, "jane", USER).await?;
    Ok(())
}

#[tokio::test]
async fn a_changed_spec_of_a_finished_object_is_observed_and_nothing_else() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    let before = world.wait_for_reason("jane", Reason::Removed).await?;
    assert!(world.emulator().put_photo(&Target::user(USER)), "a new photo");
    let asked = world.emulator().requests().len();
    world.edit("jane", &json!({"spec": {"suspend": true}})).await?;
    let observed = |status: &photo_removal_operator::api::PhotoRemovalStatus| status.observed_generation == Some(2);
    let mut after = world.wait_for("jane", "generation 2", observed).await?;
    assert!(after.conditions.iter().all(|one| one.observed_generation == Some(2)), "{after:?}");
    after.observed_generation = Some(1);
    after.conditions.iter_mut().for_each(|one| one.observed_generation = Some(1));
    assert_eq!(after, before, "everything but the generation");
    stays("requests about a finished object", || world.emulator().requests().len()).await;
    assert_eq!(world.emulator().requests().len(), asked, "requests");
    assert!(world.emulator().has_photo(&Target::user(USER)), "the new photo stays");
    Ok(())
}

#[tokio::test]
async fn signing_in_that_is_unavailable_is_tried_again_by_itself() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    world.emulator().add_fault(Fault::on(Operation::Token, known("entra 503 HTML")).times(3));
    world.remove("jane", USER).await?;
    let status = world.wait_for_reason("jane", Reason::SignInUnavailable).await?;
    assert!(status.condition(condition::RECONCILING).is_some() && status.last_attempt.is_none(), "{status:?}");
    world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!((sign_ins(&world), deletes(&world, USER)), (4, 1), "sign-ins and DELETEs");
    Ok(())
}

#[tokio::test]
async fn deleting_the_resource_sends_nothing() -> Outcome {
    let world = patient().start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("500")).times(1));
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::GraphUnavailable).await?;
    let asked = world.emulator().requests().len();
    world.delete("jane").await?;
    let gone = testbed::eventually("jane is gone", A_WHILE, || async { world.get("jane").await.err() });
    gone.await?;
    stays("requests after the resource was deleted", || world.emulator().requests().len()).await;
    assert_eq!(world.emulator().requests().len(), asked, "requests");
    assert!(world.emulator().has_photo(&Target::user(USER)), "the photo stays");
    Ok(())
}
