//! What costs nothing: objects that rest, and everything beyond what a removal needs.

mod newer;
mod program;
mod waiting;

use std::collections::BTreeMap;

use emulator::Target;
use photo_removal_operator::api::Reason;
use serde_json::json;
use testbed::{SOON, World, eventually};

use crate::Outcome;
use crate::given::{NEVER, calls, deletes, known, on_delete, sign_ins, stays};

const USER: &str = "jane.doe@contoso.com";

/// A world that counts every call of its operator, and whose operator has no reason to look at a Secret twice.
fn counting() -> testbed::Builder {
    World::builder().faulty_api().config(|config| {
        (config.retry_base, config.retry_cap) = (NEVER, NEVER);
        (config.stalled_recheck, config.credential_recheck) = (NEVER, NEVER);
    })
}

/// Calls to the API server by kind: lists, watches, live reads, Secrets, status writes, events.
fn bill(world: &World) -> [usize; 6] {
    let watches = calls(world, "GET", "watch=true");
    let lists = calls(world, "GET", "/photoremovals?") - watches;
    let reads = calls(world, "GET", "/photoremovals/");
    [
        lists,
        watches,
        reads,
        calls(world, "GET", "/secrets/"),
        calls(world, "PUT", "/status"),
        calls(world, "POST", "/events"),
    ]
}

/// Waits for a bill, and that it stays.
async fn costs(world: &World, expected: [usize; 6]) -> Outcome {
    let what = "lists, watches, live reads, Secrets, status writes, events";
    eventually(what, SOON, || async { if bill(world) == expected { Ok(()) } else { Err(bill(world)) } }).await?;
    stays(what, || (bill(world), world.emulator().requests().len())).await;
    assert_eq!(world.api().seen().len(), expected.iter().sum::<usize>(), "calls in all: {:?}", world.api().seen());
    Ok(())
}

#[tokio::test]
async fn a_removal_costs_one_live_read_one_write_and_one_event_and_then_nothing() -> Outcome {
    let world = counting().start().await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    costs(&world, [1, 1, 1, 1, 1, 1]).await?;
    assert_eq!((sign_ins(&world), deletes(&world, USER)), (1, 1), "sign-ins and DELETEs");
    Ok(())
}

#[tokio::test]
async fn ten_removals_cost_ten_of_each_and_one_token() -> Outcome {
    let world = counting().start().await?;
    for number in 0..10 {
        let user = format!("user-{number}@contoso.com");
        world.user(&user);
        world.remove(&format!("user-{number}"), &user).await?;
    }
    costs(&world, [1, 1, 10, 1, 10, 10]).await?;
    assert_eq!(sign_ins(&world), 1, "token requests");
    Ok(())
}

#[tokio::test]
async fn objects_that_rest_cost_nothing_whatever_is_done_to_their_metadata() -> Outcome {
    let world = counting().start().await?;
    for name in ["removed", "stalled", "waiting"] {
        world.user(&format!("{name}@contoso.com"));
    }
    world.emulator().add_fault(on_delete("stalled@contoso.com", known("400 extensionError")));
    world.emulator().add_fault(on_delete("waiting@contoso.com", known("500")));
    let mut suspended = world.manifest("suspended", USER);
    suspended["spec"]["suspend"] = json!(true);
    world.apply(&suspended).await?;
    for name in ["removed", "stalled", "waiting"] {
        world.remove(name, &format!("{name}@contoso.com")).await?;
    }
    costs(&world, [1, 1, 3, 1, 4, 4]).await?;
    for name in ["removed", "stalled", "waiting", "suspended"] {
        world.edit(name, &json!({"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}})).await?;
    }
    costs(&world, [1, 1, 3, 1, 4, 4]).await?;
    Ok(())
}

#[tokio::test]
async fn objects_that_rest_cost_nothing_after_a_restart() -> Outcome {
    let world = counting().start().await?;
    for name in ["removed", "stalled", "waiting"] {
        world.user(&format!("{name}@contoso.com"));
    }
    world.emulator().add_fault(on_delete("stalled@contoso.com", known("400 extensionError")));
    world.emulator().add_fault(on_delete("waiting@contoso.com", known("500")));
    for name in ["removed", "stalled", "waiting"] {
        world.remove(name, &format!("{name}@contoso.com")).await?;
    }
    costs(&world, [1, 1, 3, 1, 3, 3]).await?;
    world.restart_operator().await?;
    costs(&world, [2, 2, 3, 1, 3, 3]).await?;
    Ok(())
}

#[tokio::test]
async fn a_photo_that_came_back_stays() -> Outcome {
    let world = counting().start().await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    costs(&world, [1, 1, 1, 1, 1, 1]).await?;
    assert!(world.emulator().put_photo(&Target::user(USER)), "a new photo");
    world.restart_operator().await?;
    costs(&world, [2, 2, 1, 1, 1, 1]).await?;
    assert!(world.emulator().has_photo(&Target::user(USER)), "the new photo stays");
    Ok(())
}

/// The API server's own view of the bill; a watch is in its log only when it ends.
#[tokio::test]
async fn the_audit_log_of_a_removal_shows_one_of_each_and_nothing_that_failed() -> Outcome {
    let world = World::builder().config(|config| config.credential_recheck = NEVER).start().await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    let expected = [
        "create events",
        "get photoremovals jane",
        "get secrets graph",
        "list photoremovals",
        "update photoremovals/status jane",
    ];
    let expected: BTreeMap<String, usize> = expected.map(|call| (call.to_owned(), 1)).into();
    let look = || async {
        let calls = audited(&world).map_err(|error| error.to_string())?;
        if calls == expected { Ok(()) } else { Err(format!("{calls:?}")) }
    };
    eventually(&format!("the audit log to show {expected:?}"), SOON, look).await?;
    let failed: Vec<_> = world.audit()?.into_iter().filter(|entry| entry.code >= 400).collect();
    assert!(failed.is_empty(), "expected no call to fail, came {failed:?}");
    Ok(())
}

/// The operator's calls that have ended, and how often each was made.
fn audited(world: &World) -> testbed::Result<BTreeMap<String, usize>> {
    let mut calls = BTreeMap::new();
    for entry in world.audit()?.into_iter().filter(|entry| entry.verb != "watch") {
        let part = if entry.subresource.is_empty() { String::new() } else { format!("/{}", entry.subresource) };
        // An event's name is the operator's choice.
        let name = if entry.resource == "events" { "" } else { entry.name.as_str() };
        let call = format!("{} {}{part} {name}", entry.verb, entry.resource);
        *calls.entry(call.trim_end().to_owned()).or_default() += 1;
    }
    Ok(calls)
}
