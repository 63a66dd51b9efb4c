//! What waiting costs the others: nothing.

use std::time::Duration;

use emulator::{App, Behaviour, Fault, FaultKind, Matcher, Operation};
use photo_removal_operator::api::Reason;
use serde_json::json;
use testbed::{Result, SOON, World, eventually};

use crate::Outcome;

/// The application that the second Secret signs in.
const OTHER: &str = "bbbbbbbb-2222-4333-8444-555555555555";

/// Three removals with that Secret, named after it.
async fn three(world: &World, secret: &str) -> Result<Vec<String>> {
    let names: Vec<_> = (0..3).map(|number| format!("{secret}-{number}")).collect();
    for name in &names {
        let user = format!("{name}@contoso.com");
        world.user(&user);
        let mut manifest = world.manifest(name, &user);
        manifest["spec"]["credentials"]["secretRef"]["name"] = json!(secret);
        world.apply(&manifest).await?;
    }
    Ok(names)
}

#[tokio::test]
async fn a_sign_in_that_hangs_is_made_once_and_holds_up_no_other_credential() -> Outcome {
    let world = World::builder().config(|config| config.max_in_flight = 1).start().await?;
    let (tenant, client, secret) = world.credential();
    world.emulator().put_app(App::new(OTHER, secret).in_tenant(tenant));
    let mut data = world.good_secret();
    data[1].1 = OTHER.as_bytes().to_vec();
    world.put_secret(world.namespace(), "other", &data).await?;
    world.emulator().add_fault(Fault::on(Operation::Token, FaultKind::Hang).about(client));
    let hanging = Matcher::of(Operation::Token).about(client);
    let hung = three(&world, testbed::SECRET).await?;
    eventually("the sign-in hangs", SOON, || async { (world.emulator().count(&hanging) > 0).then_some(()) }).await?;
    for name in three(&world, "other").await? {
        world.wait_for_reason(&name, Reason::Removed).await?;
    }
    for name in hung {
        let status = world.status_of(&name).await?;
        assert_eq!(status.reason(), Some(Reason::Pending), "{name} waits for its sign-in: {status:?}");
    }
    assert_eq!(world.emulator().count(&hanging), 1, "sign-ins that hang, of three objects");
    Ok(())
}

#[tokio::test]
async fn no_window_meets_microsofts_limit() -> Outcome {
    for window in [1_usize, 4] {
        let world = World::builder().config(|config| config.max_in_flight = window).build().await?;
        world.emulator().set_behaviour(Behaviour { latency: Duration::from_millis(20), ..Behaviour::default() });
        for number in 0..24 {
            let user = format!("user-{number}@contoso.com");
            world.user(&user);
            world.remove(&format!("user-{number}"), &user).await?;
        }
        world.start_operator().await?;
        world.wait_for_all(SOON).await?;
        let throttled = world.emulator().requests().iter().filter(|request| request.status == Some(429)).count();
        let most = world.emulator().max_in_flight() as usize;
        assert!((1..=window).contains(&most), "a window of {window}, and {most} requests were in flight at a time");
        assert_eq!(throttled, 0, "throttled requests, with a window of {window}");
    }
    Ok(())
}
