//! The Helm chart, rendered and checked by the real Helm.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::assets::{helm, tests_folder};
use crate::error::{Context, Error, Result};

/// The chart's folder.
#[must_use]
pub fn folder() -> PathBuf {
    let tests = tests_folder();
    let root = tests.parent().unwrap_or(&tests);
    root.join("charts").join("photo-removal-operator")
}

/// What `helm template` makes of these values: YAML documents, to be applied as they are. Blocks; no cluster is asked.
///
/// # Errors
///
/// Helm is not to be had, or refuses the values; the message is Helm's.
pub fn render(values: &Value, release: &str, namespace: &str) -> Result<String> {
    render_with(values, release, namespace, &[])
}

/// As [`render`], with more arguments for Helm, such as `--show-only` or `--kube-version`.
///
/// # Errors
///
/// As [`render`].
pub fn render_with(values: &Value, release: &str, namespace: &str, more: &[&str]) -> Result<String> {
    let chart = folder().display().to_string();
    let mut arguments = vec!["template", release, &chart, "--namespace", namespace];
    arguments.extend(["--values", "-"]);
    arguments.extend_from_slice(more);
    run(&arguments, &values.to_string())
}

/// `helm lint --strict` with these values. Blocks.
///
/// # Errors
///
/// Helm is not to be had, or finds fault; the message is Helm's.
pub fn lint(values: &Value) -> Result<String> {
    let chart = folder().display().to_string();
    run(&["lint", "--strict", &chart, "--values", "-"], &values.to_string())
}

/// The documents of a rendered chart, in order.
///
/// # Errors
///
/// It is no YAML.
pub fn documents(rendered: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(rendered).context(|| "What Helm rendered is no YAML".to_owned())?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

fn run(arguments: &[&str], input: &str) -> Result<String> {
    let command = format!("helm {}", arguments.join(" "));
    let failed = || format!("`{command}` could not be run");
    let mut child = Command::new(helm()?)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(failed)?;
    if let Some(mut pipe) = child.stdin.take() {
        // Helm that ends without reading says itself why.
        drop(pipe.write_all(input.as_bytes()));
    }
    let output = child.wait_with_output().context(failed)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!("`{command}` failed ({}): {errors}{said}", output.status)))
}
