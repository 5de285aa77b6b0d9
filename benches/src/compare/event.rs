//! The events of the asynchronous rows.

/// What sets one word of an event apart from the next: any odd constant would do.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// An event of `WORDS` words of eight bytes, all of which depend on its seed.
///
/// A producer writes every word and a consumer adds every word up, so no lane can get away with
/// moving less than the whole event. Both are a few vector instructions, and the sum of a run of
/// events has a closed form, which no contestant computes.
///
/// ```
/// use corecast_lab::compare::event::Event;
///
/// let arrived = (0..100).map(|seed| Event::<7>::new(seed).sum()).fold(0, u64::wrapping_add);
/// assert_eq!(arrived, Event::<7>::expected(100));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Event<WORDS> {
    /// The size of an event in bytes.
    pub const BYTES: usize = WORDS * size_of::<u64>();

    /// What the words of an event add up to beyond `WORDS` times its seed.
    const OFFSET: u64 = {
        let pairs = (WORDS as u64 * (WORDS as u64).saturating_sub(1)) / 2;
        STEP.wrapping_mul(pairs)
    };

    /// The event of `seed`.
    #[inline]
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut event = Self([0; WORDS]);
        event.fill(seed);
        event
    }

    /// Makes this the event of `seed`, in place.
    #[inline]
    pub fn fill(&mut self, seed: u64) {
        for (index, word) in self.0.iter_mut().enumerate() {
            *word = seed.wrapping_add(STEP.wrapping_mul(index as u64));
        }
    }

    /// The seed that this event was made of; 0 for an event without words.
    #[inline]
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.first().copied().unwrap_or(0)
    }

    /// The sum of all its words.
    #[inline]
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum, word| sum.wrapping_add(*word))
    }

    /// The sum of `count` events whose seeds add up to `seeds`.
    #[must_use]
    pub fn sum_of(count: u64, seeds: u64) -> u64 {
        let words = (WORDS as u64).wrapping_mul(seeds);
        words.wrapping_add(Self::OFFSET.wrapping_mul(count))
    }

    /// The sum of the events of the seeds 0 to `count` - 1.
    #[must_use]
    pub fn expected(count: u64) -> u64 {
        Self::sum_of(count, sum_below(count))
    }
}

/// The sum of the numbers below `count`, modulo 2^64.
#[must_use]
pub fn sum_below(count: u64) -> u64 {
    let count = u128::from(count);
    // Truncation is the modulus.
    (count * count.saturating_sub(1) / 2) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summed<const WORDS: usize>(count: u64) -> u64 {
        (0..count).fold(0, |sum, seed| {
            sum.wrapping_add(Event::<WORDS>::new(seed).sum())
        })
    }

    #[test]
    fn the_closed_form_is_what_summing_gives() {
        assert_eq!(Event::<1>::expected(1000), summed::<1>(1000));
        assert_eq!(Event::<7>::expected(1000), summed::<7>(1000));
        assert_eq!(Event::<32>::expected(1000), summed::<32>(1000));
        assert_eq!(Event::<7>::expected(0), 0);
    }

    #[test]
    fn a_changed_word_a_lost_and_a_doubled_event_change_the_sum() {
        let mut torn = Event::<7>::new(5);
        torn.0[6] ^= 1;
        assert_ne!(torn.sum(), Event::<7>::new(5).sum());
        let lost = Event::<7>::expected(10).wrapping_sub(Event::<7>::new(3).sum());
        assert_ne!(lost, Event::<7>::expected(10));
        assert_ne!(
            lost.wrapping_add(Event::<7>::new(4).sum()),
            Event::<7>::expected(10)
        );
    }

    #[test]
    fn sums_wrap_instead_of_overflowing() {
        assert_eq!(sum_below(0), 0);
        assert_eq!(sum_below(5), 10);
        // (2^64 - 1)(2^63 - 1) modulo 2^64
        assert_eq!(sum_below(u64::MAX), (1 << 63) + 1);
    }

    #[test]
    fn sizes_are_what_the_rows_say() {
        assert_eq!(
            (Event::<1>::BYTES, Event::<7>::BYTES, Event::<32>::BYTES),
            (8, 56, 256)
        );
        assert_eq!(size_of::<Event<7>>(), 56);
    }
}
