//! Never two DELETEs for one target at a time.

use std::collections::HashMap;

use emulator::Recorded;

use super::super::evidence::Evidence;

/// Two DELETEs for one target must not be under way at a time. The exceptions: the process that sent the first ended
/// meanwhile, for then nobody knows when Microsoft's side is done with it; and two objects that both name the target, for
/// each is served for itself.
pub(in super::super) fn judge(evidence: &Evidence<'_>) -> Vec<String> {
    let mut by_owner: HashMap<usize, Vec<&Recorded>> = HashMap::new();
    for (delete, owner) in evidence.deletes() {
        by_owner.entry(owner).or_default().push(delete);
    }
    let mut offences = Vec::new();
    for (owner, deletes) in by_owner {
        let names = evidence.ledger.naming(owner).map(|life| life.object).collect::<std::collections::BTreeSet<_>>();
        if names.len() > 1 {
            continue;
        }
        for pair in deletes.windows(2) {
            let [first, second] = pair else { continue };
            let overlap = first.ended.is_none_or(|ended| ended > second.time);
            if overlap && !evidence.ledger.a_process_ended(first.time, second.time) {
                offences.push(format!(
                    "DELETE {} for owner {owner} began at {} while DELETE {} ({} to {:?}, {:?}) was under way",
                    second.number, second.time, first.number, first.time, first.ended, first.fault
                ));
            }
        }
    }
    offences
}
