//! The evidence: what Microsoft saw of the request, written once and for good.

use emulator::{Operation, Recorded, Target};
use jiff::SignedDuration;
use photo_removal_operator::api::{Evidence, PhotoRemovalStatus, Reason};
use serde_json::{Value, json};
use testbed::{Result, SOON, World, eventually};

use super::{fast_forward, remove_with};
use crate::Outcome;
use crate::given::{deletes, known, on_delete};

fn sent(world: &World, name: &str) -> Vec<Recorded> {
    let target = Target::user(format!("{name}@contoso.com"));
    let is_one = |one: &Recorded| one.operation == Operation::Delete && one.target.as_ref() == Some(&target);
    world.emulator().requests().into_iter().filter(is_one).collect()
}

/// After two failures, so that it is the request that did it and no other.
#[tokio::test]
async fn the_evidence_is_what_microsoft_saw_of_the_request_that_ended_it() -> Outcome {
    let world = World::start().await?;
    world.emulator().put_user(emulator::User::new("absent@contoso.com"));
    world.apply(&world.manifest("absent", "absent@contoso.com")).await?;
    world.emulator().add_fault(on_delete("removed@contoso.com", known("500")).times(2));
    remove_with(&world, "removed", &json!({})).await?;
    for (name, reason, requests) in [("absent", Reason::AlreadyAbsent, 1), ("removed", Reason::Removed, 3)] {
        let status = world.wait_for_reason(name, reason).await?;
        let evidence = status.evidence.ok_or("no evidence")?;
        let sent = sent(&world, name);
        let last = sent.last().ok_or("no DELETE")?;
        assert_eq!(sent.len(), requests, "DELETEs of {name}");
        let (tenant, client, _) = world.credential();
        assert_eq!((evidence.tenant_id.as_str(), evidence.client_id.as_str()), (tenant, client), "{name}");
        assert_eq!(evidence.client_request_id, last.header("client-request-id"), "{name}");
        assert_eq!(evidence.http_status, last.status.map(i32::from), "{name}");
        let told = status.last_attempt.ok_or("no lastAttempt")?;
        assert_eq!((told.time, told.request_id), (evidence.time, evidence.request_id.clone()), "{name}");
        assert!(evidence.request_id.is_some_and(|id| uuid::Uuid::try_parse(&id).is_ok()), "{name}: no request-id");
        // The status keeps milliseconds.
        let ended = evidence.time + SignedDuration::from_millis(1);
        assert!(ended >= last.time, "{name}: {ended} is before {}", last.time);
    }
    Ok(())
}

/// Every hand that may touch a finished object, one after the other, and the operator anew after each.
#[tokio::test]
async fn nothing_overwrites_the_evidence() -> Outcome {
    let world = World::start().await?;
    remove_with(&world, "jane", &json!({})).await?;
    let first = world.wait_for_reason("jane", Reason::Removed).await?.evidence.ok_or("no evidence")?;
    let other = json!({"spec": {"credentials": {"secretRef": {"name": "another"}}}});
    let hands = [
        ("another credential", other),
        ("suspended", json!({"spec": {"suspend": true}})),
        ("resumed", json!({"spec": {"suspend": false}})),
        ("a dry run", json!({"spec": {"dryRun": true}})),
        ("no dry run", json!({"spec": {"dryRun": false}})),
        ("a date", json!({"spec": {"notBefore": "2999-01-01T00:00:00Z"}})),
        ("an end", json!({"spec": {"notBefore": null, "notAfter": "2020-01-01T00:00:00Z"}})),
        ("no end", json!({"spec": {"notAfter": null, "credentials": {"secretRef": {"name": testbed::SECRET}}}})),
    ];
    for (what, change) in hands {
        stands(&world, what, &change, &first).await?;
        world.restart_operator().await?;
    }
    let retry = json!({"metadata": {"annotations": {"photoremoval.dev/retry": "1"}}});
    stands(&world, "a retry", &retry, &first).await?;
    assert_eq!(deletes(&world, "jane@contoso.com"), 1);
    world.edit("jane", &json!({"spec": {"recheckInterval": "1h"}})).await?;
    world.wait_for("jane", "a time to look again", |status| status.next_attempt_time.is_some()).await?;
    assert!(world.emulator().put_photo(&Target::user("jane@contoso.com")), "a new photo");
    fast_forward(&world, "jane").await?;
    let again = |status: &PhotoRemovalStatus| {
        status.last_attempt.as_ref().and_then(|last| last.client_request_id.as_ref()) != Some(&first.client_request_id)
    };
    let status = world.wait_for("jane", "a second removal", again).await?;
    assert_eq!(status.evidence.as_ref(), Some(&first), "after a photo came back");
    world.restart_operator().await?;
    stands(&world, "no re-check", &json!({"spec": {"recheckInterval": null}}), &first).await?;
    assert_eq!(deletes(&world, "jane@contoso.com"), 2);
    Ok(())
}

/// Somebody changes the object, the operator has seen it, and the evidence is what it was.
async fn stands(world: &World, what: &str, change: &Value, first: &Evidence) -> Result<()> {
    let edited = world.edit("jane", change).await?;
    let status = eventually(what, SOON, || async {
        let status = world.status_of("jane").await.map_err(|error| error.to_string())?;
        if status.observed_generation == edited.metadata.generation { Ok(status) } else { Err(format!("{status:?}")) }
    })
    .await?;
    assert_eq!(status.evidence.as_ref(), Some(first), "{what}");
    assert_eq!(status.reason(), Some(Reason::Removed), "{what}");
    Ok(())
}
