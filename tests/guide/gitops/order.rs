//! Everything of a removal arrives in every order, as it does from GitOps tools, which apply again and again.

use photo_removal_operator::api::Reason;
use testbed::{ControlPlane, Options, SECRET, SOON, World, eventually};

use super::expected::State;
use super::judge::judge;
use super::typed;
use super::watched::Watched;
use crate::Outcome;

const NAME: &str = "leaver";
const USER: &str = "leaver@contoso.com";

/// What a removal needs besides itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Definition,
    Operator,
    Secret,
}

/// Each part is once the first and once the last.
const ORDERS: [[Part; 3]; 3] = [
    [Part::Definition, Part::Operator, Part::Secret],
    [Part::Operator, Part::Secret, Part::Definition],
    [Part::Secret, Part::Definition, Part::Operator],
];

#[tokio::test]
async fn a_removal_that_comes_first_is_done_when_the_rest_has_come_in_whatever_order() -> Outcome {
    for order in ORDERS {
        arrives(order).await.map_err(|error| format!("{order:?}: {error}"))?;
    }
    Ok(())
}

async fn arrives(order: [Part; 3]) -> Outcome {
    let plane = ControlPlane::start(Options::default()).await?;
    let world = World::builder().on(plane).without_definition().build().await?;
    world.user(USER);
    world.delete_secret(SECRET).await?;
    let mut watched = None;
    let refused = apply(&world).await.err().ok_or("taken without a definition")?.to_string();
    assert!(refused.contains("no matches for kind"), "{refused}");
    for part in order {
        bring(&world, part).await?;
        if part == Part::Definition {
            watched = Some(Watched::from_now(&world).await?);
            eventually("the removal is taken at last", SOON, || apply(&world)).await?;
        }
    }
    world.wait_for_reason(NAME, Reason::Removed).await?;
    let watched = watched.ok_or("the definition never came")?;
    let done = |object: &_| typed(object).is_ok_and(|object| State::of(&object) == Ok(State::Done));
    watched.until("the watch sees the removal done", done).await?;
    // In progress all the time, done at the end, failed never.
    let verdicts = judge(&watched.versions()).await?;
    let (last, before) = verdicts.split_last().ok_or("no version was seen")?;
    assert_eq!(last.states(), State::Done.verdict(), "{last:?}");
    for verdict in before {
        assert_eq!(verdict.states(), State::GoingOn.verdict(), "{verdict:?}");
    }
    Ok(())
}

async fn bring(world: &World, part: Part) -> testbed::Result<()> {
    match part {
        Part::Definition => world.install_definition().await,
        Part::Operator => world.start_operator().await,
        Part::Secret => world.put_secret(world.namespace(), SECRET, &world.good_secret()).await,
    }
}

/// As Argo CD and Flux do it. What was applied already stays as it is.
async fn apply(world: &World) -> testbed::Result<String> {
    let manifest = world.manifest(NAME, USER).to_string();
    world.plane().kubectl_with(&["apply", "--server-side", "-f", "-"], &manifest).await?.ok()
}
