//! What a test sees of the world: statuses, events, and what the operator asked of the API server.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use photo_removal_operator::api::{PhotoRemoval, PhotoRemovalStatus, Reason};

use super::{ACCOUNT, World};
use crate::audit::AuditEntry;
use crate::error::{Context, Result};
use crate::wait::eventually;

/// Long enough for a busy machine; a test that passes does not wait for it.
pub const SOON: Duration = Duration::from_secs(30);

impl World {
    /// A removal of the first namespace, as it is stored now.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub async fn get(&self, name: &str) -> Result<PhotoRemoval> {
        let found = self.removals(self.namespace()).get(name).await;
        found.context(|| format!("The PhotoRemoval {name} could not be read"))
    }

    /// The status of a removal of the first namespace.
    ///
    /// # Errors
    ///
    /// There is no such removal.
    pub async fn status_of(&self, name: &str) -> Result<PhotoRemovalStatus> {
        Ok(self.get(name).await?.status.unwrap_or_default())
    }

    /// Waits until a removal of the first namespace is there for this reason.
    ///
    /// # Errors
    ///
    /// It does not come to that; the message holds its status.
    pub async fn wait_for_reason(&self, name: &str, reason: Reason) -> Result<PhotoRemovalStatus> {
        self.wait_for(name, &format!("the reason {reason}"), |status| status.reason() == Some(reason)).await
    }

    /// Waits until the status of a removal of the first namespace is as `wanted` says; `what` names that for the message.
    ///
    /// # Errors
    ///
    /// It does not come to that; the message holds its status.
    pub async fn wait_for(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&PhotoRemovalStatus) -> bool,
    ) -> Result<PhotoRemovalStatus> {
        let wanted = &wanted;
        let look = || async move {
            match self.status_of(name).await {
                Ok(status) if wanted(&status) => Ok(status),
                Ok(status) => Err(format!("{status:?}")),
                Err(error) => Err(error.to_string()),
            }
        };
        eventually(&format!("{what} of the PhotoRemoval {name}"), SOON, look).await
    }

    /// Waits until every removal of the world has an outcome or is stalled, and returns them all.
    ///
    /// # Errors
    ///
    /// They do not come to that.
    pub async fn wait_for_all(&self, deadline: Duration) -> Result<Vec<PhotoRemoval>> {
        let look = || async {
            let all = self.all().await.map_err(|error| error.to_string())?;
            let settled = |object: &PhotoRemoval| {
                object.status.as_ref().is_some_and(|status| status.outcome.is_some() || status.is_stalled())
            };
            let open = all.iter().filter(|object| !settled(object)).count();
            if open == 0 { Ok(all) } else { Err(format!("{open} of {} are open", all.len())) }
        };
        eventually("every PhotoRemoval settles", deadline, look).await
    }

    /// Every removal of the world.
    ///
    /// # Errors
    ///
    /// The API server refuses.
    pub async fn all(&self) -> Result<Vec<PhotoRemoval>> {
        let mut all = Vec::new();
        for namespace in &self.namespaces {
            let list = self.removals(namespace).list(&ListParams::default()).await;
            all.extend(list.context(|| format!("The PhotoRemovals of {namespace} could not be listed"))?);
        }
        Ok(all)
    }

    /// The events about a removal of the first namespace, oldest first.
    ///
    /// # Errors
    ///
    /// The API server refuses.
    pub async fn events_of(&self, name: &str) -> Result<Vec<Event>> {
        let events = Api::<Event>::namespaced(self.client.clone(), self.namespace());
        let list = events.list(&ListParams::default()).await.context(|| "Events could not be listed".to_owned())?;
        let about = |event: &Event| event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(name);
        let mut events: Vec<_> = list.into_iter().filter(about).collect();
        events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
        Ok(events)
    }

    /// What the operator of this world has asked of the API server so far; see [`crate::ControlPlane::audit`].
    ///
    /// # Errors
    ///
    /// The audit log cannot be read.
    pub fn audit(&self) -> Result<Vec<AuditEntry>> {
        let operator = self.account();
        Ok(self.plane.audit()?.into_iter().filter(|entry| entry.user == operator).collect())
    }

    /// The operator's name at the API server.
    pub(crate) fn account(&self) -> String {
        format!("system:serviceaccount:{}:{ACCOUNT}", self.namespace())
    }
}
