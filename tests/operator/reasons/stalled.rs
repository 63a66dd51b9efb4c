//! Stalled objects, watched while the operator looks again and again until the cure is there.

use emulator::{App, FaultKind, Target};
use futures::future::join_all;
use photo_removal_operator::api::{PhotoRemovalStatus, Reason};
use testbed::{SOON, World, eventually};

use super::versions::{Versions, never_early, shown};
use crate::Outcome;
use crate::given::{known, on_delete};
use crate::picture::all_as_expected;

const USER: &str = "jane.doe@contoso.com";

/// What stalls an object, and what cures it.
struct Row {
    what: &'static str,
    reason: Reason,
    stall: fn(&World),
    cure: fn(&World),
    /// A look that gets as far as Graph is written down; one that does not is no news.
    writes: bool,
}

fn meets(world: &World, what: FaultKind) {
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, what));
}

fn clear(world: &World) {
    world.emulator().clear_faults();
}

fn rows() -> Vec<Row> {
    let row = |what, reason, stall| Row { what, reason, stall, cure: clear, writes: true };
    vec![
        Row { cure: |world| world.user(USER), ..row("no such user", Reason::TargetNotFound, |_| ()) },
        row("an unknown user by code", Reason::TargetNotFound, |world| {
            meets(world, known("404 Request_ResourceNotFound"));
        }),
        row("a missing permission", Reason::PermissionDenied, |world| meets(world, known("403 ErrorAccessDenied"))),
        row("no mailbox", Reason::TargetNotSupported, |world| meets(world, known("400 AuthenticationError"))),
        row("a refused request", Reason::Rejected, |world| meets(world, known("400 BadRequest"))),
        row("a refused token", Reason::CredentialInvalid, |world| {
            meets(world, known("401 InvalidAuthenticationToken"));
        }),
        Row {
            what: "an unknown application",
            reason: Reason::CredentialInvalid,
            stall: |world| {
                world.user(USER);
                world.emulator().remove_app(world.credential().1);
            },
            cure: |world| {
                let (tenant, client, secret) = world.credential();
                world.emulator().put_app(App::new(client, secret).in_tenant(tenant));
            },
            writes: false,
        },
    ]
}

/// The statuses from the first that is stalled to the last before the outcome all say the same but for the try.
fn never_flapped(row: &Row, statuses: &[PhotoRemovalStatus]) -> Result<(), String> {
    let stalled: Vec<_> = statuses
        .iter()
        .skip_while(|status| !status.is_stalled())
        .take_while(|status| status.outcome.is_none())
        .collect();
    let first = stalled.first().ok_or("no version was stalled")?;
    let reason = row.reason.as_str();
    let kinds: Vec<_> = shown(first).into_iter().map(|(kind, value, reason, _)| (kind, value, reason)).collect();
    if kinds != [("Ready", "False", reason), ("Stalled", "True", reason)] {
        return Err(format!("expected Ready=False and Stalled=True for {reason}, came {kinds:?}"));
    }
    if (stalled.len() > 1) != row.writes {
        return Err(format!("expected looks to be written: {}, came {} stalled versions", row.writes, stalled.len()));
    }
    let same = |status: &&PhotoRemovalStatus| {
        shown(status) == shown(first)
            && status.completion_time.is_some()
            && status.completion_time == first.completion_time
    };
    match stalled.iter().find(|status| !same(status)) {
        Some(other) => Err(format!("expected conditions and completionTime of {first:?} to stay, came {other:?}")),
        None => Ok(()),
    }
}

async fn events_are(world: &World, expected: &[&str]) -> Result<(), String> {
    let look = || async {
        let events = world.events_of("jane").await.map_err(|error| error.to_string())?;
        let reasons: Vec<_> = events.into_iter().filter_map(|event| event.reason).collect();
        if reasons == expected { Ok(()) } else { Err(format!("{reasons:?}")) }
    };
    let waited = eventually(&format!("events {expected:?}"), SOON, look).await;
    waited.map_err(|error| error.to_string())
}

async fn play(row: Row) -> Result<(), String> {
    let played = async {
        let world = World::builder().build().await?;
        (row.stall)(&world);
        let versions = Versions::after(&world, &world.remove("jane", USER).await?);
        world.start_operator().await?;
        world.wait_for("jane", "Stalled", PhotoRemovalStatus::is_stalled).await?;
        // Two looks at least, of up to four requests each.
        let before = world.emulator().requests().len();
        let looked = world.emulator().wait_for(|requests| requests.len() >= before + 8, SOON).await;
        (row.cure)(&world);
        world.wait_for_reason("jane", Reason::Removed).await?;
        let statuses = versions.statuses(&world).await?;
        let came = looked.map_err(|error| error.to_string());
        let came = came.and_then(|()| never_flapped(&row, &statuses));
        let came = came.and_then(|()| never_early(&world, USER, &statuses));
        let gone = !world.emulator().has_photo(&Target::user(USER));
        let came = came.and(if gone { Ok(()) } else { Err("the photo is still there".to_owned()) });
        Ok::<_, testbed::Error>(match came {
            Ok(()) => events_are(&world, &[row.reason.as_str(), "Removed"]).await,
            wrong => wrong,
        })
    };
    let came = played.await.unwrap_or_else(|error| Err(error.to_string()));
    came.map_err(|difference| format!("{}: {difference}", row.what))
}

#[tokio::test]
async fn whoever_watches_a_stalled_object_sees_it_stalled_until_it_is_cured() -> Outcome {
    all_as_expected(join_all(rows().into_iter().map(play)).await);
    Ok(())
}
