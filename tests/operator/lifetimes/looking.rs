//! `dryRun` and `recheckInterval`: what is only looked at.

use emulator::{Matcher, Operation, Target};
use photo_removal_operator::api::{self, Category, Reason};
use serde_json::json;
use testbed::{Result, World, eventually};

use super::{fast_forward, remove_with, said};
use crate::Outcome;
use crate::given::{deletes, known, stays};

fn looks(world: &World, name: &str) -> usize {
    world.emulator().count(&Matcher::of(Operation::GetPhoto).about(format!("{name}@contoso.com")))
}

#[tokio::test]
async fn a_dry_run_finds_out_and_deletes_nothing_until_it_is_turned_off() -> Outcome {
    let world = World::start().await?;
    remove_with(&world, "jane", &json!({"dryRun": true})).await?;
    let status = world.wait_for_reason("jane", Reason::WouldRemove).await?;
    assert_eq!((status.outcome, status.category()), (Some(api::Outcome::WouldRemove), Category::Done));
    assert_eq!((status.attempts, &status.evidence), (0, &None), "no DELETE, no proof: {status:?}");
    assert_eq!(status.last_attempt.as_ref().and_then(|last| last.http_status), Some(200));
    assert!(said(&status).contains("is not confirmed"), "{status:?}");
    stays("requests", || world.emulator().requests().len()).await;
    let methods = world.emulator().requests().into_iter().map(|one| (one.operation, one.method)).collect::<Vec<_>>();
    assert_eq!(methods, [(Operation::Token, "POST".to_owned()), (Operation::GetPhoto, "GET".to_owned())]);
    assert!(world.emulator().has_photo(&Target::user("jane@contoso.com")), "the photo is still there");
    world.edit("jane", &json!({"spec": {"dryRun": false}})).await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    assert!(status.evidence.is_some() && status.attempts == 1, "{status:?}");
    assert!(!world.emulator().has_photo(&Target::user("jane@contoso.com")), "the photo is gone");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_without_a_photo_says_what_it_knows_of_the_owner() -> Outcome {
    let world = World::start().await?;
    world.emulator().put_user(emulator::User::new("jane@contoso.com"));
    for (name, reason) in [("jane", Reason::NothingToRemove), ("nobody", Reason::TargetNotFound)] {
        let mut manifest = world.manifest(name, &format!("{name}@contoso.com"));
        manifest["spec"]["dryRun"] = json!(true);
        world.apply(&manifest).await?;
        let status = world.wait_for_reason(name, reason).await?;
        assert_eq!(status.attempts, 0, "{status:?}");
        assert_eq!(said(&status).ends_with("This was a dry run."), name == "jane", "{status:?}");
        assert_eq!(deletes(&world, &format!("{name}@contoso.com")), 0);
    }
    Ok(())
}

/// An outcome is one: a dry run that comes after it is none.
#[tokio::test]
async fn a_dry_run_after_the_removal_changes_nothing() -> Outcome {
    let world = World::start().await?;
    remove_with(&world, "jane", &json!({})).await?;
    let before = world.wait_for_reason("jane", Reason::Removed).await?;
    let edited = world.edit("jane", &json!({"spec": {"dryRun": true}})).await?;
    let seen = |status: &api::PhotoRemovalStatus| status.observed_generation == edited.metadata.generation;
    let after = world.wait_for("jane", "the new generation", seen).await?;
    assert_eq!((after.outcome, &after.evidence), (before.outcome, &before.evidence));
    assert_eq!(looks(&world, "jane"), 0);
    Ok(())
}

#[tokio::test]
async fn a_photo_that_comes_back_twice_is_removed_twice_and_the_proof_is_the_first_ones() -> Outcome {
    let world = World::start().await?;
    let owner = Target::user("jane@contoso.com");
    remove_with(&world, "jane", &json!({"recheckInterval": "1h"})).await?;
    let first = world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!(first.removals, 1, "{first:?}");
    let due = first.next_attempt_time.ok_or("no nextAttemptTime")?;
    assert!(due.duration_since(first.completion_time.ok_or("no completionTime")?).as_secs() >= 3_600, "{first:?}");
    for removals in [2, 3] {
        assert!(world.emulator().put_photo(&owner), "a new photo");
        fast_forward(&world, "jane").await?;
        let status = world.wait_for("jane", "another removal", |status| status.removals == removals).await?;
        assert!(!world.emulator().has_photo(&owner), "the photo is gone again");
        assert_eq!((&status.evidence, status.completion_time), (&first.evidence, first.completion_time));
        assert_eq!((status.outcome, status.category()), (Some(api::Outcome::Removed), Category::Done));
        assert!(said(&status).contains(&format!("{removals} photos were removed in all")), "{status:?}");
        assert!(status.next_attempt_time > status.completion_time, "{status:?}");
    }
    // Nothing came back: one look, no DELETE, the next one in an hour.
    let (looked, deleted) = (looks(&world, "jane"), deletes(&world, "jane@contoso.com"));
    fast_forward(&world, "jane").await?;
    world
        .wait_for("jane", "a look that found nothing", |status| {
            status.next_attempt_time > Some(super::in_seconds(3_000))
        })
        .await?;
    assert_eq!((looks(&world, "jane"), deletes(&world, "jane@contoso.com")), (looked + 1, deleted));
    three_events(&world).await?;
    Ok(())
}

/// One for each removal.
async fn three_events(world: &World) -> Result<()> {
    eventually("three events", testbed::SOON, || async {
        let events = world.events_of("jane").await.map_err(|error| error.to_string())?;
        let reasons: Vec<_> = events.iter().filter_map(|event| event.reason.as_deref()).collect();
        if reasons == ["Removed", "Removed", "Removed"] { Ok(()) } else { Err(format!("{events:?}")) }
    })
    .await
}

/// What is stored by then says nothing of it: the write was kept, its answer was not.
#[tokio::test]
async fn a_photo_that_came_back_is_told_of_though_the_answer_to_the_write_is_lost() -> Outcome {
    let world = World::builder().faulty_api().start().await?;
    remove_with(&world, "jane", &json!({"recheckInterval": "1h"})).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    for removals in [2, 3] {
        assert!(world.emulator().put_photo(&Target::user("jane@contoso.com")), "a new photo");
        world.api().inject(testbed::Matcher::any().containing("/status").times(1), testbed::Fault::DropAfterCommit);
        fast_forward(&world, "jane").await?;
        world.wait_for("jane", "another removal", |status| status.removals == removals).await?;
    }
    three_events(&world).await?;
    assert_eq!(deletes(&world, "jane@contoso.com"), 3);
    Ok(())
}

#[tokio::test]
async fn a_recheck_without_a_credential_says_so_and_is_made_when_there_is_one() -> Outcome {
    let world = World::start().await?;
    let owner = Target::user("jane@contoso.com");
    remove_with(&world, "jane", &json!({"recheckInterval": "1h"})).await?;
    let first = world.wait_for_reason("jane", Reason::Removed).await?;
    world.delete_secret(testbed::SECRET).await?;
    let missing = |status: &api::PhotoRemovalStatus| said(status).contains("There is no Secret");
    eventually("the Secret is missed", testbed::SOON, || async {
        fast_forward(&world, "jane").await.map_err(|error| error.to_string())?;
        let status = world.status_of("jane").await.map_err(|error| error.to_string())?;
        if missing(&status) { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await?;
    let status = world.status_of("jane").await?;
    assert_eq!((status.category(), &status.evidence), (Category::Done, &first.evidence), "{status:?}");
    let writes = crate::given::writes(&world, "jane").await?.len();
    stays("requests", || world.emulator().requests().len()).await;
    assert_eq!(crate::given::writes(&world, "jane").await?.len(), writes, "said once");
    assert!(world.emulator().put_photo(&owner), "a new photo");
    world.put_secret(world.namespace(), testbed::SECRET, &world.good_secret()).await?;
    let status = world.wait_for("jane", "the second removal", |status| status.removals == 2).await?;
    assert!(!missing(&status) && !world.emulator().has_photo(&owner), "{status:?}");
    Ok(())
}

/// What is done stays done, whatever a re-check meets.
#[tokio::test]
async fn a_recheck_that_fails_is_made_up_for_and_takes_nothing_back() -> Outcome {
    let world = World::start().await?;
    remove_with(&world, "jane", &json!({"recheckInterval": "1h"})).await?;
    let first = world.wait_for_reason("jane", Reason::Removed).await?;
    let about = |what| emulator::Fault::on(Operation::GetPhoto, what).about("jane@contoso.com");
    for fault in ["500", "403 ErrorAccessDenied", "502 HTML"] {
        world.emulator().add_fault(about(known(fault)).times(1));
        let looked = looks(&world, "jane");
        fast_forward(&world, "jane").await?;
        eventually("it is looked at", testbed::SOON, || async { (looks(&world, "jane") > looked).then_some(()) })
            .await?;
        let status = world.status_of("jane").await?;
        assert_eq!((status.outcome, &status.evidence), (first.outcome, &first.evidence), "{fault}");
        assert_eq!(status.category(), Category::Done, "{fault}: {status:?}");
    }
    let next = |status: &api::PhotoRemovalStatus| status.next_attempt_time > Some(super::in_seconds(3_000));
    world.wait_for("jane", "the next look in an hour", next).await?;
    assert_eq!(deletes(&world, "jane@contoso.com"), 1);
    Ok(())
}
