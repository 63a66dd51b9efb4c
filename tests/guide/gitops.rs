//! What GitOps tools see of a removal, from creation to deletion: kstatus, Argo CD and Flux judge with their own libraries
//! what a real watch shows of objects of every reason.
//!
//! `expected.rs` is the table; `stories.rs` brings the objects about; `examples.rs` keeps some of them as Argo CD's test
//! data; `order.rs` lets everything arrive in every order; `replays.rs` lets it go and come back; `page.rs` runs
//! `docs/gitops.md`.

mod examples;
mod expected;
mod judge;
mod order;
mod page;
mod replays;
mod stories;
mod waiting;
mod watched;

use photo_removal_operator::api::{PhotoRemoval, Reason};
use serde_json::Value;

use crate::Outcome;
use expected::State;
use judge::{Verdict, judge};
use stories::Played;

#[tokio::test]
async fn every_version_of_an_object_of_every_reason_is_judged_as_the_table_says() -> Outcome {
    let mut wrong = Vec::new();
    for played in stories::played().await? {
        for (object, verdict) in judged(played).await? {
            let expected = State::of(&object)?.verdict();
            if verdict.states() != expected {
                wrong.push(format!("{}: expected {expected:?}, came {verdict:?} of {object:?}", played.story));
            }
        }
    }
    assert!(wrong.is_empty(), "{} versions were judged differently:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn the_watch_has_seen_each_step_of_each_story() -> Outcome {
    for played in stories::played().await? {
        let mut states = Vec::new();
        for object in &played.versions {
            states.push(State::of(&typed(object)?)?);
        }
        let what = format!("{}: {states:?}", played.story);
        let [first, .., last] = &states[..] else { return Err(what.into()) };
        assert_eq!(
            typed(&played.versions[0])?.status.and_then(|status| status.observed_generation),
            Some(-1),
            "{what}"
        );
        assert_eq!((*first, *last), (State::Unseen, State::Terminating), "{what}");
        assert!(states.contains(&played.story.state()), "{what}");
        let edited = played.versions.iter().any(|object| object["metadata"]["generation"] == 2);
        assert!(edited && State::of(&typed(&played.edited)?)? == State::Unseen, "{what}");
    }
    Ok(())
}

/// The same once more without the table: what a tool says holds of what is stored, whatever the reason.
#[tokio::test]
async fn nothing_is_current_before_the_job_is_done_or_failed_while_it_is_tried() -> Outcome {
    let mut current = 0;
    for played in stories::played().await? {
        for (object, verdict) in judged(played).await? {
            let status = object.status.clone().unwrap_or_default();
            let said = [&verdict.kstatus, &verdict.flux, &verdict.flux_built_in, &verdict.argo.status];
            if said.iter().any(|said| ["Current", "Healthy"].contains(&said.as_str())) {
                current += 1;
                let proven = status.evidence.is_some() || object.spec.dry_run;
                assert!(status.outcome.is_some() && proven, "{}: {object:?}", played.story);
            }
            if said.iter().any(|said| ["Failed", "Degraded"].contains(&said.as_str())) {
                let goes_on = status.conditions.iter().any(|one| one.type_ == "Reconciling" && one.status == "True");
                assert!(!goes_on && status.is_stalled() && status.outcome.is_none(), "{}: {object:?}", played.story);
            }
        }
    }
    assert!(current > 1, "no object was ever current");
    Ok(())
}

#[tokio::test]
async fn every_reason_has_its_story() -> Outcome {
    let played = stories::played().await?;
    for reason in Reason::ALL {
        let seen = played.iter().flat_map(|played| &played.versions);
        let seen = seen.filter_map(|object| Reason::named(object["status"]["conditions"][0]["reason"].as_str()?));
        assert!(seen.into_iter().any(|seen| seen == reason), "no object was ever {reason}");
    }
    Ok(())
}

/// Each version of a story and what the tools say of it.
async fn judged(played: &Played) -> Result<Vec<(PhotoRemoval, Verdict)>, Box<dyn std::error::Error>> {
    let verdicts = judge(&played.versions).await?;
    let objects: Result<Vec<_>, _> = played.versions.iter().map(typed).collect();
    Ok(objects?.into_iter().zip(verdicts).collect())
}

fn typed(object: &Value) -> serde_json::Result<PhotoRemoval> {
    serde_json::from_value(object.clone())
}
