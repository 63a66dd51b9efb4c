//! The lead passes on: handed over, taken over, lost.

use http::StatusCode;
use photo_removal_operator::api::Reason;
use serde_json::json;
use testbed::{SOON, eventually};

use super::{LEASE, answers, lease, pair, replicas, until_leads};
use crate::Outcome;
use crate::given::{deletes, on_delete, slow, until_deleted};

const USER: &str = "jane.doe@contoso.com";
const OTHER: &str = "john.doe@contoso.com";

/// The series by which dashboards find the leader.
fn leads(yes: u8) -> String {
    format!("leader_election_master_status{{name=\"{LEASE}\"}} {yes}")
}

#[tokio::test]
async fn a_standby_is_ready_and_sends_nothing_until_the_leader_hands_over() -> Outcome {
    let world = pair(replicas()).await?;
    answers(&world, 0, "/metrics", 200, &leads(1)).await?;
    answers(&world, 1, "/metrics", 200, &leads(0)).await?;
    world.user(USER);
    world.user(OTHER);
    let mut manifest = world.manifest("john", OTHER);
    manifest["spec"]["suspend"] = json!(true);
    world.apply(&manifest).await?;
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    let (_, page) = world.ask_replica(1, "/metrics").await?;
    assert!(!page.contains("photoremoval_attempts_total{"), "the standby tried: {page}");
    assert!(!page.contains("photoremoval_token_requests_total{"), "the standby signed in: {page}");
    assert!(!page.contains("photoremoval_objects{"), "what the leader counts is counted twice: {page}");

    let before = lease(&world).await;
    let status = world.stop_replica(0).await?;
    assert!(status.is_some_and(|status| status.success()), "exit status {status:?}: {}", world.logs()?);
    assert!(world.logs()?.contains("the lease is given up"), "{}", world.logs()?);
    // Long before the lease would have ended, though how long a busy machine takes is not for a test to say.
    until_leads(&world, 1).await?;
    answers(&world, 1, "/metrics", 200, &leads(1)).await?;
    let after = lease(&world).await;
    assert_eq!(after.lease_transitions, before.lease_transitions.map(|times| times + 1), "{after:?}");
    world.edit("john", &json!({"spec": {"suspend": false}})).await?;
    world.wait_for_reason("john", Reason::Removed).await?;
    assert_eq!((deletes(&world, USER), deletes(&world, OTHER)), (1, 1), "DELETEs");
    Ok(())
}

#[tokio::test]
async fn a_leader_that_is_killed_is_followed_by_one_that_finishes_what_it_began() -> Outcome {
    let world = pair(replicas()).await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, slow(60_000)).times(1));
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    world.kill_replica(0).await?;
    until_leads(&world, 1).await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!((deletes(&world, USER), status.attempts), (2, 1), "DELETEs, and those that were written down");
    // The one that was killed comes back as another candidate, and stands by.
    world.start_replica(0).await?;
    answers(&world, 0, "/readyz", 200, "ok").await?;
    answers(&world, 0, "/metrics", 200, &leads(0)).await?;
    until_leads(&world, 1).await?;
    Ok(())
}

/// Its status cannot be written either, so the next leader finds out what became of it.
#[tokio::test]
async fn a_leader_that_is_cut_off_calls_off_what_is_under_way_and_ends_before_another_sends() -> Outcome {
    let world = pair(replicas().faulty_api()).await?;
    world.user(USER);
    world.user(OTHER);
    world.emulator().add_fault(on_delete(USER, slow(60_000)).times(1));
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    world.api().inject(testbed::Matcher::any(), testbed::Fault::Status(StatusCode::SERVICE_UNAVAILABLE));
    until_leads(&world, 1).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!(world.emulator().max_in_flight(), 1, "the first DELETE was not called off before the second was sent");
    world.remove("john", OTHER).await?;
    world.wait_for_reason("john", Reason::Removed).await?;
    assert_eq!((deletes(&world, USER), deletes(&world, OTHER)), (2, 1), "DELETEs");
    let status = tokio::time::timeout(SOON, world.end_of_operator()).await??;
    assert_eq!(status.code(), Some(1), "{}", world.logs()?);
    let logs = world.logs()?;
    let last = logs.lines().last().unwrap_or_default();
    assert!(last.contains("this replica leads no more") && last.contains("not renewed in time"), "{logs}");
    Ok(())
}

#[tokio::test]
async fn a_pause_that_the_leader_met_binds_the_one_that_takes_over() -> Outcome {
    let world = pair(replicas()).await?;
    world.user(USER);
    world.user(OTHER);
    let pause = emulator::FaultKind::throttled(Some(emulator::RetryAfter::seconds(5)));
    world.emulator().add_fault(on_delete(USER, pause).times(1));
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Throttled).await?;
    world.stop_replica(0).await?;
    until_leads(&world, 1).await?;
    world.remove("john", OTHER).await?;
    world.wait_for_reason("john", Reason::Removed).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!(world.emulator().early_returns(), 0, "requests before the pause was over");
    Ok(())
}

#[tokio::test]
async fn what_is_there_before_anybody_leads_is_done_by_whoever_leads_first() -> Outcome {
    let world = replicas().build().await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    // There is no Lease: it may have been deleted under a leader, so it is made, and waited for.
    world.start_replica(0).await?;
    answers(&world, 0, "/readyz", 200, "ok").await?;
    let made = || async { lease(&world).await.lease_duration_seconds };
    eventually("the Lease is made", SOON, made).await?;
    until_leads(&world, 0).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!(lease(&world).await.lease_transitions, Some(1));
    Ok(())
}
