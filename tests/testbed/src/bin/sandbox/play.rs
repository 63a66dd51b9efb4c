//! The play: everything is started, the examples are applied, and the table follows what becomes of them.

use std::time::{Duration, Instant};

use anyhow::Result;
use emulator::Target;
use kube::ResourceExt;
use photo_removal_operator::api::{Category, PhotoRemoval, PhotoRemovalStatus};

use crate::examples::Example;
use crate::stage::{NAMESPACE, Stage, examples};
use crate::table::{Row, Table};
use crate::{guide, words};

/// How often the table is looked after.
const LOOK: Duration = Duration::from_millis(250);

/// With `--once`: long enough for a busy machine; the longest story has a pause of five seconds.
const DEADLINE: Duration = Duration::from_secs(120);

/// Plays. With `once` it ends when all examples have settled, and says whether each ended as its manifest says; without,
/// it never ends by itself.
pub(crate) async fn play(once: bool) -> Result<bool> {
    let (folder, examples) = examples()?;
    let stage = Stage::set(|text| eprintln!("{text}")).await?;
    eprintln!("Applying {} ...", folder.display());
    stage.apply(&folder).await?;
    if !once {
        guide::print(&stage);
    }
    let mut table = Table::new();
    let began = Instant::now();
    let mut settled_after = vec![None; examples.len()];
    loop {
        let stored = stage.removals().await?;
        let rows = rows(&stage, &examples, &stored, began, &mut settled_after);
        table.draw(&rows);
        let all_settled = settled_after.iter().all(Option::is_some);
        if once && (all_settled || began.elapsed() > DEADLINE) {
            return Ok(judge(&examples, &stored));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The examples first, then what the visitor made.
fn rows(
    stage: &Stage,
    examples: &[Example],
    stored: &[PhotoRemoval],
    began: Instant,
    settled_after: &mut [Option<Duration>],
) -> Vec<Row> {
    let mut rows = Vec::new();
    for (example, settled_after) in examples.iter().zip(settled_after) {
        let Some(object) = stored.iter().find(|object| object.name_any() == example.name) else { continue };
        let category = object.status.as_ref().map_or(Category::GoingOn, PhotoRemovalStatus::category);
        if category == Category::GoingOn {
            *settled_after = None;
        } else {
            settled_after.get_or_insert(began.elapsed());
        }
        rows.push(row(stage, object, &example.shows, settled_after.unwrap_or(began.elapsed())));
    }
    let own = stored.iter().filter(|object| examples.iter().all(|example| example.name != object.name_any()));
    rows.extend(own.map(|object| row(stage, object, "Yours", Duration::ZERO)));
    rows
}

fn row(stage: &Stage, object: &PhotoRemoval, shows: &str, after: Duration) -> Row {
    let status = object.status.clone().unwrap_or_default();
    let now = jiff::Timestamp::now();
    let again_in =
        status.next_attempt_time.filter(|next| *next > now).map(|next| next.duration_since(now).unsigned_abs());
    let (mood, words) = words::of(&status, again_in);
    let target = match (&object.spec.target.user, &object.spec.target.group) {
        (Some(user), _) => Target::user(user),
        (_, group) => Target::group(group.as_deref().unwrap_or_default()),
    };
    Row {
        name: object.name_any(),
        shows: shows.to_owned(),
        mood,
        now: words,
        reason: status.reason().map_or("", |reason| reason.as_str()),
        photo: if stage.emulator().has_photo(&target) { "there" } else { "none" },
        seconds: after.as_secs(),
    }
}

/// Whether every example ended as it says; tells of each that did not.
fn judge(examples: &[Example], stored: &[PhotoRemoval]) -> bool {
    let mut good = true;
    for example in examples {
        let object = stored.iter().find(|object| object.name_any() == example.name);
        let status = object.and_then(|object| object.status.clone()).unwrap_or_default();
        let (reason, ended) = (status.reason(), status.category() != Category::GoingOn);
        if reason != Some(example.ends_as) || !ended {
            let seen = reason.map_or("nothing", |reason| reason.as_str());
            eprintln!("The example {} was to end as {} and is at {seen}.", example.name, example.ends_as);
            good = false;
        }
    }
    if good {
        println!("All {} examples ended as they say.", examples.len());
    } else {
        eprintln!("Look at `kubectl describe photoremovals -n {NAMESPACE}` in a sandbox without --once.");
    }
    good
}
