//! A 404 to the DELETE, and what the question whether the target exists adds to it.

use emulator::{Fault, FaultKind, Operation, RetryAfter, Target, User};
use futures::future::join_all;
use photo_removal_operator::api::{Reason, condition};
use testbed::World;

use crate::Outcome;
use crate::given::{count, deletes, known, on_delete, patient, sign_ins};
use crate::picture::{Picture, all_as_expected};

const USER: &str = "jane.doe@contoso.com";

/// The DELETE's fault, the confirming GET's, and what both lead to.
struct Row {
    deleting: &'static str,
    confirming: Option<FaultKind>,
    expected: Picture,
}

/// Each row in a world of its own: what a GET meets may concern the whole credential.
async fn play(row: Row) -> Result<(), String> {
    let context = format!("{} then {:?}", row.deleting, row.confirming);
    let played = async {
        let world = patient().start().await?;
        world.user(USER);
        world.emulator().add_fault(on_delete(USER, known(row.deleting)));
        if let Some(what) = row.confirming {
            world.emulator().add_fault(Fault::on(Operation::Confirm, what));
        }
        world.remove("jane", USER).await?;
        Ok::<_, testbed::Error>(row.expected.expect(&world, "jane", USER).await)
    };
    let came = played.await.unwrap_or_else(|error| Err(error.to_string()));
    came.map_err(|difference| format!("{context}: {difference}"))
}

fn rows(deleting: &'static str, code: Option<&str>, forbidden: Reason) -> Vec<Row> {
    let after = |reason| {
        let picture = Picture::after(reason, 404).confirmed();
        code.map_or(picture.clone(), |code| picture.code(code))
    };
    let not_found = |code: &str| Some(FaultKind::graph(404, code, ""));
    let unavailable = || after(Reason::GraphUnavailable);
    let cases = vec![
        (None, after(Reason::AlreadyAbsent)),
        (not_found("Request_ResourceNotFound"), after(Reason::TargetNotFound)),
        (Some(known("403 Authorization_RequestDenied")), after(forbidden)),
        (Some(FaultKind::throttled(Some(RetryAfter::seconds(60)))), after(Reason::Throttled)),
        (Some(FaultKind::throttled(None)), after(Reason::Throttled)),
        (Some(known("500")), unavailable()),
        (Some(known("503 binary")), unavailable()),
        (Some(known("reset before the head")), unavailable()),
        (Some(FaultKind::html(200)), unavailable()),
        (Some(FaultKind::html(404)), unavailable()),
        (Some(known("302 to another host")), unavailable()),
        (Some(FaultKind::EndlessBody { status: 200 }), unavailable()),
    ];
    cases.into_iter().map(|(confirming, expected)| Row { deleting, confirming, expected }).collect()
}

#[tokio::test]
async fn a_404_that_speaks_of_the_photo_is_confirmed() -> Outcome {
    let rows = rows("404 ImageNotFound", Some("ImageNotFound"), Reason::AlreadyAbsent);
    all_as_expected(join_all(rows.into_iter().map(play)).await);
    Ok(())
}

#[tokio::test]
async fn any_other_404_is_no_success_unless_it_is_confirmed() -> Outcome {
    let rows = rows("404 HTML", None, Reason::GraphUnavailable);
    all_as_expected(join_all(rows.into_iter().map(play)).await);
    Ok(())
}

#[tokio::test]
async fn a_user_who_does_not_exist_is_not_taken_for_one_without_a_photo() -> Outcome {
    let world = patient().start().await?;
    world.remove("nobody", "nobody@contoso.com").await?;
    let expected = Picture::after(Reason::TargetNotFound, 404).code("ErrorEntityNotFound").confirmed();
    expected.expect(&world, "nobody", "nobody@contoso.com").await?;
    Ok(())
}

#[tokio::test]
async fn a_401_to_the_question_renews_the_token_and_tries_again() -> Outcome {
    let world = patient().start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, known("404 ImageNotFound")));
    let unauthorized = Fault::on(Operation::Confirm, known("401 InvalidAuthenticationToken"));
    world.emulator().add_fault(unauthorized.times(1));
    world.remove("jane", USER).await?;
    let mut expected = Picture::after(Reason::AlreadyAbsent, 404).code("ImageNotFound").tries(2);
    expected.confirms = 2;
    expected.expect(&world, "jane", USER).await?;
    assert_eq!(sign_ins(&world), 2, "token requests");
    Ok(())
}

#[tokio::test]
async fn what_could_not_be_confirmed_says_so_and_is_not_asked_for_again() -> Outcome {
    let world = World::start().await?;
    let (_, client, secret) = world.credential();
    world.emulator().put_app(emulator::App::new(client, secret).with_roles(&["ProfilePhoto.ReadWrite.All"]));
    for number in 0..3 {
        let (name, user) = (format!("user-{number}"), format!("user-{number}@contoso.com"));
        world.emulator().put_user(User::new(&user));
        world.remove(&name, &user).await?;
        let status = world.wait_for_reason(&name, Reason::AlreadyAbsent).await?;
        let message = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
        assert!(message.contains("not confirmed") && message.contains("User.Read.All"), "{name}: {message}");
        let asked = count(&world, Operation::Confirm, &user);
        assert_eq!(asked, usize::from(number == 0), "confirming GETs about {user}");
        assert_eq!(deletes(&world, &user), 1, "DELETEs about {user}");
    }
    assert!(!world.emulator().has_photo(&Target::user("user-0@contoso.com")));
    Ok(())
}
