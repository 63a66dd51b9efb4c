//! Pages of Markdown: their blocks, their links, and a shell that runs a block as a newcomer's would.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use testbed::{ControlPlane, assets, helm};
use tokio::process::Command;

use crate::Outcome;

/// The pages of the documentation.
const PAGES: [&str; 6] =
    ["README.md", "docs/benchmark.md", "docs/credentials.md", "docs/evidence.md", "docs/gitops.md", "docs/messages.md"];

/// One fenced block.
pub(crate) struct Block {
    /// What stands behind the fence, such as `sh`.
    pub(crate) kind: String,
    /// What stands in it.
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A page, by its path in the repository.
pub(crate) fn page(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => open = Some(Block { kind: kind.to_owned(), text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// What stands under a heading, as far as the next one of its level.
pub(crate) fn section(page: &str, heading: &str) -> String {
    let (level, _) = heading.split_once(' ').unwrap_or_default();
    let lines = page.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| line.strip_prefix(level).is_none_or(|rest| !rest.starts_with(' ')));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert!(!text.is_empty(), "no section {heading}");
    text
}

/// The rows of the table that begins with this line, cell by cell.
pub(crate) fn table(page: &str, head: &str) -> Vec<Vec<String>> {
    let table = page.split(head).nth(1).unwrap_or_else(|| panic!("no table {head}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Runs blocks in a folder, with kubectl, helm and the cluster at hand.
pub(crate) struct Shell {
    folder: PathBuf,
    kubeconfig: PathBuf,
    path: Vec<PathBuf>,
}

impl Shell {
    pub(crate) async fn new(plane: &ControlPlane, folder: PathBuf) -> Result<Self, Box<dyn std::error::Error>> {
        let (kubectl, helm) = tokio::task::spawn_blocking(|| Ok::<_, testbed::Error>((assets()?, helm()?))).await??;
        let helm = helm.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self { folder, kubeconfig: plane.kubeconfig(), path: vec![kubectl, helm] })
    }

    /// The same shell with another folder of programs, which win over all others.
    pub(crate) fn with_programs(mut self, folder: PathBuf) -> Self {
        self.path.insert(0, folder);
        self
    }

    pub(crate) async fn run(&self, script: &str) -> Outcome {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = self.path.iter().cloned().chain(std::env::split_paths(&inherited));
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(&self.folder)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", std::env::join_paths(path)?)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\nfailed ({}): {said}", script.trim(), output.status);
        Ok(())
    }
}

#[test]
fn every_link_inside_the_repository_leads_somewhere() {
    for path in PAGES {
        let text = page(path);
        let folder = root().join(path).parent().map(Path::to_path_buf).unwrap_or_default();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let there = if file.is_empty() { root().join(path) } else { folder.join(file) };
            let target = std::fs::read_to_string(&there);
            let target = target.unwrap_or_else(|error| panic!("{path} links to {link}: {error}"));
            let found = anchor.is_empty() || target.lines().filter_map(heading).any(|heading| heading == anchor);
            assert!(found, "{path} links to {link}, and there is no such heading");
        }
    }
}

/// The anchor that a heading gets.
fn heading(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = title.to_lowercase();
    Some(kept.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-').collect::<String>().replace(' ', "-"))
}
