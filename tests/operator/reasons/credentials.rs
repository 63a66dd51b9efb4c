//! Credentials that Entra refuses for good, and Secrets with more than one thing wrong: said, and cured by a new Secret.

use emulator::{App, Tenant};
use futures::future::join_all;
use photo_removal_operator::api::{Reason, condition};
use serde_json::json;
use testbed::{SecretData, World};

use crate::Outcome;
use crate::given::{deletes, known, on_delete, patient};
use crate::picture::{Picture, all_as_expected};

const ELSEWHERE: &str = "bbbbbbbb-2222-4333-8444-555555555555";
const EXPIRED: &str = "cccccccc-2222-4333-8444-555555555555";
const NOBODY: &str = "dddddddd-2222-4333-8444-555555555555";

/// What the Secret holds instead of the good values (none: it is missing), and a part of what is said of it.
type Row = (Vec<(&'static str, Option<&'static str>)>, &'static str);

/// Nothing of the emulator's is told to fail here: it refuses what Microsoft would refuse.
fn refused() -> Vec<Row> {
    vec![
        (vec![("AZURE_CLIENT_SECRET", Some("wrong~secret"))], "AADSTS7000215"),
        (vec![("AZURE_CLIENT_ID", Some(NOBODY))], "AADSTS700016"),
        (vec![("AZURE_TENANT_ID", Some(NOBODY))], "AADSTS90002"),
        (vec![("AZURE_CLIENT_ID", Some(EXPIRED))], "AADSTS7000222"),
        (vec![("AZURE_CLIENT_ID", Some(ELSEWHERE))], "AADSTS700016"),
    ]
}

fn broken() -> Vec<Row> {
    let (tenant, client, secret) = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET");
    vec![
        (
            vec![(tenant, None), (client, None), (secret, None)],
            "has no AZURE_TENANT_ID and no AZURE_CLIENT_ID and has none of AZURE_CLIENT_SECRET, \
             AZURE_CLIENT_CERTIFICATE, tls.crt and AZURE_REFRESH_TOKEN. Correct the Secret",
        ),
        (
            vec![(tenant, None), (secret, None)],
            "has no AZURE_TENANT_ID and has none of AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE,",
        ),
        (vec![(tenant, None), (client, Some("rubbish"))], "has no AZURE_TENANT_ID and has a malformed AZURE_CLIENT_ID"),
        (vec![(secret, Some("two newlines\n\n"))], "one line of text in AZURE_CLIENT_SECRET"),
        (vec![(secret, Some("tab\there"))], "one line of text in AZURE_CLIENT_SECRET"),
    ]
}

fn changed(world: &World, changes: &[(&'static str, Option<&'static str>)]) -> SecretData {
    let mut data = world.good_secret();
    for (key, value) in changes {
        data.retain(|(name, _)| name != key);
        data.extend(value.map(|value| (*key, value.as_bytes().to_vec())));
    }
    data
}

/// The object names what is wrong and shows no value; nothing is sent; then the good Secret comes, and the photo goes.
async fn play(world: &World, number: usize, (changes, said): Row) -> Result<(), String> {
    let (name, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
    let played = async {
        world.user(&user);
        world.put_secret(world.namespace(), &name, &changed(world, &changes)).await?;
        let mut manifest = world.manifest(&name, &user);
        manifest["spec"]["credentials"]["secretRef"]["name"] = json!(name);
        world.apply(&manifest).await?;
        let status = world.wait_for_reason(&name, Reason::CredentialInvalid).await?;
        let untried = status.is_stalled() && status.last_attempt.is_none() && status.next_attempt_time.is_none();
        let message = status.condition(condition::STALLED).map(|stalled| stalled.message.clone()).unwrap_or_default();
        let sent = deletes(world, &user);
        world.put_secret(world.namespace(), &name, &world.good_secret()).await?;
        Ok::<_, testbed::Error>((message, untried && sent == 0))
    };
    let (message, untried) = played.await.map_err(|error| format!("{said}: {error}"))?;
    let shows = changes.iter().filter_map(|(_, value)| *value).find(|value| message.contains(value.trim()));
    if !message.contains(said) || !untried || shows.is_some() || message.contains("Trace ID") {
        return Err(format!("{said}: expected that to be said and nothing sent, came {message:?}, untried: {untried}"));
    }
    let mut expected = Picture::after(Reason::Removed, 200);
    expected.events.insert(0, ("CredentialInvalid".to_owned(), "Warning".to_owned()));
    expected.expect(world, &name, &user).await.map_err(|difference| format!("{said}: {difference}"))
}

/// The operator of this world never looks at Entra again by itself: what cures is the Secret.
#[tokio::test]
async fn a_credential_that_entra_refuses_says_why_and_a_new_secret_cures_it() -> Outcome {
    let world = patient().start().await?;
    let (tenant, _, secret) = world.credential();
    let mut expired = App::new(EXPIRED, "another").in_tenant(tenant);
    expired.expired_secrets = vec![secret.to_owned()];
    world.emulator().put_app(expired);
    world.emulator().put_tenant(Tenant::new(ELSEWHERE));
    world.emulator().put_app(App::new(ELSEWHERE, secret).in_tenant(ELSEWHERE));
    let played = refused().into_iter().enumerate().map(|(number, row)| play(&world, number, row));
    all_as_expected(join_all(played).await);
    Ok(())
}

/// Entra took the new one: that Graph is away is no fault of the credential.
#[tokio::test]
async fn a_credential_that_was_mended_is_not_blamed_for_graphs_absence() -> Outcome {
    const USER: &str = "jane.doe@contoso.com";
    for (fault, reason) in [("500", Reason::GraphUnavailable), ("429 Retry-After 315", Reason::Throttled)] {
        let world = patient().start().await?;
        world.user(USER);
        world.emulator().add_fault(on_delete(USER, known(fault)));
        let wrong = changed(&world, &[("AZURE_CLIENT_SECRET", Some("wrong~secret"))]);
        world.put_secret(world.namespace(), testbed::SECRET, &wrong).await?;
        world.remove("jane", USER).await?;
        world.wait_for_reason("jane", Reason::CredentialInvalid).await?;
        world.put_secret(world.namespace(), testbed::SECRET, &world.good_secret()).await?;
        let status = world.wait_for_reason("jane", reason).await?;
        assert!(!status.is_stalled() && status.completion_time.is_none(), "{fault}: {status:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_with_several_faults_names_them_all() -> Outcome {
    let world = patient().start().await?;
    let played = broken().into_iter().enumerate().map(|(number, row)| play(&world, number, row));
    all_as_expected(join_all(played).await);
    assert_eq!(crate::given::sign_ins(&world), broken().len(), "token requests: one for each Secret that was mended");
    Ok(())
}

#[tokio::test]
async fn a_trailing_newline_of_windows_is_no_part_of_a_value_either() -> Outcome {
    const USER: &str = "jane.doe@contoso.com";
    let world = World::start().await?;
    world.user(USER);
    let mut data = world.good_secret();
    for (_, value) in &mut data {
        value.extend_from_slice(b"\r\n");
    }
    world.put_secret(world.namespace(), testbed::SECRET, &data).await?;
    world.remove("jane", USER).await?;
    Picture::after(Reason::Removed, 200).expect(&world, "jane", USER).await?;
    Ok(())
}
