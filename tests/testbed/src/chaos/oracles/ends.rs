//! Every object ends as its scenario says.

use std::time::Duration;

use emulator::{Emulator, Target};
use jiff::Timestamp;
use photo_removal_operator::api::{Outcome, PhotoRemoval, PhotoRemovalStatus, Reason};

use super::super::evidence::Evidence;
use super::super::ledger::{Ledger, Life};
use super::super::plan::{Kind, NEVER, Owner, PLACES, Way};

/// A beginning that lies so far ahead does not come within a storm.
const FAR: Duration = Duration::from_secs(60 * 60);

/// What is not yet as it must be in the end, of all objects; empty when the storm has been got over.
pub(in super::super) fn open(ledger: &Ledger, found: &[PhotoRemoval], now: Timestamp) -> Vec<String> {
    let lives = ledger.lives.iter().filter(|life| life.gone.is_none());
    let open = lives.filter_map(|life| {
        let object = found.iter().find(|object| object.metadata.uid.as_deref() == Some(&life.uid));
        let why = match object {
            None if life.asked().ttl.is_some() => return None,
            None => "it is gone".to_owned(),
            Some(object) => {
                let status = object.status.clone().unwrap_or_default();
                let wrong = wrong(ledger, life, object.metadata.generation, &status, now)?;
                format!("{wrong}, but {:?} ({})", status.reason(), ready(&status))
            }
        };
        Some(format!("{} ({:?}): {why}", life.name, ledger.owners[life.owner].kind))
    });
    open.collect()
}

fn ready(status: &PhotoRemovalStatus) -> String {
    let attempt = status.last_attempt.as_ref().map(|last| (last.http_status, last.error_code.clone()));
    format!("outcome {:?}, next {:?}, attempt {attempt:?}", status.outcome, status.next_attempt_time)
}

/// What it should be instead; none if it is as it should be.
fn wrong(
    ledger: &Ledger,
    life: &Life,
    generation: Option<i64>,
    status: &PhotoRemovalStatus,
    now: Timestamp,
) -> Option<String> {
    let asked = life.asked();
    let reason = status.reason();
    let is = |wanted: Reason| (reason == Some(wanted)).then_some(()).ok_or(format!("it should be {wanted}"));
    if status.observed_generation != generation {
        return Some("it should be observed".to_owned());
    }
    if let Some(outcome) = status.outcome.filter(|outcome| outcome.is_real()) {
        let reason = if outcome == Outcome::Removed { Reason::Removed } else { Reason::AlreadyAbsent };
        let left = asked.ttl.map(|_| "it should be deleted".to_owned());
        return left.or_else(|| is(reason).err());
    }
    // What a dry run found stands, suspended or not.
    if asked.dry_run && matches!(status.outcome, Some(Outcome::WouldRemove | Outcome::NothingToRemove)) {
        return rehearsed(&ledger.owners[life.owner], life, status).err();
    }
    let should = if asked.suspend {
        is(Reason::Suspended)
    } else if asked.not_after.is_some_and(|end| end <= now) {
        is(Reason::Expired)
    } else if asked.not_before.is_some_and(|begin| begin > now.saturating_add(FAR).unwrap_or(Timestamp::MAX)) {
        is(Reason::Scheduled)
    } else if asked.not_before.is_some_and(|begin| begin > now) {
        Err("its time should have come".to_owned())
    } else if life.place == NEVER {
        is(Reason::CredentialNotFound)
    } else if asked.dry_run {
        rehearsed(&ledger.owners[life.owner], life, status)
    } else {
        tried(&ledger.owners[life.owner], life, status)
    };
    should.err()
}

/// Whether it is a group that this object's credential may not touch.
fn is_forbidden(owner: &Owner, life: &Life) -> bool {
    owner.kind == Kind::DelegatedGroup && PLACES[life.place].way != Way::User
}

