//! Signed-in users: their own photo, those of others, and who may not.

use emulator::{App, Behaviour, CONSUMERS, Group, Matcher, NotFoundAs, Operation, Target, User};
use futures::future::join_all;
use photo_removal_operator::api::{Reason, condition};
use serde_json::{Value, json};
use testbed::{Result, World};

use super::{USER, field, me, put, sign_ins};
use crate::Outcome;
use crate::given::{patient, stays};
use crate::picture::all_as_expected;

const SECRET: &str = "of-a-user";
const GROUP: &str = "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d";
const TOKEN: &str = "AZURE_REFRESH_TOKEN";

/// The user signs in, and the Secret keeps what that leaves behind.
async fn sign_in(world: &World, user: User, scopes: &[&str]) -> Result<()> {
    let (tenant, client, _) = world.credential();
    let id = user.id.clone();
    world.emulator().put_user(user);
    let token = world.emulator().issue_refresh_token(tenant, client, &id, scopes);
    put(world, SECRET, &[(TOKEN, token.as_bytes())]).await
}

/// The application is a public client.
fn public(world: &World) {
    let (tenant, client, _) = world.credential();
    world.emulator().put_app(App::public(client).in_tenant(tenant));
}

#[tokio::test]
async fn a_signed_in_user_removes_the_own_photo() -> Outcome {
    let world = World::start().await?;
    public(&world);
    sign_in(&world, User::new(USER).with_photo(), &["User.ReadWrite"]).await?;
    world.apply(&me(&world, "mine", SECRET)).await?;
    let status = world.wait_for_reason("mine", Reason::Removed).await?;
    assert!(!world.emulator().has_photo(&Target::user(USER)), "the photo is gone");
    assert_eq!(status.attempts, 1);
    let deletes: Vec<_> =
        world.emulator().requests().into_iter().filter(|request| request.operation == Operation::Delete).collect();
    assert_eq!((deletes.len(), deletes[0].path.as_str()), (1, "/v1.0/me/photo/$value"));
    let request = &sign_ins(&world)[0];
    let grant = (field(request, "grant_type"), field(request, "scope"), field(request, "client_secret"));
    assert_eq!(grant, (Some("refresh_token"), None, None), "what the user consented to, and no more");
    Ok(())
}

#[tokio::test]
async fn a_confidential_client_proves_itself_beside_the_refresh_token() -> Outcome {
    let world = World::start().await?;
    let (tenant, client, secret) = world.credential();
    let user = User::new(USER).with_photo();
    let id = user.id.clone();
    world.emulator().put_user(user);
    let token = world.emulator().issue_refresh_token(tenant, client, &id, &["User.ReadWrite"]);
    put(&world, SECRET, &[(TOKEN, token.as_bytes()), ("AZURE_CLIENT_SECRET", secret.as_bytes())]).await?;
    world.apply(&me(&world, "mine", SECRET)).await?;
    world.wait_for_reason("mine", Reason::Removed).await?;
    Ok(())
}

#[tokio::test]
async fn a_personal_account_removes_its_photo_at_consumers() -> Outcome {
    let world = World::start().await?;
    let (_, client, _) = world.credential();
    world.emulator().put_app(App::public(client).with_personal_accounts());
    let user = User::new("jane@example.com").personal().with_photo();
    let id = user.id.clone();
    world.emulator().put_user(user);
    let token = world.emulator().issue_refresh_token("consumers", client, &id, &["User.ReadWrite"]);
    put(&world, SECRET, &[(TOKEN, token.as_bytes())]).await?;
    let mut manifest = me(&world, "mine", SECRET);
    manifest["spec"]["credentials"]["tenantId"] = json!("consumers");
    world.apply(&manifest).await?;
    let status = world.wait_for_reason("mine", Reason::Removed).await?;
    assert!(!world.emulator().has_photo(&Target::user("jane@example.com")), "the photo is gone");
    assert_eq!(status.evidence.map(|evidence| evidence.tenant_id).as_deref(), Some("consumers"), "not {CONSUMERS}");
    assert!(sign_ins(&world).iter().all(|request| request.path == "/consumers/oauth2/v2.0/token"));
    Ok(())
}

#[tokio::test]
async fn an_application_is_no_me_and_nothing_is_sent() -> Outcome {
    let world = World::start().await?;
    world.apply(&me(&world, "mine", testbed::SECRET)).await?;
    let status = world.wait_for_reason("mine", Reason::CredentialInvalid).await?;
    let message = status.condition(condition::STALLED).map(|stalled| stalled.message.clone()).unwrap_or_default();
    assert!(message.starts_with("The target me is the user who signed in, and with this credential"), "{message}");
    assert!(message.contains("AZURE_REFRESH_TOKEN"), "{message}");
    stays("requests", || world.emulator().requests().len()).await;
    assert_eq!(world.emulator().requests(), [], "neither a sign-in nor a DELETE");
    // With a user in the Secret it goes on by itself.
    public(&world);
    let (tenant, client, _) = world.credential();
    let user = User::new(USER).with_photo();
    let id = user.id.clone();
    world.emulator().put_user(user);
    let token = world.emulator().issue_refresh_token(tenant, client, &id, &["User.ReadWrite"]);
    let mut data = world.good_secret();
    data.retain(|(key, _)| *key != "AZURE_CLIENT_SECRET");
    data.push((TOKEN, token.into_bytes()));
    world.put_secret(world.namespace(), testbed::SECRET, &data).await?;
    world.wait_for_reason("mine", Reason::Removed).await?;
    Ok(())
}

