//! The retry annotations: try now, whatever the object waits for, and never once it is done.

use photo_removal_operator::api::{PhotoRemovalStatus, Reason};
use serde_json::json;
use testbed::{Fault, Matcher, Result, SOON, World, eventually};

use super::{USER, remove_with};
use crate::Outcome;
use crate::given::{deletes, known, on_delete, patient, sign_ins, stays, until_deleted};

async fn retry(world: &World, name: &str, value: &str) -> Result<()> {
    world.edit(name, &json!({"metadata": {"annotations": {"photoremoval.dev/retry": value}}})).await.map(drop)
}

/// In this world nothing is tried again by itself.
#[tokio::test]
async fn a_retry_wakes_an_object_wherever_it_waits() -> Outcome {
    let world = patient().start().await?;
    let rows = [
        ("stalled", Some("400 extensionError"), Reason::TargetNotSupported),
        ("denied", Some("403 ErrorAccessDenied"), Reason::PermissionDenied),
        ("waiting", Some("500"), Reason::GraphUnavailable),
    ];
    for (name, fault, reason) in rows {
        let user = format!("{name}@contoso.com");
        world.emulator().add_fault(on_delete(&user, known(fault.unwrap_or_default())));
        remove_with(&world, name, &json!({})).await?;
        world.wait_for_reason(name, reason).await?;
        let before = deletes(&world, &user);
        retry(&world, name, "1").await?;
        until_deleted(&world, &user, before + 1).await?;
        let handled = |status: &PhotoRemovalStatus| status.last_handled_retry.as_deref() == Some("1");
        let status = world.wait_for(name, "the retry is handled", handled).await?;
        assert_eq!(status.reason(), Some(reason), "{status:?}");
        stays("DELETEs", || deletes(&world, &user)).await;
        world.emulator().clear_faults();
        retry(&world, name, "2").await?;
        world.wait_for_reason(name, Reason::Removed).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_retry_after_the_limit_gives_all_the_tries_again() -> Outcome {
    let world = World::start().await?;
    world.emulator().add_fault(on_delete("jane@contoso.com", known("500")).times(4));
    remove_with(&world, "jane", &json!({"backoffLimit": 1})).await?;
    world.wait_for_reason("jane", Reason::BackoffLimitExceeded).await?;
    retry(&world, "jane", "1").await?;
    world.wait_for("jane", "four tries", |status| status.attempts == 4 && status.is_stalled()).await?;
    retry(&world, "jane", "2").await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

/// What a credential waits for is an administrator in Entra, who is done now.
#[tokio::test]
async fn a_retry_has_a_refused_credential_tried_at_once() -> Outcome {
    let world = patient().start().await?;
    let (_, client, _) = world.credential();
    let app = world.app();
    world.emulator().remove_app(client);
    remove_with(&world, "jane", &json!({})).await?;
    remove_with(&world, "john", &json!({})).await?;
    world.wait_for_reason("jane", Reason::CredentialInvalid).await?;
    world.wait_for_reason("john", Reason::CredentialInvalid).await?;
    world.emulator().put_app(app);
    let before = sign_ins(&world);
    retry(&world, "jane", "1").await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    world.wait_for_reason("john", Reason::Removed).await?;
    assert_eq!(sign_ins(&world), before + 1, "one sign-in for all");
    Ok(())
}

/// What is asked for before a try has been written down is asked of the next one, and not of that one.
#[tokio::test]
async fn a_retry_or_an_edit_that_comes_during_a_try_is_heeded_after_it() -> Outcome {
    let world = patient().faulty_api().start().await?;
    let asks = [
        ("asked", json!({"metadata": {"annotations": {"photoremoval.dev/retry": "1"}}})),
        ("edited", json!({"spec": {"backoffLimit": 9}})),
    ];
    for (name, change) in asks {
        let user = format!("{name}@contoso.com");
        world.emulator().add_fault(on_delete(&user, known("500")));
        let unwritten = world.api().inject(Matcher::any().containing(name).containing("/status"), Fault::Drop);
        remove_with(&world, name, &json!({})).await?;
        eventually("the try is to be written down", SOON, || async { (unwritten.hits() > 0).then_some(()) }).await?;
        let edited = world.edit(name, &change).await?;
        assert_eq!(deletes(&world, &user), 1, "DELETEs before anything is written");
        unwritten.end();
        until_deleted(&world, &user, 2).await?;
        let status = world.wait_for(name, "the second try", |status| status.attempts == 2).await?;
        assert_eq!(status.observed_generation, edited.metadata.generation, "{status:?}");
        stays("DELETEs", || deletes(&world, &user)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_retry_never_repeats_an_outcome_and_costs_no_write() -> Outcome {
    let world = World::start().await?;
    remove_with(&world, "jane", &json!({})).await?;
    let before = world.wait_for_reason("jane", Reason::Removed).await?;
    retry(&world, "jane", "1").await?;
    stays("DELETEs", || deletes(&world, "jane@contoso.com")).await;
    assert_eq!((deletes(&world, "jane@contoso.com"), world.status_of("jane").await?), (1, before));
    Ok(())
}

#[tokio::test]
async fn one_that_is_there_from_the_start_asks_for_the_first_try_and_a_long_one_does_not_swell_the_status() -> Outcome {
    let world = patient().start().await?;
    world.emulator().add_fault(on_delete(USER, known("500")));
    world.user(USER);
    let mut manifest = world.manifest("jane", USER);
    let long = "x".repeat(10 * 1_024);
    manifest["metadata"]["annotations"] = json!({"reconcile.fluxcd.io/requestedAt": long});
    world.apply(&manifest).await?;
    let status = world.wait_for_reason("jane", Reason::GraphUnavailable).await?;
    let handled = status.last_handled_retry.unwrap_or_default();
    assert!(handled.starts_with("xxx") && handled.len() < 200, "{handled}");
    stays("DELETEs", || deletes(&world, USER)).await;
    assert_eq!(deletes(&world, USER), 1);
    Ok(())
}
