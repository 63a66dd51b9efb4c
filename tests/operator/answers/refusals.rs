//! Answers that come again and again, and what is kept of each.

use emulator::{Answer, FaultKind, Payload};
use futures::future::join_all;
use photo_removal_operator::api::{LastAttempt, PhotoRemovalStatus, Reason};
use testbed::World;

use super::{fault, not_found, refusals, trouble};
use crate::Outcome;
use crate::given::{NEVER, on_delete, patient};
use crate::picture::{Picture, all_as_expected};

#[tokio::test]
async fn each_refused_request_is_tried_five_times_and_then_stalled() -> Outcome {
    let world = World::builder().config(|config| config.stalled_recheck = NEVER).start().await?;
    let rejected = refusals().into_iter().filter(|(_, picture)| picture.reason == Some(Reason::Rejected));
    let world = &world;
    let played = rejected.enumerate().map(async |(number, (met, once))| {
        let (name, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
        world.user(&user);
        world.emulator().add_fault(on_delete(&user, fault(met)));
        world.remove(&name, &user).await.map_err(|error| error.to_string())?;
        let stuck = Picture::stuck(Reason::Rejected, once.http_status);
        let expected = Picture { error_code: once.error_code, ..stuck.tries(5) };
        expected.expect(world, &name, &user).await.map_err(|difference| format!("{met}: {difference}"))
    });
    all_as_expected(join_all(played).await);
    Ok(())
}

#[tokio::test]
async fn five_refusals_count_only_in_a_row() -> Outcome {
    const USER: &str = "jane.doe@contoso.com";
    let world = World::start().await?;
    world.user(USER);
    for (name, times) in [("400 BadRequest", 4), ("500", 1), ("405", 4)] {
        world.emulator().add_fault(on_delete(USER, fault(name)).times(times));
    }
    world.remove("jane", USER).await?;
    let mut expected = Picture::after(Reason::Removed, 200).tries(10);
    let before = ["Rejected", "GraphUnavailable", "Rejected"].map(|reason| (reason.to_owned(), "Warning".to_owned()));
    expected.events.splice(0..0, before);
    expected.expect(&world, "jane", USER).await?;
    Ok(())
}

/// An answer of a status and a body, with a request id in its head or without.
fn stamped(status: u16, body: Payload, id: Option<&str>) -> FaultKind {
    let answer = Answer::new(status, body);
    FaultKind::Answer(match id {
        Some(id) => answer.with_header("request-id", id),
        None => answer,
    })
}

/// Answers whose request id is known beforehand, and what is kept of it. Gateways in front of Graph send none, and one
/// that is no identifier might name a person.
fn stamps() -> Vec<(FaultKind, Option<&'static str>)> {
    const ID: &str = "7c1e4a52-2222-4333-8444-555555555555";
    let page = || Payload::Html("<html>A gateway</html>".to_owned());
    let mut rows = Vec::new();
    for status in [200, 204, 302, 400, 404, 408, 418, 500, 503] {
        rows.push((stamped(status, Payload::Empty, Some(ID)), Some(ID)));
        rows.push((stamped(status, Payload::Empty, None), None));
    }
    for status in [299, 404, 502] {
        rows.push((stamped(status, page(), Some(ID)), Some(ID)));
        rows.push((stamped(status, page(), None), None));
    }
    for rubbish in ["", "jane.doe@contoso.com", "two words", "a/b", "<b>", "%0a"] {
        rows.push((stamped(500, Payload::Empty, Some(rubbish)), None));
    }
    rows.push((FaultKind::ResetBeforeHead, None));
    rows
}

async fn last_attempt(world: &World, number: usize, what: FaultKind) -> Result<LastAttempt, String> {
    let (name, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
    world.user(&user);
    world.emulator().add_fault(on_delete(&user, what));
    world.remove(&name, &user).await.map_err(|error| error.to_string())?;
    let tried = |status: &PhotoRemovalStatus| status.last_attempt.is_some();
    let status = world.wait_for(&name, "lastAttempt", tried).await.map_err(|error| error.to_string())?;
    status.last_attempt.ok_or_else(|| format!("{name} has no lastAttempt"))
}

#[tokio::test]
async fn the_request_id_of_an_answer_is_kept_if_it_is_one() -> Outcome {
    let world = patient().start().await?;
    let world = &world;
    let played = stamps().into_iter().enumerate().map(async |(number, (what, expected))| {
        let last = last_attempt(world, number, what.clone()).await?;
        if last.request_id.as_deref() == expected {
            return Ok(());
        }
        Err(format!("{what:?}: expected the request id {expected:?}, came {:?}", last.request_id))
    });
    all_as_expected(join_all(played).await);
    Ok(())
}

/// Graph puts an id on each answer of its own, whatever it says.
#[tokio::test]
async fn whatever_graph_itself_answers_its_request_id_is_kept() -> Outcome {
    let world = patient().start().await?;
    let rows = [not_found(), refusals(), trouble()].concat().into_iter().map(|(name, _)| name);
    let world = &world;
    let graphs = rows.filter(|name| matches!(fault(name), FaultKind::Graph(_)));
    let played = graphs.enumerate().map(async |(number, met)| {
        let last = last_attempt(world, number, fault(met)).await?;
        let is_id = last.request_id.as_ref().is_some_and(|id| id.parse::<uuid::Uuid>().is_ok());
        if is_id { Ok(()) } else { Err(format!("{met}: expected a request id, came {:?}", last.request_id)) }
    });
    all_as_expected(join_all(played).await);
    Ok(())
}
