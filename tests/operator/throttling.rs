//! 429, and 503 with Retry-After: the whole credential waits, for as long as it was told.

use std::time::Duration;

use emulator::{Answer, FaultKind, Payload, RetryAfter};
use futures::future::join_all;
use photo_removal_operator::api::Reason;
use testbed::World;

use crate::Outcome;
use crate::given::{known, on_delete, patient};
use crate::picture::{Picture, all_as_expected};

const USER: &str = "jane.doe@contoso.com";

/// A throttling answer, what it says to wait in seconds (none: the back-off decides), and how that is written down.
type Row = (&'static str, Option<f64>, Picture);

fn rows() -> Vec<Row> {
    let throttled = |status: i32| Picture::after(Reason::Throttled, status);
    let many = || throttled(429).code("TooManyRequests");
    vec![
        ("429 Retry-After 0", None, many().retry_after(0)),
        ("429 Retry-After 1", Some(1.0), many().retry_after(1)),
        ("429 Retry-After 2.128", Some(2.128), many().retry_after(3)),
        ("429 Retry-After 315", Some(315.0), many().retry_after(315)),
        ("429 Retry-After 100000", Some(86_400.0), many().retry_after(86_400)),
        ("429 Retry-After soon", None, many()),
        ("429 Retry-After date in the past", None, many().retry_after(0)),
        ("429 Retry-After date in the future", Some(2.0), many().retry_after(2)),
        ("429 without Retry-After", None, many()),
        ("429 ApplicationThrottled", None, throttled(429).code("ApplicationThrottled")),
        (
            "429 activityLimitReached with codes inside",
            Some(41.0),
            throttled(429).code("activityLimitReached").retry_after(41),
        ),
        ("429 UnknownError", None, throttled(429).code("UnknownError")),
        ("503 with Retry-After 1", Some(1.0), throttled(503).code("ErrorServiceUnavailable").retry_after(1)),
        ("503 HTML with Retry-After 4", Some(4.0), throttled(503).retry_after(4)),
    ]
}

fn fault(name: &str) -> FaultKind {
    if name != "503 HTML with Retry-After 4" {
        return known(name);
    }
    let mut answer = Answer::new(503, Payload::Html("<html>Come back later</html>".to_owned()));
    answer.retry_after = Some(RetryAfter::seconds(4));
    FaultKind::Answer(answer)
}

/// The object says when it goes on: not before it was told, and not much later.
async fn play((name, said, expected): Row) -> Result<(), String> {
    let played = async {
        let world = patient().start().await?;
        world.user(USER);
        world.emulator().add_fault(on_delete(USER, fault(name)).times(1));
        world.remove("jane", USER).await?;
        let status = world.wait_for_reason("jane", Reason::Throttled).await?;
        let (next, last) = (status.next_attempt_time, status.last_attempt.clone().map(|last| last.time));
        let came =
            if said.is_none_or(|said| said > 5.0) { expected.expect(&world, "jane", USER).await } else { Ok(()) };
        let wait = next.zip(last).map(|(next, last)| next.duration_since(last).as_secs_f64());
        // A date has whole seconds, so what is left of the present one may be missing.
        let (from, to) = said.map_or((1800.0, 3600.5), |said| (said - 1.0, said + 0.5));
        let fits = wait.is_some_and(|wait| (from..=to).contains(&wait));
        Ok::<_, testbed::Error>(came.and(if fits { Ok(()) } else { Err(format!("{said:?} said, {wait:?} waited")) }))
    };
    let came = played.await.unwrap_or_else(|error| Err(error.to_string()));
    came.map_err(|difference| format!("{name}: {difference}"))
}

#[tokio::test]
async fn each_form_of_retry_after_is_understood() -> Outcome {
    all_as_expected(join_all(rows().into_iter().map(play)).await);
    Ok(())
}

#[test]
fn no_throttling_that_was_seen_in_the_wild_is_left_out() {
    let is_throttling = |name: &String| name.starts_with("429 ") || name.starts_with("503 with Retry-After");
    let known = emulator::catalogue::graph().into_iter().map(|(name, _)| name).filter(is_throttling);
    let left_out: Vec<_> = known.filter(|name| rows().iter().all(|(row, ..)| row != name)).collect();
    assert!(left_out.is_empty(), "answers of the catalogue without a row: {left_out:?}");
}

#[tokio::test]
async fn whoever_was_told_to_wait_comes_back_afterwards_and_not_before() -> Outcome {
    let names = rows().into_iter().filter(|(_, said, _)| said.is_none_or(|said| said < 5.0)).map(|(name, ..)| name);
    let played = names.map(async |name| {
        let played = async {
            let world = World::start().await?;
            world.user(USER);
            world.emulator().add_fault(on_delete(USER, fault(name)).times(1));
            world.remove("jane", USER).await?;
            let status = world.wait_for_reason("jane", Reason::Removed).await?;
            let seen = (status.attempts, crate::given::deletes(&world, USER), world.emulator().early_returns());
            let as_expected =
                if seen == (1, 2, 0) { Ok(()) } else { Err(format!("attempts, DELETEs, early: {seen:?}")) };
            Ok::<_, testbed::Error>(as_expected)
        };
        let came = played.await.unwrap_or_else(|error: testbed::Error| Err(error.to_string()));
        came.map_err(|difference| format!("{name}: {difference}"))
    });
    all_as_expected(join_all(played).await);
    Ok(())
}

#[tokio::test]
async fn a_throttled_delete_that_took_effect_is_found_absent() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("429 Retry-After 1")).times(1).with_effect());
    world.remove("jane", USER).await?;
    let status = world.wait_for_reason("jane", Reason::AlreadyAbsent).await?;
    assert_eq!((status.attempts, crate::given::deletes(&world, USER)), (1, 2), "attempts and DELETEs: {status:?}");
    Ok(())
}

