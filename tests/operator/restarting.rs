//! What a restart must neither forget nor hurry.

use std::time::Duration;

use emulator::{Fault, FaultKind, Limits, Operation, Recorded, RetryAfter, User};
use http::StatusCode;
use jiff::Timestamp;
use photo_removal_operator::api::Reason;
use serde_json::json;
use testbed::{Matcher, SOON, World, eventually};

use crate::Outcome;
use crate::given::{deletes, known, on_delete};

const USER: &str = "jane.doe@contoso.com";

/// When the DELETEs about the user arrived.
fn times(world: &World, user: &str) -> Vec<Timestamp> {
    let is_one = |request: &&Recorded| request.operation == Operation::Delete && request.path.contains(user);
    world.emulator().requests().iter().filter(is_one).map(|request| request.time).collect()
}

#[tokio::test]
async fn a_wait_goes_on_over_a_restart() -> Outcome {
    let wait = Duration::from_secs(3);
    let world = World::builder().config(|config| (config.retry_base, config.retry_cap) = (wait, wait)).start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("500")).times(1));
    world.remove("jane", USER).await?;
    let status = world.wait_for_reason("jane", Reason::GraphUnavailable).await?;
    let due = status.next_attempt_time.ok_or("no nextAttemptTime")?;
    world.restart_operator().await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    let times = times(&world, USER);
    assert_eq!((status.attempts, times.len()), (2, 2), "attempts and DELETEs");
    assert!(times[1] >= due, "tried again at {}, which is before {due}", times[1]);
    assert!(times[1].duration_since(due).as_secs() < 5, "tried again at {}, which is long after {due}", times[1]);
    Ok(())
}

#[tokio::test]
async fn a_pause_goes_on_over_a_restart_for_every_object_of_the_credential() -> Outcome {
    let world = World::builder().config(|config| config.max_in_flight = 1).build().await?;
    for number in 0..5 {
        let user = format!("user-{number}@contoso.com");
        world.user(&user);
        world.remove(&format!("user-{number}"), &user).await?;
    }
    let throttled = FaultKind::throttled(Some(RetryAfter::seconds(3)));
    world.emulator().add_fault(Fault::on(Operation::Delete, throttled).times(1));
    world.start_operator().await?;
    eventually("an object is throttled", SOON, || async {
        let all = world.all().await.unwrap_or_default();
        let met = all.iter().any(|one| {
            one.status.as_ref().and_then(photo_removal_operator::api::PhotoRemovalStatus::reason)
                == Some(Reason::Throttled)
        });
        met.then_some(())
    })
    .await?;
    world.restart_operator().await?;
    world.wait_for_all(SOON).await?;
    let asked = world.emulator().requests().iter().filter(|one| one.operation == Operation::Delete).count();
    assert_eq!((asked, world.emulator().early_returns()), (6, 0), "DELETEs and early returns");
    Ok(())
}

/// The only object that met the pause says something else by now.
#[tokio::test]
async fn a_pause_goes_on_over_a_restart_though_who_met_it_was_suspended_since() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    let throttled = FaultKind::throttled(Some(RetryAfter::seconds(5)));
    world.emulator().add_fault(Fault::on(Operation::Delete, throttled).times(1));
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Throttled).await?;
    world.edit("jane", &json!({"spec": {"suspend": true}})).await?;
    world.wait_for_reason("jane", Reason::Suspended).await?;
    world.stop_operator().await?;
    world.user("other@contoso.com");
    world.remove("other", "other@contoso.com").await?;
    world.start_operator().await?;
    world.wait_for_reason("other", Reason::Removed).await?;
    let asked = (times(&world, USER).len(), times(&world, "other@contoso.com").len());
    assert_eq!((asked, world.emulator().early_returns()), ((1, 1), 0), "DELETEs and early returns");
    Ok(())
}

#[tokio::test]
async fn a_count_of_refusals_goes_on_over_a_restart() -> Outcome {
    let wait = Duration::from_millis(500);
    let world = World::builder()
        .config(|config| {
            (config.retry_base, config.retry_cap) = (wait, wait);
            config.stalled_recheck = crate::given::NEVER;
        })
        .start()
        .await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("400 BadRequest")));
    world.remove("jane", USER).await?;
    for failures in [1, 3] {
        world.wait_for("jane", &format!("{failures} failures"), |status| status.failures >= failures).await?;
        world.restart_operator().await?;
    }
    let status = world.wait_for("jane", "Stalled", photo_removal_operator::api::PhotoRemovalStatus::is_stalled).await?;
    assert_eq!((status.attempts, deletes(&world, USER)), (5, 5), "attempts and DELETEs: {status:?}");
    Ok(())
}

