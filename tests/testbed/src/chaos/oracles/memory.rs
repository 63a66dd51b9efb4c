//! A process that lives does not grow.

/// The first rounds fill caches and pools, and are not compared.
const WARM: usize = 5;

/// So many rounds make a median.
const SPAN: usize = 5;

/// What an allocator may keep more, in KiB, beside a fifth.
const SLACK: u64 = 4 * 1024;

/// Resident memory after each round of one process, in KiB: the median of the last five rounds must not be more than a
/// fifth and 4 MiB above that of the first five after the warm ones.
pub(in super::super) fn judge(after_rounds: &[u64]) -> Option<String> {
    let settled = after_rounds.get(WARM..).filter(|settled| settled.len() >= 2 * SPAN)?;
    let (first, last) = (median(&settled[..SPAN]), median(&settled[settled.len() - SPAN..]));
    let most = first + first / 5 + SLACK;
    (last > most)
        .then(|| format!("resident memory grew from {first} KiB to {last} KiB in {} rounds", after_rounds.len()))
}

fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn growth_is_found_and_noise_is_not() {
        let rounds = |step: u64| (0..40).map(|round| 30_000 + round * step + round % 3 * 900).collect::<Vec<_>>();
        assert_eq!(judge(&rounds(0)), None);
        assert!(judge(&rounds(500)).is_some(), "half a MiB a round");
        assert_eq!(judge(&rounds(500)[..12]), None, "too few rounds to tell");
    }
}
