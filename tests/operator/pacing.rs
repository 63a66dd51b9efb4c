//! Windows, pauses and turns.

use std::time::Duration;

use emulator::{Behaviour, Fault, FaultKind, Limits, Operation, Recorded};
use http::StatusCode;
use photo_removal_operator::api::Reason;
use photo_removal_operator::cli::Config;
use serde_json::json;
use testbed::{Matcher, Result, SOON, World, eventually};

use crate::Outcome;
use crate::given::{NEVER, known, on_delete, slow, stays, until_deleted};

/// So many removals in that namespace, with that Secret.
async fn removals(world: &World, namespace: &str, secret: &str, names: &[String]) -> Result<()> {
    for name in names {
        let user = format!("{name}@contoso.com");
        world.user(&user);
        let mut manifest = world.manifest(name, &user);
        manifest["metadata"]["namespace"] = json!(namespace);
        manifest["spec"]["credentials"]["secretRef"]["name"] = json!(secret);
        world.apply(&manifest).await?;
    }
    Ok(())
}

fn names(prefix: &str, number: usize) -> Vec<String> {
    (0..number).map(|number| format!("{prefix}-{number:02}")).collect()
}

fn latency(milliseconds: u64) -> Behaviour {
    Behaviour { latency: Duration::from_millis(milliseconds), ..Behaviour::default() }
}

