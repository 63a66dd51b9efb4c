//! Chance that a seed repeats: the same seed draws the same numbers on every machine and with every version of a library.

use std::time::Duration;

/// `SplitMix64` (Steele, Lea and Flood, 2014): one addition and a mix of the bits a number.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From zero up to, and without, `end`, which is more than zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let drawn = self.number() % u64::try_from(end.max(1)).unwrap_or(1);
        usize::try_from(drawn).unwrap_or(0)
    }

    /// Both ends may come.
    pub(super) const fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.number() % (last - first + 1)
    }

    pub(super) const fn milliseconds(&mut self, first: u64, last: u64) -> Duration {
        Duration::from_millis(self.between(first, last))
    }

    pub(super) const fn one_in(&mut self, many: u64) -> bool {
        self.number().is_multiple_of(many)
    }

    /// None of an empty list.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }

    /// The shape of an object id.
    pub(super) fn guid(&mut self) -> String {
        uuid::Uuid::from_u64_pair(self.number(), self.number()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn a_seed_draws_the_same_numbers_again() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            [chance.number(), chance.number(), chance.between(3, 5), u64::from(chance.one_in(2))]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_eq!(Chance::new(0).number(), 0xe220_a839_7b1d_cdaf, "the first number of the published sequence");
    }
}
