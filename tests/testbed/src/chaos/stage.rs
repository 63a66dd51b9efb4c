//! Does what the plan says, and notes it in the ledger.

mod apps;
mod credentials;
mod objects;

use std::time::Duration;

use emulator::{Group, GroupKind, Mailbox, User};
use jiff::Timestamp;

use super::ledger::{Ending, Ledger, Span};
use super::plan::{Action, Kind, Owner};
use super::replicas::Replicas;
use crate::World;
use crate::error::Result;

pub(super) use apps::Apps;

/// Everything that a storm acts on.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) replicas: Replicas,
    pub(super) ledger: Ledger,
    pub(super) apps: Apps,
    /// Whether the Secret with the user's refresh token is not there yet, or was made bad.
    pub(super) is_spoiled: bool,
    /// In the names of objects: a round's are its own.
    pub(super) round: usize,
}

impl Stage {
    /// Puts the owners of a plan into the directory.
    pub(super) fn people(&mut self, owners: &[Owner]) {
        for owner in owners {
            self.person(owner);
        }
        self.ledger.owners = owners.to_vec();
        self.ledger.clients = self.apps.clients();
    }

    fn person(&self, owner: &Owner) {
        let emulator = self.world.emulator();
        let user = || User::new(&owner.name).with_id(&owner.id);
        let group = || Group::new(&owner.id);
        match owner.kind {
            Kind::User | Kind::UserById => emulator.put_user(user().with_photo()),
            Kind::UserWithoutPhoto => emulator.put_user(user()),
            Kind::OnPremises => emulator.put_user(user().with_mailbox(Mailbox::OnPremises)),
            Kind::Group => emulator.put_group(group().with_photo()),
            Kind::GroupWithoutPhoto => emulator.put_group(group()),
            Kind::DelegatedGroup => {
                emulator.put_group(Group { kind: GroupKind::DelegatedOnly, ..group().with_photo() });
            }
            Kind::UnknownUser | Kind::UnknownGroup => {}
        }
    }

    pub(super) async fn perform(&mut self, action: &Action) -> Result<()> {
        self.look_after().await?;
        match action {
            Action::Create { object, owner, place, wish } => self.create(*object, *owner, *place, wish).await?,
            Action::Edit { object, change } => self.edit(*object, *change).await?,
            Action::Delete { object } => self.delete(*object).await?,
            Action::Recreate { object } => self.recreate(*object).await?,
            Action::Microsoft { fault, .. } => self.world.emulator().add_fault((**fault).clone()),
            Action::SignIn { app, fault, .. } => {
                let fault = (**fault).clone().about(&self.ledger.clients[*app]);
                self.world.emulator().add_fault(fault);
            }
            Action::ExpireTokens => self.world.emulator().expire_tokens(),
            Action::Tamper { place, how } => self.tamper(*place, *how).await?,
            Action::Api { matcher, fault, .. } => drop(self.world.api().inject(matcher.clone(), *fault)),
            Action::Cut => self.world.api().cut(),
            Action::Compact => self.world.plane().compact().await?,
            Action::StopApi => {
                self.ledger.outages.push(Span { began: Timestamp::now(), done: Timestamp::MAX });
                self.world.plane().stop_apiserver();
            }
            Action::StartApi => self.start_apiserver().await?,
            Action::PauseApi => self.world.plane().pause_apiserver()?,
            Action::ResumeApi => self.world.plane().resume_apiserver()?,
            Action::Kill { replica } => {
                let ended = self.replicas.kill(*replica).await?;
                self.note(ended);
            }
            Action::Terminate { replica } => self.replicas.terminate(*replica).await?,
            Action::Freeze { replica, length } => self.replicas.freeze(*replica, *length).await?,
            Action::Start { replica } => {
                let ended = self.replicas.start(&self.world, *replica).await?;
                self.note(ended);
            }
        }
        Ok(())
    }

    /// Ends everything that is wrong: with Microsoft's side, the API server, the credentials, the operator.
    pub(super) async fn calm(&mut self) -> Result<()> {
        self.world.api().clear();
        self.world.emulator().clear_faults();
        // It is stopped, or paused, or neither.
        drop(self.world.plane().resume_apiserver());
        self.start_apiserver().await?;
        self.replicas.thaw().await?;
        for replica in 0..self.replicas.count() {
            let ended = self.replicas.start(&self.world, replica).await?;
            self.note(ended);
        }
        self.mend().await
    }

    async fn start_apiserver(&mut self) -> Result<()> {
        self.world.plane().start_apiserver().await?;
        if let Some(outage) = self.ledger.outages.last_mut().filter(|outage| outage.done == Timestamp::MAX) {
            outage.done = Timestamp::now();
        }
        Ok(())
    }

    /// Starts processes anew that lost the lead.
    pub(super) async fn look_after(&mut self) -> Result<()> {
        let endings = self.replicas.look_after(&self.world).await?;
        self.ledger.endings.extend(endings);
        Ok(())
    }

    fn note(&mut self, ended: Option<Ending>) {
        self.ledger.endings.extend(ended);
    }
}

/// Does something and says when it took effect.
async fn spanned<T>(does: impl Future<Output = T>) -> (T, Span) {
    let began = Timestamp::now();
    let done = does.await;
    (done, Span { began, done: Timestamp::now() })
}

/// The moment so long from now, in whole seconds, as specs hold it.
fn from_now(wait: Duration) -> Timestamp {
    let then = Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(then.as_second()).unwrap_or(then)
}
