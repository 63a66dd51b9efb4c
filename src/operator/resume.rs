//! After a restart: takes up the pauses that Graph had asked for.
//!
//! A pause belongs to an application and is kept in memory; the object that met it has it in its status. Before the first
//! object is looked at, the pauses are put back, so that no request goes before its time.

use std::time::Duration;

use kube::runtime::reflector::Store;
use tokio::sync::watch::Sender;
use tokio::time::timeout;

use crate::api::{ClientId, Pause, PhotoRemoval, TenantId};
use crate::clock;
use crate::cluster::{ObjectRef, Stored};
use crate::pacing::{Account, Pacing};

/// How long the first objects of one watch wait for the first list of another that the API server refuses: for want of
/// a right or of the definition, which only a person mends, or because it has just started and knows no rights yet.
const FOR_ONE_THAT_IS_REFUSED: Duration = Duration::from_secs(2);

/// So much longer for one that fails in another way, which is over soon: in all, as long as three lists without an answer.
const LONGER_FOR_ONE_THAT_FAILS: Duration = Duration::from_secs(28);

/// All watches, before the first object is looked at: the pauses that one of them finds may concern the objects of
/// another. Lists that work are done in a moment.
pub(super) struct Muster {
    lists: Sender<Vec<FirstList>>,
}

/// How far the first list of a watch is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstList {
    Awaited,
    Refused,
    Done,
}

impl Muster {
    /// Of so many watches.
    pub(super) fn new(watches: usize) -> Self {
        Self { lists: Sender::new(vec![FirstList::Awaited; watches]) }
    }

    /// The API server refuses to list this one.
    pub(super) fn refused(&self, watch: usize) {
        self.lists.send_if_modified(|lists| {
            let is_new = lists[watch] == FirstList::Awaited;
            if is_new {
                lists[watch] = FirstList::Refused;
            }
            is_new
        });
    }

    /// This one has taken up its pauses. Waits until every other has, or is not to be waited for.
    pub(super) async fn join(&self, watch: usize) {
        self.lists.send_modify(|lists| lists[watch] = FirstList::Done);
        let mut lists = self.lists.subscribe();
        let all_are_done = |lists: &Vec<FirstList>| lists.iter().all(|list| *list == FirstList::Done);
        let none_fails = |lists: &Vec<FirstList>| lists.iter().all(|list| *list != FirstList::Awaited);
        if timeout(FOR_ONE_THAT_IS_REFUSED, lists.wait_for(all_are_done)).await.is_ok() {
            return;
        }
        let came_to_an_end = timeout(LONGER_FOR_ONE_THAT_FAILS, lists.wait_for(none_fails)).await;
        if came_to_an_end.is_err() || !all_are_done(&self.lists.borrow()) {
            tracing::warn!("not every namespace could be listed; the pauses that were met there are not known yet");
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::{Instant, sleep};

    use super::*;

    /// How long the first of two watches waits, when the other is refused or not and is listed after so many seconds.
    async fn waits(other_is_refused: bool, other_is_listed_after: u64) -> u64 {
        let muster = Arc::new(Muster::new(2));
        let other = Arc::clone(&muster);
        let began = Instant::now();
        tokio::spawn(async move {
            if other_is_refused {
                other.refused(1);
            }
            sleep(Duration::from_secs(other_is_listed_after)).await;
            other.join(1).await;
        });
        muster.join(0).await;
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_fails_is_waited_for_and_one_that_is_refused_is_not() {
        assert_eq!(waits(false, 0).await, 0);
        assert_eq!(waits(false, 12).await, 12);
        assert_eq!(waits(false, 600).await, 30);
        assert_eq!(waits(true, 1).await, 1);
        assert_eq!(waits(true, 600).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leads_later_waits_for_nobody_who_was_there_before() {
        let muster = Muster::new(2);
        let both = || async { tokio::join!(muster.join(0), muster.join(1)) };
        both().await;
        muster.refused(1);
        let began = Instant::now();
        both().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
