//! What becomes of a replica whose Lease is deleted, foreign, rubbish, or forbidden.

use http::{Method, StatusCode};
use k8s_openapi::api::coordination::v1::LeaseSpec;
use kube::api::DeleteParams;
use photo_removal_operator::api::Reason;
use testbed::{Fault, LEASE, Matcher, SOON, World, eventually};

use super::{answers, given_up, lease, leases, pair, put, replicas, until_leads};
use crate::Outcome;
use crate::given::calls;

const USER: &str = "jane.doe@contoso.com";

/// A leader, alone.
async fn alone(builder: testbed::Builder) -> testbed::Result<World> {
    let world = builder.build().await?;
    given_up(&world).await?;
    world.start_operator().await?;
    until_leads(&world, 0).await?;
    Ok(world)
}

async fn removes(world: &World) -> Outcome {
    world.user(USER);
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

#[tokio::test]
async fn a_leader_makes_a_lease_that_was_deleted_again_and_goes_on() -> Outcome {
    let world = pair(replicas()).await?;
    let before = until_leads(&world, 0).await?;
    leases(&world).delete(LEASE, &DeleteParams::default()).await?;
    // Whoever of the two made it, the leader holds it.
    let after = until_leads(&world, 0).await?;
    assert_eq!(before, after, "the leader was restarted: {}", world.logs()?);
    removes(&world).await
}

#[tokio::test]
async fn a_lease_of_somebody_who_never_renews_is_taken_when_it_ends_and_rubbish_in_it_does_not_matter() -> Outcome {
    let world = replicas().build().await?;
    let foreign = LeaseSpec {
        holder_identity: Some("somebody else's \u{fffd} holder".to_owned()),
        lease_duration_seconds: Some(2),
        lease_transitions: Some(i32::MAX),
        ..LeaseSpec::default()
    };
    put(&world, foreign).await?;
    world.start_operator().await?;
    answers(&world, 0, "/readyz", 200, "ok").await?;
    until_leads(&world, 0).await?;
    removes(&world).await
}

#[tokio::test]
async fn a_leader_whose_lease_is_taken_by_force_ends_with_one_line_that_names_the_holder() -> Outcome {
    let world = alone(replicas()).await?;
    let taken = LeaseSpec {
        holder_identity: Some("usurper".to_owned()),
        lease_duration_seconds: Some(60),
        ..LeaseSpec::default()
    };
    put(&world, taken).await?;
    let status = tokio::time::timeout(SOON, world.end_of_operator()).await??;
    assert_eq!(status.code(), Some(1), "{}", world.logs()?);
    assert!(world.logs()?.contains("the lease is held by usurper"), "{}", world.logs()?);
    assert_eq!(lease(&world).await.holder_identity.as_deref(), Some("usurper"), "who took it keeps it");
    Ok(())
}

#[tokio::test]
async fn without_the_right_to_leases_readyz_and_one_line_of_the_log_say_so() -> Outcome {
    let world = replicas().may_not("leases").start().await?;
    answers(&world, 0, "/readyz", 503, "verbs get, create and update on leases").await?;
    // It is tried again and again, and told once.
    let asked = || async {
        let refused = world.audit().map_err(|error| error.to_string())?;
        let refused = refused.into_iter().filter(|entry| entry.resource == "leases" && entry.code == 403).count();
        if refused > 2 { Ok(()) } else { Err(format!("{refused} refusals")) }
    };
    eventually("the Lease is asked for again", SOON, asked).await?;
    let logs = world.logs()?;
    assert_eq!(logs.matches("check its ServiceAccount's role").count(), 1, "{logs}");
    assert!(!world.operator_has_ended().await, "{logs}");
    Ok(())
}

#[tokio::test]
async fn a_renewal_whose_answer_is_lost_or_that_is_refused_now_and_then_costs_nobody_the_lead() -> Outcome {
    let world = alone(replicas().faulty_api()).await?;
    let holder = until_leads(&world, 0).await?;
    for fault in [
        Fault::DropAfterCommit,
        Fault::Drop,
        Fault::Status(StatusCode::CONFLICT),
        Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::Status(StatusCode::TOO_MANY_REQUESTS),
    ] {
        let put = Matcher::any().method(Method::PUT).containing("/leases/").times(1);
        let injected = world.api().inject(put, fault);
        eventually("the fault is met", SOON, || async { (injected.hits() > 0).then_some(()) }).await?;
        let seen = calls(&world, "PUT", "/leases/");
        let more = || async { (calls(&world, "PUT", "/leases/") > seen + 1).then_some(()) };
        eventually("the lease is renewed again", SOON, more).await?;
        assert_eq!(until_leads(&world, 0).await?, holder, "after {fault:?}: {}", world.logs()?);
    }
    removes(&world).await
}
