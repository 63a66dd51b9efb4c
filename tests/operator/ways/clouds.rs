//! The national clouds: each has its own sign-in, scope and Graph, and no token of one is ever shown to another.

use emulator::{App, Emulator, Options, Tenant, User};
use photo_removal_operator::api::{Cloud, Reason};
use photo_removal_operator::cli::{self, CloudOverride, Command};
use serde_json::json;
use testbed::World;

use super::field;
use crate::Outcome;

const CLOUDS: [Cloud; 4] = [Cloud::Global, Cloud::USGovernmentL4, Cloud::USGovernmentL5, Cloud::China];

/// One emulator a cloud, each on ports of its own, and one operator for all of them.
#[tokio::test]
async fn each_cloud_is_signed_in_to_and_asked_by_itself() -> Outcome {
    let mut emulators = Vec::new();
    for _ in CLOUDS {
        emulators.push(Emulator::start(Options::default()).await?);
    }
    let clouds = CLOUDS.into_iter().zip(&emulators).map(|(cloud, emulator)| CloudOverride {
        cloud,
        sign_in: emulator.sign_in_url(),
        graph: emulator.graph_url(),
    });
    let clouds: Vec<_> = clouds.collect();
    let world = World::builder().clouds(clouds).start().await?;
    let (tenant, client, secret) = world.credential();
    for (cloud, emulator) in CLOUDS.into_iter().zip(&emulators) {
        emulator.put_tenant(Tenant::new(tenant));
        emulator.put_app(App::new(client, secret).in_tenant(tenant));
        let name = format!("{cloud:?}").to_lowercase();
        let user = format!("{name}@contoso.com");
        emulator.put_user(User::new(&user).with_photo());
        let mut manifest = world.manifest(&name, &user);
        manifest["spec"]["cloud"] = json!(cloud);
        world.apply(&manifest).await?;
    }
    let mut tokens = Vec::new();
    for (cloud, emulator) in CLOUDS.into_iter().zip(&emulators) {
        world.wait_for_reason(&format!("{cloud:?}").to_lowercase(), Reason::Removed).await?;
        let requests = emulator.requests();
        let statuses: Vec<_> = requests.iter().map(|request| request.status).collect();
        assert_eq!(statuses, [Some(200), Some(200)], "{cloud:?}: one sign-in and one DELETE, and nothing refused");
        let scope = format!("{}.default", emulator.graph_url());
        assert_eq!(field(&requests[0], "scope"), Some(scope.as_str()), "{cloud:?}");
        tokens.extend(emulator.issued_tokens());
    }
    assert_eq!(tokens.len(), CLOUDS.len(), "each its own token");
    Ok(())
}

/// China's sign-in has a second host, which a tenant's rules may ask for; a row of `--cloud` names it.
#[tokio::test]
async fn another_sign_in_host_of_a_cloud_is_reached_by_its_row() -> Outcome {
    let second = Emulator::start(Options::default()).await?;
    let row = format!("China={},{}", second.sign_in_url(), second.graph_url());
    let arguments = ["photo-removal-operator", "run", "--cloud", row.as_str()];
    let Ok(Command::Run(config)) = cli::parse(arguments) else { panic!("--cloud {row} is refused") };
    let world = World::builder().clouds(config.clouds).start().await?;
    let (tenant, client, secret) = world.credential();
    second.put_tenant(Tenant::new(tenant));
    second.put_app(App::new(client, secret).in_tenant(tenant));
    second.put_user(User::new("wei@contoso.com").with_photo());
    let mut manifest = world.manifest("wei", "wei@contoso.com");
    manifest["spec"]["cloud"] = json!(Cloud::China);
    world.apply(&manifest).await?;
    world.wait_for_reason("wei", Reason::Removed).await?;
    Ok(())
}
