//! Clocks that disagree, endpoints that hang, and one broken credential for thousands of objects.

use std::time::Duration;

use emulator::{Behaviour, Fault, FaultKind, Operation};
use futures::{StreamExt, stream};
use jiff::SignedDuration;
use photo_removal_operator::api::{PhotoRemoval, PhotoRemovalStatus, Reason, condition};
use testbed::{Result, World, eventually, signing_pair};

use super::{USER, put, remove_with, sign_ins};
use crate::Outcome;
use crate::given::{A_WHILE, stays};

const TEN_MINUTES: SignedDuration = SignedDuration::from_mins(10);

fn clock_ahead(world: &World, clock_ahead: SignedDuration) {
    world.emulator().set_behaviour(Behaviour { clock_ahead, ..Behaviour::default() });
}

/// Of a token only its life counts, from when it was asked for; of an assertion both ends are wide enough.
#[tokio::test]
async fn ten_minutes_between_the_clocks_hurt_nobody() -> Outcome {
    for ahead in [TEN_MINUTES, -TEN_MINUTES] {
        let world = World::start().await?;
        let year: i32 = jiff::Timestamp::now().strftime("%Y").to_string().parse()?;
        let pair = signing_pair(year - 1..year + 2)?;
        world.emulator().put_app(world.app().with_certificate(pair.certificate.clone()));
        // A few seconds less: the assertion travels, too.
        clock_ahead(&world, ahead - SignedDuration::from_secs(20 * i64::from(ahead.signum())));
        put(&world, "cert", &[("tls.crt", pair.certificate.as_bytes()), ("tls.key", pair.key.as_bytes())]).await?;
        remove_with(&world, "certificate", "certificate@contoso.com", "cert").await?;
        world.wait_for_reason("certificate", Reason::Removed).await?;
        remove_with(&world, "secret", "secret@contoso.com", testbed::SECRET).await?;
        world.wait_for_reason("secret", Reason::Removed).await?;
        let refused = sign_ins(&world).into_iter().find(|request| request.status != Some(200));
        assert!(refused.is_none(), "with Entra's clock {ahead:#} ahead: {refused:?}");
    }
    Ok(())
}

/// The cluster's own clock is in a `ServiceAccount`'s token: that is said, and passes when the clocks are set.
#[tokio::test]
async fn a_token_of_the_cluster_that_is_from_the_future_is_waited_for() -> Outcome {
    const AUDIENCE: &str = "api://AzureADTokenExchange";
    let world = World::start().await?;
    let (tenant, client, _) = world.credential();
    let subject = format!("system:serviceaccount:{}:offboarder", world.namespace());
    world.trust_cluster().await?;
    world.emulator().put_app(world.app().with_federated_credential(world.plane().issuer(), &subject, AUDIENCE));
    let annotations = [("azure.workload.identity/tenant-id", tenant), ("azure.workload.identity/client-id", client)];
    world.put_service_account(world.namespace(), "offboarder", &annotations).await?;
    clock_ahead(&world, -TEN_MINUTES);
    world.user(USER);
    let mut manifest = world.manifest("jane", USER);
    manifest["spec"]["credentials"] = serde_json::json!({"serviceAccountRef": {"name": "offboarder"}});
    world.apply(&manifest).await?;
    let status = world.wait_for_reason("jane", Reason::SignInUnavailable).await?;
    let ready = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
    assert!(ready.contains("or a clock is set"), "{ready}");
    clock_ahead(&world, SignedDuration::ZERO);
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

/// Half a minute is what an answer may take; nobody else waits for it, and the next try works.
#[tokio::test]
async fn a_sign_in_that_hangs_ends_and_is_tried_again() -> Outcome {
    const PATIENCE: Duration = Duration::from_secs(60);
    let world = World::start().await?;
    world.emulator().add_fault(Fault::on(Operation::Token, FaultKind::Hang).times(1));
    remove_with(&world, "jane", USER, testbed::SECRET).await?;
    eventually("the sign-in is given up and made again", PATIENCE, || async {
        match world.status_of("jane").await {
            Ok(status) if status.reason() == Some(Reason::Removed) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    assert_eq!(sign_ins(&world).len(), 2, "token requests");
    Ok(())
}

const THOUSANDS: usize = 5_000;

/// Every object waits for the same broken Secret.
async fn thousands(world: &World) -> Result<()> {
    let removals = world.removals(world.namespace());
    let made = (0..THOUSANDS).map(|number| {
        let (name, user) = (format!("leaver-{number}"), format!("leaver-{number}@contoso.com"));
        let removal: PhotoRemoval = serde_json::from_value(world.manifest(&name, &user)).unwrap();
        let removals = removals.clone();
        async move { removals.create(&kube::api::PostParams::default(), &removal).await }
    });
    let made: Vec<_> = stream::iter(made).buffer_unordered(32).collect().await;
    assert!(made.iter().all(std::result::Result::is_ok), "every one was made");
    Ok(())
}

/// One token request a step of the back-off, one write an object, and then nothing; and all of them go on when it is
/// mended, with one more token.
#[tokio::test]
async fn thousands_of_objects_with_one_broken_credential_cost_one_token_request_a_step() -> Outcome {
    const DEADLINE: Duration = Duration::from_secs(180);
    // The looks of a credential that Entra refuses: half a minute at least, then a minute at least.
    let world = World::builder().config(|config| config.stalled_recheck = Duration::from_secs(3600)).build().await?;
    let mut wrong = world.good_secret();
    wrong[2].1 = b"wrong".to_vec();
    world.put_secret(world.namespace(), testbed::SECRET, &wrong).await?;
    thousands(&world).await?;
    let started = std::time::Instant::now();
    world.start_operator().await?;
    let told = |status: &PhotoRemovalStatus| status.reason() == Some(Reason::CredentialInvalid);
    eventually("every object says what is wrong", DEADLINE, || async {
        let all = world.all().await.map_err(|error| error.to_string())?;
        let waiting = all.iter().filter(|one| !one.status.as_ref().is_some_and(told)).count();
        if waiting == 0 { Ok(()) } else { Err(format!("{waiting} are not told yet")) }
    })
    .await?;
    stays("token requests", || sign_ins(&world).len()).await;
    let steps = 1 + started.elapsed().as_secs() / 30;
    let asked = sign_ins(&world).len() as u64;
    assert!(asked <= steps, "expected {steps} token requests at most in {:?}, came {asked}", started.elapsed());
    let before = world.all().await?.into_iter().filter_map(|one| one.metadata.resource_version).max();
    let after = eventually("a write while nothing changes", A_WHILE, || async {
        let now = world.all().await.ok()?.into_iter().filter_map(|one| one.metadata.resource_version).max();
        (now != before).then_some(now)
    });
    assert!(after.await.is_err(), "a write though nothing changed");
    Ok(())
}
