//! Programs that end with us, however we end.
//!
//! A shell (the watchdog) holds the reading end of a pipe whose only writing end is ours. When that closes (a drop, a panic,
//! a `static` that is never dropped, even SIGKILL) the watchdog kills every program and removes the folder.
//!
//! Each program registers its process id as a file name before it becomes what it is, and the watchdog first renames the
//! folder: a program whose start is under way then fails to register and never starts. So none can be missed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use crate::error::{Context, Error, Result};

/// It ignores the signals that end a whole tree of processes: it goes only after it has cleaned up.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
mkdir -m 700 "$1" && mkdir "$1/pids" || exit 1
echo ready
exec >/dev/null
cat
mv "$1" "$1.gone"
for pid in "$1.gone/pids/"*; do kill -KILL "${pid##*/}"; done
tries=0
until rm -rf "$1.gone" || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
"#;

/// Registers its own process id, then becomes the program.
const STARTER: &str = r#": >"$0/$$" && exec "$@""#;

/// How much of a log is quoted in an error.
const LAST_LINES: usize = 15;

/// The watchdog, and the folder that goes when it goes.
pub(crate) struct Supervisor {
    folder: PathBuf,
    watchdog: Child,
    /// Our end of the pipe; taken when we close it.
    pipe: Option<ChildStdin>,
}

impl Supervisor {
    /// Starts the watchdog, which makes the folder: there is no moment at which the folder is there and nobody minds it.
    pub(crate) fn start() -> Result<Self> {
        let name = format!("photo-removal-testbed-{}", uuid::Uuid::new_v4().simple());
        let folder = std::env::temp_dir().join(name);
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Its own group: Ctrl-C in a terminal must not reach it before its work is done.
            .process_group(0)
            .spawn()
            .context(|| "The watchdog (sh) could not be started".to_owned())?;
        let pipe = watchdog.stdin.take();
        let mut said = String::new();
        if let Some(stdout) = watchdog.stdout.take() {
            BufReader::new(stdout).read_line(&mut said).context(|| "The watchdog said nothing".to_owned())?;
        }
        let started = Self { folder, watchdog, pipe };
        if said.trim() == "ready" {
            return Ok(started);
        }
        Err(Error::new(format!("The temporary folder {} could not be made.", started.folder.display())))
    }

    /// The temporary folder, readable by its owner only.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a program whose output goes to `<name>.log` in the folder (appended, so a restart keeps what was said before).
    pub(crate) fn run(&self, program: &Path, arguments: &[String]) -> Result<Program> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = self.folder.join(format!("{name}.log"));
        let pids = self.folder.join("pids");
        let failed = || format!("{name} could not be started");
        let output = File::options().create(true).append(true).open(&log).context(failed)?;
        let errors = output.try_clone().context(failed)?;
        let child = Command::new("sh")
            .args(["-c", STARTER])
            .arg(&pids)
            .arg(program)
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .context(failed)?;
        Ok(Program { name, child, log, pids })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // An error means that it is gone already, which is what we wait for.
        drop(self.watchdog.wait());
    }
}

/// A running program.
pub(crate) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
    pids: PathBuf,
}

impl Program {
    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal by its short name, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .stderr(Stdio::null())
            .status()
            .context(|| "The program kill could not be run".to_owned())?;
        if sent.success() {
            return Ok(());
        }
        Err(Error::new(format!("{} could not be sent {signal}: it is not running.", self.name)))
    }

    /// What it said last, for the message of an error.
    pub(crate) fn last_lines(&self) -> String {
        let said = fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<_> = said.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        format!("the last lines of {}'s log:\n{}", self.name, last.join("\n"))
    }
}

impl Drop for Program {
    /// Kills it and waits until it is gone.
    fn drop(&mut self) {
        // Already gone is as good.
        drop(self.child.kill());
        // Before it is reaped, while its process id cannot be another's.
        drop(fs::remove_file(self.pids.join(self.child.id().to_string())));
        drop(self.child.wait());
    }
}
