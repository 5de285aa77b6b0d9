//! Chance from a seed: the same choices wherever and whenever they are made.

/// Spreads the bits of a number over all of them (the finaliser of Steele, Lea and Flood's SplitMix64).
#[must_use]
#[inline]
pub const fn mix(word: u64) -> u64 {
    let x = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A seeded source of choices: SplitMix64, which is quick enough to be asked for every event.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall as `seed` says.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// Dice for round `lap` of the configuration `name`.
    #[must_use]
    pub fn for_round(seed: u64, name: &str, lap: u64) -> Self {
        let named = name
            .bytes()
            .fold(mix(seed), |hash, byte| mix(hash ^ u64::from(byte)));
        Self(mix(named ^ lap))
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `bound`; 0 if the bound is.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.roll()) * u128::from(bound)) >> 64) as u64
    }

    /// True once in `times`; never if that is 0.
    pub fn once_in(&mut self, times: u64) -> bool {
        times > 0 && self.below(times) == 0
    }

    /// One of them.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Dice for somebody else.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.roll())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_repeat_themselves_and_nobody_else() {
        let rolls = |seed, name, lap| {
            let mut dice = Dice::for_round(seed, name, lap);
            (dice.roll(), dice.roll())
        };
        assert_eq!(rolls(1, "a", 0), rolls(1, "a", 0));
        for other in [rolls(2, "a", 0), rolls(1, "b", 0), rolls(1, "a", 1)] {
            assert_ne!(rolls(1, "a", 0), other);
        }
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_it() {
        let mut dice = Dice::new(7);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[dice.below(5) as usize] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(dice.below(0), 0);
        assert!((0..100).all(|_| !dice.once_in(0)));
    }
}
