//! One round: the storm, the calm after it, the judgement.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams};
use photo_removal_operator::api::{PhotoRemoval, Reason};
use tokio::time::{Instant, sleep};

use super::evidence::Evidence;
use super::ledger::{Ledger, Why};
use super::oracles::discretion::Place;
use super::oracles::{budget, discretion, ends, justified, memory, patience, single, terms, thrift};
use super::plan::{self, Endings, Plan, Temper};
use super::replicas::Replicas;
use super::{Chaos, PERSON, Round, Settings};
use crate::AuditEntry;
use crate::error::{Context, Error, Result};
use crate::wait::eventually;

/// How long nothing at all must happen when all is done.
const SILENCE: Duration = Duration::from_secs(3);

impl Chaos {
    /// Draws a plan, performs it, waits for the calm, and judges.
    ///
    /// # Errors
    ///
    /// The harness itself cannot go on; what the operator does wrong is in [`Round::offences`].
    pub async fn round(&mut self, seed: u64) -> Result<Round> {
        let Settings { steps, replicas, temper, endings, .. } = self.settings;
        let plan = plan::draw(seed, steps, replicas, temper, endings);
        let mut round = Round { seed, steps: plan.steps.len(), ..Round::default() };
        self.stage.round += 1;
        self.stage.ledger = Ledger::default();
        self.stage.people(&plan.owners);
        let began = Timestamp::now();
        if let Err(error) = self.storm(&plan, &mut round).await {
            round.offences.push(error.to_string());
        }
        self.come_to_rest(&mut round).await?;
        self.judge(&plan, &mut round, began).await?;
        if !round.offences.is_empty() {
            round.kept = Some(self.keep(&round)?);
        }
        self.clear_up().await?;
        Ok(round)
    }

    async fn storm(&mut self, plan: &Plan, round: &mut Round) -> Result<()> {
        self.stage.calm().await?;
        for (number, step) in plan.steps.iter().enumerate() {
            sleep(step.after).await;
            round.plan.push(format!("{number} {} {step}", Timestamp::now()));
            let failed = || format!("step {number} ({}) could not be done", step.action);
            self.stage.perform(&step.action).await.context(failed)?;
        }
        Ok(())
    }

    /// Ends all faults and waits until every object is where its scenario says, and then for silence.
    async fn come_to_rest(&mut self, round: &mut Round) -> Result<()> {
        self.stage.calm().await?;
        let deadline = if self.settings.temper == Temper::Patient { 400 } else { 150 };
        let end = Instant::now() + Duration::from_secs(deadline);
        let mut found = self.stage.world.all().await?;
        loop {
            let open = ends::open(&self.stage.ledger, &found, Timestamp::now());
            if open.is_empty() {
                break;
            }
            if Instant::now() > end {
                round.offences.extend(open.into_iter().map(|open| format!("after {deadline} s: {open}")));
                break;
            }
            sleep(Duration::from_millis(200)).await;
            self.stage.look_after().await?;
            found = self.stage.world.all().await?;
        }
        self.take_away_what_goes_on(&found).await?;
        if let Err(noise) = self.silence().await {
            round.offences.push(noise.to_string());
        }
        Ok(())
    }

    /// Objects that are looked at again by themselves would break the silence, as they should.
    async fn take_away_what_goes_on(&mut self, found: &[PhotoRemoval]) -> Result<()> {
        let goes_on = |object: &&PhotoRemoval| {
            let Some(status) = &object.status else { return false };
            let gave_up = object.spec.backoff_limit.is_some_and(|limit| status.failed > limit);
            let waits = status.next_attempt_time.is_some() && status.reason() != Some(Reason::Scheduled);
            // Without a time, if its next look waits for a credential.
            let looks = status.is_stalled() && !gave_up && status.reason() != Some(Reason::Expired);
            waits || looks || status.reason() == Some(Reason::CredentialNotFound)
        };
        for object in found.iter().filter(goes_on) {
            let uid = object.metadata.uid.clone().unwrap_or_default();
            let life = self.stage.ledger.lives.iter().find(|life| life.uid == uid).map(|life| life.object);
            if let Some(object) = life {
                self.stage.delete(object).await?;
            }
        }
        Ok(())
    }

