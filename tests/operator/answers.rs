use crate::Outcome;
use photo_removal_operator::api::Reason;
use testbed::World;

#[tokio::test]
async fn a_photo_is_removed() -> Outcome {
    let world = World::start().await?;
    world.user("jane@contoso.com");
    world.remove("jane", "jane@contoso.com").await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    println!("{status:#?}");
    testbed::eventually("event", testbed::SOON, || async {
        match world.events_of("jane").await {
            Ok(e) if !e.is_empty() => Some(e),
            _ => None,
        }
    })
    .await?;
    println!("{:#?}", world.events_of("jane").await?);
    println!("{:#?}", world.audit()?);
    println!("{:#?}", world.emulator().requests());
    println!("{}", world.metrics().await?);
    world.stop_operator().await?;
    Ok(())
}