/// The same Secret serves users by name all the while.
#[tokio::test]
async fn who_is_no_me_does_not_hold_up_the_others() -> Outcome {
    let world = World::start().await?;
    world.apply(&me(&world, "mine", testbed::SECRET)).await?;
    world.wait_for_reason("mine", Reason::CredentialInvalid).await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    let status = world.status_of("mine").await?;
    assert_eq!(status.reason(), Some(Reason::CredentialInvalid), "{status:?}");
    assert_eq!(sign_ins(&world).len(), 1, "token requests");
    Ok(())
}

/// The waiting of one must not keep the others from a new token.
#[tokio::test]
async fn a_denial_is_told_although_somebody_waits_for_another_credential() -> Outcome {
    let world = World::start().await?;
    world.apply(&me(&world, "mine", testbed::SECRET)).await?;
    world.wait_for_reason("mine", Reason::CredentialInvalid).await?;
    world.emulator().put_app(world.app().with_roles(&["User.Read.All"]));
    world.user(USER);
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::PermissionDenied).await?;
    Ok(())
}

/// The user who signed in, with which permissions, the target, and what comes of it with which words.
type Row = (&'static str, bool, &'static [&'static str], Value, Reason, &'static str);

fn rows() -> Vec<Row> {
    let other = || json!({"user": "john@contoso.com"});
    let all: &[&str] = &["ProfilePhoto.ReadWrite.All", "User.Read.All"];
    vec![
        ("an administrator", true, all, other(), Reason::Removed, "removed the photo"),
        (
            "nobody special",
            false,
            &["User.ReadWrite"],
            other(),
            Reason::PermissionDenied,
            "is a User, People or Global",
        ),
        ("without consent", true, &["User.Read"], other(), Reason::PermissionDenied, "the delegated permission Prof"),
        ("a group", true, all, json!({"group": GROUP}), Reason::Removed, "removed the photo"),
        (
            "no group",
            true,
            &["User.ReadWrite.All"],
            json!({"group": GROUP}),
            Reason::PermissionDenied,
            "owns the group",
        ),
        (
            "not even me",
            false,
            &["User.Read"],
            json!({"me": {}}),
            Reason::PermissionDenied,
            "permission User.ReadWrite",
        ),
    ]
}

async fn play((what, admin, scopes, target, reason, said): Row) -> Result<(), String> {
    let played = async {
        let world = patient().start().await?;
        public(&world);
        world.user("john@contoso.com");
        world.emulator().put_group(Group::new(GROUP).with_photo());
        let user = User::new(USER).with_photo();
        sign_in(&world, if admin { user.admin() } else { user }, scopes).await?;
        let mut manifest = me(&world, "row", SECRET);
        manifest["spec"]["target"] = target;
        world.apply(&manifest).await?;
        let status = world.wait_for_reason("row", reason).await?;
        Ok::<_, testbed::Error>(status.condition(condition::READY).map(|ready| ready.message.clone()))
    };
    let message = played.await.map_err(|error| format!("{what}: {error}"))?.unwrap_or_default();
    if message.contains(said) { Ok(()) } else { Err(format!("{what}: expected {said:?}, came {message:?}")) }
}

#[tokio::test]
async fn what_a_user_may_do_is_what_the_application_and_the_user_may() -> Outcome {
    all_as_expected(join_all(rows().into_iter().map(play)).await);
    Ok(())
}

#[tokio::test]
async fn an_absent_photo_of_ones_own_is_confirmed_by_asking_for_oneself() -> Outcome {
    for (scopes, confirmed) in
        [(["User.ReadWrite", "User.Read"], true), (["ProfilePhoto.ReadWrite.All", "openid"], false)]
    {
        let world = World::start().await?;
        public(&world);
        world.emulator().set_behaviour(Behaviour { absent_photo: NotFoundAs::ImageNotFound, ..Behaviour::default() });
        sign_in(&world, User::new(USER), &scopes).await?;
        world.apply(&me(&world, "mine", SECRET)).await?;
        let status = world.wait_for_reason("mine", Reason::AlreadyAbsent).await?;
        let message = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
        assert_eq!(message.contains("confirmed that the signed-in user exists"), confirmed, "{message}");
        assert_eq!(world.emulator().count(&Matcher::of(Operation::Confirm)), 1, "questions for oneself");
    }
    Ok(())
}
