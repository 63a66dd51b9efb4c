//! A token endpoint in trouble: nothing is sent to Graph, the object goes on by itself, and the trouble costs no attempt.

use emulator::{App, EntraError, Fault, FaultKind, Matcher, Operation, RetryAfter};
use futures::future::join_all;
use photo_removal_operator::api::{PhotoRemovalStatus, Reason, condition};
use serde_json::json;
use testbed::{SOON, World, eventually};

use super::versions::Versions;
use crate::Outcome;
use crate::given::{deletes, known};
use crate::picture::all_as_expected;

/// How often the token endpoint fails before it works.
const FAILURES: u32 = 2;

fn rows() -> Vec<(&'static str, FaultKind)> {
    let busy = EntraError {
        status: 429,
        error: "temporarily_unavailable".to_owned(),
        codes: vec![],
        description: None,
        retry_after: Some(RetryAfter::seconds(1)),
    };
    vec![
        ("503 HTML", known("entra 503 HTML")),
        ("500 empty", known("entra 500 empty")),
        ("408", FaultKind::bare(408)),
        ("429 with Retry-After", FaultKind::Entra(busy)),
        ("directory unavailable", known("entra AADSTS90033 directory unavailable")),
        ("reset before the head", FaultKind::ResetBeforeHead),
        ("reset inside the body", FaultKind::ResetMidBody { status: 200 }),
        ("200 HTML", FaultKind::html(200)),
        ("200 empty", FaultKind::bare(200)),
        ("a body without an end", FaultKind::EndlessBody { status: 200 }),
        ("a token without access_token", known("entra token without access_token")),
        ("400 HTML", FaultKind::html(400)),
    ]
}

/// The statuses before the outcome, but for the first, are those of an object that was never tried.
fn untried(statuses: &[PhotoRemovalStatus]) -> Result<(), String> {
    let waiting: Vec<_> = statuses.iter().filter(|status| status.reason() == Some(Reason::SignInUnavailable)).collect();
    let [status] = waiting[..] else { return Err(format!("expected one write of the trouble, came {waiting:?}")) };
    let kinds: Vec<_> = status.conditions.iter().map(|one| (one.type_.as_str(), one.status.as_str())).collect();
    let tried = status.last_attempt.is_some() || status.attempts > 0 || status.start_time.is_some();
    if kinds == [(condition::READY, "False"), (condition::RECONCILING, "True")] && !tried {
        return Ok(());
    }
    Err(format!("expected Reconciling and no attempt, came {status:?}"))
}

async fn events(world: &World, name: &str) -> Result<(), String> {
    let expected = [("SignInUnavailable", "Warning"), ("Removed", "Normal")];
    let look = || async {
        let events = world.events_of(name).await.map_err(|error| error.to_string())?;
        let shown = events.iter().map(|event| (event.reason.as_deref(), event.type_.as_deref()));
        let as_expected = shown.eq(expected.iter().map(|(reason, kind)| (Some(*reason), Some(*kind))));
        if as_expected { Ok(()) } else { Err(format!("{events:?}")) }
    };
    let waited = eventually(&format!("{name} has the events {expected:?}"), SOON, look).await;
    waited.map_err(|error| error.to_string())
}

/// An application of its own meets the trouble.
async fn play(world: &World, number: usize, what: FaultKind) -> Result<(), String> {
    let (name, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
    let client = format!("aaaaaaaa-2222-4333-8444-{number:012}");
    let played = async {
        let (tenant, _, secret) = world.credential();
        world.user(&user);
        world.emulator().put_app(App::new(&client, secret).in_tenant(tenant));
        world.emulator().add_fault(Fault::on(Operation::Token, what).about(&client).times(FAILURES));
        let mut manifest = world.manifest(&name, &user);
        manifest["spec"]["credentials"]["clientId"] = json!(client);
        let versions = Versions::after(world, &world.apply(&manifest).await?);
        let status = world.wait_for_reason(&name, Reason::Removed).await?;
        Ok::<_, testbed::Error>((status, versions.statuses(world).await?))
    };
    let (status, statuses) = played.await.map_err(|error| error.to_string())?;
    untried(&statuses)?;
    let sign_ins = world.emulator().count(&Matcher::of(Operation::Token).about(&client));
    let seen = (status.attempts, deletes(world, &user), sign_ins);
    if seen != (1, 1, FAILURES as usize + 1) {
        return Err(format!("expected 1 attempt, 1 DELETE and {} sign-ins, came {seen:?}", FAILURES + 1));
    }
    events(world, &name).await
}

#[tokio::test]
async fn a_token_endpoint_in_trouble_is_told_once_and_waited_out() -> Outcome {
    let world = World::start().await?;
    let world = &world;
    let played = rows().into_iter().enumerate().map(async |(number, (name, what))| {
        play(world, number, what).await.map_err(|difference| format!("{name}: {difference}"))
    });
    all_as_expected(join_all(played).await);
    assert_eq!(world.emulator().early_returns(), 0, "sign-ins before a Retry-After had passed");
    Ok(())
}
