//! Servers that are not there, or not what they should be: the API server, one watch, Graph.

use std::time::Duration;

use emulator::FaultKind;
use http::StatusCode;
use photo_removal_operator::api::Reason;
use testbed::{ControlPlane, Matcher, Options, SOON, World, eventually};

use crate::Outcome;
use crate::given::{deletes, on_delete, slow, until_deleted, until_it_stays};
use crate::picture::Picture;

const USER: &str = "jane.doe@contoso.com";

/// Longer than the operator's longest wait between two looks at an API server that fails, on a busy machine.
const LATER: Duration = Duration::from_secs(60);

async fn removed_later(world: &World, name: &str) -> Outcome {
    let look = || async {
        match world.status_of(name).await {
            Ok(status) if status.reason() == Some(Reason::Removed) => Ok(status),
            other => Err(format!("{other:?}")),
        }
    };
    let status = eventually(&format!("{name} is removed"), LATER, look).await?;
    assert_eq!(status.attempts, 1, "{name}: {status:?}");
    Ok(())
}

#[tokio::test]
async fn an_api_server_that_restarts_or_hangs_meanwhile_loses_nothing() -> Outcome {
    let world = World::builder().on(ControlPlane::start(Options::default()).await?).start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, slow(1000)));
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    world.plane().stop_apiserver();
    eventually("the DELETE is answered while the API server is away", SOON, || async {
        world
            .emulator()
            .requests()
            .iter()
            .any(|request| request.status == Some(200) && request.path.contains(USER))
            .then_some(())
    })
    .await?;
    world.plane().start_apiserver().await?;
    removed_later(&world, "jane").await?;
    assert_eq!(deletes(&world, USER), 1, "DELETEs over a restart of the API server");

    world.user("hung@contoso.com");
    world.emulator().add_fault(on_delete("hung@contoso.com", slow(500)));
    world.remove("hung", "hung@contoso.com").await?;
    until_deleted(&world, "hung@contoso.com", 1).await?;
    world.plane().pause_apiserver()?;
    // The operator gives a call up after ten seconds.
    eventually("the operator meets the hanging API server", LATER, || async {
        let metrics = world.metrics().await.unwrap_or_default();
        metrics.contains("rest_client_requests_total{code=\"<error>\",method=\"PUT\"}").then_some(())
    })
    .await?;
    world.plane().resume_apiserver()?;
    removed_later(&world, "hung").await?;
    assert_eq!(deletes(&world, "hung@contoso.com"), 1, "DELETEs over an API server that hung");
    Ok(())
}

#[tokio::test]
async fn lists_and_watches_that_fail_are_made_again() -> Outcome {
    for fault in [
        testbed::Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
        testbed::Fault::TooManyRequests { retry_after: Duration::from_secs(1) },
        testbed::Fault::Drop,
    ] {
        let world = World::builder().faulty_api().build().await?;
        world.user(USER);
        world.remove("jane", USER).await?;
        let lists = world.api().inject(Matcher::any().containing("limit=500").times(2), fault);
        let watches = world.api().inject(Matcher::any().containing("watch=true").times(2), fault);
        world.start_operator().await?;
        world.wait_for_reason("jane", Reason::Removed).await?;
        world.user("later@contoso.com");
        world.remove("later", "later@contoso.com").await?;
        world.wait_for_reason("later", Reason::Removed).await?;
        assert_eq!((lists.hits(), watches.hits()), (2, 2), "{fault:?}: lists and watches that failed");
    }
    Ok(())
}

#[tokio::test]
async fn one_failing_watch_never_delays_another() -> Outcome {
    let world = World::builder().namespaces(2).faulty_api().build().await?;
    let failing = format!("/namespaces/{}/photoremovals?", world.namespaces()[1]);
    let refused =
        world.api().inject(Matcher::any().containing(&failing), testbed::Fault::Status(StatusCode::FORBIDDEN));
    world.start_operator().await?;
    for number in 0..3 {
        let (name, user) = (format!("user-{number}"), format!("user-{number}@contoso.com"));
        world.user(&user);
        let began = tokio::time::Instant::now();
        world.remove(&name, &user).await?;
        world.wait_for_reason(&name, Reason::Removed).await?;
        assert!(began.elapsed() < Duration::from_secs(5), "{name} took {:?}", began.elapsed());
        let hits = refused.hits();
        eventually("the other watch fails again", SOON, || async { (refused.hits() > hits).then_some(()) }).await?;
    }
    let (status, reason) = world.ask("/readyz").await?;
    assert_eq!(status, 503, "/readyz: {reason}");
    assert!(reason.contains("refuses to let this operator list and watch photoremovals (403)"), "{reason}");
    refused.end();
    eventually("the operator is ready", SOON, || async {
        match world.ask("/readyz").await {
            Ok((200, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    Ok(())
}

/// Takes half a minute: the time that a head is waited for.
#[tokio::test]
async fn graph_that_sends_nothing_is_given_up_and_holds_up_nobody_else() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, FaultKind::Hang).times(1));
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    world.user("other@contoso.com");
    world.remove("other", "other@contoso.com").await?;
    world.wait_for_reason("other", Reason::Removed).await?;
    let look = || async {
        match Picture::of(&world, "jane", USER).await {
            Ok(seen) if seen.reason == Some(Reason::Removed) => Ok(seen),
            other => Err(format!("{other:?}")),
        }
    };
    let seen = eventually("jane's photo is removed", LATER, look).await?;
    assert_eq!((seen.attempts, seen.deletes), (2, 2), "attempts and DELETEs: {seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_watch_that_is_refused_as_too_old_is_begun_anew_with_a_list() -> Outcome {
    let world = World::builder().faulty_api().start().await?;
    let lists = || world.api().seen().iter().filter(|seen| seen.path.contains("photoremovals?&limit=")).count();
    let before = lists();
    let gone = testbed::Fault::Status(StatusCode::GONE);
    world.api().inject(Matcher::any().containing("photoremovals?&watch=true"), gone);
    world.api().cut();
    eventually("another list", SOON, || async { (lists() > before).then_some(()) }).await?;
    world.api().clear();
    world.user(USER);
    world.remove("jane", USER).await?;
    removed_later(&world, "jane").await
}

/// The watch is too old to go on, so it is begun anew with a list, in which the object is missing.
#[tokio::test]
async fn who_is_deleted_while_the_watch_is_broken_is_waited_for_no_more() -> Outcome {
    let plane = ControlPlane::start(Options::default()).await?;
    let world = World::builder().on(plane).faulty_api().start().await?;
    let mut manifest = world.manifest("gone", USER);
    manifest["spec"]["credentials"]["secretRef"]["name"] = "missing".into();
    world.apply(&manifest).await?;
    world.wait_for_reason("gone", Reason::CredentialNotFound).await?;
    world.api().inject(Matcher::any().containing("watch=true"), testbed::Fault::Drop);
    world.api().cut();
    world.delete("gone").await?;
    world.plane().compact().await?;
    world.plane().stop_apiserver();
    world.plane().start_apiserver().await?;
    world.user("later@contoso.com");
    world.remove("later", "later@contoso.com").await?;
    world.api().clear();
    removed_later(&world, "later").await?;
    let looks = || world.api().seen().iter().filter(|seen| seen.path.contains("/secrets/missing")).count();
    until_it_stays("nobody looks for the Secret of an object that is gone", looks).await?;
    Ok(())
}
