//! The operator's program, never older than its sources.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

const NAME: &str = "photo-removal-operator";

/// Has cargo build the program as this one was built, which takes a moment where nothing changed, and takes the file
/// that cargo names: one that merely lies beside this program may be of yesterday.
pub(crate) async fn build() -> Result<PathBuf> {
    let refused = "The operator cannot be built, and a program that may be older than its sources is not measured";
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .args(["build", "--bin", NAME, "--profile", profile, "--message-format=json-render-diagnostics"])
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let cargo = command.spawn().with_context(|| format!("{refused}: cargo does not start"))?;
    // Not `output()`, which would swallow what cargo says of the sources.
    let output = cargo.wait_with_output().await?;
    ensure!(output.status.success(), "{refused}: see what cargo says above");
    let messages = String::from_utf8_lossy(&output.stdout);
    let program = messages.lines().find_map(executable);
    program.with_context(|| format!("{refused}: cargo does not say where it put {NAME}"))
}

/// The root of the workspace, for all of whose programs cargo chooses the same features.
fn root() -> &'static Path {
    let testbed = Path::new(env!("CARGO_MANIFEST_DIR"));
    testbed.ancestors().nth(2).unwrap_or(testbed)
}

/// The program that one of cargo's messages is about, where it is about the operator's.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    (message["target"]["name"] == NAME).then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_that_cargo_names() {
        let rows = [
            (r#"{"target": {"name": "photo-removal-operator"}, "executable": "/t/release/p"}"#, Some("/t/release/p")),
            (r#"{"target": {"name": "photo-removal-operator"}, "executable": null}"#, None),
            (r#"{"target": {"name": "bench"}, "executable": "/t/release/bench"}"#, None),
            ("Hello", None),
        ];
        for (message, expected) in rows {
            assert_eq!(executable(message), expected.map(PathBuf::from), "{message}");
        }
    }
}
