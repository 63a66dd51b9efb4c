//! Every 404 that asks for a confirming GET, with everything that such a GET can bring.

use emulator::{Fault, FaultKind, GraphError, Operation, RetryAfter};
use futures::future::join_all;
use photo_removal_operator::api::{Reason, condition};

use super::{fault, not_found};
use crate::Outcome;
use crate::given::{known, on_delete, patient, sign_ins};
use crate::picture::{Picture, all_as_expected};

/// A 404 that is to be confirmed, and the code that goes into the status; one without a code speaks of nothing.
type Absence = (&'static str, Option<String>);

fn absences() -> Vec<Absence> {
    let rows = not_found().into_iter().filter(|(_, picture)| picture.confirms == 1);
    rows.map(|(name, picture)| (name, picture.error_code)).collect()
}

fn after(reason: Reason, code: Option<&str>) -> Picture {
    let picture = Picture::after(reason, 404).confirmed();
    code.map_or(picture.clone(), |code| picture.code(code))
}

/// What the GET meets that concerns nobody but the object, and the reason after it, whatever the 404 spoke of.
fn confirmations() -> Vec<(&'static str, FaultKind, Reason)> {
    vec![
        ("404 of the target", FaultKind::graph(404, "Request_ResourceNotFound", ""), Reason::TargetNotFound),
        ("404 without a code", FaultKind::bare(404), Reason::GraphUnavailable),
        ("200 HTML", FaultKind::html(200), Reason::GraphUnavailable),
        ("200 empty", FaultKind::bare(200), Reason::GraphUnavailable),
        ("503 without Retry-After", known("503 MailboxInfoStale"), Reason::GraphUnavailable),
        ("400", known("400 BadRequest"), Reason::GraphUnavailable),
    ]
}

#[tokio::test]
async fn whatever_404_it_was_the_question_decides() -> Outcome {
    let world = patient().start().await?;
    let mut rows = Vec::new();
    for (deleting, code) in absences() {
        for (confirming, what, reason) in confirmations() {
            rows.push((deleting, code.clone(), confirming, what, reason));
        }
    }
    let world = &world;
    let played = rows.into_iter().enumerate().map(async |(number, (deleting, code, confirming, what, reason))| {
        let (name, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
        world.user(&user);
        world.emulator().add_fault(on_delete(&user, fault(deleting)));
        world.emulator().add_fault(Fault::on(Operation::Confirm, what).about(&user));
        let came = match world.remove(&name, &user).await {
            Ok(_) => after(reason, code.as_deref()).expect(world, &name, &user).await,
            Err(error) => Err(error.to_string()),
        };
        came.map_err(|difference| format!("{deleting}, then {confirming}: {difference}"))
    });
    all_as_expected(join_all(played).await);
    Ok(())
}

/// What the GET meets always, in a world of its own since it concerns the whole credential, and what it leads to, with so
/// many sign-ins.
struct Row {
    deleting: &'static str,
    confirming: FaultKind,
    sign_ins: usize,
    said: &'static str,
    expected: Picture,
}

async fn play(row: Row) -> Result<(), String> {
    const USER: &str = "jane.doe@contoso.com";
    let context = format!("{} then {:?}", row.deleting, row.confirming);
    let played = async {
        let world = patient().start().await?;
        world.user(USER);
        world.emulator().add_fault(on_delete(USER, fault(row.deleting)));
        world.emulator().add_fault(Fault::on(Operation::Confirm, row.confirming));
        world.remove("jane", USER).await?;
        let came = row.expected.expect(&world, "jane", USER).await;
        let status = world.status_of("jane").await?;
        let message = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
        let as_said = message.contains(row.said) && sign_ins(&world) == row.sign_ins;
        let difference = || format!("expected {:?} and {} sign-ins, came {message:?}", row.said, row.sign_ins);
        Ok::<_, testbed::Error>(came.and_then(|()| if as_said { Ok(()) } else { Err(difference()) }))
    };
    let came = played.await.unwrap_or_else(|error| Err(error.to_string()));
    came.map_err(|difference| format!("{context}: {difference}"))
}

#[tokio::test]
async fn whoever_may_not_ask_is_told_what_would_confirm_it_if_the_404_spoke_of_the_photo() -> Outcome {
    let rows = absences().into_iter().map(|(deleting, code)| {
        let (reason, said) = match code {
            Some(_) => (Reason::AlreadyAbsent, "User.Read.All"),
            None => (Reason::GraphUnavailable, ""),
        };
        let expected = after(reason, code.as_deref());
        Row { deleting, confirming: known("403 Authorization_RequestDenied"), sign_ins: 1, said, expected }
    });
    all_as_expected(join_all(rows.map(play)).await);
    Ok(())
}

#[tokio::test]
async fn a_question_that_concerns_the_whole_credential_counts_like_a_delete_that_met_it() -> Outcome {
    let busy = || {
        let mut error = GraphError::new(503, "ErrorServiceUnavailable", "Try again later.");
        error.retry_after = Some(RetryAfter::seconds(600));
        FaultKind::Graph(error)
    };
    let cases = [("404 ErrorEntityNotFound", Some("ErrorEntityNotFound")), ("404 no body", None)];
    let rows = cases.into_iter().flat_map(|(deleting, code)| {
        // What lastAttempt names is the DELETE: its 404 and no Retry-After.
        let throttled = || after(Reason::Throttled, code);
        let mut refused = Picture { confirms: 2, ..Picture::stuck(Reason::CredentialInvalid, 404).tries(2) };
        refused.error_code = code.map(str::to_owned);
        let unauthorized = known("401 InvalidAuthenticationToken");
        [
            Row { deleting, confirming: busy(), sign_ins: 1, said: "", expected: throttled() },
            Row {
                deleting,
                confirming: FaultKind::throttled(Some(RetryAfter::Text("soon".to_owned()))),
                sign_ins: 1,
                said: "",
                expected: throttled(),
            },
            Row { deleting, confirming: unauthorized, sign_ins: 2, said: "", expected: refused.without_next() },
        ]
    });
    all_as_expected(join_all(rows.map(play)).await);
    Ok(())
}