#[tokio::test]
async fn a_stop_lets_a_running_request_end_and_writes_down_what_it_brought() -> Outcome {
    let world = World::builder().config(|config| config.max_in_flight = 1).start().await?;
    world.user(USER);
    world.user("other@contoso.com");
    world.emulator().add_fault(on_delete(USER, crate::given::slow(1500)));
    world.remove("jane", USER).await?;
    crate::given::until_deleted(&world, USER, 1).await?;
    world.remove("other", "other@contoso.com").await?;
    world.stop_operator().await?;
    let status = world.status_of("jane").await?;
    assert_eq!((status.reason(), status.attempts), (Some(Reason::Removed), 1), "{status:?}");
    assert_eq!(deletes(&world, "other@contoso.com"), 0, "new DELETEs after the stop");
    world.start_operator().await?;
    world.wait_for_reason("other", Reason::Removed).await?;
    assert_eq!(deletes(&world, USER), 1, "DELETEs");
    Ok(())
}

/// An object of the first namespace is told to wait for so long; the operator stops, and one of the second one comes.
async fn stop_in_a_pause(world: &World, seconds: u64) -> Outcome {
    let pause = FaultKind::throttled(Some(RetryAfter::seconds(seconds)));
    world.emulator().add_fault(Fault::on(Operation::Delete, pause).about(USER).times(1));
    world.user(USER);
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Throttled).await?;
    world.stop_operator().await?;

    let other = "john.doe@contoso.com";
    world.user(other);
    let mut manifest = world.manifest("john", other);
    manifest["metadata"]["namespace"] = world.namespaces()[1].clone().into();
    world.apply(&manifest).await?;
    Ok(())
}

#[tokio::test]
async fn a_pause_that_one_namespace_met_goes_on_for_the_other_over_a_restart() -> Outcome {
    let world = World::builder().namespaces(2).start().await?;
    stop_in_a_pause(&world, 4).await?;
    world.start_operator().await?;
    world.wait_for_all(SOON).await?;
    assert_eq!(world.emulator().early_returns(), 0, "requests before the pause was over");
    Ok(())
}

/// The namespace where the pause is known cannot be listed at first, and the other one waits for it.
#[tokio::test]
async fn a_pause_of_a_namespace_that_is_listed_late_goes_on_for_the_other() -> Outcome {
    let world = World::builder().namespaces(2).faulty_api().start().await?;
    stop_in_a_pause(&world, 12).await?;
    let lists = Matcher::any().containing(&format!("/{}/photoremovals?&limit", world.namespace())).times(3);
    let failing = world.api().inject(lists, testbed::Fault::Status(StatusCode::SERVICE_UNAVAILABLE));
    world.start_operator().await?;
    world.wait_for_all(SOON).await?;
    assert_eq!((failing.hits(), world.emulator().early_returns()), (3, 0), "failed lists and early returns");
    Ok(())
}

/// Another object of the same application comes while the operator is down, and waits the pause out.
async fn start_with_another(world: &World) -> Outcome {
    let other = "other@contoso.com";
    world.user(other);
    world.remove("other", other).await?;
    world.start_operator().await?;
    world.wait_for_reason("other", Reason::Removed).await?;
    let asked = (times(world, other).len(), world.emulator().early_returns());
    assert_eq!(asked, (1, 0), "DELETEs and early returns");
    Ok(())
}

/// Throttled for long enough to stop and start, and whoever comes back before the very end is early.
fn pause(world: &World, operation: Operation) {
    world.emulator().set_limits(Limits { grace: Duration::ZERO, ..Limits::default() });
    let throttled = FaultKind::throttled(Some(RetryAfter::seconds(6)));
    world.emulator().add_fault(Fault::on(operation, throttled).about(USER).times(1));
}

/// A pause is the application's, and does not end with the Secret that led to it.
#[tokio::test]
async fn a_pause_goes_on_over_a_restart_though_the_secret_of_who_met_it_is_gone() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    pause(&world, Operation::Delete);
    world.put_secret(world.namespace(), "second", &world.good_secret()).await?;
    let mut manifest = world.manifest("jane", USER);
    manifest["spec"]["credentials"]["secretRef"]["name"] = json!("second");
    world.apply(&manifest).await?;
    world.wait_for_reason("jane", Reason::Throttled).await?;
    world.stop_operator().await?;
    world.delete_secret("second").await?;
    start_with_another(&world).await
}

/// The DELETE was answered; it is the question whether the user exists that met the pause.
#[tokio::test]
async fn a_pause_that_a_question_met_goes_on_over_a_restart_though_who_met_it_was_suspended_since() -> Outcome {
    let world = World::start().await?;
    world.emulator().put_user(User::new(USER));
    pause(&world, Operation::Confirm);
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Throttled).await?;
    world.edit("jane", &json!({"spec": {"suspend": true}})).await?;
    world.wait_for_reason("jane", Reason::Suspended).await?;
    world.stop_operator().await?;
    start_with_another(&world).await
}
