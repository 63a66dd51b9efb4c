//! A removal's whole life through the real API server: dates, limits, rehearsals, re-checks, retries, and its end.

mod ending;
mod looking;
mod proof;
mod retrying;
mod timing;

use jiff::{SignedDuration, Timestamp};
use photo_removal_operator::api::{PhotoRemovalStatus, condition};
use serde_json::{Value, json};
use testbed::{Result, World};

const USER: &str = "jane.doe@contoso.com";

/// A removal of the user's photo, with these fields in its spec.
async fn remove_with(world: &World, name: &str, fields: &Value) -> Result<()> {
    let user = format!("{name}@contoso.com");
    world.user(&user);
    let mut manifest = world.manifest(name, &user);
    if let (Some(spec), Some(fields)) = (manifest["spec"].as_object_mut(), fields.as_object()) {
        spec.extend(fields.clone());
    }
    world.apply(&manifest).await.map(drop)
}

/// So many seconds from now, as a manifest has it.
fn in_seconds(seconds: i64) -> Timestamp {
    let now = Timestamp::now() + SignedDuration::from_secs(seconds);
    Timestamp::from_second(now.as_second()).unwrap()
}

fn said(status: &PhotoRemovalStatus) -> &str {
    status.condition(condition::READY).map_or("", |ready| &ready.message)
}

/// Whatever the object waits for is due now.
async fn fast_forward(world: &World, name: &str) -> Result<()> {
    world.put_status(name, &json!({"status": {"nextAttemptTime": in_seconds(-1)}})).await
}
