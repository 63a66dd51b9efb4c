//! What each of Entra's answers to the sign-in leads to.

use emulator::{App, Fault, FaultKind, Operation};
use futures::future::join_all;
use photo_removal_operator::api::{Reason, condition};
use serde_json::json;
use testbed::World;

use crate::Outcome;
use crate::given::{deletes, patient};
use crate::picture::all_as_expected;

/// Numbers that pass by themselves although they come with a 4xx.
const PASSING: [&str; 15] = [
    "50033", "50087", "90006", "90012", "90024", "90033", "90055", "90090", "90091", "50196", "70021 ", "700211",
    "700212", "700213", "700024",
];

fn expected(name: &str) -> Reason {
    match name {
        "entra token without expires_in" | "entra token with expires_in as text" | "entra token that is opaque" => {
            Reason::Removed
        }
        "entra invalid_client without error_codes" => Reason::CredentialInvalid,
        _ if !name.contains("AADSTS") => Reason::SignInUnavailable,
        _ if PASSING.iter().any(|number| name.contains(number)) => Reason::SignInUnavailable,
        _ => Reason::CredentialInvalid,
    }
}

/// An application of its own meets the answer.
async fn play(world: &World, number: usize, name: String, what: FaultKind) -> Result<(), String> {
    let reason = expected(&name);
    let (tenant, _, secret) = world.credential();
    let (object, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
    let client = format!("aaaaaaaa-2222-4333-8444-{number:012}");
    let played = async {
        world.user(&user);
        world.emulator().put_app(App::new(&client, secret).in_tenant(tenant));
        world.emulator().add_fault(Fault::on(Operation::Token, what).about(&client));
        let mut manifest = world.manifest(&object, &user);
        manifest["spec"]["credentials"]["clientId"] = json!(client);
        world.apply(&manifest).await?;
        world.wait_for_reason(&object, reason).await
    };
    let status = played.await.map_err(|error| format!("{name}: {error}"))?;
    let message = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
    let number = name.split(' ').nth(1).filter(|_| reason == Reason::CredentialInvalid).unwrap_or_default();
    let sent = deletes(world, &user);
    if sent == usize::from(reason == Reason::Removed) && message.contains(number) && !message.contains("Trace ID") {
        return Ok(());
    }
    Err(format!("{name}: expected a message with {number:?}, came {sent} DELETEs and {message:?}"))
}

#[tokio::test]
async fn each_answer_of_entra_leads_to_its_reason() -> Outcome {
    let world = patient().start().await?;
    let rows = emulator::catalogue::sign_in();
    let played = rows.into_iter().enumerate().map(|(number, (name, what))| play(&world, number, name, what));
    all_as_expected(join_all(played).await);
    Ok(())
}

#[tokio::test]
async fn a_credential_that_entra_refuses_is_looked_at_again_by_itself() -> Outcome {
    let world = World::start().await?;
    let (tenant, client, secret) = world.credential();
    world.user("jane@contoso.com");
    world.emulator().remove_app(client);
    world.remove("jane", "jane@contoso.com").await?;
    let status = world.wait_for_reason("jane", Reason::CredentialInvalid).await?;
    assert!(status.is_stalled() && status.last_attempt.is_none(), "{status:?}");
    world.emulator().put_app(App::new(client, secret).in_tenant(tenant));
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

#[tokio::test]
async fn a_sign_in_that_was_told_to_wait_is_not_early() -> Outcome {
    let world = World::start().await?;
    world.user("jane@contoso.com");
    let mut throttled = FaultKind::entra(429, "temporarily_unavailable", 90_055);
    if let FaultKind::Entra(error) = &mut throttled {
        error.retry_after = Some(emulator::RetryAfter::seconds(2));
    }
    world.emulator().add_fault(Fault::on(Operation::Token, throttled).times(1));
    world.remove("jane", "jane@contoso.com").await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!((crate::given::sign_ins(&world), world.emulator().early_returns()), (2, 0), "sign-ins, early ones");
    Ok(())
}

/// Microsoft Entra throttles an application, whichever Secret it was signed in from.
#[tokio::test]
async fn two_secrets_of_one_application_heed_the_pause_of_its_sign_in() -> Outcome {
    let world = World::start().await?;
    // Who comes back at once is early, too.
    world.emulator().set_limits(emulator::Limits { grace: std::time::Duration::ZERO, ..emulator::Limits::default() });
    world.put_secret(world.namespace(), "second", &world.good_secret()).await?;
    let throttled = FaultKind::throttled(Some(emulator::RetryAfter::seconds(3)));
    world.emulator().add_fault(Fault::on(Operation::Token, throttled).times(1));
    world.user("first@contoso.com");
    world.remove("first", "first@contoso.com").await?;
    world.wait_for_reason("first", Reason::SignInUnavailable).await?;
    world.user("second@contoso.com");
    let mut manifest = world.manifest("second", "second@contoso.com");
    manifest["spec"]["credentials"]["secretRef"]["name"] = "second".into();
    world.apply(&manifest).await?;
    world.wait_for_all(testbed::SOON).await?;
    assert_eq!(world.emulator().early_returns(), 0, "sign-ins before the pause was over");
    Ok(())
}
