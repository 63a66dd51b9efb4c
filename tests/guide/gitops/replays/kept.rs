//! What sends nothing: the object stays, goes for good, or comes back with its status.

use std::fs;

use photo_removal_operator::api::{PhotoRemovalStatus, Reason};
use serde_json::{Value, json};
use testbed::World;

use super::{NAME, REPLAYS, Replay, USER, backup, goes, has_photo, in_seconds, manifest, manifest_with};
use super::{new_photo, removed_and_renewed, restore, until, until_gone};
use crate::Outcome;
use crate::gitops::page::PAGE;
use crate::pages::{self, Shell};

/// As Argo CD and Flux do it every few minutes, and as a person does it once.
#[tokio::test]
async fn applied_again_unchanged_or_edited() -> Outcome {
    let world = World::start().await?;
    let before = removed_and_renewed(&world, &manifest(&world)).await?;
    assert_eq!(world.apply(&manifest(&world)).await?.metadata.resource_version, before.metadata.resource_version);
    Replay::AppliedAgain.ends_as_the_page_says(&world).await?;
    let retry = json!({"metadata": {"annotations": {"photoremoval.dev/retry": "1"}}});
    for change in [retry, json!({"spec": {"suspend": true}}), json!({"spec": {"suspend": false, "backoffLimit": 3}})] {
        let edited = world.edit(NAME, &change).await?;
        let looked = |status: &PhotoRemovalStatus| status.observed_generation == edited.metadata.generation;
        let status = world.wait_for(NAME, "the operator looks at the edit", looked).await?;
        let was = before.status.clone().unwrap_or_default();
        assert_eq!((status.outcome, &status.evidence), (was.outcome, &was.evidence), "{change}");
        Replay::AppliedAgain.ends_as_the_page_says(&world).await?;
    }
    Ok(())
}

/// Applied again: what it does not touch, and what it asks for.
#[tokio::test]
async fn an_edit_that_asks_for_more_is_heeded_and_another_target_is_refused() -> Outcome {
    let world = World::start().await?;
    removed_and_renewed(&world, &manifest(&world)).await?;
    let other = world.apply(&world.manifest(NAME, "other@contoso.com")).await.err().ok_or("another target is taken")?;
    assert!(other.to_string().contains("target"), "{other}");
    world.edit(NAME, &json!({"spec": {"recheckInterval": "1h"}})).await?;
    world.wait_for(NAME, "the next look", |status| status.next_attempt_time.is_some()).await?;
    assert!(has_photo(&world), "the next look is in an hour");
    world.put_status(NAME, &json!({"status": {"nextAttemptTime": in_seconds(-1)}})).await?;
    goes(&world, "looked at again").await?;
    world.edit(NAME, &json!({"spec": {"recheckInterval": null, "ttlSecondsAfterFinished": 0}})).await?;
    until_gone(&world, NAME).await?;
    Ok(())
}

#[tokio::test]
async fn deleted_or_pruned_after_its_evidence_was_exported() -> Outcome {
    let world = World::start().await?;
    let done = removed_and_renewed(&world, &manifest(&world)).await?;
    let folder = world.plane().folder().join(format!("export-{}", world.namespace()));
    fs::create_dir(&folder)?;
    let blocks = pages::blocks(&pages::section(&pages::page(PAGE), REPLAYS));
    let [export] = &blocks.iter().filter(|block| block.kind == "sh").collect::<Vec<_>>()[..] else {
        return Err("expected one command, the export".into());
    };
    let command = export.text.replace("offboarding", world.namespace());
    Shell::new(world.plane(), folder.clone()).await?.run(&command).await?;
    world.delete(NAME).await?;
    until_gone(&world, NAME).await?;
    Replay::Deleted.ends_as_the_page_says(&world).await?;
    // What is gone is in the export; applied, it is a new object, whose status nobody restores.
    let exported = fs::read_to_string(folder.join("evidence.yaml"))?;
    let list: Value = serde_saphyr::from_str(&exported)?;
    let evidence = done.status.and_then(|status| status.evidence).ok_or("no evidence")?;
    assert_eq!(list["items"][0]["status"]["evidence"], serde_json::to_value(&evidence)?);
    world.plane().kubectl_with(&["create", "-f", "-"], &exported).await?.ok()?;
    Replay::RestoredWithout.ends_as_the_page_says(&world).await?;
    Ok(())
}

/// Whatever it waited for, what is gone asks for nothing.
#[tokio::test]
async fn deleted_before_it_was_done() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    let begin = in_seconds(4);
    for (fields, reason) in
        [(json!({"notBefore": begin}), Reason::Scheduled), (json!({"suspend": true}), Reason::Suspended)]
    {
        world.apply(&manifest_with(&world, &fields)).await?;
        world.wait_for_reason(NAME, reason).await?;
        world.delete(NAME).await?;
        until_gone(&world, NAME).await?;
        until(begin).await?;
        Replay::Deleted.ends_as_the_page_says(&world).await?;
    }
    Ok(())
}

#[tokio::test]
async fn restored_with_its_status() -> Outcome {
    let world = World::start().await?;
    removed_and_renewed(&world, &manifest(&world)).await?;
    // An object that is made again counts its generations anew: the status speaks of one that there is not.
    let edited = world.edit(NAME, &json!({"spec": {"backoffLimit": 3}})).await?;
    let looked = |status: &PhotoRemovalStatus| status.observed_generation == edited.metadata.generation;
    let before = world.wait_for(NAME, "the operator looks at the edit", looked).await?;
    world.stop_operator().await?;
    let backup = backup(&world).await?;
    world.delete(NAME).await?;
    restore(&world, &backup, Some(&backup["status"])).await?;
    world.start_operator().await?;
    let looked = |status: &PhotoRemovalStatus| status.observed_generation == Some(1);
    let after = world.wait_for(NAME, "the operator looks at what was restored", looked).await?;
    assert_eq!((after.outcome, &after.evidence), (before.outcome, &before.evidence));
    assert_eq!(after.reason(), Some(Reason::Removed));
    Replay::RestoredWithStatus.ends_as_the_page_says(&world).await?;
    Ok(())
}

/// A status that does not know the outcome is none, and one that comes too late neither.
#[tokio::test]
async fn restored_without_its_status_or_with_an_older_one() -> Outcome {
    let world = World::builder().build().await?;
    world.user(USER);
    world.apply(&manifest(&world)).await?;
    let before = backup(&world).await?;
    for status in [None, Some(&before["status"])] {
        new_photo(&world);
        world.delete(NAME).await?;
        restore(&world, &before, status).await?;
        world.start_operator().await?;
        Replay::RestoredWithout.ends_as_the_page_says(&world).await?;
        world.wait_for_reason(NAME, Reason::Removed).await?;
        world.stop_operator().await?;
    }
    Ok(())
}