    /// Waits for a while in which the operator asks nobody for anything, watches and the lease aside.
    async fn silence(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        let mut noise = String::new();
        while Instant::now() < end {
            let (requests, calls) = self.calls()?;
            let since = Timestamp::now();
            sleep(SILENCE).await;
            self.stage.look_after().await?;
            let (more_requests, more_calls) = self.calls()?;
            if requests == more_requests && calls == more_calls {
                return Ok(());
            }
            let later = self.calls_of_the_operator()?.into_iter().filter(|entry| entry.received >= since);
            noise = later.map(|entry| format!("{} {}", entry.verb, entry.uri)).take(4).collect::<Vec<_>>().join(", ");
            noise = format!("{} requests to Microsoft's side; {noise}", more_requests - requests);
        }
        Err(Error::new(format!("It does not become quiet: {noise}.")))
    }

    fn calls(&self) -> Result<(usize, usize)> {
        Ok((self.stage.world.emulator().requests().len(), self.calls_of_the_operator()?.len()))
    }

    fn calls_of_the_operator(&self) -> Result<Vec<AuditEntry>> {
        let calls = self.audit()?.0;
        let counts = |entry: &AuditEntry| entry.verb != "watch" && entry.group != "coordination.k8s.io";
        Ok(calls.into_iter().filter(counts).collect())
    }

    /// What the operator asked in this round, and where the next round's log begins.
    fn audit(&self) -> Result<(Vec<AuditEntry>, u64)> {
        let (entries, next) = self.stage.world.plane().audit_from(self.audited)?;
        let operator = self.stage.world.account();
        Ok((entries.into_iter().filter(|entry| entry.user == operator).collect(), next))
    }

    async fn judge(&mut self, plan: &Plan, round: &mut Round, began: Timestamp) -> Result<()> {
        let (audit, next) = self.audit()?;
        let requests = self.stage.world.emulator().requests();
        let evidence = Evidence::new(&self.stage.ledger, &requests, &audit);
        let early = requests.iter().filter(|request| request.early.is_some()).count();
        let impatient = patience::judge(&evidence);
        round.forgotten = early - impatient.len();
        round.objects = evidence.ledger.lives.len();
        round.deletes = evidence.deletes().count();
        round.faults = requests.iter().filter(|request| request.fault.is_some()).count();
        let met: Vec<_> = self.stage.world.api().seen().into_iter().filter(|seen| seen.fault.is_some()).collect();
        round.api_faults = met.len() - self.met;
        let is_replaced =
            |entry: &&AuditEntry| entry.verb == "patch" && entry.resource == "secrets" && entry.code == 200;
        round.replaced = audit.iter().filter(is_replaced).count();
        round.endings = evidence.ledger.endings.len();
        round.lost = evidence.ledger.endings.iter().filter(|ending| ending.why == Why::LostTheLead).count();
        round.overslept = evidence.ledger.endings.iter().filter(|ending| ending.overslept.is_some()).count();
        round.resident = self.stage.replicas.resident();
        self.memory.extend(round.resident.filter(|_| self.settings.endings == Endings::Never));
        round.offences.extend(memory::judge(&self.memory));
        round.offences.extend(impatient);
        round.offences.extend(ends::judge(&evidence, self.stage.world.emulator()));
        round.offences.extend(justified::judge(&evidence));
        round.offences.extend(single::judge(&evidence));
        round.offences.extend(terms::judge(&evidence));
        round.offences.extend(budget::judge(&evidence, plan.steps.len()));
        round.offences.extend(thrift::judge(&evidence, &met[self.met..]));
        round.offences.extend(discretion::forbidden(&evidence));
        let statuses: Vec<_> = evidence.writes.iter().map(|write| &write.status).collect();
        let statuses = serde_json::to_string(&statuses).context(|| "The statuses are no JSON".to_owned())?;
        round.offences.extend(discretion::judge(&self.canaries(), &self.places(statuses, began).await?));
        (self.audited, self.met) = (next, met.len());
        Ok(())
    }

