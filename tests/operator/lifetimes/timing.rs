//! `notBefore` and `notAfter`.

use photo_removal_operator::api::{Category, Reason};
use serde_json::json;
use testbed::World;

use super::{in_seconds, remove_with, said};
use crate::Outcome;
use crate::given::{deletes, known, on_delete, stays, writes};

#[tokio::test]
async fn nothing_is_sent_before_the_beginning_and_then_it_goes_on_by_itself() -> Outcome {
    let world = World::start().await?;
    let begin = in_seconds(5);
    remove_with(&world, "jane", &json!({"notBefore": begin})).await?;
    let status = world.wait_for_reason("jane", Reason::Scheduled).await?;
    assert_eq!((status.category(), status.next_attempt_time), (Category::GoingOn, Some(begin)), "{status:?}");
    assert!(said(&status).contains("which is spec.notBefore"), "{status:?}");
    assert_eq!(world.emulator().requests(), [], "nothing is sent before, not even a sign-in");
    world.wait_for_reason("jane", Reason::Removed).await?;
    let sent = world.emulator().requests().into_iter().map(|request| request.time).min();
    assert!(sent.is_some_and(|sent| sent >= begin), "sent at {sent:?}, which is before {begin}");
    assert_eq!(writes(&world, "jane").await?.len(), 2, "one write to say when, one to say that it is done");
    let events: Vec<_> = world.events_of("jane").await?.into_iter().filter_map(|event| event.reason).collect();
    assert_eq!(events, ["Scheduled", "Removed"]);
    Ok(())
}

#[tokio::test]
async fn a_beginning_that_is_taken_away_or_moved_is_heeded() -> Outcome {
    let world = World::start().await?;
    remove_with(&world, "jane", &json!({"notBefore": "2999-01-01T00:00:00Z"})).await?;
    world.wait_for_reason("jane", Reason::Scheduled).await?;
    world.edit("jane", &json!({"spec": {"notBefore": "2998-01-01T00:00:00Z"}})).await?;
    let moved = |status: &photo_removal_operator::api::PhotoRemovalStatus| said(status).contains("2998-01-01");
    world.wait_for("jane", "the other date", moved).await?;
    world.edit("jane", &json!({"spec": {"notBefore": null}})).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

/// An old manifest that is applied again must not remove a new photo.
#[tokio::test]
async fn an_end_in_the_past_is_said_at_once_and_a_later_one_makes_it_go_on() -> Outcome {
    let world = World::start().await?;
    remove_with(&world, "jane", &json!({"notAfter": "2020-01-01T00:00:00Z"})).await?;
    let status = world.wait_for_reason("jane", Reason::Expired).await?;
    assert!(status.is_stalled() && status.completion_time.is_some(), "{status:?}");
    stays("requests", || world.emulator().requests().len()).await;
    assert_eq!(world.emulator().requests(), [], "nothing is sent, not even a sign-in");
    world.edit("jane", &json!({"spec": {"notAfter": in_seconds(3_600)}})).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

/// Wherever it waits: for another try, for a credential, for its turn.
#[tokio::test]
async fn an_end_that_comes_while_the_object_waits_is_said_when_it_comes() -> Outcome {
    let world = World::builder().config(|config| config.retry_cap = crate::given::NEVER).start().await?;
    let end = in_seconds(4);
    for name in ["failing", "without-secret", "scheduled"] {
        let mut fields = json!({"notAfter": end});
        if name == "without-secret" {
            fields["credentials"] = json!({"secretRef": {"name": "never"}});
        }
        if name == "failing" {
            let retry = known("500");
            world.emulator().add_fault(on_delete("failing@contoso.com", retry));
        }
        remove_with(&world, name, &fields).await?;
    }
    world.wait_for_reason("without-secret", Reason::CredentialNotFound).await?;
    world.wait_for_reason("scheduled", Reason::Removed).await?;
    for name in ["failing", "without-secret"] {
        let status = world.wait_for_reason(name, Reason::Expired).await?;
        let said_at = status.completion_time.ok_or("no completionTime")?;
        assert!(said_at >= end, "{name}: said at {said_at}, which is before {end}");
    }
    world.emulator().clear_faults();
    stays("DELETEs after the end", || deletes(&world, "failing@contoso.com")).await;
    Ok(())
}
