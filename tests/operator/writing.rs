//! The API server fails while the outcome is to be written: it is written later, and Graph is not asked twice.

use std::time::Duration;

use futures::future::join_all;
use http::{Method, StatusCode};
use photo_removal_operator::api::Reason;
use serde_json::json;
use testbed::{Fault, Matcher, SOON, World, eventually};

use crate::Outcome;
use crate::given::{calls, deletes, known, on_delete};
use crate::picture::{Picture, all_as_expected};

const USER: &str = "jane.doe@contoso.com";

/// What happens to the first status writes, and to how many of them.
fn rows() -> Vec<(Fault, usize)> {
    vec![
        (Fault::Drop, 2),
        (Fault::DropAfterCommit, 1),
        (Fault::TooManyRequests { retry_after: Duration::from_secs(1) }, 2),
        (Fault::Status(StatusCode::INTERNAL_SERVER_ERROR), 3),
        (Fault::Status(StatusCode::SERVICE_UNAVAILABLE), 1),
        (Fault::Status(StatusCode::FORBIDDEN), 1),
        (Fault::Status(StatusCode::CONFLICT), 3),
        // As a policy of the cluster answers by itself.
        (Fault::Status(StatusCode::UNPROCESSABLE_ENTITY), 2),
        // Ten seconds until the operator gives it up.
        (Fault::Hang, 1),
    ]
}

async fn play(fault: Fault, times: usize, expected: Picture) -> Result<(), String> {
    let played = async {
        let world = World::builder().faulty_api().build().await?;
        world.user(USER);
        let writes = Matcher::any().method(Method::PUT).containing("/status").times(times);
        let injected = world.api().inject(writes, fault);
        world.start_operator().await?;
        world.remove("jane", USER).await?;
        let came = expected.expect(&world, "jane", USER).await;
        Ok::<_, testbed::Error>(came.and(match injected.hits() {
            hits if hits == times => Ok(()),
            hits => Err(format!("the fault was met {hits} times")),
        }))
    };
    let came = played.await.unwrap_or_else(|error| Err(error.to_string()));
    came.map_err(|difference| format!("{fault:?} {times} times: {difference}"))
}

#[tokio::test]
async fn an_outcome_is_written_once_the_api_server_takes_it_and_the_photo_is_deleted_once() -> Outcome {
    let played = rows().into_iter().map(|(fault, times)| play(fault, times, Picture::after(Reason::Removed, 200)));
    all_as_expected(join_all(played).await);
    Ok(())
}

#[tokio::test]
async fn an_attempt_whose_write_was_kept_though_its_answer_was_lost_counts_once() -> Outcome {
    let world = World::builder()
        .faulty_api()
        .config(|config| (config.retry_base, config.retry_cap) = (Duration::from_secs(4), Duration::from_secs(4)))
        .start()
        .await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("500")).times(1));
    world.api().inject(Matcher::any().containing("/status").times(1), Fault::DropAfterCommit);
    world.remove("jane", USER).await?;
    let status = world.wait_for_reason("jane", Reason::GraphUnavailable).await?;
    assert_eq!((status.attempts, status.failures), (1, 1), "{status:?}");
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!((status.attempts, deletes(&world, USER)), (2, 2), "attempts and DELETEs: {status:?}");
    Ok(())
}

#[tokio::test]
async fn a_throttling_that_could_not_be_written_down_is_honoured() -> Outcome {
    let world = World::builder().faulty_api().start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("429 Retry-After 2.128")).times(1));
    world.api().inject(Matcher::any().containing("/status").times(1), Fault::Drop);
    world.remove("jane", USER).await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    let seen = (status.attempts, deletes(&world, USER), world.emulator().early_returns());
    assert_eq!(seen, (1, 2, 0), "attempts, DELETEs, early returns");
    Ok(())
}

