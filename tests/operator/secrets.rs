//! The Secret: missing, broken in every way, mended.

use futures::future::join_all;
use photo_removal_operator::api::{Category, Reason, condition};
use serde_json::json;
use testbed::{SecretData, World};

use crate::Outcome;
use crate::given::{calls, deletes, sign_ins, stays};
use crate::picture::{Picture, all_as_expected};

const USER: &str = "jane.doe@contoso.com";

#[tokio::test]
async fn a_secret_that_comes_later_is_found() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    world.delete_secret(testbed::SECRET).await?;
    world.remove("jane", USER).await?;
    let status = world.wait_for_reason("jane", Reason::CredentialNotFound).await?;
    assert_eq!(status.category(), Category::GoingOn, "{status:?}");
    assert!(status.last_attempt.is_none() && status.next_attempt_time.is_none(), "{status:?}");
    world.put_secret(world.namespace(), testbed::SECRET, &world.good_secret()).await?;
    let mut expected = Picture::after(Reason::Removed, 200);
    expected.events.insert(0, ("CredentialNotFound".to_owned(), "Warning".to_owned()));
    expected.expect(&world, "jane", USER).await?;
    Ok(())
}

#[tokio::test]
async fn a_secret_of_another_namespace_is_not_used() -> Outcome {
    let world = World::builder().namespaces(2).start().await?;
    world.user(USER);
    let [home, other] = [&world.namespaces()[0], &world.namespaces()[1]];
    world.put_secret(other, "elsewhere", &world.good_secret()).await?;
    let mut manifest = world.manifest("jane", USER);
    manifest["metadata"]["namespace"] = json!(home);
    manifest["spec"]["credentials"]["secretRef"]["name"] = json!("elsewhere");
    world.apply(&manifest).await?;
    world.wait_for_reason("jane", Reason::CredentialNotFound).await?;
    assert_eq!(world.emulator().requests(), [], "requests");
    Ok(())
}

/// A key's value that is broken (none: it is missing), and a part of the message that says so.
type Broken = (&'static str, Option<Vec<u8>>, &'static str);

fn broken() -> Vec<Broken> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    vec![
        ("AZURE_TENANT_ID", None, "no AZURE_TENANT_ID"),
        ("AZURE_CLIENT_ID", None, "no AZURE_CLIENT_ID"),
        ("AZURE_CLIENT_SECRET", None, "none of AZURE_CLIENT_SECRET"),
        ("AZURE_CLIENT_SECRET", text(""), "an empty AZURE_CLIENT_SECRET"),
        ("AZURE_CLIENT_SECRET", text("\n"), "an empty AZURE_CLIENT_SECRET"),
        ("AZURE_CLIENT_SECRET", text("two\nlines"), "one line of text in AZURE_CLIENT_SECRET"),
        ("AZURE_CLIENT_SECRET", Some(vec![0, 159, 146, 150, 255]), "one line of text in AZURE_CLIENT_SECRET"),
        ("AZURE_CLIENT_SECRET", Some(vec![b'x'; 1_000_000]), "more than 16 KiB in AZURE_CLIENT_SECRET"),
        ("AZURE_CLIENT_ID", text("not-a-guid"), "a malformed AZURE_CLIENT_ID"),
        ("AZURE_CLIENT_ID", Some(vec![255; 36]), "one line of text in AZURE_CLIENT_ID"),
        ("AZURE_TENANT_ID", text("../../evil"), "a malformed AZURE_TENANT_ID"),
        ("AZURE_TENANT_ID", text("https://login.example"), "a malformed AZURE_TENANT_ID"),
    ]
}

/// The good Secret with one key changed.
fn changed(world: &World, key: &str, value: Option<&Vec<u8>>) -> SecretData {
    let mut data = world.good_secret();
    match value {
        None => data.retain(|(name, _)| *name != key),
        Some(value) => {
            data.iter_mut().filter(|(name, _)| *name == key).for_each(|(_, old)| old.clone_from(value));
        }
    }
    data
}

#[tokio::test]
async fn each_broken_secret_is_named_and_mended() -> Outcome {
    let world = World::start().await?;
    let played = broken().into_iter().enumerate().map(|(number, row)| play(&world, number, row));
    all_as_expected(join_all(played).await);
    Ok(())
}

