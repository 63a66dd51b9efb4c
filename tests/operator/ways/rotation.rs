//! Refresh tokens: every use brings a new one, which is written back before the old one is forgotten.

use emulator::{App, Fault, Operation, RefreshTokens, User};
use http::Method;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, Patch, PatchParams};
use photo_removal_operator::api::{PhotoRemovalStatus, Reason, condition};
use serde_json::json;
use testbed::{Builder, Fault as ApiFault, Matcher, Result, SOON, World, eventually};

use super::{USER, put, remove_with, sign_ins};
use crate::Outcome;
use crate::given::{slow, stays};
use crate::program::PROGRAM;

const KEY: &str = "AZURE_REFRESH_TOKEN";
const SECRET: &str = "of-a-user";

/// The operator may write to Secrets.
fn trusted() -> Builder {
    World::builder().may(("", "secrets", &["patch"]))
}

/// A user who administers the tenant's users and has signed in; returns the refresh token.
fn admin(world: &World, name: &str) -> String {
    let (tenant, client, _) = world.credential();
    let user = User::new(name).admin();
    let id = user.id.clone();
    world.emulator().put_user(user);
    world.emulator().issue_refresh_token(tenant, client, &id, &["ProfilePhoto.ReadWrite.All", "User.Read.All"])
}

/// The application is a public client, and its Secret holds the token of an administrator.
async fn given(world: &World) -> Result<String> {
    let (tenant, client, _) = world.credential();
    world.emulator().put_app(App::public(client).in_tenant(tenant));
    let token = admin(world, "admin@contoso.com");
    put(world, SECRET, &[(KEY, token.as_bytes())]).await?;
    Ok(token)
}

/// Waits until the Secret holds another token than this one.
async fn replaced(world: &World, old: &str) -> Result<String> {
    let look = || async {
        match world.secret_value(SECRET, KEY).await {
            Ok(value) if value != old => Ok(value),
            other => Err(format!("{other:?}")),
        }
    };
    eventually("the Secret holds the new refresh token", SOON, look).await
}

#[tokio::test]
async fn a_new_refresh_token_is_written_back_and_costs_no_second_sign_in() -> Outcome {
    let world = trusted().start().await?;
    let old = given(&world).await?;
    let before = world.secret_value(SECRET, "AZURE_TENANT_ID").await?;
    remove_with(&world, "jane", USER, SECRET).await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    let new = replaced(&world, &old).await?;
    assert!(world.emulator().issued_refresh_tokens().contains(&new), "Entra's own");
    assert_eq!(world.secret_value(SECRET, "AZURE_TENANT_ID").await?, before, "everything else stays");
    let message = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
    assert!(!message.contains("sign-in ends"), "{message}");
    // Several rechecks of the Secret: its new version is the operator's own.
    remove_with(&world, "john", "john@contoso.com", SECRET).await?;
    world.wait_for_reason("john", Reason::Removed).await?;
    stays("token requests", || sign_ins(&world).len()).await;
    assert_eq!(sign_ins(&world).len(), 1, "token requests for two removals");
    Ok(())
}

/// Each resource may name its own tenant and application, so that one Secret is several credentials; none of them must
/// take another's write for a person's.
#[tokio::test]
async fn many_credentials_of_one_secret_do_not_chase_each_other() -> Outcome {
    let world = trusted().start().await?;
    given(&world).await?;
    let (tenant, client, _) = world.credential();
    let overrides = [
        json!({}),
        json!({"tenantId": tenant}),
        json!({"clientId": client}),
        json!({"tenantId": tenant, "clientId": client}),
    ];
    for round in 0..4 {
        for (number, own) in overrides.iter().enumerate() {
            let name = format!("leaver-{round}-{number}");
            let user = format!("{name}@contoso.com");
            world.user(&user);
            let mut manifest = world.manifest(&name, &user);
            manifest["spec"]["credentials"] = own.clone();
            manifest["spec"]["credentials"]["secretRef"] = json!({"name": SECRET});
            world.apply(&manifest).await?;
            world.wait_for_reason(&name, Reason::Removed).await?;
        }
    }
    stays("token requests", || sign_ins(&world).len()).await;
    assert_eq!(sign_ins(&world).len(), overrides.len(), "one sign-in each");
    Ok(())
}

/// As whoever keeps Secrets in Git does: the old token is put back after each write. It still works, and is redeemed no
/// more often for that.
#[tokio::test]
async fn a_secret_that_is_always_put_back_does_not_make_the_operator_sign_in_again_and_again() -> Outcome {
    let world = trusted().start().await?;
    let old = given(&world).await?;
    for round in 0..5 {
        let name = format!("leaver-{round}");
        remove_with(&world, &name, &format!("{name}@contoso.com"), SECRET).await?;
        world.wait_for_reason(&name, Reason::Removed).await?;
        put(&world, SECRET, &[(KEY, old.as_bytes())]).await?;
    }
    stays("token requests", || sign_ins(&world).len()).await;
    assert_eq!(sign_ins(&world).len(), 1, "token requests");
    Ok(())
}

