//! The operator as a process of its own, what it asked, and what it used.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use emulator::{Matcher, Operation};
use testbed::{AuditEntry, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::WINDOW;
use crate::field::Field;

/// Who the operator is for the API server, and so in the audit log. It may do everything here: what it may do with the
/// chart's rights is what the tests look at.
const USER: &str = "bench-operator";

/// Long enough for a machine that does other things too.
pub(crate) const DEADLINE: Duration = Duration::from_secs(300);

pub(crate) struct Operator {
    child: Child,
    http: std::net::SocketAddr,
    started: Instant,
}

impl Operator {
    /// Starts it for those namespaces, separated by commas; all of them where none is named.
    pub(crate) async fn start(field: &Field, namespaces: &str, more: &[&str]) -> Result<Self> {
        let http = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let kubeconfig = field.plane.kubeconfig_as(USER, &["system:masters"])?;
        let started = Instant::now();
        let child = Command::new(&field.program)
            .args(["run", &format!("--http={http}"), &format!("--max-in-flight={WINDOW}")])
            .args(["--credential-recheck=2s", "--log-format=json", "--cloud", &field.emulator.cloud_flag()])
            .arg(format!("--namespaces={namespaces}"))
            .args(more)
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", field.program.display()))?;
        Ok(Self { child, http, started })
    }

    /// Waits until `/readyz` says so, and says how long that took from the start of the process.
    pub(crate) async fn ready(&self) -> Result<Duration> {
        let look = || async {
            let mut stream = TcpStream::connect(self.http).await.map_err(|error| error.to_string())?;
            let sent = stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: operator\r\n\r\n").await;
            sent.map_err(|error| error.to_string())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.map_err(|error| error.to_string())?;
            if answer.contains(" 200 ") { Ok(()) } else { Err(answer) }
        };
        eventually("the operator gets ready", DEADLINE, look).await?;
        Ok(self.started.elapsed())
    }

    /// Resident memory now, in MiB.
    pub(crate) fn memory(&self) -> Result<f64> {
        self.figure("VmRSS")
    }

    /// The most that it ever was.
    pub(crate) fn peak(&self) -> Result<f64> {
        self.figure("VmHWM")
    }

    /// A figure of `/proc/<pid>/status`, in MiB.
    fn figure(&self, figure: &str) -> Result<f64> {
        let id = self.child.id().context("The operator has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
        let kibibytes: f64 = line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).context("no figure")?;
        Ok(kibibytes / 1024.0)
    }
}

/// The operator's calls beside watches, in order, once no more are being written down.
///
/// A watch is one call that lasts: the API server ends it after 200 s and another one goes on where it ended.
pub(crate) async fn settled_calls(field: &Field) -> Result<Vec<AuditEntry>> {
    let mut last = calls(field)?;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = calls(field)?;
        if now.len() == last.len() {
            return Ok(now);
        }
        last = now;
    }
}

fn calls(field: &Field) -> Result<Vec<AuditEntry>> {
    let mut entries = field.plane.audit()?;
    entries.retain(|entry| entry.user == USER && entry.verb != "watch");
    Ok(entries)
}

/// Whether it changes anything.
pub(crate) fn is_write(call: &AuditEntry) -> bool {
    !matches!(call.verb.as_str(), "get" | "list")
}

pub(crate) fn is_status_write(call: &AuditEntry) -> bool {
    is_write(call) && call.resource == "photoremovals" && call.subresource == "status"
}

/// DELETEs that arrived at Microsoft's side.
pub(crate) fn deletes(field: &Field) -> usize {
    field.emulator.count(&Matcher::of(Operation::Delete))
}
