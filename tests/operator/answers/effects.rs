//! Answers that say something else than what happened: the photo is gone although the answer is a refusal or none.

use emulator::{Fault, Operation, Target};
use futures::future::join_all;
use photo_removal_operator::api::Reason;
use testbed::World;

use super::fault;
use crate::Outcome;
use crate::given::{known, on_delete};
use crate::picture::{Picture, all_as_expected};

const USER: &str = "jane.doe@contoso.com";

/// The answer to a DELETE that took effect, the reason that it leads to at first (none: no other than the last), and how
/// many DELETEs and attempts there are in the end.
type Row = (&'static str, Option<Reason>, usize, i32);

const ROWS: [Row; 10] = [
    ("500", Some(Reason::GraphUnavailable), 2, 2),
    ("502 HTML", Some(Reason::GraphUnavailable), 2, 2),
    ("504 UnknownError", Some(Reason::GraphUnavailable), 2, 2),
    ("408", Some(Reason::GraphUnavailable), 2, 2),
    ("reset before the head", Some(Reason::GraphUnavailable), 2, 2),
    ("400 BadRequest", Some(Reason::Rejected), 2, 2),
    ("401 InvalidAuthenticationToken", None, 2, 2),
    ("403 ErrorAccessDenied", None, 2, 2),
    ("429 Retry-After 1", Some(Reason::Throttled), 2, 1),
    ("503 with Retry-After 1", Some(Reason::Throttled), 2, 1),
];

async fn play((name, first, deletes, attempts): Row) -> Result<(), String> {
    let played = async {
        let world = World::start().await?;
        world.user(USER);
        world.emulator().add_fault(on_delete(USER, fault(name)).times(1).with_effect());
        world.remove("jane", USER).await?;
        let absent = Picture::after(Reason::AlreadyAbsent, 404).code("ErrorEntityNotFound").confirmed();
        let mut expected = Picture { attempts, deletes, ..absent };
        if let Some(first) = first {
            expected.events.insert(0, (first.as_str().to_owned(), "Warning".to_owned()));
        }
        let came = expected.expect(&world, "jane", USER).await;
        let gone = !world.emulator().has_photo(&Target::user(USER));
        Ok::<_, testbed::Error>(came.and(if gone { Ok(()) } else { Err("the photo is still there".to_owned()) }))
    };
    let came = played.await.unwrap_or_else(|error| Err(error.to_string()));
    came.map_err(|difference| format!("{name}: {difference}"))
}

#[tokio::test]
async fn a_delete_that_took_effect_behind_another_answer_is_found_absent_and_never_called_removed() -> Outcome {
    all_as_expected(join_all(ROWS.map(play)).await);
    Ok(())
}

#[tokio::test]
async fn a_success_whose_body_breaks_off_is_removed_with_one_delete() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, fault("200 and a reset inside the body")).with_effect());
    world.remove("jane", USER).await?;
    Picture::after(Reason::Removed, 200).expect(&world, "jane", USER).await?;
    assert!(!world.emulator().has_photo(&Target::user(USER)), "jane's photo is gone");
    Ok(())
}

#[tokio::test]
async fn an_unclear_404_is_no_success_until_the_user_is_known_to_exist() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("404 HTML")).times(1).with_effect());
    world.emulator().add_fault(Fault::on(Operation::Confirm, known("500")).about(USER).times(1));
    world.remove("jane", USER).await?;
    let absent = Picture::after(Reason::AlreadyAbsent, 404).code("ErrorEntityNotFound").tries(2);
    let mut expected = Picture { confirms: 2, ..absent };
    expected.events.insert(0, ("GraphUnavailable".to_owned(), "Warning".to_owned()));
    expected.expect(&world, "jane", USER).await?;
    Ok(())
}
