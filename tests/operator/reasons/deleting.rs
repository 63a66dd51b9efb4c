//! Deleting the resource, wherever it stands, sends nothing.

use emulator::Target;
use photo_removal_operator::api::Reason;
use serde_json::json;
use testbed::{Result, SOON, World, eventually};

use crate::Outcome;
use crate::given::{A_WHILE, calls, known, on_delete, patient};

/// Where an object stands, by the fault that brought it there.
const ROWS: [(&str, Option<&str>, Reason); 6] = [
    ("finished", None, Reason::Removed),
    ("absent", Some("404 ImageNotFound"), Reason::AlreadyAbsent),
    ("stalled", Some("400 extensionError"), Reason::TargetNotSupported),
    ("waiting", Some("500"), Reason::GraphUnavailable),
    ("suspended", None, Reason::Suspended),
    ("without-secret", None, Reason::CredentialNotFound),
];

fn user(name: &str) -> String {
    format!("{name}@contoso.com")
}

async fn bring_there(world: &World, name: &str, fault: Option<&str>, reason: Reason) -> Result<()> {
    world.user(&user(name));
    if let Some(fault) = fault {
        world.emulator().add_fault(on_delete(&user(name), known(fault)));
    }
    let mut manifest = world.manifest(name, &user(name));
    manifest["spec"]["suspend"] = json!(reason == Reason::Suspended);
    if reason == Reason::CredentialNotFound {
        manifest["spec"]["credentials"]["secretRef"]["name"] = json!("later");
    }
    world.apply(&manifest).await?;
    world.wait_for_reason(name, reason).await.map(drop)
}

/// Fails if anything more than `before` arrives within [`A_WHILE`].
async fn nothing_arrives(world: &World, before: usize) {
    let arrived = world.emulator().wait_for(|requests| requests.len() > before, A_WHILE).await;
    let requests = world.emulator().requests();
    assert!(arrived.is_err(), "expected no request once every object was deleted, came {:?}", &requests[before..]);
}

#[tokio::test]
async fn wherever_an_object_stands_its_deletion_needs_no_finalizer_and_sends_nothing() -> Outcome {
    let world = patient().start().await?;
    for (name, fault, reason) in ROWS {
        bring_there(&world, name, fault, reason).await?;
        assert_eq!(world.get(name).await?.metadata.finalizers, None, "finalizers of {name}");
    }
    assert!(world.emulator().put_photo(&Target::user(user("finished"))), "a new photo");
    world.emulator().clear_faults();
    let before = world.emulator().requests().len();
    for (name, ..) in ROWS {
        world.delete(name).await?;
        eventually(&format!("{name} is gone"), SOON, || async { world.get(name).await.err() }).await?;
    }
    nothing_arrives(&world, before).await;
    for (name, ..) in ROWS {
        assert!(world.emulator().has_photo(&Target::user(user(name))), "{name}: the photo stays");
    }
    Ok(())
}

/// Every half a second while somebody waits; a look that was due already may still come.
#[tokio::test]
async fn a_secret_that_nobody_waits_for_any_more_is_not_looked_at() -> Outcome {
    let world = patient().faulty_api().start().await?;
    bring_there(&world, "without-secret", None, Reason::CredentialNotFound).await?;
    let looks = || calls(&world, "GET", "/secrets/later");
    let met = looks();
    eventually("it is looked for again", SOON, || async { (looks() > met).then_some(()) }).await?;
    world.delete("without-secret").await?;
    eventually("it is gone", SOON, || async { world.get("without-secret").await.err() }).await?;
    let before = looks();
    let more = eventually("two more looks", A_WHILE, || async { (looks() > before + 1).then(looks) }).await;
    assert!(more.is_err(), "expected one more look at most after the deletion, came {more:?} after {before}");
    Ok(())
}

#[tokio::test]
async fn a_secret_that_appears_when_nobody_waits_any_more_is_not_signed_in_with() -> Outcome {
    let recheck = std::time::Duration::from_secs(1);
    let world = patient().faulty_api().config(move |config| config.credential_recheck = recheck).start().await?;
    bring_there(&world, "without-secret", None, Reason::CredentialNotFound).await?;
    world.delete("without-secret").await?;
    eventually("it is gone", SOON, || async { world.get("without-secret").await.err() }).await?;
    world.put_secret(world.namespace(), "later", &world.good_secret()).await?;
    nothing_arrives(&world, 0).await;
    Ok(())
}
