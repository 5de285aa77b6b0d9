//! Busy work of a given length.

use std::hint;
use std::time::Instant;

/// A prime, for a chain of multiplications that nothing shortens.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// Steps of one calibrating series: some ten microseconds.
const STEPS: u64 = 4096;

/// Calibrating series. The shortest counts: whatever disturbs one makes it longer.
const SERIES: usize = 200;

/// A chain of dependent instructions that keeps a CPU busy for about as long as it was made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    steps: u64,
    step_ns: f64,
}

impl Work {
    /// Work for `ns` nanoseconds of this machine when nothing disturbs it.
    #[must_use]
    pub fn calibrated(ns: u64) -> Self {
        let series = || {
            let began = Instant::now();
            hint::black_box(chain(hint::black_box(1), STEPS));
            began.elapsed()
        };
        let shortest = (0..SERIES).map(|_| series()).min().unwrap_or_default();
        Self::of(ns, shortest.as_nanos() as f64 / STEPS as f64)
    }

    /// Work for `ns` nanoseconds where a step takes `step_ns`.
    #[must_use]
    pub fn of(ns: u64, step_ns: f64) -> Self {
        // Casting saturates: a step of no time at all makes very much work, not none.
        let steps = (ns as f64 / step_ns.max(1e-3)).round() as u64;
        Self { steps, step_ns }
    }

    /// How many steps it is.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How long a step took when it was calibrated.
    #[must_use]
    pub fn step_ns(&self) -> f64 {
        self.step_ns
    }

    /// Does it.
    #[inline]
    pub fn run(&self, seed: u64) {
        hint::black_box(chain(seed, self.steps));
    }
}

#[inline]
fn chain(seed: u64, steps: u64) -> u64 {
    let mut link = seed;
    for _ in 0..steps {
        // The shift keeps the compiler from folding several multiplications into one.
        link = (link ^ (link >> 29)).wrapping_mul(FACTOR);
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_as_many_as_fit() {
        assert_eq!(Work::of(0, 1.5).steps(), 0);
        assert_eq!(Work::of(3_000, 1.5).steps(), 2_000);
        assert_eq!(Work::of(100, 0.25).steps(), 400);
        assert_eq!(Work::of(1, 0.0).steps(), 1_000);
    }

    #[test]
    fn calibrating_finds_a_step_of_some_time() {
        let work = Work::calibrated(1_000);
        assert!(work.step_ns() > 0.0, "{work:?}");
        assert!(work.steps() > 0, "{work:?}");
    }

    #[test]
    fn no_link_of_the_chain_is_skipped() {
        let (one, two) = (chain(5, 1), chain(5, 2));
        assert_eq!(chain(one, 1), two);
        assert_ne!(one, two);
    }
}