#[tokio::test]
async fn only_the_object_that_met_it_says_that_the_credential_is_throttled() -> Outcome {
    let world = World::builder().config(|config| config.max_in_flight = 1).build().await?;
    let users: Vec<_> = (0..20).map(|number| format!("user-{number}@contoso.com")).collect();
    for (number, user) in users.iter().enumerate() {
        world.user(user);
        world.remove(&format!("user-{number}"), user).await?;
    }
    let throttled = emulator::Fault::on(emulator::Operation::Delete, known("429 Retry-After 2.128")).times(1);
    world.emulator().add_fault(throttled);
    world.start_operator().await?;
    let told = |reason: Reason| {
        let world = &world;
        async move {
            let all = world.all().await.unwrap_or_default();
            all.iter()
                .filter(|object| {
                    object.status.as_ref().and_then(photo_removal_operator::api::PhotoRemovalStatus::reason)
                        == Some(reason)
                })
                .count()
        }
    };
    let paused = testbed::eventually("an object is throttled", testbed::SOON, || async {
        (told(Reason::Throttled).await > 0).then_some(())
    });
    paused.await?;
    assert_eq!((told(Reason::Throttled).await, told(Reason::Pending).await), (1, 19), "throttled and pending");
    world.wait_for_all(Duration::from_secs(30)).await?;
    let mut events = 0;
    for number in 0..users.len() {
        let about = world.events_of(&format!("user-{number}")).await?;
        events += about.iter().filter(|event| event.reason.as_deref() == Some("Throttled")).count();
    }
    assert_eq!((events, world.emulator().early_returns()), (1, 0), "events and early returns");
    Ok(())
}

/// Between the DELETE and the question whether the target exists, another object met a pause.
#[tokio::test]
async fn a_question_after_a_delete_heeds_the_pause_that_began_meanwhile() -> Outcome {
    let world = World::start().await?;
    world.emulator().set_limits(emulator::Limits { grace: std::time::Duration::ZERO, ..emulator::Limits::default() });
    world.emulator().put_user(emulator::User::new("absent@contoso.com"));
    world.user("throttled@contoso.com");
    let slow = crate::given::slow(1500);
    world.emulator().add_fault(crate::given::on_delete("absent@contoso.com", slow).times(1));
    let throttled = emulator::FaultKind::throttled(Some(emulator::RetryAfter::seconds(4)));
    world.emulator().add_fault(crate::given::on_delete("throttled@contoso.com", throttled).times(1));
    world.remove("absent", "absent@contoso.com").await?;
    crate::given::until_deleted(&world, "absent@contoso.com", 1).await?;
    world.remove("throttled", "throttled@contoso.com").await?;
    world.wait_for_all(testbed::SOON).await?;
    assert_eq!(world.emulator().early_returns(), 0, "requests before the pause was over");
    Ok(())
}

/// Between the first DELETE, whose token was refused, and the second one the object is read once more, which takes its
/// time: in it another object meets a pause.
#[tokio::test]
async fn a_second_delete_heeds_the_pause_that_began_while_the_object_was_read() -> Outcome {
    let world = World::builder().faulty_api().start().await?;
    world.emulator().set_limits(emulator::Limits { grace: Duration::ZERO, ..emulator::Limits::default() });
    for name in ["first", "slow", "throttled"] {
        world.user(&format!("{name}@contoso.com"));
    }
    world.remove("first", "first@contoso.com").await?;
    world.wait_for_reason("first", Reason::Removed).await?;
    world.emulator().expire_tokens();
    let reads = testbed::Matcher::any().method(http::Method::GET).containing("/photoremovals/slow");
    world.api().inject(reads, testbed::Fault::Delay(Duration::from_millis(2_500)));
    let throttled = FaultKind::throttled(Some(RetryAfter::seconds(5)));
    world.emulator().add_fault(on_delete("throttled@contoso.com", throttled).times(1));
    world.remove("slow", "slow@contoso.com").await?;
    crate::given::until_deleted(&world, "slow@contoso.com", 1).await?;
    world.remove("throttled", "throttled@contoso.com").await?;
    world.wait_for_reason("throttled", Reason::Removed).await?;
    let status = world.wait_for_reason("slow", Reason::Removed).await?;
    assert_eq!(status.attempts, 2, "the DELETE whose token was refused counts, too");
    assert_eq!(world.emulator().early_returns(), 0, "requests before the pause was over");
    Ok(())
}
