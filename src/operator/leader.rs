//! Stands for election as the candidate says: reads and writes the Lease, and keeps the license up to date.

use std::time::Duration;

use kube::Client;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::Election;
use crate::cluster::{CallError, Leases};
use crate::health::Health;
use crate::leadership::{Candidate, License, Loss, Step};
use crate::metrics::Metrics;

/// How long giving the lease up may take, and how often it is tried: it ends by itself soon.
const FAREWELL: Duration = Duration::from_secs(2);
const FAREWELLS: u32 = 3;

/// This replica's part in the election, which runs until it is ended or the lead is lost.
pub(super) struct Office {
    task: JoinHandle<Result<(), Loss>>,
    leaving: CancellationToken,
}

/// What standing for election needs.
pub(super) struct Stand {
    leases: Leases,
    candidate: Candidate,
    license: License,
    /// Namespace and name of the Lease, for people.
    place: String,
    trouble: Option<&'static str>,
    health: Health,
    metrics: Metrics,
}

impl Office {
    /// Takes up the work. `lost` is called when this replica leads no more and has not been told to leave.
    pub(super) fn take_up(stand: Stand, lost: CancellationToken) -> Self {
        let leaving = CancellationToken::new();
        let left = leaving.clone();
        let task = tokio::spawn(async move {
            let ended = stand.run(&left).await;
            lost.cancel();
            ended
        });
        Self { task, leaving }
    }

    /// Gives the lead up: whoever calls this must have nothing under way any more.
    ///
    /// # Errors
    /// When the lead had been lost before.
    pub(super) async fn leave(self) -> Result<(), Loss> {
        self.leaving.cancel();
        self.task.await.unwrap_or(Ok(()))
    }
}

impl Stand {
    /// `instance`: the pod's name. `namespace`: of the Lease.
    pub(super) fn new(
        client: Client,
        election: &Election,
        (instance, namespace): (&str, &str),
        license: License,
        (health, metrics): (Health, Metrics),
    ) -> Self {
        let identity = format!("{instance}_{}", uuid::Uuid::new_v4());
        let name = &election.lease_name;
        metrics.leads(name, false);
        Self {
            leases: Leases::new(client, namespace, name),
            candidate: Candidate::new(identity, election.terms),
            license,
            place: format!("{namespace}/{name}"),
            trouble: None,
            health,
            metrics,
        }
    }

    async fn run(mut self, leaving: &CancellationToken) -> Result<(), Loss> {
        let name = self.place.rsplit('/').next().unwrap_or_default().to_owned();
        tracing::info!(lease = self.place, identity = self.candidate.identity(), "standing for election");
        let ended = self.stand(leaving).await;
        self.license.revoke();
        self.metrics.leads(&name, false);
        match &ended {
            Ok(()) => self.resign().await,
            Err(loss) => {
                tracing::error!(lease = self.place, %loss, "this replica leads no more and sends nothing any more");
            }
        }
        ended
    }

    /// Until it is told to leave, which is heeded between two calls: what became of each is to be known.
    async fn stand(&mut self, leaving: &CancellationToken) -> Result<(), Loss> {
        loop {
            match self.candidate.next(self.license.now()) {
                Step::StandDown(loss) => return Err(loss),
                _ if leaving.is_cancelled() => return Ok(()),
                Step::Wait(time) => {
                    tokio::select! {
                        () = tokio::time::sleep(time) => {}
                        () = leaving.cancelled() => {}
                    }
                }
                Step::Read => self.read().await,
                Step::Write(claim) => {
                    let begun = self.license.now();
                    let time = self.candidate.patience(begun);
                    let written = self.leases.write(&claim, time).await;
                    let now = self.license.now();
                    match written {
                        Ok(held) => {
                            self.candidate.wrote(held, begun, now);
                            self.lead();
                        }
                        Err(error) => {
                            self.candidate.failed_to_write(begun, now);
                            self.tell(&error);
                        }
                    }
                }
            }
        }
    }

    async fn read(&mut self) {
        let time = self.candidate.patience(self.license.now());
        let before = self.candidate.holder().map(str::to_owned);
        match self.leases.read(time).await {
            Ok(held) => {
                self.candidate.saw(held, self.license.now());
                self.health.election_works();
                let holder = self.candidate.holder();
                if holder != before.as_deref() && holder != Some(self.candidate.identity()) {
                    tracing::info!(lease = self.place, holder, "standing by: another replica holds the lease");
                }
            }
            Err(error) => {
                self.candidate.failed_to_read(self.license.now());
                self.tell(&error);
            }
        }
    }

    /// The write that the candidate's term rests on is stored.
    fn lead(&mut self) {
        let Some(term) = self.candidate.term() else { return };
        let is_news = !self.license.is_valid();
        self.license.extend(term);
        if is_news {
            tracing::info!(lease = self.place, "this replica leads");
            let (_, name) = self.place.split_once('/').unwrap_or_default();
            self.metrics.leads(name, true);
        }
        if self.trouble.take().is_some() {
            tracing::info!(lease = self.place, "the lease can be written again");
        }
        self.health.election_works();
    }

    /// Somebody else's write that came first is no trouble. Any other is told once.
    fn tell(&mut self, error: &CallError) {
        if matches!(error.code(), Some(404 | 409)) {
            return;
        }
        let reason = match error.code() {
            Some(code @ (401 | 403)) => format!(
                "The API server refuses to let this operator read and write the Lease {} ({code}); check its \
                 ServiceAccount's role (verbs get, create and update on leases).",
                self.place
            ),
            _ => format!("The Lease {} could not be read or written: {error}.", self.place),
        };
        if self.trouble.replace(error.category()) != Some(error.category()) {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(lease = self.place, category = error.category(), cause, reason, "the lease is tried again");
        }
        self.health.election_fails(reason);
    }

    /// Lets another replica lead at once instead of after the lease's end.
    async fn resign(&mut self) {
        for _ in 0..FAREWELLS {
            if self.candidate.holder() != Some(self.candidate.identity()) {
                return;
            }
            match self.candidate.resignation(self.license.now()) {
                Some(claim) => {
                    let begun = self.license.now();
                    match self.leases.write(&claim, FAREWELL).await {
                        Ok(_) => return tracing::info!(lease = self.place, "the lease is given up"),
                        Err(_) => self.candidate.failed_to_write(begun, self.license.now()),
                    }
                }
                None => match self.leases.read(FAREWELL).await {
                    Ok(held) => self.candidate.saw(held, self.license.now()),
                    Err(_) => self.candidate.failed_to_read(self.license.now()),
                },
            }
        }
        tracing::warn!(lease = self.place, "the lease could not be given up; it ends by itself");
    }
}
