//! Events: one for each change of reason, which says what the conditions say.

use emulator::{Fault, Operation};
use k8s_openapi::api::events::v1::Event;
use photo_removal_operator::api::{PhotoRemovalStatus, Reason, condition};
use serde_json::json;
use testbed::{SOON, World, eventually};

use super::versions::Versions;
use crate::Outcome;
use crate::given::{known, on_delete};

const USER: &str = "jane.doe@contoso.com";

/// Reason and type, in the order of a long life.
const LIFE: [(&str, &str); 10] = [
    ("Suspended", "Normal"),
    ("CredentialNotFound", "Warning"),
    ("CredentialInvalid", "Warning"),
    ("SignInUnavailable", "Warning"),
    ("GraphUnavailable", "Warning"),
    ("Rejected", "Warning"),
    ("Throttled", "Warning"),
    ("TargetNotFound", "Warning"),
    ("PermissionDenied", "Warning"),
    ("Removed", "Normal"),
];

/// Everything that Microsoft's side has in store for the object, each more than once where it may be.
fn trouble(world: &World) {
    world.emulator().add_fault(Fault::on(Operation::Token, known("entra 503 HTML")).times(3));
    // The last is met by a try and its second DELETE, with a new token.
    for (name, times) in [
        ("500", 3),
        ("400 BadRequest", 3),
        ("429 Retry-After 1", 1),
        ("404 Request_ResourceNotFound", 3),
        ("403 ErrorAccessDenied", 2),
    ] {
        world.emulator().add_fault(on_delete(USER, known(name)).times(times));
    }
}

/// Takes the object through its life; the statuses that it had.
async fn live(world: &World) -> testbed::Result<Vec<PhotoRemovalStatus>> {
    world.user(USER);
    trouble(world);
    let mut manifest = world.manifest("jane", USER);
    manifest["spec"]["suspend"] = json!(true);
    manifest["spec"]["credentials"]["secretRef"]["name"] = json!("later");
    let versions = Versions::after(world, &world.apply(&manifest).await?);
    world.wait_for_reason("jane", Reason::Suspended).await?;
    world.edit("jane", &json!({"spec": {"suspend": false}})).await?;
    world.wait_for_reason("jane", Reason::CredentialNotFound).await?;
    world.put_secret(world.namespace(), "later", &world.good_secret()[1..]).await?;
    world.wait_for_reason("jane", Reason::CredentialInvalid).await?;
    world.put_secret(world.namespace(), "later", &world.good_secret()).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    versions.statuses(world).await
}

/// Reason and message of each status whose reason is another than before.
fn changes(statuses: &[PhotoRemovalStatus]) -> Vec<(String, String)> {
    let ready = statuses.iter().filter_map(|status| status.condition(condition::READY));
    let mut changes: Vec<_> = ready.map(|ready| (ready.reason.clone(), ready.message.clone())).collect();
    changes.dedup_by(|one, before| one.0 == before.0);
    changes.retain(|(reason, _)| reason != "Pending");
    changes
}

async fn events(world: &World) -> testbed::Result<Vec<Event>> {
    eventually("an event for each change of reason", SOON, || async {
        let events = world.events_of("jane").await.map_err(|error| error.to_string())?;
        if events.len() >= LIFE.len() { Ok(events) } else { Err(format!("{events:?}")) }
    })
    .await
}

#[tokio::test]
async fn each_change_of_reason_makes_one_event_that_says_what_the_conditions_say() -> Outcome {
    let world = World::start().await?;
    let statuses = live(&world).await?;
    let events = events(&world).await?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let shown: Vec<_> = events.iter().map(|event| (text(&event.reason), text(&event.type_))).collect();
    assert_eq!(shown, LIFE.map(|(reason, kind)| (reason.to_owned(), kind.to_owned())), "reasons and types");
    let notes: Vec<_> = events.iter().map(|event| (text(&event.reason), text(&event.note))).collect();
    assert_eq!(notes, changes(&statuses), "reasons and notes against reasons and messages of jane's versions");
    let uid = world.get("jane").await?.metadata.uid;
    for event in &events {
        let regarding = event.regarding.clone().unwrap_or_default();
        let about = (regarding.kind.as_deref(), regarding.name.as_deref(), regarding.uid);
        assert_eq!(about, (Some("PhotoRemoval"), Some("jane"), uid.clone()), "whom the event is about: {event:?}");
        assert_eq!(event.reporting_controller.as_deref(), Some("photoremoval.dev/operator"), "{event:?}");
    }
    Ok(())
}

#[tokio::test]
async fn no_status_and_no_event_of_a_long_life_names_the_person_or_tells_the_secret() -> Outcome {
    let world = World::start().await?;
    let statuses = live(&world).await?;
    let texts = statuses.iter().map(|status| format!("{status:?}"));
    let events = events(&world).await?;
    let texts = texts.chain(events.iter().map(|event| format!("{event:?}")));
    let mut secrets = world.emulator().issued_tokens();
    secrets.extend([world.credential().2.to_owned(), USER.to_owned(), "jane.doe".to_owned()]);
    for text in texts {
        let told = secrets.iter().find(|secret| text.to_lowercase().contains(&secret.to_lowercase()));
        assert!(told.is_none(), "{told:?} is told in {text}");
    }
    Ok(())
}
