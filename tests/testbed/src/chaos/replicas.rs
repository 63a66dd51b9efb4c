//! The operator's processes: started, ended in both ways, asked.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::process::Child;
use tokio::time::timeout;

use super::ledger::{Ending, Span};
use crate::World;
use crate::error::{Context, Error, Result};
use crate::world::{ask, free_address, signal};

/// The operator promises to end within ten seconds of a SIGTERM; a busy machine gets more.
const LONGEST_END: Duration = Duration::from_secs(40);

/// So that a storm sees many terms.
const BRIEF_TERMS: [&str; 3] = ["--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=500ms"];

/// How long a busy machine may take to start a process.
const YOUNG: Duration = Duration::from_secs(2);

/// All processes of the operator.
pub(super) struct Replicas {
    program: PathBuf,
    all: Vec<Option<Replica>>,
}

struct Replica {
    child: Child,
    http: SocketAddr,
    began: Timestamp,
    /// When it was told to end.
    told: Option<Timestamp>,
}

impl Replicas {
    pub(super) fn new(program: PathBuf, number: usize) -> Self {
        Self { program, all: (0..number.max(1)).map(|_| None).collect() }
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Where a process writes to, over all its restarts.
    pub(super) fn log(world: &World, number: usize) -> PathBuf {
        world.plane().folder().join(format!("operator-{number}.log"))
    }

    /// Starts one, when its predecessor has ended; one that runs is left alone. Returns the predecessor's end.
    pub(super) async fn start(&mut self, world: &World, number: usize) -> Result<Option<Ending>> {
        if self.all[number].as_ref().is_some_and(|replica| replica.told.is_none()) {
            return Ok(None);
        }
        let ended = self.reap(number).await?;
        let failed = || format!("{} could not be started", self.program.display());
        let http = free_address().await.context(failed)?;
        let log = Self::log(world, number);
        let pod = format!("operator-{number}");
        let mut command = world.command(&self.program, http, &pod, world.api().kubeconfig(), &log)?;
        if self.count() > 1 {
            command.args(["--leader-election", "--lease-namespace", world.namespace()]).args(BRIEF_TERMS);
        }
        let (child, began) = (command.spawn().context(failed)?, Timestamp::now());
        self.all[number] = Some(Replica { child, http, began, told: None });
        Ok(ended)
    }

    /// Kills one as `kill -9` does.
    pub(super) async fn kill(&mut self, number: usize) -> Result<Option<Ending>> {
        let Some(mut replica) = self.all[number].take() else { return Ok(None) };
        let began = replica.told.unwrap_or_else(Timestamp::now);
        replica.child.kill().await.context(|| "The operator could not be killed".to_owned())?;
        Ok(Some(Ending { span: Span { began, done: Timestamp::now() } }))
    }

    /// Tells one to end, as Kubernetes does, and lets it.
    pub(super) async fn terminate(&mut self, number: usize) -> Result<()> {
        if let Some(replica) = &mut self.all[number] {
            replica.told = Some(Timestamp::now());
            signal(&replica.child, "TERM").await?;
        }
        Ok(())
    }

    /// Waits for the end of one that was told to.
    async fn reap(&mut self, number: usize) -> Result<Option<Ending>> {
        let Some(mut replica) = self.all[number].take() else { return Ok(None) };
        let ended = timeout(LONGEST_END, replica.child.wait()).await;
        let ended =
            ended.map_err(|_| Error::new(format!("The operator did not end within {LONGEST_END:?} of SIGTERM.")))?;
        let status = ended.context(|| "The operator could not be waited for".to_owned())?;
        // Before it has come to listen to signals, one ends it.
        let young = replica.told.is_some_and(|told| told.duration_since(replica.began).unsigned_abs() < YOUNG);
        if !status.success() && !young {
            return Err(Error::new(format!("The operator was told to end, and ended with {status}.")));
        }
        let done = Timestamp::now();
        Ok(Some(Ending { span: Span { began: replica.told.unwrap_or(done), done } }))
    }

    /// The error of a process that ended though nobody told it to.
    pub(super) fn all_live(&mut self) -> Result<()> {
        for (number, replica) in self.all.iter_mut().enumerate() {
            let Some(replica) = replica else { continue };
            if let (None, Ok(Some(status))) = (replica.told, replica.child.try_wait()) {
                return Err(Error::new(format!("Process {number} of the operator ended by itself ({status}).")));
            }
        }
        Ok(())
    }

    /// The metrics of all processes that run.
    pub(super) async fn metrics(&self) -> Result<String> {
        let mut all = String::new();
        for replica in self.all.iter().flatten().filter(|replica| replica.told.is_none()) {
            all += &ask(replica.http, "/metrics").await?.1;
        }
        Ok(all)
    }

    /// The resident memory of the largest process, in KiB, where the system tells it.
    pub(super) fn resident(&self) -> Option<u64> {
        let resident = |replica: &Replica| {
            let status = fs::read_to_string(format!("/proc/{}/status", replica.child.id()?)).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        self.all.iter().flatten().filter_map(resident).max()
    }
}
