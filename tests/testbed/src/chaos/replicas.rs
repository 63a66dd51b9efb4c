//! The operator's processes: started, ended in both ways, asked.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use jiff::Timestamp;
use tokio::process::Child;
use tokio::time::timeout;

use super::ledger::{Ending, Span, Why};
use crate::World;
use crate::error::{Context, Error, Result};
use crate::world::{ask, free_address, signal};

/// The operator promises to end within ten seconds of a SIGTERM; a busy machine gets more.
const LONGEST_END: Duration = Duration::from_secs(40);

/// So that a storm sees many terms.
const BRIEF_TERMS: [&str; 3] = ["--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=500ms"];

/// How long such a term is.
const TERM: Duration = Duration::from_secs(3);

/// How long a busy machine may take to wake a process; less than a leader tries to renew.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What a process says when it has lost the lead and sends nothing any more, with the time, and what it says last.
const LOST: &str = "this replica leads no more and sends nothing any more";
const LAST_WORDS: &str = "this replica leads no more; it ends so that it starts anew";

/// SIGKILL.
const KILLED: i32 = 9;

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
    life: Life,
}

/// What is known of a process, whatever became of it.
struct Life {
    log: PathBuf,
    /// How much its predecessors wrote into the log.
    written_before: usize,
    began: Timestamp,
    /// When it was told to end.
    told: Option<Timestamp>,
    /// When it was frozen last, until it was woken, or, while it sleeps, is due to be.
    frozen: Option<Span>,
    /// It is frozen now.
    sleeps: bool,
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
        if self.all[number].as_ref().is_some_and(|replica| replica.life.told.is_none()) {
            return Ok(None);
        }
        let ended = self.reap(number).await?;
        let failed = || format!("{} could not be started", self.program.display());
        let http = free_address().await.context(failed)?;
        let log = Self::log(world, number);
        let pod = format!("operator-{number}");
        let mut command = world.command(&self.program, http, &pod, world.api().kubeconfig(), &log)?;
        let written_before = fs::read(&log).unwrap_or_default().len();
        if self.count() > 1 {
            command.args(["--leader-election", "--lease-namespace", world.namespace()]).args(BRIEF_TERMS);
        }
        let (child, began) = (command.spawn().context(failed)?, Timestamp::now());
        self.all[number] = Some(Replica {
            child,
            http,
            life: Life { told: None, frozen: None, sleeps: false, log, written_before, began },
        });
        Ok(ended)
    }

    /// Kills one as `kill -9` does.
    pub(super) async fn kill(&mut self, number: usize) -> Result<Option<Ending>> {
        let Some(mut replica) = self.all[number].take() else { return Ok(None) };
        let began = replica.life.since(replica.life.told.unwrap_or_else(Timestamp::now));
        // One that has ended already, and was waited for, cannot be killed.
        drop(replica.child.start_kill());
        let status = replica.child.wait().await.context(|| "The operator could not be killed".to_owned())?;
        if status.signal() == Some(KILLED) {
            let span = Span { began, done: Timestamp::now() };
            return Ok(Some(Ending { span, overslept: None, why: Why::Told }));
        }
        replica.life.ending(status).map(Some)
    }

    /// Tells one to end, as Kubernetes does, and lets it.
    pub(super) async fn terminate(&mut self, number: usize) -> Result<()> {
        if let Some(replica) = &mut self.all[number] {
            replica.life.told = Some(Timestamp::now());
            signal(&replica.child, "TERM").await?;
        }
        Ok(())
    }

    /// Takes the processor away from one; [`Self::look_after`] gives it back after so long.
    pub(super) async fn freeze(&mut self, number: usize, length: Duration) -> Result<()> {
        if let Some(replica) = &mut self.all[number] {
            let began = Timestamp::now();
            // One that has ended by itself meanwhile is found by whoever looks after it.
            if signal(&replica.child, "STOP").await.is_ok() {
                let done = began.saturating_add(length).unwrap_or(Timestamp::MAX);
                (replica.life.frozen, replica.life.sleeps) = (Some(Span { began, done }), true);
            }
        }
        Ok(())
    }

    /// Gives every process the processor back.
    pub(super) async fn thaw(&mut self) -> Result<()> {
        for replica in self.all.iter_mut().flatten() {
            replica.thaw().await?;
        }
        Ok(())
    }

    /// Waits for the end of one that was told to.
    async fn reap(&mut self, number: usize) -> Result<Option<Ending>> {
        let Some(mut replica) = self.all[number].take() else { return Ok(None) };
        replica.thaw().await?;
        let ended = timeout(LONGEST_END, replica.child.wait()).await;
        let ended =
            ended.map_err(|_| Error::new(format!("The operator did not end within {LONGEST_END:?} of SIGTERM.")))?;
        let status = ended.context(|| "The operator could not be waited for".to_owned())?;
        replica.life.ending(status).map(Some)
    }

    /// Thaws those whose time has come. Starts those anew, as Kubernetes does, that ended since they had lost the lead, and
    /// returns their ends.
    ///
    /// # Errors
    ///
    /// A process ended though nobody told it to, and for another reason.
    pub(super) async fn look_after(&mut self, world: &World) -> Result<Vec<Ending>> {
        let mut endings = Vec::new();
        for number in 0..self.count() {
            let Some(replica) = &mut self.all[number] else { continue };
            if replica.life.frozen.is_some_and(|frozen| frozen.done <= Timestamp::now()) {
                replica.thaw().await?;
            }
            if let (None, Ok(Some(status))) = (replica.life.told, replica.child.try_wait()) {
                endings.push(replica.life.ending(status).context(|| format!("Process {number} ended by itself"))?);
                self.all[number] = None;
                self.start(world, number).await?;
            }
        }
        Ok(endings)
    }

    /// The metrics of all processes that run.
    pub(super) async fn metrics(&self) -> Result<String> {
        let mut all = String::new();
        for replica in self.all.iter().flatten().filter(|replica| replica.life.told.is_none()) {
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

impl Replica {
    /// Gives it the processor back, if it has none.
    async fn thaw(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.life.sleeps) {
            return Ok(());
        }
        if let Some(frozen) = &mut self.life.frozen {
            frozen.done = Timestamp::now();
        }
        signal(&self.child, "CONT").await
    }
}

impl Life {
    /// From when on another one may have been at work: since it froze, if it woke too late to go on as before.
    fn since(&self, end: Timestamp) -> Timestamp {
        let shortly = |frozen: &Span| end.duration_since(frozen.done).unsigned_abs() < TERM;
        let frozen = self.frozen.filter(|frozen| self.sleeps || shortly(frozen));
        frozen.map_or(end, |frozen| frozen.began.min(end))
    }

    /// The end of a process, if it is one that it may have: as it was told to, or since it had lost the lead.
    fn ending(&self, status: ExitStatus) -> Result<Ending> {
        let done = Timestamp::now();
        if let Some(lost) = self.lost_the_lead().filter(|_| status.code() == Some(1)) {
            let began = self.since(self.told.unwrap_or(done).min(lost));
            let overslept = self.frozen.filter(|frozen| {
                let length = frozen.done.duration_since(frozen.began);
                // One that stood by cannot lead and lose the lead again so soon.
                !self.sleeps
                    && length.unsigned_abs() > TERM
                    && lost.duration_since(frozen.done).unsigned_abs() < AT_ONCE
            });
            return Ok(Ending { span: Span { began, done }, overslept, why: Why::LostTheLead });
        }
        let Some(told) = self.told else {
            return Err(Error::new(format!("The operator ended though nobody told it to ({status}).")));
        };
        // Before it has come to listen to signals, one ends it.
        let young = told.duration_since(self.began).unsigned_abs() < YOUNG;
        if !status.success() && !young {
            return Err(Error::new(format!("The operator was told to end, and ended with {status}.")));
        }
        Ok(Ending { span: Span { began: self.since(told), done }, overslept: None, why: Why::Told })
    }

    /// When it lost the lead, if that is what it ended for.
    fn lost_the_lead(&self) -> Option<Timestamp> {
        let log = fs::read(&self.log).ok()?;
        let said = String::from_utf8_lossy(log.get(self.written_before..)?);
        said.lines().last().filter(|last| last.contains(LAST_WORDS))?;
        said.lines().rev().find(|line| line.contains(LOST))?.split_whitespace().next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{ExitStatus, ExitStatusExt, LAST_WORDS, LOST, Life, Result, Timestamp, Why};
    use crate::chaos::ledger::Ending;

    /// How a process is judged that said this and ended so, and whose predecessor had lost the lead.
    fn judged(said: &str, wait_status: i32) -> Result<Ending> {
        let before = format!("2026-01-01T00:00:00Z ERROR {LOST}\nprogram: {LAST_WORDS}\n");
        let log = std::env::temp_dir().join(format!("chaos-{}.log", uuid::Uuid::new_v4()));
        std::fs::write(&log, format!("{before}{said}")).unwrap();
        let life = Life {
            log,
            written_before: before.len(),
            began: Timestamp::now(),
            told: None,
            frozen: None,
            sleeps: false,
        };
        let ending = life.ending(ExitStatus::from_raw(wait_status));
        std::fs::remove_file(&life.log).unwrap();
        ending
    }

    #[test]
    fn who_has_lost_the_lead_may_end_and_who_crashes_may_not() {
        let lost = format!("2026-01-01T00:01:00Z ERROR {LOST}\nprogram: {LAST_WORDS}: it was late\n");
        let one = 1 << 8;
        let ending = judged(&lost, one).unwrap();
        assert_eq!((ending.why, ending.span.began), (Why::LostTheLead, "2026-01-01T00:01:00Z".parse().unwrap()));
        assert!(judged(&lost, 101 << 8).is_err(), "a panic");
        assert!(judged(&lost, 11).is_err(), "a signal");
        assert!(judged("", one).is_err(), "what its predecessor said");
        assert!(judged(&format!("{lost}and more\n"), one).is_err(), "not its last words");
        assert!(judged("program: the port is taken\n", one).is_err(), "another trouble");
    }
}