/// The Secret is broken, which the message says without showing a value; then it is mended, and the photo goes.
async fn play(world: &World, number: usize, (key, value, said): Broken) -> Result<(), String> {
    let (name, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
    let played = async {
        world.user(&user);
        world.put_secret(world.namespace(), &name, &changed(world, key, value.as_ref())).await?;
        let mut manifest = world.manifest(&name, &user);
        manifest["spec"]["credentials"]["secretRef"]["name"] = json!(name);
        world.apply(&manifest).await?;
        let status = world.wait_for_reason(&name, Reason::CredentialInvalid).await?;
        let message = status.condition(condition::STALLED).map(|stalled| stalled.message.clone()).unwrap_or_default();
        let before = deletes(world, &user);
        world.put_secret(world.namespace(), &name, &world.good_secret()).await?;
        world.wait_for_reason(&name, Reason::Removed).await?;
        Ok::<_, testbed::Error>((message, before))
    };
    match played.await.map_err(|error| format!("{said}: {error}"))? {
        (message, 0) if message.contains(said) && message.contains(&format!("The Secret {name}")) => Ok(()),
        (message, before) => Err(format!("expected {said:?} and no DELETE, came {message:?} and {before} DELETEs")),
    }
}

#[tokio::test]
async fn one_trailing_newline_is_no_part_of_a_value() -> Outcome {
    let world = World::start().await?;
    world.user(USER);
    let mut data = world.good_secret();
    for (_, value) in &mut data {
        value.push(b'\n');
    }
    world.put_secret(world.namespace(), testbed::SECRET, &data).await?;
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

#[tokio::test]
async fn a_broken_secret_costs_one_look_a_time_however_many_objects_wait_for_it() -> Outcome {
    const OBJECTS: usize = 30;
    let world = World::builder().faulty_api().build().await?;
    world.put_secret(world.namespace(), testbed::SECRET, &changed(&world, "AZURE_CLIENT_ID", None)).await?;
    for number in 0..OBJECTS {
        let user = format!("user-{number}@contoso.com");
        world.user(&user);
        world.remove(&format!("user-{number}"), &user).await?;
    }
    world.start_operator().await?;
    for object in world.wait_for_all(testbed::SOON).await? {
        let reason = object.status.as_ref().and_then(photo_removal_operator::api::PhotoRemovalStatus::reason);
        assert_eq!(reason, Some(Reason::CredentialInvalid), "{:?}", object.metadata.name);
    }
    let told = || (calls(&world, "PUT", "/status"), calls(&world, "POST", "/events"));
    testbed::eventually("every event is published", testbed::SOON, || async {
        if told().1 >= OBJECTS { Ok(()) } else { Err(told()) }
    })
    .await?;
    let looks = calls(&world, "GET", "/secrets/");
    stays("status writes and events about a Secret that stays broken", told).await;
    assert_eq!(told(), (OBJECTS, OBJECTS), "status writes and events");
    // Every 500 ms in the 2 s that passed.
    let looks = calls(&world, "GET", "/secrets/") - looks;
    assert!((2..=6).contains(&looks), "{looks} looks at the Secret in two seconds, expected about four");
    world.put_secret(world.namespace(), testbed::SECRET, &world.good_secret()).await?;
    let removed = || async {
        let all = world.all().await.unwrap_or_default();
        let done = all.iter().filter(|one| one.status.as_ref().is_some_and(|status| status.outcome.is_some())).count();
        if done == OBJECTS { Ok(()) } else { Err(done) }
    };
    testbed::eventually("every photo is removed", testbed::SOON, removed).await?;
    Ok(())
}

#[tokio::test]
async fn a_rotated_secret_is_used_though_the_old_token_would_still_serve() -> Outcome {
    let world = World::start().await?;
    let (tenant, client, old) = world.credential();
    world.user(USER);
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    let mut app = emulator::App::new(client, "rotated").in_tenant(tenant);
    app.expired_secrets = vec![old.to_owned()];
    world.emulator().put_app(app);
    let rotated = changed(&world, "AZURE_CLIENT_SECRET", Some(&b"rotated".to_vec()));
    world.put_secret(world.namespace(), testbed::SECRET, &rotated).await?;
    // Nobody looks at a credential that nobody asks for, so more objects do.
    let mut number = 0;
    while sign_ins(&world) < 2 {
        let (name, user) = (format!("user-{number}"), format!("user-{number}@contoso.com"));
        world.user(&user);
        world.remove(&name, &user).await?;
        world.wait_for_reason(&name, Reason::Removed).await?;
        number += 1;
        assert!(number < 100, "a hundred removals later the old token is still in use");
    }
    Ok(())
}

#[tokio::test]
async fn an_operator_that_may_not_read_secrets_says_so() -> Outcome {
    use k8s_openapi::api::rbac::v1::Role;
    use kube::api::{Api, Patch, PatchParams};
    let world = World::builder().build().await?;
    world.user(USER);
    let roles = Api::<Role>::namespaced(world.client().clone(), world.namespace());
    let mut role = roles.get("photo-removal-operator").await?;
    let all = role.rules.clone();
    role.rules.iter_mut().for_each(|rules| rules.retain(|rule| rule.resources != Some(vec!["secrets".to_owned()])));
    let put = async |rules| {
        let change = Patch::Merge(json!({"rules": rules}));
        roles.patch("photo-removal-operator", &PatchParams::default(), &change).await
    };
    put(role.rules).await?;
    world.start_operator().await?;
    world.remove("jane", USER).await?;
    let status = world.wait_for_reason("jane", Reason::CredentialNotFound).await?;
    let message = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
    assert!(message.contains("may not read the Secret graph"), "{message}");
    put(all).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}
