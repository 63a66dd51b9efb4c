//! Stalled objects whose cure lies outside the cluster: looked at again, without flapping.

use std::time::Duration;

use emulator::{App, Behaviour, Fault, NotFoundAs, Operation, Target};
use photo_removal_operator::api::{PhotoRemovalStatus, Reason};
use testbed::{Result, SOON, World, eventually};

use crate::Outcome;
use crate::given::{known, on_delete, sign_ins, until_deleted, writes};

const USER: &str = "jane.doe@contoso.com";

/// From the first write that stalls the object to the one that finishes it, every status that the operator wrote says
/// Stalled, for this reason.
async fn never_flapped(world: &World, name: &str, reason: Reason) -> Result<()> {
    let settled = || async {
        let writes = writes(world, name).await.map_err(|error| error.to_string())?;
        let last = writes.last().and_then(|write| write.request.as_ref()).map(|body| body["status"]["outcome"].clone());
        if last.is_some_and(|outcome| outcome.is_string()) { Ok(writes) } else { Err("no outcome yet".to_owned()) }
    };
    let mut writes = eventually("the last write is in the audit log", testbed::SOON, settled).await?;
    writes.pop();
    assert!(writes.len() > 1, "{name}: expected looks that were written down, came {writes:?}");
    for write in &writes {
        let conditions = write.request.as_ref().map(|body| body["status"]["conditions"].clone()).unwrap_or_default();
        let stalled = conditions
            .as_array()
            .into_iter()
            .flatten()
            .any(|one| one["type"] == "Stalled" && one["status"] == "True" && one["reason"] == reason.as_str());
        assert!(stalled, "{name}: expected Stalled for {reason}, came {conditions}");
    }
    Ok(())
}

/// Graph says of who is not there that the target is missing: between a word about the photo and the question for its
/// owner, the owner could appear.
fn unknown_is_unknown(world: &World) {
    let behaviour = Behaviour { unknown_target: NotFoundAs::RequestResourceNotFound, ..Behaviour::default() };
    world.emulator().set_behaviour(behaviour);
}

#[tokio::test]
async fn a_user_who_appears_later_is_found_and_the_conditions_do_not_flap() -> Outcome {
    let world = World::start().await?;
    unknown_is_unknown(&world);
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 3).await?;
    let stalled = world.status_of("jane").await?;
    assert!(stalled.is_stalled() && stalled.next_attempt_time.is_some(), "{stalled:?}");
    world.user(USER);
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    assert!(!world.emulator().has_photo(&Target::user(USER)), "the photo is gone");
    assert!(status.completion_time >= stalled.completion_time, "{status:?}");
    never_flapped(&world, "jane", Reason::TargetNotFound).await?;
    let events = world.events_of("jane").await?;
    let reasons: Vec<_> = events.iter().filter_map(|event| event.reason.as_deref()).collect();
    assert_eq!(reasons, ["TargetNotFound", "Removed"], "one event a change of reason");
    Ok(())
}

#[tokio::test]
async fn a_look_that_meets_trouble_leaves_the_object_stalled_for_what_stalled_it() -> Outcome {
    for fault in ["500", "reset before the head", "429 Retry-After 1", "429 without Retry-After"] {
        let world = World::start().await?;
        unknown_is_unknown(&world);
        world.remove("jane", USER).await?;
        world.wait_for_reason("jane", Reason::TargetNotFound).await?;
        world.emulator().add_fault(on_delete(USER, known(fault)).times(2));
        let met = world.emulator().deletes_of(&Target::user(USER));
        until_deleted(&world, USER, met + 3).await?;
        world.user(USER);
        world.wait_for_reason("jane", Reason::Removed).await?;
        never_flapped(&world, "jane", Reason::TargetNotFound).await?;
    }
    Ok(())
}

#[tokio::test]
async fn looks_become_rarer_up_to_the_recheck() -> Outcome {
    let world = World::builder().config(|config| config.stalled_recheck = Duration::from_secs(1)).start().await?;
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 4).await?;
    let times: Vec<_> = world
        .emulator()
        .requests()
        .into_iter()
        .filter(|request| request.operation == emulator::Operation::Delete)
        .map(|request| request.since_start)
        .collect();
    for pair in times.windows(2) {
        let waited = pair[1].saturating_sub(pair[0]);
        assert!(waited >= Duration::from_millis(500), "looked again after {waited:?}, expected at least half a second");
    }
    Ok(())
}

/// Takes a minute: a new token is worth asking for no more often.
#[tokio::test]
async fn a_permission_that_is_granted_later_is_used_and_the_conditions_do_not_flap() -> Outcome {
    const A_MINUTE_AND_MORE: Duration = Duration::from_secs(90);
    let world = World::start().await?;
    let (tenant, client, secret) = world.credential();
    world.user(USER);
    world.emulator().put_app(App::new(client, secret).in_tenant(tenant).with_roles(&["User.Read.All"]));
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::PermissionDenied).await?;
    until_deleted(&world, USER, 4).await?;
    world.emulator().put_app(App::new(client, secret).in_tenant(tenant));
    eventually("the photo is removed", A_MINUTE_AND_MORE, || async {
        match world.status_of("jane").await {
            Ok(status) if status.reason() == Some(Reason::Removed) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    never_flapped(&world, "jane", Reason::PermissionDenied).await?;
    Ok(())
}

/// A look that is due while the sign-in is away would be due again at once, and again.
#[tokio::test]
async fn looks_that_are_due_while_the_sign_in_is_away_wait_for_it_quietly() -> Outcome {
    const OBJECTS: usize = 5;
    let world = World::builder().config(|config| config.retry_cap = Duration::from_secs(1)).start().await?;
    unknown_is_unknown(&world);
    for number in 0..OBJECTS {
        world.remove(&format!("leaver-{number}"), &format!("leaver-{number}@contoso.com")).await?;
    }
    for number in 0..OBJECTS {
        world.wait_for_reason(&format!("leaver-{number}"), Reason::TargetNotFound).await?;
    }
    world.emulator().add_fault(Fault::on(Operation::Token, known("entra 503 HTML")));
    world.emulator().expire_tokens();
    for number in 0..OBJECTS {
        let told = |status: &PhotoRemovalStatus| status.is_stalled() && status.next_attempt_time.is_none();
        world.wait_for(&format!("leaver-{number}"), "a look that waits for the sign-in", told).await?;
    }
    let before = looked(&world).await?;
    let failed = sign_ins(&world);
    eventually("two more sign-ins fail", SOON, || async { (sign_ins(&world) >= failed + 2).then_some(()) }).await?;
    let looks = looked(&world).await? - before;
    assert!(looks <= 2 * OBJECTS as u64, "expected hardly a look at {OBJECTS} objects, came {looks}");
    for number in 0..OBJECTS {
        world.user(&format!("leaver-{number}@contoso.com"));
    }
    world.emulator().clear_faults();
    for number in 0..OBJECTS {
        world.wait_for_reason(&format!("leaver-{number}"), Reason::Removed).await?;
        never_flapped(&world, &format!("leaver-{number}"), Reason::TargetNotFound).await?;
    }
    Ok(())
}

/// How often any object was looked at.
async fn looked(world: &World) -> Result<u64> {
    let page = world.metrics().await?;
    let counts = page.lines().filter(|line| line.starts_with("controller_runtime_reconcile_total"));
    Ok(counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum())
}
