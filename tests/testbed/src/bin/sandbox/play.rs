//! The play: everything is started, the examples are applied, and the table follows what becomes of them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use emulator::Target;
use kube::ResourceExt;
use photo_removal_operator::api::{Category, PhotoRemoval, PhotoRemovalStatus, Reason};

use crate::examples::{self, Example};
use crate::stage::{NAMESPACE, Stage};
use crate::table::{Row, Table};
use crate::{guide, seed, words};

/// How often the table is looked after.
const LOOK: Duration = Duration::from_millis(250);

/// With `--once`: long enough for a busy machine; the longest story has a pause of five seconds.
const DEADLINE: Duration = Duration::from_secs(120);

/// Plays. With `once` it ends when all examples have settled, and says whether each ended as its manifest says; without,
/// it never ends by itself.
pub(crate) async fn play(once: bool) -> Result<bool> {
    let folder = examples::folder();
    let examples = examples::read(&folder)?;
    let stage = Stage::set(|text| eprintln!("{text}")).await?;
    eprintln!("Applying {} with kubectl ...", folder.display());
    stage.apply(&folder).await?;
    if !once {
        guide::print(&stage);
    }
    let (mut table, mut clocks) = (Table::new(), Clocks::default());
    let began = Instant::now();
    loop {
        let stored = stage.removals().await?;
        table.draw(&rows(&stage, &examples, &stored, &mut clocks));
        let all_settled = examples.iter().all(|example| example.object(&stored).is_some_and(settled));
        if once && (all_settled || began.elapsed() > DEADLINE) {
            return Ok(judge(&examples, &stored));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The examples first, then what the visitor made.
fn rows(stage: &Stage, examples: &[Example], stored: &[PhotoRemoval], clocks: &mut Clocks) -> Vec<Row> {
    let stories = examples.iter().filter_map(|example| Some((example.object(stored)?, example.shows.as_str())));
    let own = stored.iter().filter(|object| examples.iter().all(|example| example.name != object.name_any()));
    let all = stories.chain(own.map(|object| (object, "Yours")));
    all.map(|(object, shows)| row(stage, object, shows, clocks.read(object))).collect()
}

fn row(stage: &Stage, object: &PhotoRemoval, shows: &str, after: Duration) -> Row {
    let status = status(object);
    let now = jiff::Timestamp::now();
    let again_in =
        status.next_attempt_time.filter(|next| *next > now).map(|next| next.duration_since(now).unsigned_abs());
    let (mood, words) = words::of(status, again_in);
    let target = match (&object.spec.target.user, &object.spec.target.group) {
        (Some(user), _) => Target::user(user),
        (None, Some(group)) => Target::group(group),
        (None, None) => Target::user(seed::SIGNED_IN),
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

/// A stopwatch for each object, by its uid: a name may be used again.
#[derive(Default)]
struct Clocks(HashMap<Option<String>, Clock>);

struct Clock {
    began: Instant,
    /// Where the object rests, and how long it took to get there.
    rests: Option<(Option<Reason>, Duration)>,
}

impl Clocks {
    /// How long the object took to come to rest where it is, or has been on its way.
    fn read(&mut self, object: &PhotoRemoval) -> Duration {
        let clock = self.0.entry(object.uid()).or_insert_with(|| Clock { began: Instant::now(), rests: None });
        let reason = status(object).reason();
        // One that was on hold rests a second time when it is done.
        if !settled(object) || clock.rests.is_some_and(|(rested_at, _)| rested_at != reason) {
            clock.rests = None;
        }
        if settled(object) {
            clock.rests.get_or_insert((reason, clock.began.elapsed())).1
        } else {
            clock.began.elapsed()
        }
    }
}

fn status(object: &PhotoRemoval) -> &PhotoRemovalStatus {
    static UNTOUCHED: PhotoRemovalStatus = PhotoRemovalStatus::UNTOUCHED;
    object.status.as_ref().unwrap_or(&UNTOUCHED)
}

/// Whether nothing more is to come of it unless somebody acts.
fn settled(object: &PhotoRemoval) -> bool {
    // Who waits for a date is not waited for.
    status(object).category() != Category::GoingOn || status(object).reason() == Some(Reason::Scheduled)
}

/// Whether every example ended as it says; tells of each that did not.
fn judge(examples: &[Example], stored: &[PhotoRemoval]) -> bool {
    let otherwise: Vec<_> = examples.iter().filter_map(|example| shortfall(example, stored)).collect();
    if otherwise.is_empty() {
        println!("All {} examples ended as they say.", examples.len());
        return true;
    }
    for sentence in otherwise {
        eprintln!("{sentence}");
    }
    eprintln!("Start the sandbox without --once and look at `kubectl describe photoremovals -n {NAMESPACE}`.");
    false
}

/// How it is with an example that did not end as it says.
fn shortfall(example: &Example, stored: &[PhotoRemoval]) -> Option<String> {
    let wanted = format!("The example {} was to end as {}", example.name, example.ends_as);
    let Some(object) = example.object(stored) else {
        return Some(format!("{wanted} but is not there any more."));
    };
    let reason = status(object).reason();
    if settled(object) && reason == Some(example.ends_as) {
        return None;
    }
    let is = if settled(object) { "ended as".to_owned() } else { format!("is, after {DEADLINE:?}, still at") };
    let reason = reason.map_or("no reason at all", |reason| reason.as_str());
    let said = status(object).conditions.first().map_or("nothing", |condition| &condition.message);
    Some(format!("{wanted} but {is} {reason}; the operator says: {said}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(reason: &str, kind: &str) -> PhotoRemoval {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": reason, "message": "So it is.", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let conditions = match kind {
            "Ready" => vec![condition("Ready", "True")],
            other => vec![condition("Ready", "False"), condition(other, "True")],
        };
        let spec =
            json!({"target": {"user": "leaver@contoso.com"}, "credentials": {"secretRef": {"name": "contoso-graph"}}});
        let metadata = json!({"name": "leaver", "uid": "1"});
        let status = json!({ "conditions": conditions });
        serde_json::from_value(json!({"apiVersion": "photoremoval.dev/v1alpha1", "kind": "PhotoRemoval", "metadata": metadata, "spec": spec, "status": status})).unwrap()
    }

    #[test]
    fn an_example_that_ends_otherwise_is_told_with_what_the_operator_says() {
        let example = Example { name: "leaver".to_owned(), shows: String::new(), ends_as: Reason::Removed };
        assert_eq!(shortfall(&example, &[object("Removed", "Ready")]), None);
        let rows = [
            (vec![object("TargetNotFound", "Stalled")], "but ended as TargetNotFound; the operator says: So it is."),
            (vec![object("Throttled", "Reconciling")], "but is, after 120s, still at Throttled; the operator says"),
            (vec![], "but is not there any more."),
        ];
        for (stored, expected) in rows {
            let sentence = shortfall(&example, &stored).unwrap();
            assert!(sentence.contains(expected), "wanted {expected:?}, got {sentence}");
        }
    }

    #[test]
    fn a_clock_stands_while_an_object_rests_and_goes_on_when_it_rests_elsewhere() {
        let mut clocks = Clocks::default();
        let on_hold = clocks.read(&object("Suspended", "Ready"));
        assert_eq!(clocks.read(&object("Suspended", "Ready")), on_hold);
        assert!(clocks.read(&object("Removed", "Ready")) > on_hold);
    }
}
