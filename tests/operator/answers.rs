//! What one answer to the DELETE leads to, row by row: the operator tries once and then waits for an hour.

mod absences;
mod effects;
mod groups;
mod paths;
mod refusals;

use std::collections::BTreeSet;

use emulator::{Answer, FaultKind, GraphError, Payload, Target};
use futures::future::join_all;
use photo_removal_operator::api::Reason;
use testbed::World;

use crate::Outcome;
use crate::given::{known, on_delete, patient};
use crate::picture::{Picture, all_as_expected};

/// The name of a fault, of the catalogue's or of [`others`], and what it leads to.
type Row = (&'static str, Picture);

fn successes() -> Vec<Row> {
    let removed = |status: i32| Picture::after(Reason::Removed, status);
    vec![
        ("200 empty", removed(200)),
        ("200 with a body", removed(200)),
        ("204", removed(204)),
        ("200 and a body without an end", removed(200)),
        ("200 and 5 GiB", removed(200)),
        ("200 and a reset inside the body", removed(200)),
        ("202", removed(202)),
        ("299 HTML", removed(299)),
    ]
}

fn not_found() -> Vec<Row> {
    let absent = |code: &str| Picture::after(Reason::AlreadyAbsent, 404).code(code).confirmed();
    let unclear = || Picture::after(Reason::AlreadyAbsent, 404).confirmed();
    let missing = |code: &str| Picture::after(Reason::TargetNotFound, 404).code(code);
    vec![
        ("404 ErrorEntityNotFound", absent("ErrorEntityNotFound")),
        ("404 ImageNotFound", absent("ImageNotFound")),
        ("404 ErrorItemNotFound", absent("ErrorItemNotFound")),
        ("404 GetUserPhoto", absent("GetUserPhoto")),
        ("404 itemNotFound", absent("itemNotFound")),
        ("404 ImageNotFoundException in the message", absent("UnknownError")),
        ("404 Request_ResourceNotFound", missing("Request_ResourceNotFound")),
        ("404 ResourceNotFound", missing("ResourceNotFound")),
        ("404 ErrorInvalidUser", missing("ErrorInvalidUser")),
        ("404 UnknownError with JSON inside", missing("ErrorUserResolutionFailedUserDoesNotExist")),
        ("404 empty code", unclear()),
        ("404 no body", unclear()),
        ("404 HTML", unclear()),
        ("404 broken JSON", unclear()),
    ]
}

fn refusals() -> Vec<Row> {
    let unsupported = |status: i32, code: &str| Picture::after(Reason::TargetNotSupported, status).code(code);
    let rejected = |status: i32| Picture::after(Reason::Rejected, status);
    vec![
        ("400 AuthenticationError", unsupported(400, "AuthenticationError")),
        ("400 MailboxNotHostedInExchangeOnline", unsupported(400, "MailboxNotHostedInExchangeOnline")),
        ("400 extensionError", unsupported(400, "extensionError")),
        ("400 ConsumerPhotoIsNotSupported", unsupported(400, "ConsumerPhotoIsNotSupported")),
        ("403 AppOnlyTokenNotSupportedForGroupUpdate", unsupported(403, "AppOnlyTokenNotSupportedForGroupUpdate")),
        ("400 BadRequest", rejected(400).code("BadRequest")),
        ("405", rejected(405).code("Request_BadRequest")),
        ("409", rejected(409).code("Conflict")),
        ("418", rejected(418)),
        ("423", rejected(423)),
        ("302 to another host", rejected(302)),
        ("307 to another host", rejected(307)),
    ]
}

fn trouble() -> Vec<Row> {
    let unavailable = |status: i32| Picture::after(Reason::GraphUnavailable, status);
    vec![
        ("400 service unavailable", unavailable(400).code("BadRequest")),
        ("400 HTML", unavailable(400)),
        ("408", unavailable(408)),
        ("500", unavailable(500).code("InternalServerError")),
        ("502 HTML", unavailable(502)),
        ("503 MailboxInfoStale", unavailable(503).code("MailboxInfoStale")),
        ("503 gzip", unavailable(503)),
        ("503 binary", unavailable(503)),
        ("504 HTML", unavailable(504)),
        ("504 UnknownError", unavailable(504).code("UnknownError")),
        ("507", unavailable(507).code("InsufficientStorage")),
        ("509", unavailable(509).code("BandwidthLimitExceeded")),
        ("reset before the head", Picture::after(Reason::GraphUnavailable, None)),
        ("reset inside an error's body", unavailable(503)),
        ("endless error body", unavailable(503)),
        ("huge error body", unavailable(503)),
    ]
}

/// Faults beside those of the catalogue.
fn others(name: &str) -> Option<FaultKind> {
    let answer = |status, body| FaultKind::Answer(Answer::new(status, body));
    Some(match name {
        "200 and a body without an end" => FaultKind::EndlessBody { status: 200 },
        "200 and 5 GiB" => FaultKind::HugeBody { status: 200, gibibytes: 5 },
        "200 and a reset inside the body" => FaultKind::ResetMidBody { status: 200 },
        "202" => FaultKind::bare(202),
        "299 HTML" => FaultKind::html(299),
        "404 ImageNotFoundException in the message" => {
            let message =
                "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ImageNotFoundException' was thrown.";
            FaultKind::Graph(GraphError::new(404, "UnknownError", message))
        }
        "409" => FaultKind::graph(409, "Conflict", ""),
        "418" => FaultKind::bare(418),
        "423" => FaultKind::bare(423),
        "400 HTML" => answer(400, Payload::Html("<html>Bad gateway of a proxy</html>".to_owned())),
        _ => return None,
    })
}

/// The fault of that name, of [`others`] or of the catalogue.
fn fault(name: &str) -> FaultKind {
    others(name).unwrap_or_else(|| known(name))
}

/// One row: a user of its own meets the fault.
async fn play(world: &World, number: usize, (met, expected): Row) -> Result<(), String> {
    let (name, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
    world.user(&user);
    world.emulator().add_fault(on_delete(&user, fault(met)));
    let came = match world.remove(&name, &user).await {
        Ok(_) => expected.expect(world, &name, &user).await,
        Err(error) => Err(error.to_string()),
    };
    came.map_err(|difference| format!("{met}: {difference}"))
}

#[tokio::test]
async fn each_answer_of_graph_leads_to_its_reason() -> Outcome {
    let world = patient().start().await?;
    let rows = [successes(), not_found(), refusals(), trouble()].concat();
    let played = rows.into_iter().enumerate().map(|(number, row)| play(&world, number, row));
    all_as_expected(join_all(played).await);
    assert_eq!(world.emulator().bearers_on_sign_in(), [], "tokens that followed a redirect");
    Ok(())
}

/// The catalogue's faults that other files play: they concern the whole credential.
fn is_played_elsewhere(name: &str) -> bool {
    ["401 ", "403 ", "429 ", "503 with Retry-After"].iter().any(|start| name.starts_with(start))
}

#[test]
fn no_answer_that_was_seen_in_the_wild_is_left_out() {
    let played: BTreeSet<_> =
        [successes(), not_found(), refusals(), trouble()].concat().into_iter().map(|(name, _)| name).collect();
    let known: Vec<_> = emulator::catalogue::graph().into_iter().map(|(name, _)| name).collect();
    let left_out: Vec<_> =
        known.into_iter().filter(|name| !is_played_elsewhere(name) && !played.contains(name.as_str())).collect();
    assert!(left_out.is_empty(), "answers of the catalogue without a row: {left_out:?}");
}

#[tokio::test]
async fn a_redirect_to_a_host_that_listens_is_not_followed() -> Outcome {
    let world = patient().start().await?;
    let to = world.emulator().sign_in_url().to_string();
    for status in [301, 302, 303, 307, 308] {
        let user = format!("redirect-{status}@contoso.com");
        world.user(&user);
        world.emulator().add_fault(on_delete(&user, FaultKind::Redirect { status, to: to.clone() }));
        let name = format!("redirect-{status}");
        world.remove(&name, &user).await?;
        Picture::after(Reason::Rejected, i32::from(status)).expect(&world, &name, &user).await?;
    }
    assert_eq!(world.emulator().bearers_on_sign_in(), [], "tokens that followed a redirect");
    Ok(())
}

#[tokio::test]
async fn trouble_that_passes_ends_in_a_removal() -> Outcome {
    let world = World::start().await?;
    let rows =
        ["reset before the head", "500", "502 HTML", "404 no body", "408", "302 to another host", "400 BadRequest"];
    let played = rows.iter().enumerate().map(async |(number, fault)| {
        let (name, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
        world.user(&user);
        // A bare 404 of a user who can't be looked up either says nothing.
        world
            .emulator()
            .add_fault(emulator::Fault::on(emulator::Operation::Confirm, FaultKind::bare(500)).about(&user).times(1));
        world.emulator().add_fault(on_delete(&user, known(fault)).times(1));
        world.remove(&name, &user).await.map_err(|error| error.to_string())?;
        let status = world.wait_for_reason(&name, Reason::Removed).await.map_err(|error| error.to_string())?;
        let deletes = world.emulator().deletes_of(&Target::user(&user));
        if (status.attempts, deletes) == (2, 2) {
            Ok(())
        } else {
            Err(format!("{fault}: {deletes} DELETEs, {status:?}"))
        }
    });
    all_as_expected(join_all(played).await);
    Ok(())
}

#[tokio::test]
async fn a_group_is_asked_about_as_a_group() -> Outcome {
    let world = patient().start().await?;
    let [with_photo, without, unknown] = [1, 2, 3].map(|last| format!("9c1d0f6e-2222-4333-8444-00000000000{last}"));
    world.emulator().put_group(emulator::Group::new(&with_photo).with_photo());
    world.emulator().put_group(emulator::Group::new(&without));
    let rows = [
        (with_photo, Picture::after(Reason::Removed, 200)),
        (without, Picture::after(Reason::AlreadyAbsent, 404).code("ErrorEntityNotFound").confirmed()),
        (unknown, Picture::after(Reason::TargetNotFound, 404).code("ErrorEntityNotFound").confirmed()),
    ];
    for (number, (group, expected)) in rows.into_iter().enumerate() {
        let name = format!("group-{number}");
        let mut manifest = world.manifest(&name, "");
        manifest["spec"]["target"] = serde_json::json!({"group": group});
        world.apply(&manifest).await?;
        expected.expect(&world, &name, &group).await?;
    }
    Ok(())
}
