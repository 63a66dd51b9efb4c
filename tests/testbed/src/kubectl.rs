//! Running kubectl.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::error::{Context, Error, Result};

/// What a program said and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// What was run, for messages.
    command: String,
}

impl Output {
    /// The standard output of a program that ended well.
    ///
    /// # Errors
    ///
    /// It failed: the message holds the command and what it said.
    pub fn ok(self) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(Error::new(format!("`{}` failed ({}): {}{}", self.command, self.status, self.stderr, self.stdout)))
    }

    /// What a program that failed said on standard error.
    ///
    /// # Errors
    ///
    /// It ended well: the message holds the command and what it said.
    pub fn failure(self) -> Result<String> {
        if !self.status.success() {
            return Ok(self.stderr);
        }
        Err(Error::new(format!("`{}` was to fail and did not: {}", self.command, self.stdout)))
    }
}

/// Runs `program` with this kubeconfig and waits for its end.
pub(crate) async fn run(
    program: &Path,
    kubeconfig: &Path,
    cache: &Path,
    arguments: &[&str],
    input: Option<&str>,
) -> Result<Output> {
    let command = format!("kubectl {}", arguments.join(" "));
    let failed = || format!("`{command}` could not be run");
    let mut child = Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        // Not the user's own: what kubectl learned of another cluster is wrong here.
        .env("KUBECACHEDIR", cache)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context(failed)?;
    let pipe = child.stdin.take();
    let feed = async move {
        if let (Some(mut pipe), Some(input)) = (pipe, input) {
            // A program that ends without reading says itself why.
            drop(pipe.write_all(input.as_bytes()).await);
        }
    };
    // Together: a program may answer before it has read everything.
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    let output = output.context(failed)?;
    Ok(Output {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        command,
    })
}
