//! `backoffLimit` and `ttlSecondsAfterFinished`.

use photo_removal_operator::api::{Category, Reason};
use serde_json::json;
use testbed::{SOON, World, eventually};

use super::{remove_with, said};
use crate::Outcome;
use crate::given::{deletes, known, on_delete, stays};

#[tokio::test]
async fn a_limit_is_so_many_retries_after_the_first_try() -> Outcome {
    let world = World::start().await?;
    for (name, limit, fault) in [("none", 0, "500"), ("two", 2, "502 HTML"), ("refused", 1, "400 BadRequest")] {
        world.emulator().add_fault(on_delete(&format!("{name}@contoso.com"), known(fault)));
        remove_with(&world, name, &json!({"backoffLimit": limit})).await?;
        let status = world.wait_for_reason(name, Reason::BackoffLimitExceeded).await?;
        assert!(status.is_stalled() && status.completion_time.is_some() && status.next_attempt_time.is_none());
        assert_eq!((status.failed, status.attempts), (limit + 1, limit + 1), "{name}: {status:?}");
        assert!(said(&status).contains("spec.backoffLimit"), "{status:?}");
        let sent = || deletes(&world, &format!("{name}@contoso.com"));
        stays("DELETEs", sent).await;
    }
    // A higher limit starts over.
    world.emulator().clear_faults();
    world.edit("none", &json!({"spec": {"backoffLimit": 1}})).await?;
    world.wait_for_reason("none", Reason::Removed).await?;
    Ok(())
}

/// What stalls for a better reason keeps it, and is looked at no more often than the limit says.
#[tokio::test]
async fn a_limit_ends_the_looks_at_a_stalled_object_and_leaves_its_reason() -> Outcome {
    let world = World::start().await?;
    world
        .apply(&{
            let mut manifest = world.manifest("nobody", "nobody@contoso.com");
            manifest["spec"]["backoffLimit"] = json!(1);
            manifest
        })
        .await?;
    let over = |status: &photo_removal_operator::api::PhotoRemovalStatus| status.failed == 2;
    let status = world.wait_for("nobody", "two failed tries", over).await?;
    assert_eq!((status.reason(), status.next_attempt_time), (Some(Reason::TargetNotFound), None), "{status:?}");
    stays("DELETEs", || deletes(&world, "nobody@contoso.com")).await;
    assert_eq!(deletes(&world, "nobody@contoso.com"), 2);
    Ok(())
}

#[tokio::test]
async fn throttled_answers_are_no_failures() -> Outcome {
    let world = World::start().await?;
    world.emulator().add_fault(on_delete("jane@contoso.com", known("429 Retry-After 1")).times(2));
    remove_with(&world, "jane", &json!({"backoffLimit": 0})).await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!((status.failed, status.attempts), (0, 1), "{status:?}");
    Ok(())
}

#[tokio::test]
async fn a_finished_object_is_deleted_after_its_time_and_a_stalled_one_is_not() -> Outcome {
    let world = World::start().await?;
    remove_with(&world, "done", &json!({"ttlSecondsAfterFinished": 3})).await?;
    world
        .apply(&{
            let mut manifest = world.manifest("nobody", "nobody@contoso.com");
            manifest["spec"]["ttlSecondsAfterFinished"] = json!(0);
            manifest
        })
        .await?;
    let done = world.wait_for_reason("done", Reason::Removed).await?;
    world.wait_for_reason("nobody", Reason::TargetNotFound).await?;
    eventually("the finished object is gone", SOON, || async { world.get("done").await.err() }).await?;
    let deleted = world.audit()?.into_iter().find(|entry| entry.verb == "delete" && entry.name == "done");
    let deleted = deleted.ok_or("the audit log shows no deletion")?;
    assert!(deleted.user.ends_with(":photo-removal-operator"), "by whom: {}", deleted.user);
    assert_eq!(done.category(), Category::Done);
    world.get("nobody").await?;
    assert_eq!(deletes(&world, "done@contoso.com"), 1, "its deletion sends nothing");
    Ok(())
}

#[tokio::test]
async fn a_time_of_nothing_is_at_once_and_one_of_thirty_years_costs_nothing() -> Outcome {
    let world = World::start().await?;
    remove_with(&world, "at-once", &json!({"ttlSecondsAfterFinished": 0})).await?;
    eventually("it is done and gone", SOON, || async { world.get("at-once").await.err() }).await?;
    assert_eq!(deletes(&world, "at-once@contoso.com"), 1);
    remove_with(&world, "much-later", &json!({"ttlSecondsAfterFinished": 1_000_000_000})).await?;
    world.wait_for_reason("much-later", Reason::Removed).await?;
    stays("requests", || world.emulator().requests().len()).await;
    Ok(())
}

/// Argo CD and Flux would make it again, and its photo would go again, for ever.
#[tokio::test]
async fn who_keeps_the_object_in_git_is_warned_of_its_end() -> Outcome {
    let world = World::start().await?;
    for (name, metadata) in [
        (
            "argo",
            json!({"annotations": {"argocd.argoproj.io/tracking-id": "app:photoremoval.dev/PhotoRemoval:a/argo"}}),
        ),
        ("flux", json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "offboarding"}})),
        ("nobody", json!({})),
    ] {
        let user = format!("{name}@contoso.com");
        world.user(&user);
        let mut manifest = world.manifest(name, &user);
        for (key, value) in metadata.as_object().into_iter().flatten() {
            manifest["metadata"][key] = value.clone();
        }
        manifest["spec"]["ttlSecondsAfterFinished"] = json!(3_600);
        world.apply(&manifest).await?;
        world.wait_for_reason(name, Reason::Removed).await?;
        let expected: &[&str] = if name == "nobody" { &["Removed"] } else { &["Removed", "MadeAgain"] };
        eventually("the events", SOON, || async {
            let events = world.events_of(name).await.map_err(|error| error.to_string())?;
            let reasons: Vec<_> = events.iter().filter_map(|event| event.reason.as_deref()).collect();
            let warned = events
                .iter()
                .all(|event| event.type_.as_deref() == Some("Warning") || event.reason.as_deref() == Some("Removed"));
            if reasons.len() == expected.len() && expected.iter().all(|one| reasons.contains(one)) && warned {
                Ok(())
            } else {
                Err(format!("{events:?}"))
            }
        })
        .await?;
    }
    Ok(())
}
