//! What removes a new photo as well: another object asks for it. And `notAfter`, which says no.

use photo_removal_operator::api::Reason;
use serde_json::{Value, json};
use testbed::{SOON, World, eventually};

use super::{NAME, REPLAYS, Replay, USER, goes, in_seconds, manifest, manifest_with, new_photo, removed_and_renewed};
use super::{restore, rows, stays, until, until_gone};
use crate::Outcome;
use crate::gitops::page::PAGE;
use crate::pages;

#[tokio::test]
async fn deleted_and_made_again() -> Outcome {
    let world = World::start().await?;
    let before = removed_and_renewed(&world, &manifest(&world)).await?;
    world.delete(NAME).await?;
    let again = world.apply(&manifest(&world)).await?;
    assert_ne!(again.metadata.uid, before.metadata.uid);
    Replay::MadeAgain.ends_as_the_page_says(&world).await?;
    world.wait_for_reason(NAME, Reason::Removed).await?;
    new_photo(&world);
    let replace = ["replace", "--force", "-f", "-"];
    world.plane().kubectl_with(&replace, &manifest(&world).to_string()).await?.ok()?;
    Replay::MadeAgain.ends_as_the_page_says(&world).await?;
    Ok(())
}

#[tokio::test]
async fn renamed() -> Outcome {
    let world = World::start().await?;
    removed_and_renewed(&world, &manifest(&world)).await?;
    // In the order of a tool that prunes last.
    world.remove("leaver-2026", USER).await?;
    world.delete(NAME).await?;
    Replay::Renamed.ends_as_the_page_says(&world).await?;
    world.wait_for_reason("leaver-2026", Reason::Removed).await?;
    Ok(())
}

/// What each tool writes on an object that it keeps, and whether the page says that it is recognised.
fn keepers() -> [(Value, bool); 4] {
    [
        (
            json!({"annotations": {"argocd.argoproj.io/tracking-id": "app:photoremoval.dev/PhotoRemoval:a/leaver"}}),
            true,
        ),
        (json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "offboarding"}}), true),
        (json!({"labels": {"helm.toolkit.fluxcd.io/name": "offboarding"}}), true),
        (json!({"labels": {"app.kubernetes.io/instance": "offboarding"}}), false),
    ]
}

#[tokio::test]
async fn deleted_when_done_and_made_again_for_ever() -> Outcome {
    for (metadata, warned) in keepers() {
        let world = World::start().await?;
        let mut kept = manifest_with(&world, &json!({"ttlSecondsAfterFinished": 0}));
        if let (Some(ours), Some(theirs)) = (kept["metadata"].as_object_mut(), metadata.as_object()) {
            ours.extend(theirs.clone());
        }
        world.user(USER);
        for round in 1..=2 {
            new_photo(&world);
            world.apply(&kept).await?;
            Replay::SelfHealed.ends_as_the_page_says(&world).await?;
            until_gone(&world, NAME).await?;
            // The event outlives its object: it is there for whoever asks why the photo went.
            let expected = if warned { round } else { 0 };
            eventually(&format!("{expected} warnings about {metadata}"), SOON, || async {
                let events = world.events_of(NAME).await.map_err(|error| error.to_string())?;
                let of = |reason| events.iter().filter(|event| event.reason.as_deref() == Some(reason)).count();
                let seen = (of("Removed"), of("MadeAgain"));
                if seen == (round, expected) { Ok(()) } else { Err(format!("{seen:?} of {events:?}")) }
            })
            .await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_end_ends_the_loop_of_self_heal() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    let end = in_seconds(4);
    let kept = manifest_with(&world, &json!({"ttlSecondsAfterFinished": 0, "notAfter": end}));
    world.apply(&kept).await?;
    until_gone(&world, NAME).await?;
    until(end).await?;
    new_photo(&world);
    let made = world.apply(&kept).await?;
    world.wait_for_reason(NAME, Reason::Expired).await?;
    Replay::AfterTheEnd.ends_as_the_page_says(&world).await?;
    assert_eq!(world.get(NAME).await?.metadata.uid, made.metadata.uid, "it is not deleted");
    Ok(())
}

/// The page's own manifest.
#[tokio::test]
async fn what_is_made_again_after_its_end_removes_nothing() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    let blocks = pages::blocks(&pages::section(&pages::page(PAGE), REPLAYS));
    let [example] = &blocks.iter().filter(|block| block.kind == "yaml").collect::<Vec<_>>()[..] else {
        return Err("expected one manifest".into());
    };
    let mut pattern: Value = serde_saphyr::from_str(&example.text)?;
    let end = in_seconds(4);
    pattern["metadata"]["namespace"] = json!(world.namespace());
    assert!(pattern["spec"]["notAfter"].is_string(), "{pattern}");
    pattern["spec"]["notAfter"] = json!(end);
    let mut other = pattern.clone();
    other["metadata"]["name"] = json!("other");
    other["spec"]["suspend"] = json!(true);
    world.apply(&other).await?;
    world.wait_for_reason("other", Reason::Suspended).await?;
    removed_and_renewed(&world, &pattern).await?;
    until(end).await?;
    // What is done stays done.
    world.edit(NAME, &json!({"metadata": {"labels": {"touched": "yes"}}})).await?;
    stays(&world, "a finished removal after its end").await?;
    assert_eq!(world.status_of(NAME).await?.reason(), Some(Reason::Removed));
    world.edit("other", &json!({"spec": {"suspend": false}})).await?;
    world.delete(NAME).await?;
    world.apply(&pattern).await?;
    pattern["metadata"]["name"] = json!("renamed");
    restore(&world, &pattern, None).await?;
    for name in ["other", NAME, "renamed"] {
        world.wait_for_reason(name, Reason::Expired).await?;
    }
    Replay::AfterTheEnd.ends_as_the_page_says(&world).await?;
    Ok(())
}

#[tokio::test]
async fn two_removals_of_one_user() -> Outcome {
    let world = World::start().await?;
    let mut other = world.manifest("other", USER);
    other["spec"]["suspend"] = json!(true);
    world.apply(&other).await?;
    world.wait_for_reason("other", Reason::Suspended).await?;
    removed_and_renewed(&world, &manifest(&world)).await?;
    stays(&world, "the other removal is suspended").await?;
    world.edit("other", &json!({"spec": {"suspend": false}})).await?;
    Replay::AnotherResumed.ends_as_the_page_says(&world).await?;
    world.wait_for_reason("other", Reason::Removed).await?;
    // Without a new photo there is nothing left to do.
    other["metadata"]["name"] = json!("third");
    world.apply(&other).await?;
    world.wait_for_reason("third", Reason::Suspended).await?;
    world.edit("third", &json!({"spec": {"suspend": false}})).await?;
    world.wait_for_reason("third", Reason::AlreadyAbsent).await?;
    assert!(rows().iter().any(|row| row[0] == Replay::AnotherResumed.words() && row[2].contains("`AlreadyAbsent`")));
    goes(&world, "and no photo").await?;
    Ok(())
}
