//! How a worker divides its looks between lanes that are in use and lanes that are not.
//!
//! A look at an idle lane costs some nanoseconds, most of them a cache miss, and stands between an
//! event in another lane and its worker. So lanes that have had no event lately, the *cold* ones,
//! are looked at in slices. A slice is a sixteenth of them, but no more than the sweep's own events
//! pay for and a few: a thousand idle lanes add as little to a lone event as ten do, and a worker
//! with much to do still comes to all of them within sixteen sweeps.

/// Idle looks at hot lanes, at all of them together, after which one is cold.
const COOLING: u32 = 1 << 14;
/// Where their share allows it, cold lanes are all looked at within this many sweeps.
const ROUND: usize = 16;
/// Cold lanes looked at in a sweep, at most, beside one for each event that the sweep has delivered.
const FREE_LOOKS: usize = 8;
/// Cold lanes looked at in a sweep, at least, while no lane is hot.
const LEAST_LOOKS: usize = 2;

/// What cold lanes are owed.
#[derive(Debug)]
pub(super) struct Attention {
    /// Looks that are due, in parts of a round: never more than all cold lanes once.
    due: usize,
    /// Sweeps without an event after which a hot lane is cold.
    cooling: u32,
}

impl Attention {
    pub(super) const fn new() -> Self {
        Self {
            due: 0,
            cooling: COOLING,
        }
    }

    /// Sweeps without an event after which a hot lane is cold. Fewer where many lanes are hot, whose
    /// sweeps take longer: the time is about the same.
    #[inline(always)]
    pub(super) const fn cooling(&self) -> u32 {
        self.cooling
    }

    /// To be told how many lanes are `hot` whenever that changes.
    pub(super) fn divide_among(&mut self, hot: usize) {
        let hot = u32::try_from(hot.max(1)).unwrap_or(u32::MAX);
        // A cold lane is looked at once in a round: in less than that nobody can tell.
        self.cooling = (COOLING / hot).max(ROUND as u32);
    }

    /// How many of the `cold` lanes are to be looked at after a sweep of the `hot` ones that has
    /// delivered so many events.
    #[inline(always)]
    pub(super) fn cold_looks(&mut self, hot: usize, cold: usize, delivered: usize) -> usize {
        if hot == 0 {
            self.due = 0;
            return (cold / ROUND).max(LEAST_LOOKS).min(cold);
        }
        self.due = (self.due + cold).min(cold * ROUND);
        let looks = (self.due / ROUND).min(FREE_LOOKS + delivered);
        self.due -= looks * ROUND;
        looks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sweeps until each of `cold` lanes has had a look, all of which deliver so many events; and
    /// the most looks in one of them.
    fn round(cold: usize, delivered: usize) -> (usize, usize) {
        let mut attention = Attention::new();
        let (mut sweeps, mut looks, mut most) = (0, 0, 0);
        while looks < cold {
            let some = attention.cold_looks(1, cold, delivered);
            looks += some;
            most = most.max(some);
            sweeps += 1;
        }
        (sweeps, most)
    }

    #[test]
    fn a_few_idle_lanes_take_sixteen_sweeps() {
        for cold in [1, 3, 16, 100, 128] {
            let (sweeps, most) = round(cold, 0);
            assert_eq!(sweeps, ROUND, "{cold} lanes");
            assert_eq!(most, cold.div_ceil(ROUND), "{cold} lanes");
        }
    }

    #[test]
    fn many_idle_lanes_take_a_few_looks_from_a_sweep_with_nothing_to_do() {
        assert_eq!(round(1024, 0), (1024 / FREE_LOOKS, FREE_LOOKS));
        assert_eq!(
            round(1024, 1),
            (1024_usize.div_ceil(FREE_LOOKS + 1), FREE_LOOKS + 1)
        );
    }

    #[test]
    fn a_busy_worker_comes_to_all_of_them_in_sixteen_sweeps() {
        assert_eq!(round(1024, 64), (ROUND, 1024 / ROUND));
    }

    #[test]
    fn what_a_quiet_time_owes_is_one_round_at_most() {
        let mut attention = Attention::new();
        for _ in 0..10_000 {
            attention.cold_looks(1, 1024, 0);
        }
        assert_eq!(attention.cold_looks(1, 1024, 100_000), 1024);
        assert_eq!(attention.cold_looks(1, 1024, 100_000), 1024 / ROUND);
    }

    #[test]
    fn lanes_that_are_gone_are_owed_nothing() {
        let mut attention = Attention::new();
        for _ in 0..100 {
            attention.cold_looks(1, 1024, 0);
        }
        assert_eq!(attention.cold_looks(1, 3, 100), 3);
        assert_eq!(attention.cold_looks(1, 0, 100), 0);
    }

    #[test]
    fn an_idle_worker_looks_at_two_lanes_at_least() {
        let mut attention = Attention::new();
        for (cold, looks) in [(0, 0), (1, 1), (2, 2), (31, 2), (1024, 64)] {
            assert_eq!(attention.cold_looks(0, cold, 0), looks, "{cold} lanes");
        }
    }

    #[test]
    fn many_hot_lanes_cool_in_fewer_sweeps_and_in_a_round_at_least() {
        let mut attention = Attention::new();
        let cooling = |attention: &mut Attention, hot| {
            attention.divide_among(hot);
            attention.cooling()
        };
        for (hot, sweeps) in [
            (0, COOLING),
            (1, COOLING),
            (64, 256),
            (1024, 16),
            (100_000, 16),
        ] {
            assert_eq!(cooling(&mut attention, hot), sweeps, "{hot} lanes");
        }
    }
}
