//! After a restart: takes up the pauses that Graph had asked for.
//!
//! A pause belongs to an application and is kept in memory; the object that met it has it in its status. Before the first
//! object is looked at, the pauses are put back, so that no request goes before its time.

use std::time::Duration;

use kube::runtime::reflector::Store;
use tokio::sync::Barrier;

use crate::api::{ClientId, Pause, PhotoRemoval, TenantId};
use crate::clock;
use crate::cluster::{ObjectRef, Stored};
use crate::pacing::{Account, Pacing};

/// How long the first objects of one watch wait for the first lists of the others, whose pauses may concern them. Lists
/// that work are done in a moment; one that fails must not hold up the rest.
const TOGETHER: Duration = Duration::from_secs(2);

/// Waits until every watch has taken up its pauses.
pub(super) async fn together(all: &Barrier) {
    if tokio::time::timeout(TOGETHER, all.wait()).await.is_err() {
        tracing::warn!("not every namespace could be listed; the pauses that were met there are not known yet");
    }
}

/// Puts back the pauses of these objects.
pub(super) fn resume(store: &Store<Stored>, pacing: &Pacing<ObjectRef>) {
    let now = clock::now();
    for object in store.state() {
        // An object at rest keeps no pause.
        let Stored::Whole(object) = object.as_ref() else { continue };
        let Some(pause) = object.status.as_ref().and_then(|status| status.pause_in_force(now)) else { continue };
        if let Some(account) = account(object, pause) {
            pacing.pause(&account, pause.until);
        }
    }
}

/// Whose pause it is; none if it is written as nobody could be called.
fn account(object: &PhotoRemoval, pause: &Pause) -> Option<Account> {
    let tenant = TenantId::parse(&pause.tenant_id).ok()?;
    let client = ClientId::parse(&pause.client_id).ok()?;
    Some(Account::new(object.spec.cloud, &tenant, &client))
}
