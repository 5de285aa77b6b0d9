//! The laps of all configurations.
//!
//! Every configuration has its laps in turn with the others, not one after the other: whatever the
//! machine does meanwhile, it does to all of them, and after an interruption there is something to
//! say about each that had its turn. In every round they come in another order, so that what the
//! machine does from time to time does not always meet the same one.

use std::time::Duration;

use corecast_affinity::Cores;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::cli::Error;

use super::configuration::Configuration;
use super::lap::{self, Figures, Plan};
use super::load::{Load, Rate};
use super::work::Work;

/// Laps of each configuration. Another thread that gets a CPU for its four milliseconds decides a lap's
/// 99th percentile; with so many short ones the median is that of laps in which none did.
pub const LAPS: usize = 9;

/// What a lap takes beside the measurement: an engine is built, its lanes drained, its threads
/// joined.
const AROUND_A_LAP: Duration = Duration::from_millis(15);

/// How long a configuration is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Laps of each configuration.
    pub laps: usize,
    /// Of each lap, the time flat out.
    pub flat: Duration,
    /// Of each lap, the time at the stated rate; none if the load has none.
    pub paced: Duration,
}

impl Schedule {
    /// `seconds` for each configuration, in [`LAPS`] laps: a third of it flat out, to know how much
    /// it could take, and two thirds at the stated rate, if there is one.
    #[must_use]
    pub fn of(seconds: Duration, rate: Rate) -> Self {
        let lap = seconds / LAPS as u32;
        let (flat, paced) = match rate {
            Rate::Max => (lap, Duration::ZERO),
            Rate::PerSecond(_) => (lap / 3, lap - lap / 3),
        };
        Self {
            laps: LAPS,
            flat,
            paced,
        }
    }

    /// What comes before the `counted` time of a lap's part.
    #[must_use]
    pub fn warm_up(counted: Duration) -> Duration {
        (counted / 5).clamp(Duration::from_millis(5), Duration::from_millis(200))
    }

    /// About how long one lap takes, all told.
    #[must_use]
    pub fn lap(&self) -> Duration {
        let parts = [self.flat, self.paced].into_iter();
        parts
            .filter(|part| !part.is_zero())
            .map(|part| part + Self::warm_up(part) + AROUND_A_LAP)
            .sum()
    }
}

/// What is measured, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The load.
    pub load: &'a Load,
    /// What each listener does.
    pub work: Work,
    /// The CPUs of the workers.
    pub cores: &'a Cores,
    /// How long.
    pub schedule: Schedule,
}

/// One lap of one configuration.
#[derive(Debug, Clone)]
pub struct Lap {
    /// Flat out.
    pub flat: Option<Figures>,
    /// At the stated rate, if there is one.
    pub paced: Option<Figures>,
}

impl Setting<'_> {
    /// Runs one lap; `None` if it was interrupted.
    ///
    /// # Errors
    ///
    /// As [`lap::run`], with the configuration named.
    pub fn lap(
        &self,
        configuration: Configuration,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Option<Lap>, Error> {
        let schedule = self.schedule;
        let part = |rate, counted: Duration| {
            if counted.is_zero() {
                return Ok(Some(None));
            }
            let plan = Plan {
                load: self.load,
                work: self.work,
                configuration,
                cores: self.cores,
                rate,
                warm_up: Schedule::warm_up(counted),
                counted,
            };
            lap::run(&plan, interrupted)
                .map(|figures| figures.map(Some))
                .map_err(|error| Error::from(format!("{configuration}: {error}")))
        };
        let Some(flat) = part(Rate::Max, schedule.flat)? else {
            return Ok(None);
        };
        let paced = part(self.load.rate, schedule.paced)?;
        Ok(paced.map(|paced| Lap { flat, paced }))
    }

    /// Runs every configuration's laps in turn. `begin` is told before each lap which of how many
    /// it is. Returns the laps of each configuration, fewer or none where it was interrupted.
    ///
    /// # Errors
    ///
    /// As [`Setting::lap`].
    pub fn sweep(
        &self,
        configurations: &[Configuration],
        interrupted: &dyn Fn() -> bool,
        mut begin: impl FnMut(usize, usize, Configuration),
    ) -> Result<Vec<Vec<Lap>>, Error> {
        let mut dice = ChaCha8Rng::seed_from_u64(0);
        let mut order: Vec<usize> = (0..configurations.len()).collect();
        let total = self.schedule.laps * configurations.len();
        let mut laps: Vec<Vec<Lap>> = configurations.iter().map(|_| Vec::new()).collect();
        for round in 0..self.schedule.laps {
            order.shuffle(&mut dice);
            for (place, &index) in order.iter().enumerate() {
                let configuration = configurations[index];
                begin(round * order.len() + place, total, configuration);
                match self.lap(configuration, interrupted)? {
                    Some(lap) => laps[index].push(lap),
                    None => return Ok(laps),
                }
            }
        }
        Ok(laps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_configuration_is_divided_among_its_laps() {
        let seconds = Duration::from_millis(900);
        let flat = Schedule::of(seconds, Rate::Max);
        let lap = seconds / LAPS as u32;
        assert_eq!((flat.flat, flat.paced), (lap, Duration::ZERO));
        let paced = Schedule::of(seconds, Rate::PerSecond(10.0));
        assert_eq!(paced.flat + paced.paced, lap);
        assert_eq!(paced.paced, lap - lap / 3);
        assert!(paced.lap() > lap);
    }
}