    fn canaries(&self) -> Vec<String> {
        let emulator = self.stage.world.emulator();
        let tokens = emulator.issued_tokens().into_iter().chain(emulator.issued_refresh_tokens());
        tokens.chain(self.stage.apps.canaries.iter().cloned()).chain([PERSON.to_owned()]).collect()
    }

    async fn places(&self, statuses: String, began: Timestamp) -> Result<Vec<Place>> {
        let place = |name: &str, text: String| Place { name: name.to_owned(), text };
        let metrics = || self.stage.replicas.metrics();
        // A process that was started a moment ago does not serve yet.
        let metrics = eventually("the metrics of every process", crate::SOON, metrics).await?;
        let mut places = vec![place("a status", statuses), place("the metrics", metrics)];
        for namespace in self.stage.world.namespaces() {
            let events = Api::<Event>::namespaced(self.stage.world.client().clone(), namespace);
            let failed = || "The events could not be listed".to_owned();
            let events = events.list(&ListParams::default()).await.context(failed)?.items;
            let news: Vec<_> =
                events.iter().filter(|event| event.event_time.as_ref().is_none_or(|time| time.0 >= began)).collect();
            places.push(place("an event", serde_json::to_string(&news).context(failed)?));
        }
        for number in 0..self.stage.replicas.count() {
            let log = fs::read_to_string(Replicas::log(&self.stage.world, number)).unwrap_or_default();
            places.push(place(&format!("the log of process {number}"), log));
        }
        Ok(places)
    }

    /// Copies the logs, the plan and the record to where they outlive the control plane.
    fn keep(&self, round: &Round) -> Result<PathBuf> {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let folder = std::env::temp_dir().join(format!("photo-removal-chaos-{}-{}", round.seed, &unique[..8]));
        let failed = || format!("{} could not be written", folder.display());
        fs::create_dir_all(&folder).context(failed)?;
        fs::write(folder.join("offences.txt"), round.offences.join("\n")).context(failed)?;
        fs::write(folder.join("plan.txt"), round.plan.join("\n")).context(failed)?;
        fs::write(folder.join("ledger.txt"), format!("{:#?}", self.stage.ledger)).context(failed)?;
        let requests = self.stage.world.emulator().requests();
        let requests = serde_json::to_string_pretty(&requests).context(failed)?;
        fs::write(folder.join("requests.json"), requests).context(failed)?;
        let from = self.stage.world.plane().folder();
        for entry in fs::read_dir(from).context(failed)?.flatten() {
            let path = entry.path();
            let log = path.extension().is_some_and(|extension| extension == "log");
            if let Some(name) = Path::file_name(&path).filter(|_| log) {
                fs::copy(&path, folder.join(name)).context(failed)?;
            }
        }
        Ok(folder)
    }

    /// Takes away the objects and the record of a round.
    async fn clear_up(&mut self) -> Result<()> {
        let world = &self.stage.world;
        for namespace in world.namespaces() {
            let removals = world.removals(namespace);
            let failed = || format!("The PhotoRemovals of {namespace} could not be deleted");
            removals.delete_collection(&DeleteParams::default(), &ListParams::default()).await.context(failed)?;
        }
        eventually("every PhotoRemoval is gone", crate::SOON, || async {
            world.all().await.ok().filter(Vec::is_empty)
        })
        .await?;
        world.emulator().clear();
        world.emulator().forgive();
        Ok(())
    }
}
