//! A thousand removals make a thousand events, and `kubectl describe` shows them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use photo_removal_operator::api::Reason;
use testbed::{SOON, World, eventually};

use crate::Outcome;
use crate::given::stays;

const OBJECTS: usize = 1_000;

/// Several times what a thousand take on two busy cores.
const LONG: Duration = Duration::from_secs(300);

/// Whom each event of the namespace is about.
async fn told(world: &World) -> testbed::Result<Vec<String>> {
    let events = Api::<Event>::namespaced(world.client().clone(), world.namespace());
    let listed = eventually("events are listed", SOON, || async { events.list(&ListParams::default()).await }).await?;
    Ok(listed.into_iter().filter_map(|event| event.regarding?.name).collect())
}

/// Over a restart, too, in the midst of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_removals_make_a_thousand_events() -> Outcome {
    let world = World::builder().config(|config| config.max_in_flight = 16).start().await?;
    let ask_for = |number: usize| {
        let world = &world;
        async move {
            let user = format!("user-{number}@contoso.com");
            world.user(&user);
            world.remove(&format!("user-{number}"), &user).await
        }
    };
    let asked: Vec<_> = stream::iter(0..OBJECTS).map(ask_for).buffer_unordered(8).try_collect().await?;
    assert_eq!(asked.len(), OBJECTS);
    world.restart_operator().await?;
    world.wait_for_all(LONG).await?;
    let all = || async {
        let told = told(&world).await.map_err(|error| error.to_string())?;
        if told.len() >= OBJECTS { Ok(told) } else { Err(format!("{} events", told.len())) }
    };
    let about = eventually("an event for each", LONG, all).await?;
    let different: BTreeSet<_> = about.iter().collect();
    assert_eq!((about.len(), different.len()), (OBJECTS, OBJECTS), "events, and objects that they are about");
    world.restart_operator().await?;
    stays("requests", || world.emulator().requests().len()).await;
    assert_eq!(told(&world).await?.len(), OBJECTS, "events after another restart");
    Ok(())
}

#[tokio::test]
async fn kubectl_describe_shows_the_event() -> Outcome {
    let world = World::start().await?;
    world.user("jane@contoso.com");
    world.remove("jane", "jane@contoso.com").await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    eventually("the event is described", SOON, || async {
        let describe = ["describe", "photoremoval", "jane", "--namespace", world.namespace()];
        let said = world.plane().kubectl(&describe).await.and_then(testbed::Output::ok);
        let said = said.map_err(|error| error.to_string())?;
        let (_, events) = said.split_once("\nEvents:").unwrap_or_default();
        let whole = events.contains("Removed") && events.contains("photoremoval.dev/operator");
        if whole && events.contains("Microsoft Graph removed the photo.") { Ok(()) } else { Err(said) }
    })
    .await?;
    Ok(())
}
