//! `docs/gitops.md`: its table is the tests' own, its commands work, its example waits.

use std::fs;

use photo_removal_operator::api::Reason;
use serde_json::{Value, json};
use testbed::{ControlPlane, Options};

use super::examples::{CONFIG_MAP, KEY};
use super::expected::{State, States};
use super::judge::FLUX;
use super::replays::REPLAYS;
use crate::Outcome;
use crate::pages::{self, Shell, root};

pub(super) const PAGE: &str = "docs/gitops.md";

/// The row of each state, by its first words, and what it says.
const ROWS: [(&str, State); 6] = [
    ("New or changed", State::Unseen),
    ("Going on", State::GoingOn),
    ("Suspended", State::Resting),
    ("Done", State::Done),
    ("Stalled", State::Stuck),
    ("Being deleted", State::Terminating),
];

#[test]
fn the_table_of_healths_is_the_one_that_the_tools_are_tested_against() {
    let rows = pages::table(&pages::page(PAGE), "| removal | reasons | Argo CD | Flux, kstatus |");
    assert_eq!(rows.len(), ROWS.len(), "rows");
    for (row, (words, state)) in rows.iter().zip(ROWS) {
        let States { kstatus, argo, .. } = state.verdict();
        assert!(row[0].starts_with(words), "{row:?} begins with {words:?}");
        assert_eq!((row[2].as_str(), row[3].as_str()), (argo, kstatus), "{row:?}");
    }
    for (first, reason) in Reason::ALL.into_iter().flat_map(|reason| [(1, reason), (i32::MAX, reason)]) {
        let state = State::after(reason, first);
        let found = rows.iter().zip(ROWS).find(|(_, (_, of))| *of == state).map(|(row, _)| &row[1]);
        assert!(
            found.is_some_and(|cell| cell.contains(&format!("`{reason}`"))),
            "{reason} is not in the row of {state:?}"
        );
    }
}

#[tokio::test]
async fn the_commands_leave_argo_cds_other_settings_alone() -> Outcome {
    let plane = ControlPlane::start(Options::default()).await?;
    plane.kubectl(&["create", "namespace", "argocd"]).await?.ok()?;
    let theirs = ["create", "configmap", "argocd-cm", "-n", "argocd", "--from-literal=url=https://argocd.example"];
    plane.kubectl(&theirs).await?.ok()?;
    let shell = Shell::new(&plane, root()).await?;
    let blocks = pages::blocks(&pages::section(&pages::page(PAGE), "## Health"));
    assert!(blocks.iter().any(|block| block.text.contains(CONFIG_MAP)), "the page installs {CONFIG_MAP}");
    for block in &blocks {
        assert_eq!(block.kind, "sh", "only commands are tested: {}", block.text);
        shell.run(&block.text).await?;
    }
    let held = plane.kubectl(&["get", "configmap", "argocd-cm", "-n", "argocd", "-o", "json"]).await?.ok()?;
    let held: Value = serde_json::from_str(&held)?;
    let data = held["data"].as_object().ok_or("the ConfigMap is empty")?;
    assert_eq!(data.keys().collect::<Vec<_>>(), [KEY, "url"]);
    Ok(())
}

#[test]
fn every_block_stands_in_a_section_whose_blocks_are_run() {
    let page = pages::page(PAGE);
    let of = |heading| pages::blocks(&pages::section(&page, heading)).len();
    assert_eq!(pages::blocks(&page).len(), of("## Health") + of(REPLAYS), "blocks");
}

#[test]
fn the_kustomization_waits_for_every_removal() -> Outcome {
    let kustomization: Value = serde_saphyr::from_str(&fs::read_to_string(root().join(FLUX))?)?;
    assert_eq!(kustomization["spec"]["wait"], json!(true));
    Ok(())
}
