//! No secret, no token and no person's name gets out, at any log level.

use emulator::{Fault, FaultKind, Operation};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use photo_removal_operator::api::Reason;
use photo_removal_operator::cli::LogFormat;
use serde_json::json;
use testbed::{Result, World};

use crate::Outcome;
use crate::given::{known, on_delete};
use crate::program::PROGRAM;

/// A part of every principal name, which nothing but spec.target may show.
const PERSON: &str = "jane.canary";

/// Objects for every kind of ending, each with the reason that it comes to.
async fn a_busy_day(world: &World) -> Result<()> {
    let faults = [
        ("removed", None, Reason::Removed),
        ("absent", Some("404 ImageNotFound"), Reason::AlreadyAbsent),
        ("missing", Some("404 Request_ResourceNotFound"), Reason::TargetNotFound),
        ("denied", Some("403 ErrorAccessDenied"), Reason::PermissionDenied),
        ("refused", Some("400 BadRequest"), Reason::Rejected),
        ("broken", Some("502 HTML"), Reason::GraphUnavailable),
        ("reset", Some("reset before the head"), Reason::GraphUnavailable),
    ];
    for (name, fault, reason) in faults {
        let user = format!("{PERSON}.{name}@contoso.com");
        world.user(&user);
        if let Some(fault) = fault {
            world.emulator().add_fault(on_delete(&user, known(fault)));
        }
        world.remove(name, &user).await?;
        world.wait_for_reason(name, reason).await?;
    }
    // Graph itself names the user, and Entra quotes the secret.
    let user = format!("{PERSON}.quoted@contoso.com");
    world.user(&user);
    let (_, _, secret) = world.credential();
    let message = format!("User {user} with {secret}");
    world.emulator().add_fault(on_delete(&user, FaultKind::graph(400, user.clone(), message)));
    world.remove("quoted", &user).await?;
    world.wait_for_reason("quoted", Reason::Rejected).await?;
    let mut data = world.good_secret();
    data[0].1 = world.credential().2.as_bytes().to_vec();
    world.put_secret(world.namespace(), "mixed-up", &data).await?;
    let mut manifest = world.manifest("mixed-up", &user);
    manifest["spec"]["credentials"]["secretRef"]["name"] = json!("mixed-up");
    world.apply(&manifest).await?;
    world.wait_for_reason("mixed-up", Reason::CredentialInvalid).await?;
    world.emulator().expire_tokens();
    world.emulator().add_fault(Fault::on(Operation::Token, refusal(secret)));
    let user = format!("{PERSON}.late@contoso.com");
    world.user(&user);
    world.remove("late", &user).await?;
    world.wait_for_reason("late", Reason::CredentialInvalid).await?;
    Ok(())
}

/// A refusal of Entra's that repeats what it was sent.
fn refusal(secret: &str) -> FaultKind {
    let mut refusal = FaultKind::entra(401, secret, 7_000_215);
    if let FaultKind::Entra(error) = &mut refusal {
        error.description = Some(format!("The secret {secret} is wrong."));
    }
    refusal
}

#[tokio::test]
async fn nothing_secret_and_nobodys_name_gets_out_at_any_log_level() -> Outcome {
    for format in [LogFormat::Text, LogFormat::Json] {
        let builder = World::builder().program(PROGRAM).environment("RUST_LOG", "trace");
        let world = builder.config(|config| config.log_format = format).start().await?;
        a_busy_day(&world).await?;
        let metrics = world.metrics().await?;
        world.stop_operator().await?;
        let logs = world.logs()?;
        assert!(logs.contains("the operator has started"), "the log is empty: {logs}");
        let events = Api::<Event>::namespaced(world.client().clone(), world.namespace());
        let events = serde_json::to_string(&events.list(&ListParams::default()).await?.items)?;
        let statuses: Vec<_> = world.all().await?.into_iter().map(|object| object.status).collect();
        let statuses = serde_json::to_string(&statuses)?;
        let (_, _, secret) = world.credential();
        let tokens = world.emulator().issued_tokens();
        assert!(tokens.len() > 1, "tokens were issued");
        for (place, text) in [("logs", &logs), ("metrics", &metrics), ("events", &events), ("statuses", &statuses)] {
            for canary in tokens.iter().map(String::as_str).chain([secret, PERSON]) {
                let found = text.lines().find(|line| line.to_lowercase().contains(&canary.to_lowercase()));
                assert_eq!(found, None, "{canary} in the {place}, written as {format:?}");
            }
        }
    }
    Ok(())
}
