//! The operator as a process of its own, and what it used.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use emulator::{Matcher, Operation};
use futures::future::try_join;
use photo_removal_operator::api::PhotoRemovalStatus;
use testbed::{AuditEntry, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::WINDOW;
use crate::field::Field;
use crate::stopwatch::Stopwatch;

/// Who the operator is for the API server, and so in the audit log. It may do everything here: what it may do with the
/// chart's rights is what the tests look at.
const USER: &str = "bench-operator";

/// Long enough for a machine that does other things too.
const DEADLINE: Duration = Duration::from_secs(300);

/// What some removals took.
pub(crate) struct Removed {
    /// A second, from the first DELETE to the last event.
    pub(crate) rate: f64,
    /// Calls of the API server about removals and their events, beside lists and watches, for each removal.
    pub(crate) calls: f64,
    /// Looks at the Secret: they belong to the credential, however many removals use it.
    pub(crate) looks: usize,
    /// DELETEs for each removal.
    pub(crate) deletes: f64,
}

/// What finished objects cost.
pub(crate) struct Rest {
    pub(crate) objects: usize,
    /// Resident memory once all objects are known, in MiB.
    pub(crate) resident: f64,
    /// The most it ever was, in MiB.
    pub(crate) peak: f64,
    pub(crate) idle: Duration,
    /// Calls of the API server and of Microsoft's side meanwhile, beside watches; lists that are made again count.
    pub(crate) calls: usize,
}

/// Has so many photos removed. Their Secret comes last, so that all are there when the work begins.
pub(crate) async fn remove(field: &Field, namespace: &str, number: usize) -> Result<Removed> {
    field.plant(namespace, number).await?;
    let operator = Operator::start(field, Some(namespace)).await?;
    told(field, namespace, number, |status| {
        status.reason().is_some_and(|reason| reason.as_str() == "CredentialNotFound")
    })
    .await?;
    // Telling each once that there is no Secret is no part of a removal.
    let before = settled_calls(field).await?.len();
    let stopwatch = Stopwatch::set(field, namespace).await?;
    let (took, ()) = try_join(stopwatch.time(number), field.sign(namespace)).await?;
    let mut calls = settled_calls(field).await?.split_off(before);
    drop(operator);
    let looks = calls.iter().filter(|call| call.resource == "secrets").count();
    calls.retain(|call| call.resource != "secrets" && call.verb != "list");
    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
    Ok(Removed {
        rate: number as f64 / took.as_secs_f64(),
        calls: calls.len() as f64 / number as f64,
        looks,
        deletes: field.emulator.count(&Matcher::of(Operation::Delete)) as f64 / number as f64,
    })
}

/// Looks at an operator that has nothing to do.
pub(crate) async fn rest(field: &Field, objects: usize, idle: Duration) -> Result<Rest> {
    const NAMESPACES: usize = 10;
    for index in 0..NAMESPACES {
        let namespace = format!("finished-{index}");
        field.plant(&namespace, objects / NAMESPACES).await?;
        field.finish(&namespace, objects / NAMESPACES).await?;
    }
    let operator = Operator::start(field, None).await?;
    operator.ready().await?;
    // Everything that was listed has been looked at: nothing is left of it but what is kept.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let resident = operator.memory("VmRSS")?;
    let (before, asked) = (settled_calls(field).await?.len(), field.emulator.requests().len());
    tokio::time::sleep(idle).await;
    let calls = settled_calls(field).await?.len() - before + field.emulator.requests().len() - asked;
    Ok(Rest { objects, resident, peak: operator.memory("VmHWM")?, idle, calls })
}

/// Waits until every object of the namespace is as wanted. One list at a time, so that looking costs little.
async fn told(field: &Field, namespace: &str, number: usize, is: impl Fn(&PhotoRemovalStatus) -> bool) -> Result<()> {
    let removals = field.removals(namespace);
    let (is, removals) = (&is, &removals);
    let look = || async move {
        let all = removals.list(&kube::api::ListParams::default()).await.map_err(|error| error.to_string())?;
        let there = all.iter().filter(|object| object.status.as_ref().is_some_and(is)).count();
        if there == number { Ok(()) } else { Err(format!("{there} of {number}")) }
    };
    Ok(eventually("every object gets there", DEADLINE, look).await?)
}

/// The operator's calls beside watches.
fn calls(field: &Field) -> Result<Vec<AuditEntry>> {
    let mut entries = field.plane.audit()?;
    entries.retain(|entry| entry.user == USER && entry.verb != "watch");
    Ok(entries)
}

/// The calls, in order, once no more are being written down.
async fn settled_calls(field: &Field) -> Result<Vec<AuditEntry>> {
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

struct Operator {
    child: Child,
    http: std::net::SocketAddr,
}

impl Operator {
    async fn start(field: &Field, namespace: Option<&str>) -> Result<Self> {
        let http = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let child = Command::new(&field.program)
            .args(["run", &format!("--http={http}"), &format!("--max-in-flight={WINDOW}")])
            .args(["--credential-recheck=2s", "--log-format=json", "--cloud", &field.emulator.cloud_flag()])
            .arg(format!("--namespaces={}", namespace.unwrap_or_default()))
            .env("KUBECONFIG", field.plane.kubeconfig_as(USER, &["system:masters"])?)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", field.program.display()))?;
        Ok(Self { child, http })
    }

    /// Waits until `/readyz` says so.
    async fn ready(&self) -> Result<()> {
        let look = || async {
            let mut stream = TcpStream::connect(self.http).await.map_err(|error| error.to_string())?;
            let sent = stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: operator\r\n\r\n").await;
            sent.map_err(|error| error.to_string())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.map_err(|error| error.to_string())?;
            if answer.contains(" 200 ") { Ok(()) } else { Err(answer) }
        };
        Ok(eventually("the operator gets ready", DEADLINE, look).await?)
    }

    /// A figure of `/proc/<pid>/status`, in MiB.
    fn memory(&self, figure: &str) -> Result<f64> {
        let id = self.child.id().context("The operator has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
        let kibibytes: f64 = line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).context("no figure")?;
        Ok(kibibytes / 1024.0)
    }
}
