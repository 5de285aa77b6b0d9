//! Chance, in whole numbers alone: the same on every platform.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded source of choices.
#[derive(Debug, Clone)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from 0 to `bound` − 1; 0 if the bound is.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// True once in `times`.
    pub(super) fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// A number with a heavy tail: below 2, and for each doubling of the range half as often, up
    /// to `2 << doublings` − 1.
    pub(super) fn heavy(&mut self, doublings: u32) -> u32 {
        let range = 2 << self.0.next_u32().trailing_zeros().min(doublings);
        self.below(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_their_bound_and_reach_it() {
        let mut dice = Dice::new(1);
        for bound in [1, 2, 7] {
            let mut seen = vec![false; bound as usize];
            for _ in 0..1000 {
                seen[dice.below(bound) as usize] = true;
            }
            assert!(seen.iter().all(|seen| *seen), "{bound}");
        }
        assert_eq!(dice.below(0), 0);
    }

    #[test]
    fn a_heavy_tail_is_seldom_long() {
        let mut dice = Dice::new(2);
        let drawn: Vec<u32> = (0..10_000).map(|_| dice.heavy(8)).collect();
        let small = drawn.iter().filter(|number| **number < 4).count();
        assert!(drawn.iter().all(|number| *number < 512));
        assert!(drawn.iter().any(|number| *number > 100));
        assert!((7_000..9_500).contains(&small), "{small}");
    }
}
