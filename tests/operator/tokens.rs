//! 401 and 403: a new token, once more at once, and then a reason.

use emulator::{Fault, FaultKind, Operation};
use futures::future::join_all;
use photo_removal_operator::api::Reason;
use testbed::{SOON, World, eventually};

use crate::Outcome;
use crate::given::{
    NEVER, calls, deletes, known, on_delete, patient, sign_ins, slow, stays, until_deleted, until_it_stays,
};
use crate::picture::{Picture, all_as_expected};

const USER: &str = "jane.doe@contoso.com";

/// A fault, how often it is met, and what it leads to, with so many sign-ins.
struct Row {
    fault: &'static str,
    times: Option<u32>,
    expected: Picture,
}

async fn play(row: Row) -> Result<(), String> {
    let context = format!("{} {:?} times", row.fault, row.times);
    let played = async {
        let world = patient().start().await?;
        world.user(USER);
        let fault = on_delete(USER, known(row.fault));
        world.emulator().add_fault(Fault { times: row.times, ..fault });
        world.remove("jane", USER).await?;
        let came = row.expected.expect(&world, "jane", USER).await;
        let bearers: Vec<_> = bearers(&world);
        let renewed = bearers == ["Bearer token-1", "Bearer token-2"] && sign_ins(&world) == 2;
        Ok::<_, testbed::Error>(
            came.and_then(|()| if renewed { Ok(()) } else { Err(format!("expected two tokens, came {bearers:?}")) }),
        )
    };
    let came = played.await.unwrap_or_else(|error| Err(error.to_string()));
    came.map_err(|difference| format!("{context}: {difference}"))
}

/// The tokens of the DELETEs, in order.
fn bearers(world: &World) -> Vec<String> {
    let requests = world.emulator().requests().into_iter();
    let deletes = requests.filter(|request| request.operation == Operation::Delete);
    deletes.map(|request| request.header("authorization").to_owned()).collect()
}

#[tokio::test]
async fn a_token_that_graph_refuses_is_renewed_once() -> Outcome {
    let removed = || Picture::after(Reason::Removed, 200).tries(2);
    let invalid = || {
        let picture = Picture::stuck(Reason::CredentialInvalid, 401).code("InvalidAuthenticationToken");
        picture.tries(2).without_next()
    };
    let denied = |code: &str| {
        let picture = Picture::after(Reason::PermissionDenied, 403).tries(2);
        if code.is_empty() { picture } else { picture.code(code) }
    };
    let rows = [
        ("401 InvalidAuthenticationToken", Some(1), removed()),
        ("401 with claims", Some(1), removed()),
        ("403 ErrorAccessDenied", Some(1), removed()),
        ("401 InvalidAuthenticationToken", None, invalid()),
        ("401 with claims", None, invalid()),
        ("403 ErrorAccessDenied", None, denied("ErrorAccessDenied")),
        ("403 ErrorAccessDenied with innererror", None, denied("ErrorAccessDenied")),
        ("403 Authorization_RequestDenied", None, denied("Authorization_RequestDenied")),
        ("403 ForbiddenByPolicy", None, denied("ForbiddenByPolicy")),
        ("403 insufficient_claims", None, denied("insufficient_claims")),
        ("403 empty code", None, denied("")),
    ];
    let rows = rows.map(|(fault, times, expected)| Row { fault, times, expected });
    all_as_expected(join_all(rows.into_iter().map(play)).await);
    Ok(())
}

#[tokio::test]
async fn a_token_that_ends_while_a_request_is_under_way_is_renewed() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, slow(500)).times(1));
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    world.emulator().expire_tokens();
    Picture::after(Reason::Removed, 200).tries(2).expect(&world, "jane", USER).await?;
    assert_eq!(sign_ins(&world), 2, "token requests");
    Ok(())
}

#[tokio::test]
async fn a_token_is_never_used_past_its_end() -> Outcome {
    let world = World::start().await?;
    let behaviour = emulator::Behaviour { token_lifetime: std::time::Duration::from_secs(2), ..Default::default() };
    world.emulator().set_behaviour(behaviour);
    // Each removal waits for the one before, so that the whole takes several lives of a token.
    let began = tokio::time::Instant::now();
    let mut number = 0;
    while began.elapsed() < std::time::Duration::from_secs(5) {
        let (name, user) = (format!("user-{number}"), format!("user-{number}@contoso.com"));
        world.user(&user);
        world.emulator().add_fault(on_delete(&user, slow(200)));
        world.remove(&name, &user).await?;
        world.wait_for_reason(&name, Reason::Removed).await?;
        number += 1;
    }
    let refused = world.emulator().requests().into_iter().filter(|request| request.status == Some(401)).count();
    assert_eq!(refused, 0, "requests with a token that had ended, of {number} removals");
    Ok(())
}

