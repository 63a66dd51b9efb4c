//! Groups: every kind of verdict, in the words that go with a group, and no request that is about users.

use emulator::{Fault, FaultKind, Group, GroupKind, Operation};
use futures::future::join_all;
use photo_removal_operator::api::{Reason, condition};
use serde_json::json;

use crate::Outcome;
use crate::given::{known, on_delete, patient};
use crate::picture::{Picture, all_as_expected};

const GROUP: &str = "9c1d0f6e-2222-4333-8444-555555555555";

/// What the DELETE meets, what the confirming GET meets, what both lead to, and a part of what is said.
struct Row {
    deleting: Option<&'static str>,
    confirming: Option<&'static str>,
    expected: Picture,
    said: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |deleting, confirming, expected, said| Row { deleting: Some(deleting), confirming, expected, said };
    let absent = || Picture::after(Reason::AlreadyAbsent, 404).code("ImageNotFound").confirmed();
    let denied = Picture::after(Reason::PermissionDenied, 403).code("ErrorAccessDenied").tries(2);
    let invalid = Picture::stuck(Reason::CredentialInvalid, 401).code("InvalidAuthenticationToken").tries(2);
    let missing = Picture::after(Reason::TargetNotFound, 404).code("Request_ResourceNotFound");
    let throttled = Picture::after(Reason::Throttled, 429).code("TooManyRequests").retry_after(315);
    let unclear = || Picture::after(Reason::GraphUnavailable, 404).confirmed();
    vec![
        Row { deleting: None, confirming: None, expected: Picture::after(Reason::Removed, 200), said: "removed" },
        row("404 ImageNotFound", None, absent(), "confirmed that the group exists"),
        row("404 ImageNotFound", Some("403 ErrorAccessDenied"), absent(), "GroupMember.Read.All"),
        row("404 HTML", Some("403 ErrorAccessDenied"), unclear(), ""),
        row("404 Request_ResourceNotFound", None, missing, "no such group"),
        row("403 ErrorAccessDenied", None, denied, "Group.ReadWrite.All"),
        row("401 InvalidAuthenticationToken", None, invalid.without_next(), "refuses the access token"),
        row("429 Retry-After 315", None, throttled, "slow down"),
        row("500", None, Picture::after(Reason::GraphUnavailable, 500).code("InternalServerError"), ""),
        row("400 BadRequest", None, Picture::after(Reason::Rejected, 400).code("BadRequest"), ""),
    ]
}

/// In a world of its own: half of the rows concern the whole credential.
async fn play(row: Row) -> Result<(), String> {
    let context = format!("{:?} then {:?}", row.deleting, row.confirming);
    let played = async {
        let world = patient().start().await?;
        world.emulator().put_group(Group::new(GROUP).with_photo());
        if let Some(name) = row.deleting {
            world.emulator().add_fault(on_delete(GROUP, known(name)));
        }
        if let Some(name) = row.confirming {
            world.emulator().add_fault(Fault::on(Operation::Confirm, known(name)).about(GROUP));
        }
        Ok::<_, testbed::Error>(ends_as(&world, row.expected, row.said).await)
    };
    let came = played.await.unwrap_or_else(|error| Err(error.to_string()));
    came.map_err(|difference| format!("{context}: {difference}"))
}

async fn ends_as(world: &testbed::World, expected: Picture, said: &str) -> Result<(), String> {
    let mut manifest = world.manifest("group", "");
    manifest["spec"]["target"] = json!({"group": GROUP});
    world.apply(&manifest).await.map_err(|error| error.to_string())?;
    expected.expect(world, "group", GROUP).await?;
    let status = world.status_of("group").await.map_err(|error| error.to_string())?;
    let message = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
    if !message.contains(said) {
        return Err(format!("expected a message with {said:?}, came {message:?}"));
    }
    let requests = world.emulator().requests();
    match requests.iter().find(|request| request.path.contains("/users")) {
        Some(stray) => Err(format!("a request about users: {stray:?}")),
        None => Ok(()),
    }
}

#[tokio::test]
async fn each_verdict_about_a_group_has_its_reason_and_speaks_of_a_group() -> Outcome {
    all_as_expected(join_all(rows().into_iter().map(play)).await);
    Ok(())
}

#[tokio::test]
async fn a_group_that_no_application_may_touch_is_not_supported_without_a_new_token() -> Outcome {
    let world = patient().start().await?;
    world.emulator().put_group(Group { kind: GroupKind::DelegatedOnly, ..Group::new(GROUP).with_photo() });
    let code = "AppOnlyTokenNotSupportedForGroupUpdate";
    let expected = Picture::after(Reason::TargetNotSupported, 403).code(code);
    ends_as(&world, expected, "does not let an application change this group's photo").await?;
    assert_eq!(crate::given::sign_ins(&world), 1, "token requests");
    Ok(())
}

/// The same code outside a group's 403 is a refusal like any other.
#[tokio::test]
async fn a_code_counts_only_at_the_status_that_it_was_seen_at() -> Outcome {
    let world = patient().start().await?;
    world.emulator().put_group(Group::new(GROUP).with_photo());
    let code = "AppOnlyTokenNotSupportedForGroupUpdate";
    world.emulator().add_fault(on_delete(GROUP, FaultKind::graph(400, code, "")));
    ends_as(&world, Picture::after(Reason::Rejected, 400).code(code), "refused the request").await?;
    Ok(())
}