#[tokio::test]
async fn reads_that_fail_are_made_again_and_nothing_is_sent_before() -> Outcome {
    let server_error = Fault::Status(StatusCode::INTERNAL_SERVER_ERROR);
    for (part, fault) in [
        ("/photoremovals/jane", server_error),
        ("/photoremovals/jane", Fault::Drop),
        ("/secrets/graph", server_error),
        ("/secrets/graph", Fault::TooManyRequests { retry_after: Duration::from_secs(1) }),
    ] {
        let world = World::builder().faulty_api().start().await?;
        world.user(USER);
        let injected = world.api().inject(Matcher::any().method(Method::GET).containing(part).times(2), fault);
        world.remove("jane", USER).await?;
        Picture::after(Reason::Removed, 200).expect(&world, "jane", USER).await?;
        assert_eq!(injected.hits(), 2, "{fault:?} on {part}");
    }
    Ok(())
}

/// As something in front of the API server may say it: no change that the watch would bring stands behind it.
#[tokio::test]
async fn a_conflict_that_no_change_stands_behind_does_not_leave_an_object_waiting_for_one() -> Outcome {
    let world = World::builder().faulty_api().start().await?;
    let writes = Matcher::any().method(Method::PUT).containing("/status").times(3);
    let refused = world.api().inject(writes, Fault::Status(StatusCode::CONFLICT));
    let mut manifest = world.manifest("late", USER);
    manifest["spec"]["notAfter"] = json!("2020-01-01T00:00:00Z");
    world.apply(&manifest).await?;
    world.wait_for_reason("late", Reason::Expired).await?;
    assert_eq!(refused.hits(), 3, "writes that were refused");

    let writes = Matcher::any().method(Method::PUT).containing("/status").times(3);
    let refused = world.api().inject(writes, Fault::Status(StatusCode::CONFLICT));
    let mut manifest = world.manifest("waits", USER);
    manifest["spec"]["credentials"]["secretRef"]["name"] = json!("missing");
    world.apply(&manifest).await?;
    world.wait_for_reason("waits", Reason::CredentialNotFound).await?;
    assert_eq!(refused.hits(), 3, "writes that were refused");

    let deletions = Matcher::any().method(Method::DELETE).containing("/photoremovals/").times(2);
    let refused = world.api().inject(deletions, Fault::Status(StatusCode::CONFLICT));
    world.user(USER);
    let mut manifest = world.manifest("brief", USER);
    manifest["spec"]["ttlSecondsAfterFinished"] = json!(0);
    world.apply(&manifest).await?;
    eventually("it is deleted", SOON, || async { world.get("brief").await.is_err().then_some(()) }).await?;
    assert_eq!(refused.hits(), 2, "deletions that were refused");
    Ok(())
}

#[tokio::test]
async fn an_event_that_cannot_be_published_is_missed_and_nothing_else() -> Outcome {
    let world = World::builder().faulty_api().start().await?;
    world.user(USER);
    world.api().inject(Matcher::any().containing("/events"), Fault::Status(StatusCode::FORBIDDEN));
    world.remove("jane", USER).await?;
    let mut expected = Picture::after(Reason::Removed, 200);
    expected.events.clear();
    expected.expect(&world, "jane", USER).await?;
    assert_eq!(calls(&world, "PUT", "/status"), 1, "status writes");
    Ok(())
}

#[tokio::test]
async fn an_api_server_that_takes_no_write_keeps_graph_from_being_asked_again() -> Outcome {
    let world = World::builder().faulty_api().start().await?;
    world.user(USER);
    let refused = world.api().inject(
        Matcher::any().method(Method::PUT).containing("/status"),
        Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
    );
    world.remove("jane", USER).await?;
    eventually("several writes are refused", SOON, || async { (refused.hits() >= 3).then_some(()) }).await?;
    assert_eq!(deletes(&world, USER), 1, "DELETEs while nothing could be written");
    refused.end();
    Picture::after(Reason::Removed, 200).expect(&world, "jane", USER).await?;
    Ok(())
}
