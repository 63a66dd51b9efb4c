//! How long to wait before the next try.

use std::time::Duration;

/// A wait that doubles: `min(cap, base * 2^(failures-1))`, half of it jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest first wait.
    pub base: Duration,
    /// The longest wait of all.
    pub cap: Duration,
}

/// What the jitter is derived from: an object's uid (or a credential's name). Derived, not drawn, so that the same
/// failure of the same object always waits equally long, and a thousand objects that fail together do not return together.
#[derive(Clone, Copy, Debug)]
pub struct Seed<'a>(pub &'a str);

impl Backoff {
    /// The wait after that many failures in a row (one or more): more than half of the doubled time, at most all of it.
    #[must_use]
    pub fn after(&self, failures: u32, seed: Seed<'_>) -> Duration {
        let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
        let whole = self.base.saturating_mul(1 << doublings).min(self.cap);
        whole.mul_f64(1.0 - share(seed, failures) / 2.0)
    }
}

/// The FNV-1a hash, which is the same on every machine and in every release, unlike the standard library's hasher.
pub fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A number in `0.0..1.0` out of a seed and a count.
fn share(seed: Seed<'_>, count: u32) -> f64 {
    let hash = fnv(seed.0.bytes().chain(count.to_le_bytes()));
    // FNV mixes its low bits best into the high ones after a fold of both halves.
    f64::from((hash >> 32) as u32 ^ (hash & 0xffff_ffff) as u32) / (f64::from(u32::MAX) + 1.0)
}