fn gave_up(life: &Life, status: &PhotoRemovalStatus) -> bool {
    life.asked().backoff_limit.is_some_and(|limit| status.failed > limit) && status.is_stalled()
}

fn rehearsed(owner: &Owner, life: &Life, status: &PhotoRemovalStatus) -> Result<(), String> {
    use Reason::{NothingToRemove, PermissionDenied, TargetNotFound, TargetNotSupported, WouldRemove};
    let fits: &[Reason] = match owner.kind {
        Kind::UnknownUser | Kind::UnknownGroup => &[TargetNotFound, NothingToRemove],
        Kind::OnPremises => &[TargetNotSupported],
        // Neither may the photo be asked for.
        // Unless Microsoft's side said just then that there is none.
        Kind::DelegatedGroup if is_forbidden(owner, life) => &[PermissionDenied, NothingToRemove],
        _ => &[WouldRemove, NothingToRemove],
    };
    let is = status.reason().is_some_and(|reason| fits.contains(&reason)) || gave_up(life, status);
    is.then_some(()).ok_or_else(|| format!("it should be one of {fits:?}"))
}

fn tried(owner: &Owner, life: &Life, status: &PhotoRemovalStatus) -> Result<(), String> {
    let wanted = match owner.kind {
        Kind::UnknownUser | Kind::UnknownGroup => Reason::TargetNotFound,
        Kind::OnPremises => Reason::TargetNotSupported,
        Kind::DelegatedGroup if is_forbidden(owner, life) => Reason::TargetNotSupported,
        _ => return gave_up(life, status).then_some(()).ok_or_else(|| "it should be done".to_owned()),
    };
    let is = status.reason() == Some(wanted) && status.is_stalled() || gave_up(life, status);
    is.then_some(()).ok_or_else(|| format!("it should be {wanted}"))
}

/// Every outcome has its proof: an answer of Microsoft's side that says just that, of that owner; and the photo is gone.
/// A photo that nobody wanted removed is there.
pub(in super::super) fn judge(evidence: &Evidence<'_>, emulator: &Emulator) -> Vec<String> {
    let ledger = evidence.ledger;
    let mut offences: Vec<String> = ledger.lives.iter().filter_map(|life| unproven(evidence, life)).collect();
    for (number, owner) in ledger.owners.iter().enumerate() {
        let target = match owner.kind {
            Kind::User | Kind::UserById => Target::user(&owner.id),
            Kind::Group | Kind::DelegatedGroup => Target::group(&owner.id),
            _ => continue,
        };
        let asked = evidence.deletes().any(|(_, of)| of == number);
        if !asked && !emulator.has_photo(&target) {
            offences.push(format!("the photo of owner {number} is gone, and nobody sent a DELETE"));
        }
        let lied = evidence.deletes().any(|(delete, of)| of == number && delete.fault.is_some());
        let removed = ledger.naming(number).find(|life| evidence.outcome(&life.uid).is_some());
        if let Some(life) = removed.filter(|_| !lied && emulator.has_photo(&target)) {
            offences.push(format!("{} is done, and the photo of owner {number} is still there", life.name));
        }
    }
    offences
}

fn unproven(evidence: &Evidence<'_>, life: &Life) -> Option<String> {
    let write = evidence.outcome(&life.uid)?;
    let name = &life.name;
    let Some(proof) = &write.status.evidence else { return Some(format!("{name} has an outcome without evidence")) };
    let Some(request) = evidence.request(&proof.client_request_id) else {
        return Some(format!("{name} is proved by a request that nobody met"));
    };
    let about = request.target.as_ref().and_then(|target| evidence.ledger.owner(target.name()));
    let says = request.status.unwrap_or_default();
    let fits = match write.status.outcome {
        Some(Outcome::Removed) => (200..300).contains(&says),
        _ => says == 404,
    };
    let fits = fits && about == Some(life.owner);
    (!fits).then(|| format!("{name} ({:?}) is proved by an answer {says} about owner {about:?}", write.status.outcome))
}