#[tokio::test]
async fn a_secret_that_cannot_be_changed_is_said_to_be_one() -> Outcome {
    let world = trusted().start().await?;
    given(&world).await?;
    let secrets = Api::<Secret>::namespaced(world.client().clone(), world.namespace());
    secrets.patch(SECRET, &PatchParams::default(), &Patch::Merge(&json!({"immutable": true}))).await?;
    remove_with(&world, "jane", USER, SECRET).await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    let message = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
    assert!(
        message.contains("This sign-in ends on") && message.contains("the API server refuses the change"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn without_the_right_to_write_the_object_says_what_will_happen_and_by_when() -> Outcome {
    let world = World::start().await?;
    let old = given(&world).await?;
    remove_with(&world, "jane", USER, SECRET).await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    let message = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(90 * 24);
    let expected = format!(
        "This sign-in ends on {} at the latest, since its new refresh token cannot be put into the Secret {SECRET}: the \
         operator may not write to it. Let it (delegatedCredentials.enabled in the chart), or sign in again before.",
        end.strftime("%F")
    );
    assert!(message.starts_with("Microsoft Graph removed the photo.") && message.ends_with(&expected), "{message}");
    assert_eq!(world.secret_value(SECRET, KEY).await?, old, "the Secret is as it was");
    world.emulator().expire_tokens();
    remove_with(&world, "john", "john@contoso.com", SECRET).await?;
    world.wait_for_reason("john", Reason::Removed).await?;
    Ok(())
}

/// Killed after Entra has answered and before the new token is written: the old one is still there, and works.
#[tokio::test]
async fn a_crash_between_redeeming_and_writing_loses_nothing() -> Outcome {
    let world = trusted().faulty_api().program(PROGRAM).start().await?;
    let old = given(&world).await?;
    let writing = Matcher::any().method(Method::PATCH).containing(&format!("/secrets/{SECRET}"));
    let hang = world.api().inject(writing, ApiFault::Hang);
    remove_with(&world, "jane", USER, SECRET).await?;
    eventually("it is about to write", SOON, || async { (hang.hits() > 0).then_some(()) }).await?;
    world.kill_operator().await?;
    assert_eq!(world.emulator().issued_refresh_tokens().len(), 2, "a new one was handed out, and is lost");
    assert_eq!(world.secret_value(SECRET, KEY).await?, old);
    hang.end();
    world.start_operator().await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    replaced(&world, &old).await?;
    Ok(())
}

/// An API server that does not answer costs the write, not the removal: the old token works on.
#[tokio::test]
async fn a_write_that_fails_is_made_up_for_at_the_next_sign_in() -> Outcome {
    let world = trusted().faulty_api().start().await?;
    let old = given(&world).await?;
    let writing = Matcher::any().method(Method::PATCH).containing(&format!("/secrets/{SECRET}")).times(1);
    world.api().inject(writing, ApiFault::Status(http::StatusCode::INTERNAL_SERVER_ERROR));
    remove_with(&world, "jane", USER, SECRET).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!(world.secret_value(SECRET, KEY).await?, old);
    world.emulator().expire_tokens();
    remove_with(&world, "john", "john@contoso.com", SECRET).await?;
    world.wait_for_reason("john", Reason::Removed).await?;
    replaced(&world, &old).await?;
    Ok(())
}

/// A person puts in another token while the operator is redeeming the old one. The person wins.
#[tokio::test]
async fn what_somebody_else_wrote_in_the_meantime_stays() -> Outcome {
    let world = trusted().start().await?;
    given(&world).await?;
    world.emulator().add_fault(Fault::on(Operation::Token, slow(1_500)).times(1));
    remove_with(&world, "jane", USER, SECRET).await?;
    eventually("the sign-in is under way", SOON, || async { (!sign_ins(&world).is_empty()).then_some(()) }).await?;
    let theirs = admin(&world, "other@contoso.com");
    put(&world, SECRET, &[(KEY, theirs.as_bytes())]).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    // Whoever the Secret is of now: not of the first one, whose tokens end here.
    replaced(&world, &theirs).await?;
    let first = world.emulator().state().users.into_iter().find(|user| user.user_principal_name == "admin@contoso.com");
    let ended = world.emulator().revoke(&RefreshTokens::User(first.map(|user| user.id).unwrap_or_default()));
    assert!(ended > 0, "the first one's tokens");
    world.emulator().expire_tokens();
    remove_with(&world, "john", "john@contoso.com", SECRET).await?;
    world.wait_for_reason("john", Reason::Removed).await?;
    Ok(())
}

#[tokio::test]
async fn a_token_that_was_revoked_asks_for_a_new_sign_in_and_a_new_one_cures_it() -> Outcome {
    let world = trusted().start().await?;
    let token = given(&world).await?;
    assert_eq!(world.emulator().revoke(&RefreshTokens::RefreshToken(token)), 1, "tokens revoked");
    remove_with(&world, "jane", USER, SECRET).await?;
    let status = world.wait_for_reason("jane", Reason::CredentialInvalid).await?;
    let message = status.condition(condition::STALLED).map(|stalled| stalled.message.clone()).unwrap_or_default();
    assert!(message.contains("put the new one into the Secret. (AADSTS50173)"), "{message}");
    assert!(status.is_stalled() && PhotoRemovalStatus::reason(&status) == Some(Reason::CredentialInvalid));
    let token = admin(&world, "again@contoso.com");
    put(&world, SECRET, &[(KEY, token.as_bytes())]).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}