/// The users of the DELETEs, in the order of their arrival.
fn order(world: &World) -> Vec<String> {
    let deletes = world.emulator().requests().into_iter().filter(|request| request.operation == Operation::Delete);
    deletes.filter_map(|request| request.target.map(|target| target.name().to_owned())).collect()
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_the_window_lets() -> Outcome {
    for window in [1, 3, 4] {
        let world = World::builder().in_flight(window).build().await?;
        world.emulator().set_behaviour(latency(30));
        world.emulator().set_limits(Limits::off());
        removals(&world, world.namespace(), testbed::SECRET, &names("user", 40)).await?;
        world.start_operator().await?;
        world.wait_for_all(SOON).await?;
        let most = world.emulator().max_in_flight();
        assert_eq!(most as usize, window, "the most requests in flight with a window of {window}");
    }
    Ok(())
}

/// The DELETEs that have arrived, and how many of them have no answer.
fn deletes(world: &World) -> (usize, usize) {
    let is_delete = |request: &Recorded| request.operation == Operation::Delete;
    let all: Vec<_> = world.emulator().requests().into_iter().filter(is_delete).collect();
    (all.len(), all.iter().filter(|request| request.ended.is_none()).count())
}

/// Eighty wait from the start, and Graph throttles nobody. After so many quick answers it gives none any more: those that
/// are under way then are as many as the window lets, four before anything was answered and eight, the cap, in the end.
#[tokio::test]
async fn the_window_widens_from_four_to_the_cap_and_no_further_while_answers_are_quick() -> Outcome {
    for (answered, window) in [(0_u32, 4_usize), (60, 8)] {
        let world = World::builder().in_flight(8).build().await?;
        world.emulator().set_limits(Limits::off());
        world.emulator().add_fault(Fault::on(Operation::Delete, slow(40)).times(answered));
        world.emulator().add_fault(Fault::on(Operation::Delete, FaultKind::Hang));
        removals(&world, world.namespace(), testbed::SECRET, &names("user", 80)).await?;
        world.start_operator().await?;
        let expected = (answered as usize + window, window);
        eventually("the window is full and nothing is answered any more", SOON, || async {
            let seen = deletes(&world);
            if seen.0 >= expected.0 { Ok(()) } else { Err(seen) }
        })
        .await?;
        stays("DELETEs, and those under way", || deletes(&world)).await;
        assert_eq!(deletes(&world), expected, "DELETEs, and those under way, after {answered} answers");
        assert_eq!(world.emulator().max_in_flight() as usize, window, "the most in flight, after {answered} answers");
    }
    Ok(())
}

#[tokio::test]
async fn the_ordinary_window_is_never_throttled_by_microsofts_own_limit() -> Outcome {
    let world = World::builder().build().await?;
    world.emulator().set_behaviour(latency(20));
    removals(&world, world.namespace(), testbed::SECRET, &names("user", 60)).await?;
    world.start_operator().await?;
    world.wait_for_all(SOON).await?;
    let throttled = world.emulator().requests().into_iter().filter(|request| request.status == Some(429)).count();
    assert_eq!(throttled, 0, "throttled requests");
    Ok(())
}

#[tokio::test]
async fn a_full_window_of_requests_is_waited_out_without_a_single_early_return() -> Outcome {
    let world = World::builder().build().await?;
    world.emulator().set_limits(Limits {
        requests_per_window: 10,
        window: Duration::from_secs(2),
        retry_after: Duration::from_secs(2),
        ..Limits::default()
    });
    removals(&world, world.namespace(), testbed::SECRET, &names("user", 30)).await?;
    world.start_operator().await?;
    let all = world.wait_for_all(SOON).await?;
    let removed = all.iter().filter(|one| one.status.as_ref().is_some_and(|status| status.outcome.is_some())).count();
    assert_eq!((removed, world.emulator().early_returns()), (30, 0), "removed and early returns");
    Ok(())
}

#[tokio::test]
async fn secrets_of_the_same_application_share_a_window_and_a_pause() -> Outcome {
    let world = World::builder().in_flight(2).build().await?;
    world.emulator().set_behaviour(latency(30));
    world.put_secret(world.namespace(), "twin", &world.good_secret()).await?;
    world.emulator().add_fault(Fault::on(Operation::Delete, known("429 Retry-After 1")).times(1));
    removals(&world, world.namespace(), testbed::SECRET, &names("a", 10)).await?;
    removals(&world, world.namespace(), "twin", &names("b", 10)).await?;
    world.start_operator().await?;
    world.wait_for_all(SOON).await?;
    let seen = (world.emulator().max_in_flight(), world.emulator().early_returns());
    assert_eq!(seen, (2, 0), "the most requests in flight, and early returns");
    assert_eq!(crate::given::sign_ins(&world), 2, "token requests: one a Secret");
    Ok(())
}

#[tokio::test]
async fn a_namespace_does_not_wait_for_anothers_backlog() -> Outcome {
    let trusting = |config: &mut Config| config.credential_recheck = NEVER;
    let world = World::builder().namespaces(2).in_flight(1).config(trusting).start().await?;
    let [busy, other] = [world.namespaces()[0].clone(), world.namespaces()[1].clone()];
    world.emulator().add_fault(on_delete("gate-00@contoso.com", slow(3000)));
    world.emulator().add_fault(Fault::on(Operation::Delete, slow(20)));
    removals(&world, &busy, testbed::SECRET, &names("gate", 1)).await?;
    until_deleted(&world, "gate-00@contoso.com", 1).await?;
    removals(&world, &busy, testbed::SECRET, &names("busy", 20)).await?;
    until_queued(&world, 20).await?;
    removals(&world, &other, testbed::SECRET, &names("single", 1)).await?;
    until_queued(&world, 21).await?;
    world.wait_for_all(SOON).await?;
    let order = order(&world);
    let place = order.iter().position(|user| user.starts_with("single"));
    assert!(
        place.is_some_and(|place| place <= 2),
        "expected single among the first three, came at {place:?}: {order:?}"
    );
    assert_eq!(order.len(), 22, "DELETEs");
    Ok(())
}

/// kube's own scheduler picks among those that are due in no order, so that who came first may wait for ever behind a
/// flood; here nobody is left to it who has to wait.
#[tokio::test]
async fn who_came_first_goes_first_however_many_come_after() -> Outcome {
    const EARLY: usize = 300;
    let world = World::builder().in_flight(4).start().await?;
    world.emulator().set_limits(Limits::off());
    world.emulator().set_behaviour(latency(6_000));
    removals(&world, world.namespace(), testbed::SECRET, &names("early", EARLY)).await?;
    eventually("those who came first wait", SOON, || async {
        let metrics = world.metrics().await.unwrap_or_default();
        let waiting = metrics.lines().find_map(|line| line.strip_prefix("workqueue_depth{name=\"photoremoval\"} "));
        if waiting.and_then(|number| number.parse().ok()) >= Some(EARLY - 40) { Ok(()) } else { Err(metrics) }
    })
    .await?;
    world.emulator().set_behaviour(latency(2));
    removals(&world, world.namespace(), testbed::SECRET, &names("later", 300)).await?;
    world.wait_for_all(SOON * 4).await?;
    let order = order(&world);
    let last = order.iter().rposition(|user| user.starts_with("early"));
    assert!(last.is_some_and(|last| last < EARLY + 8), "the last early one came at {last:?} of {}", order.len());
    Ok(())
}

/// Waits until so many objects stand in the queue for a slot.
async fn until_queued(world: &World, number: usize) -> Result<()> {
    let line = format!("workqueue_depth{{name=\"photoremoval\"}} {number}\n");
    eventually(&format!("{number} objects wait"), SOON, || async {
        let metrics = world.metrics().await.unwrap_or_default();
        if metrics.contains(&line) { Ok(()) } else { Err(metrics) }
    })
    .await
}

/// One DELETE from namespace `gate` holds the only slot for two seconds, and the object `first` of namespace `queue`
/// waits for it.
async fn queue_behind_a_gate(world: &World, gate: &str, queue: &str, secret: &str) -> Result<()> {
    world.emulator().add_fault(on_delete("gate-00@contoso.com", slow(2000)));
    world.emulator().add_fault(Fault::on(Operation::Delete, slow(20)));
    removals(world, gate, testbed::SECRET, &names("gate", 1)).await?;
    until_deleted(world, "gate-00@contoso.com", 1).await?;
    removals(world, queue, secret, &names("first", 1)).await?;
    until_queued(world, 1).await
}

/// The Secret is trusted for half a second, the object waits for two. Those who come after it all the time keep their own
/// Secret in use.
#[tokio::test]
async fn an_object_whose_secret_is_looked_at_again_meanwhile_keeps_its_place() -> Outcome {
    let world = World::builder().in_flight(1).start().await?;
    world.put_secret(world.namespace(), "twin", &world.good_secret()).await?;
    queue_behind_a_gate(&world, world.namespace(), world.namespace(), "twin").await?;
    for name in names("later", 100).chunks(1) {
        removals(&world, world.namespace(), testbed::SECRET, name).await?;
        let opened = world.emulator().wait_for(|requests| requests.len() > 3, Duration::from_millis(50)).await;
        if opened.is_ok() {
            break;
        }
    }
    world.wait_for_all(SOON).await?;
    let order = order(&world);
    let place = order.iter().position(|user| user.starts_with("first"));
    assert!(order.len() > 10, "expected many to come after the first, came {}", order.len());
    assert!(
        place.is_some_and(|place| place <= 5),
        "expected the first to be served first, came at {place:?}: {order:?}"
    );
    Ok(())
}

#[tokio::test]
async fn an_object_whose_secret_cannot_be_read_when_its_turn_has_come_holds_up_nobody_else() -> Outcome {
    let world = World::builder().namespaces(2).faulty_api().in_flight(1).start().await?;
    let [healthy, failing] = [world.namespaces()[0].clone(), world.namespaces()[1].clone()];
    queue_behind_a_gate(&world, &healthy, &failing, testbed::SECRET).await?;
    let secrets = Matcher::any().containing(&format!("/namespaces/{failing}/secrets/"));
    let refused = world.api().inject(secrets, testbed::Fault::Status(StatusCode::INTERNAL_SERVER_ERROR));
    removals(&world, &healthy, testbed::SECRET, &names("free", 3)).await?;
    for name in names("free", 3) {
        world.wait_for_reason(&name, Reason::Removed).await?;
    }
    assert!(refused.hits() > 0, "the other Secret was to be looked at");
    refused.end();
    world.wait_for_all(SOON).await?;
    Ok(())
}

#[tokio::test]
async fn a_credential_in_trouble_does_not_hold_up_another() -> Outcome {
    let world = World::start().await?;
    let (tenant, _, secret) = world.credential();
    let other = "bbbbbbbb-2222-4333-8444-555555555555";
    world.emulator().put_app(emulator::App::new(other, secret).in_tenant(tenant));
    let mut data = world.good_secret();
    data[1].1 = other.as_bytes().to_vec();
    world.put_secret(world.namespace(), "other", &data).await?;
    world.emulator().add_fault(on_delete("paused-00@contoso.com", known("429 Retry-After 315")));
    removals(&world, world.namespace(), testbed::SECRET, &names("paused", 1)).await?;
    world.wait_for_reason("paused-00", Reason::Throttled).await?;
    removals(&world, world.namespace(), testbed::SECRET, &names("queued", 3)).await?;
    removals(&world, world.namespace(), "missing", &names("missing", 3)).await?;
    removals(&world, world.namespace(), "other", &names("free", 3)).await?;
    for name in names("free", 3) {
        world.wait_for_reason(&name, Reason::Removed).await?;
    }
    for name in names("queued", 3) {
        assert_eq!(world.status_of(&name).await?.reason(), Some(Reason::Pending), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn an_object_that_leaves_the_queue_gives_its_turn_to_the_next() -> Outcome {
    let world = World::builder().in_flight(1).start().await?;
    world.emulator().add_fault(on_delete("first-00@contoso.com", slow(1000)));
    removals(&world, world.namespace(), testbed::SECRET, &names("first", 1)).await?;
    until_deleted(&world, "first-00@contoso.com", 1).await?;
    removals(&world, world.namespace(), testbed::SECRET, &names("next", 6)).await?;
    for (number, name) in names("next", 6).into_iter().enumerate() {
        match number % 3 {
            0 => world.delete(&name).await?,
            1 => drop(world.edit(&name, &json!({"spec": {"suspend": true}})).await?),
            _ => {}
        }
    }
    for name in ["next-02", "next-05"] {
        world.wait_for_reason(name, Reason::Removed).await?;
    }
    assert_eq!(order(&world).len(), 3, "DELETEs: {:?}", order(&world));
    Ok(())
}