#[tokio::test]
async fn a_hundred_objects_share_one_token_and_one_look_at_the_secret() -> Outcome {
    let builder = World::builder().faulty_api().config(|config| config.credential_recheck = NEVER);
    let world = builder.build().await?;
    world.emulator().add_fault(Fault::on(Operation::Token, slow(500)));
    for number in 0..100 {
        let user = format!("user-{number}@contoso.com");
        world.user(&user);
        world.remove(&format!("user-{number}"), &user).await?;
    }
    world.start_operator().await?;
    let all = world.wait_for_all(testbed::SOON).await?;
    let removed = all.iter().filter(|object| object.status.as_ref().is_some_and(|status| status.outcome.is_some()));
    assert_eq!(removed.count(), 100, "removed");
    assert_eq!(sign_ins(&world), 1, "token requests");
    assert_eq!(calls(&world, "GET", "/secrets/graph"), 1, "looks at the Secret");
    Ok(())
}

#[tokio::test]
async fn denied_objects_do_not_each_fetch_a_token() -> Outcome {
    let world = patient().start().await?;
    world.emulator().add_fault(Fault::on(Operation::Delete, FaultKind::graph(403, "ErrorAccessDenied", "")));
    for number in 0..20 {
        let user = format!("user-{number}@contoso.com");
        world.user(&user);
        world.remove(&format!("user-{number}"), &user).await?;
    }
    for object in world.wait_for_all(testbed::SOON).await? {
        let reason = object.status.as_ref().and_then(photo_removal_operator::api::PhotoRemovalStatus::reason);
        assert_eq!(reason, Some(Reason::PermissionDenied), "{:?}", object.metadata.name);
    }
    assert_eq!(sign_ins(&world), 2, "token requests");
    Ok(())
}

/// A removal is done, and Graph takes its token no more.
async fn lose_the_token(world: &World) -> Outcome {
    world.user("first@contoso.com");
    world.remove("first", "first@contoso.com").await?;
    world.wait_for_reason("first", Reason::Removed).await?;
    world.emulator().expire_tokens();
    Ok(())
}

/// Signing in anew takes its time: what was decided before it is decided again.
#[tokio::test]
async fn an_object_that_is_suspended_while_its_token_is_renewed_is_not_asked_for_again() -> Outcome {
    let world = World::start().await?;
    lose_the_token(&world).await?;
    world.user(USER);
    world.emulator().add_fault(Fault::on(Operation::Token, slow(2_000)).times(1));
    let before = sign_ins(&world);
    world.remove("jane", USER).await?;
    let renewing = || async { (sign_ins(&world) > before).then_some(()) };
    eventually("the token is being renewed", SOON, renewing).await?;
    world.edit("jane", &serde_json::json!({"spec": {"suspend": true}})).await?;
    world.wait_for_reason("jane", Reason::Suspended).await?;
    assert_eq!(deletes(&world, USER), 1, "DELETEs: the one whose token was refused");
    assert!(world.emulator().has_photo(&emulator::Target::user(USER)), "the photo stays");
    Ok(())
}

/// Who lost the token waits for another one at the credential's desk, which therefore stays open: what it found out holds
/// for all, and its waits are kept.
#[tokio::test]
async fn a_token_that_ends_while_entra_is_away_costs_one_question() -> Outcome {
    let world = patient().faulty_api().config(|config| config.credential_recheck = NEVER).start().await?;
    lose_the_token(&world).await?;
    world.emulator().add_fault(Fault::on(Operation::Token, known("entra 503 temporarily_unavailable")));
    world.user(USER);
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::SignInUnavailable).await?;
    let asked = || (sign_ins(&world), calls(&world, "GET", "/secrets/graph"));
    stays("token requests, and looks at the Secret", asked).await;
    assert_eq!(asked(), (2, 1), "token requests, and looks at the Secret");
    Ok(())
}

/// It is deleted in the middle of its try, before it comes to wait for the end of what is wrong with the credential.
#[tokio::test]
async fn who_is_deleted_while_its_token_is_renewed_is_waited_for_no_more() -> Outcome {
    let world = World::builder().faulty_api().start().await?;
    lose_the_token(&world).await?;
    world.user(USER);
    world.emulator().add_fault(Fault::on(Operation::Token, slow(2_000)).times(1));
    world.remove("jane", USER).await?;
    let renewing = || async { (sign_ins(&world) > 1).then_some(()) };
    eventually("the token is being renewed", SOON, renewing).await?;
    world.delete("jane").await?;
    let (tenant, client, _) = world.credential();
    world.emulator().put_app(emulator::App::new(client, "another secret").in_tenant(tenant));
    let refused = || async {
        let requests = world.emulator().requests();
        requests.iter().any(|one| one.operation == Operation::Token && one.status == Some(401)).then_some(())
    };
    eventually("Entra refuses the credential", SOON, refused).await?;
    until_it_stays("nobody looks at the Secret", || calls(&world, "GET", "/secrets/graph")).await?;
    Ok(())
}
