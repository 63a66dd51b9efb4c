//! A changed spec may be the cure: it ends every wait, also one of an hour.

use futures::future::join_all;
use photo_removal_operator::api::Reason;
use serde_json::json;
use testbed::World;

use crate::Outcome;
use crate::given::{deletes, known, on_delete, patient};
use crate::picture::{Picture, all_as_expected};

/// What a DELETE meets once, or twice where a new token is tried, and where the object stands after it.
const ROWS: [(&str, u32, Reason); 5] = [
    ("404 Request_ResourceNotFound", 1, Reason::TargetNotFound),
    ("400 AuthenticationError", 1, Reason::TargetNotSupported),
    ("403 ErrorAccessDenied", 2, Reason::PermissionDenied),
    ("500", 1, Reason::GraphUnavailable),
    ("400 BadRequest", 1, Reason::Rejected),
];

async fn play(world: &World, number: usize, (fault, times, reason): (&str, u32, Reason)) -> Result<(), String> {
    let (name, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
    let played = async {
        world.user(&user);
        world.emulator().add_fault(on_delete(&user, known(fault)).times(times));
        world.remove(&name, &user).await?;
        world.wait_for_reason(&name, reason).await?;
        let met = deletes(world, &user);
        world.edit(&name, &json!({"spec": {"credentials": {"secretRef": {"name": "another"}}}})).await?;
        Ok::<_, testbed::Error>(met)
    };
    let met = played.await.map_err(|error| format!("{fault}: {error}"))?;
    let mut expected = Picture::after(Reason::Removed, 200).tries(i32::try_from(met).unwrap_or_default() + 1);
    expected.events.insert(0, (reason.as_str().to_owned(), "Warning".to_owned()));
    expected.expect(world, &name, &user).await.map_err(|difference| format!("{fault}: {difference}"))
}

#[tokio::test]
async fn a_changed_spec_ends_every_wait_at_once() -> Outcome {
    let world = patient().start().await?;
    world.put_secret(world.namespace(), "another", &world.good_secret()).await?;
    // One after the other: of objects that are denied together only one gets a new token.
    let mut came = Vec::new();
    for (number, row) in ROWS.into_iter().enumerate() {
        came.push(play(&world, number, row).await);
    }
    all_as_expected(came);
    Ok(())
}

#[tokio::test]
async fn another_secret_that_is_there_ends_the_wait_for_one_that_is_not() -> Outcome {
    let world = patient().start().await?;
    let world = &world;
    let rows = [("not-there", None), ("broken", Some(&world.good_secret()[..1]))];
    let reasons = [Reason::CredentialNotFound, Reason::CredentialInvalid];
    let played = rows.into_iter().zip(reasons).map(async |((name, data), reason)| {
        let user = format!("{name}@contoso.com");
        let played = async {
            world.user(&user);
            if let Some(data) = data {
                world.put_secret(world.namespace(), name, data).await?;
            }
            let mut manifest = world.manifest(name, &user);
            manifest["spec"]["credentials"]["secretRef"]["name"] = json!(name);
            world.apply(&manifest).await?;
            world.wait_for_reason(name, reason).await?;
            world.edit(name, &json!({"spec": {"credentials": {"secretRef": {"name": testbed::SECRET}}}})).await
        };
        played.await.map_err(|error| format!("{name}: {error}"))?;
        let mut expected = Picture::after(Reason::Removed, 200);
        expected.events.insert(0, (reason.as_str().to_owned(), "Warning".to_owned()));
        expected.expect(world, name, &user).await.map_err(|difference| format!("{name}: {difference}"))
    });
    all_as_expected(join_all(played).await);
    Ok(())
}
