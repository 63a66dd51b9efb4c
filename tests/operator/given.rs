//! What tests start from, and short words for what they count.

use std::time::Duration;

use emulator::{Fault, FaultKind, Matcher, Operation, Target};
use testbed::{AuditEntry, Builder, Result, World, eventually};

/// So long that it does not come to an end within a test.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

/// How long nothing must happen to be taken for quiet: several times what anything here waits for.
pub(crate) const A_WHILE: Duration = Duration::from_secs(2);

/// A world whose operator tries once and waits for an hour: what it writes after the first answer stays.
pub(crate) fn patient() -> Builder {
    World::builder().config(|config| {
        (config.retry_base, config.retry_cap, config.stalled_recheck) = (NEVER, NEVER, NEVER);
    })
}

/// The fault of that name in the emulator's catalogue.
pub(crate) fn known(name: &str) -> FaultKind {
    let found = emulator::catalogue::named(name);
    found.unwrap_or_else(|| panic!("the emulator's catalogue has no {name:?}"))
}

/// A DELETE about this user meets the fault, always.
pub(crate) fn on_delete(user: &str, what: FaultKind) -> Fault {
    Fault::on(Operation::Delete, what).about(user)
}

/// An answer that takes so long.
pub(crate) fn slow(milliseconds: u64) -> FaultKind {
    FaultKind::SlowHead { delay: Duration::from_millis(milliseconds) }
}

/// How many requests of this kind arrived about the user.
pub(crate) fn count(world: &World, operation: Operation, user: &str) -> usize {
    world.emulator().count(&Matcher::of(operation).about(user))
}

/// How many DELETEs of the user's photo arrived.
pub(crate) fn deletes(world: &World, user: &str) -> usize {
    world.emulator().deletes_of(&Target::user(user))
}

/// How many token requests arrived.
pub(crate) fn sign_ins(world: &World) -> usize {
    world.emulator().count(&Matcher::of(Operation::Token))
}

/// Waits until so many DELETEs about the user have arrived.
pub(crate) async fn until_deleted(world: &World, user: &str, times: usize) -> Result<()> {
    let what = format!("{times} DELETEs about {user}");
    let look = || async {
        let seen = deletes(world, user);
        if seen >= times { Ok(()) } else { Err(seen) }
    };
    eventually(&what, testbed::SOON, look).await
}

/// Fails if `number` changes within [`A_WHILE`]; `what` names it.
pub(crate) async fn stays<T: PartialEq + std::fmt::Debug>(what: &str, number: impl Fn() -> T) {
    let before = number();
    let changed = eventually(what, A_WHILE, || async { (number() != before).then(&number) }).await;
    if let Ok(after) = changed {
        panic!("{what}: expected {before:?} to stay, came {after:?}");
    }
}

/// Waits until `number` does not change any more for [`A_WHILE`]; `what` says that in words.
pub(crate) async fn until_it_stays<T: PartialEq>(what: &str, number: impl Fn() -> T) -> Result<()> {
    eventually(what, testbed::SOON, || async {
        let before = number();
        let changed = eventually("a change", A_WHILE, || async { (number() != before).then_some(()) }).await;
        changed.is_err().then_some(())
    })
    .await
}

/// The status writes about this object that the operator sent, in order, from the audit log.
pub(crate) async fn writes(world: &World, name: &str) -> Result<Vec<AuditEntry>> {
    let is_ours = |entry: &AuditEntry| entry.name == name && entry.subresource == "status" && entry.code == 200;
    let version = world.get(name).await?.metadata.resource_version;
    // The log may lag behind the answers; an object that was written has its last write in it.
    let look = || async {
        let writes: Vec<_> = world.audit().map_err(|error| error.to_string())?.into_iter().filter(is_ours).collect();
        if writes.is_empty() { Err(format!("no write of {name} at {version:?}")) } else { Ok(writes) }
    };
    eventually("the audit log shows the writes", testbed::SOON, look).await
}

/// The requests through the world's proxy whose method and path are these.
pub(crate) fn calls(world: &World, method: &str, part: &str) -> usize {
    world.api().seen().iter().filter(|seen| seen.method == method && seen.path.contains(part)).count()
}
