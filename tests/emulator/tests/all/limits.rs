//! Who is throttled, and who comes back too early.

use std::time::Duration;

use emulator::{Fault, FaultKind, Limits, Matcher, Operation, RetryAfter};

use crate::world::{JANE, SOON, TENANT, World, header, verdict};

#[tokio::test]
async fn a_fifth_request_in_flight_is_throttled() {
    let world = World::new().await;
    world.emulator.set_limits(Limits::default());
    world.emulator.add_fault(Fault::on(Operation::Delete, FaultKind::Hang).times(4));
    let hanging: Vec<_> = (0..4).map(|_| tokio::spawn(world.delete(JANE).send())).collect();
    world.emulator.wait_for(|requests| requests.len() == 4, SOON).await.expect("four in flight");

    let fifth = world.delete(JANE).send().await.expect("an answer");
    assert_eq!((fifth.status().as_u16(), fifth.headers().get("retry-after")), (429, None));
    assert_eq!(crate::world::body(fifth).await["error"]["code"], "ApplicationThrottled");
    assert_eq!(world.emulator.max_in_flight(), 4);
    assert_eq!(world.emulator.early_returns(), 0);

    hanging.iter().for_each(tokio::task::JoinHandle::abort);
    let seat = async { while verdict(world.delete(JANE)).await.0 == 429 {} };
    tokio::time::timeout(SOON, seat).await.expect("who hangs up makes room");
}

#[tokio::test]
async fn a_full_window_throttles_and_whoever_returns_early_is_counted() {
    let world = World::new().await;
    let limits = Limits { in_flight: 0, requests_per_window: 2, grace: Duration::ZERO, ..Limits::default() };
    world.emulator.set_limits(limits);
    for expected in [200, 404, 429] {
        assert_eq!(verdict(world.delete(JANE)).await.0, expected);
    }
    assert_eq!(world.emulator.early_returns(), 0, "told, not yet back");
    let early = world.delete(JANE).send().await.expect("an answer");
    assert_eq!((early.status().as_u16(), header(&early, "retry-after").as_str()), (429, "10"));
    assert_eq!(world.emulator.early_returns(), 1);
    world.emulator.forgive();
    world.emulator.set_limits(Limits::off());
    assert_eq!(verdict(world.delete(JANE)).await.0, 404, "after the pause");
}

#[tokio::test]
async fn a_request_that_was_on_its_way_is_throttled_but_not_counted() {
    let world = World::new().await;
    world.emulator.set_limits(Limits { grace: SOON, ..Limits::off() });
    let throttled = FaultKind::throttled(Some(RetryAfter::seconds(315)));
    world.emulator.add_fault(Fault::on(Operation::Delete, throttled).times(1));
    assert_eq!(verdict(world.delete(JANE)).await.0, 429);
    assert_eq!(verdict(world.delete(JANE)).await.0, 429, "throttled again without a fault");
    assert_eq!(world.emulator.early_returns(), 0);
}

#[tokio::test]
async fn a_retry_after_counts_from_a_fault_too_in_every_form_that_can_be_understood() {
    let table = [
        (Some(RetryAfter::Text("0".to_owned())), 404),
        (Some(RetryAfter::Text("2.128".to_owned())), 429),
        (Some(RetryAfter::Text("100000".to_owned())), 429),
        (Some(RetryAfter::Text("soon".to_owned())), 404),
        (Some(RetryAfter::DateInSeconds(60)), 429),
        (Some(RetryAfter::DateInSeconds(-60)), 404),
        (None, 404),
    ];
    for (retry_after, second) in table {
        let world = World::new().await;
        world.emulator.set_limits(Limits { grace: Duration::ZERO, ..Limits::off() });
        let fault = FaultKind::throttled(retry_after.clone());
        world.emulator.add_fault(Fault::on(Operation::Delete, fault).times(1).with_effect());
        assert_eq!(verdict(world.delete(JANE)).await.0, 429, "{retry_after:?}");
        assert_eq!(verdict(world.delete(JANE)).await.0, second, "{retry_after:?}: the photo went with the first");
        assert_eq!(world.emulator.early_returns(), u64::from(second == 429), "{retry_after:?}");
    }
}

#[tokio::test]
async fn the_token_endpoint_remembers_its_retry_after_apart_from_graph() {
    let world = World::new().await;
    world.emulator.set_limits(Limits { grace: Duration::ZERO, ..Limits::off() });
    let known = FaultKind::Known("entra 429 with Retry-After 60".to_owned());
    world.emulator.add_fault(Fault::on(Operation::Token, known).times(1));
    for early in [0, 1] {
        let answer = world.token_request(TENANT, &world.form()).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "retry-after").as_str()), (429, "60"));
        assert_eq!(world.emulator.early_returns(), early);
    }
    assert_eq!(verdict(world.delete(JANE)).await.0, 200, "Graph knows nothing of it");
    assert_eq!(world.emulator.count(&Matcher::of(Operation::Token)), 2);
}

#[tokio::test]
async fn answers_say_how_much_of_a_window_is_used_when_little_is_left_and_can_be_told_not_to() {
    let told = |answer: &reqwest::Response| {
        answer.headers().get("x-ms-throttle-limit-percentage").map(|share| share.to_str().expect("text").to_owned())
    };
    for tells_share in [true, false] {
        let world = World::new().await;
        world.emulator.set_limits(Limits { requests_per_window: 5, tells_share, ..Limits::off() });
        let mut shares = Vec::new();
        for _ in 0..5 {
            shares.push(told(&world.delete(JANE).send().await.expect("an answer")));
        }
        let expected = [None, None, None, Some("0.80"), Some("1.00")].map(|share| share.filter(|_| tells_share));
        assert_eq!(shares.iter().map(Option::as_deref).collect::<Vec<_>>(), expected, "told: {tells_share}");
    }
}

#[tokio::test]
async fn the_record_tells_who_was_told_to_stay_away_and_who_came_early() {
    let world = World::new().await;
    world.emulator.set_limits(Limits { grace: Duration::ZERO, ..Limits::default() });
    let throttled = FaultKind::throttled(Some(RetryAfter::seconds(60)));
    world.emulator.add_fault(Fault::on(Operation::Delete, throttled).times(1));
    for _ in 0..2 {
        assert_eq!(verdict(world.delete(JANE)).await.0, 429);
    }
    let requests = world.emulator.requests();
    let deletes: Vec<_> = requests.iter().filter(|request| request.operation == Operation::Delete).collect();
    let [told, early] = deletes[..] else { panic!("two DELETEs, not {deletes:?}") };
    assert_eq!((told.retry_after, told.early), (Some(60.0), None));
    assert!(told.ended.is_some_and(|ended| ended >= told.time), "{told:?}");
    assert!(early.early.is_some_and(|since| since >= told.time && since <= early.time), "{early:?}");
}
