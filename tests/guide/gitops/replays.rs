//! What becomes of a new photo when a removal is applied again, deleted, made again, restored: section "Replays" of
//! `docs/gitops.md`, row by row.
//!
//! In each test a photo was removed, its owner has a new one, and something happens to the object. The page says whether
//! the new photo stays.

mod kept;
mod made_again;
mod namespaces;

use std::time::Duration;

use emulator::Target;
use jiff::{SignedDuration, Timestamp};
use photo_removal_operator::api::{PhotoRemoval, Reason};
use serde_json::{Value, json};
use testbed::{Result, SOON, World, eventually};

use super::page::PAGE;
use crate::pages;

/// The section.
pub(super) const REPLAYS: &str = "## Replays";

const NAME: &str = "leaver";
const USER: &str = "leaver@contoso.com";

/// How long nothing must happen to be taken for quiet: several times what the operators here wait for.
const A_WHILE: Duration = Duration::from_secs(2);

/// A row of the page's table.
#[derive(Clone, Copy, Debug)]
enum Replay {
    AppliedAgain,
    Deleted,
    MadeAgain,
    Renamed,
    SelfHealed,
    RestoredWithStatus,
    RestoredWithout,
    NamespaceDeleted,
    AnotherResumed,
    AfterTheEnd,
}

impl Replay {
    const ALL: [Self; 10] = [
        Self::AppliedAgain,
        Self::Deleted,
        Self::MadeAgain,
        Self::Renamed,
        Self::SelfHealed,
        Self::RestoredWithStatus,
        Self::RestoredWithout,
        Self::NamespaceDeleted,
        Self::AnotherResumed,
        Self::AfterTheEnd,
    ];

    /// Its first cell.
    const fn words(self) -> &'static str {
        match self {
            Self::AppliedAgain => "Applied again, unchanged or edited",
            Self::Deleted => "Deleted or pruned",
            Self::MadeAgain => "Deleted and made again",
            Self::Renamed => "Renamed",
            Self::SelfHealed => "`ttlSecondsAfterFinished` with self-heal",
            Self::RestoredWithStatus => "Restored with its status",
            Self::RestoredWithout => "Restored without its status",
            Self::NamespaceDeleted => "Namespace deleted",
            Self::AnotherResumed => "Another removal of the same user resumed",
            Self::AfterTheEnd => "Any of these after `notAfter`",
        }
    }

    /// Fails unless the new photo stays or goes as the page says.
    async fn ends_as_the_page_says(self, world: &World) -> Result<()> {
        let rows = rows();
        let row = rows.iter().find(|row| row[0] == self.words()).unwrap_or_else(|| panic!("no row of {self:?}"));
        match row[1].as_str() {
            "stays" => stays(world, self.words()).await,
            "is removed" => goes(world, self.words()).await,
            other => panic!("{self:?}: expected `stays` or `is removed`, came {other:?}"),
        }
    }
}

fn rows() -> Vec<Vec<String>> {
    pages::table(&pages::page(PAGE), "| replay | a new photo | what happens |")
}

#[test]
fn the_page_has_a_row_for_each_replay_and_no_other() {
    let words: Vec<_> = rows().into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(words, Replay::ALL.map(Replay::words));
}

/// A photo was removed, and its owner has a new one.
async fn removed_and_renewed(world: &World, manifest: &Value) -> Result<PhotoRemoval> {
    world.user(USER);
    world.apply(manifest).await?;
    world.wait_for_reason(NAME, Reason::Removed).await?;
    new_photo(world);
    world.get(NAME).await
}

fn manifest(world: &World) -> Value {
    world.manifest(NAME, USER)
}

/// The manifest with these fields in its spec.
fn manifest_with(world: &World, fields: &Value) -> Value {
    let mut manifest = manifest(world);
    if let (Some(spec), Some(fields)) = (manifest["spec"].as_object_mut(), fields.as_object()) {
        spec.extend(fields.clone());
    }
    manifest
}

fn new_photo(world: &World) {
    assert!(world.emulator().put_photo(&Target::user(USER)), "{USER} is not there");
}

fn has_photo(world: &World) -> bool {
    world.emulator().has_photo(&Target::user(USER))
}

/// Fails if Microsoft's side is asked for anything within [`A_WHILE`], or the photo is gone.
async fn stays(world: &World, what: &str) -> Result<()> {
    let before = world.emulator().requests().len();
    let asked = || async { world.emulator().requests().into_iter().nth(before) };
    if let Ok(request) = eventually(what, A_WHILE, asked).await {
        panic!("{what}: expected that nothing is sent, came {request:?}");
    }
    assert!(has_photo(world), "{what}: expected the new photo to stay, it is gone");
    Ok(())
}

async fn goes(world: &World, what: &str) -> Result<()> {
    eventually(&format!("{what}: the new photo goes"), SOON, || async { (!has_photo(world)).then_some(()) }).await
}

async fn until_gone(world: &World, name: &str) -> Result<()> {
    eventually("the object is gone", SOON, || async { world.get(name).await.err() }).await.map(drop)
}

/// So many seconds from now, as a manifest has it.
fn in_seconds(seconds: i64) -> Timestamp {
    let then = now() + SignedDuration::from_secs(seconds);
    Timestamp::from_second(then.as_second()).unwrap_or(then)
}

/// Waits until that time has come.
async fn until(time: Timestamp) -> Result<()> {
    eventually("the time comes", SOON, || async { (now() > time).then_some(()) }).await
}

#[allow(clippy::disallowed_methods, reason = "what a manifest says of dates is about real time")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// The user's object as a backup holds it: what another cluster would refuse or make itself is left out.
async fn backup(world: &World) -> Result<Value> {
    let mut object = serde_json::to_value(world.get(NAME).await?).unwrap_or_default();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
    }
    Ok(object)
}

/// Makes the object first and writes its status after it, as tools that restore do.
async fn restore(world: &World, backup: &Value, status: Option<&Value>) -> Result<()> {
    world.plane().kubectl_with(&["create", "-f", "-"], &backup.to_string()).await?.ok()?;
    if let Some(status) = status {
        world.put_status(NAME, &json!({"status": status})).await?;
    }
    Ok(())
}
