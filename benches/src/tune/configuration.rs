//! A configuration of the engine, and the sweep over many.

use std::error::Error;
use std::fmt;

use corecast_ring::WaitStrategy;
use serde::{Serialize, Serializer};

/// What is being tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Configuration {
    /// Workers on each CPU.
    pub workers_per_core: usize,
    /// What idle workers do.
    #[serde(serialize_with = "by_name")]
    pub wait: WaitStrategy,
    /// Slots of each lane.
    pub capacity: usize,
    /// The most events that a worker takes from a lane before it looks at the next one.
    pub batch: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn by_name<S: Serializer>(wait: &WaitStrategy, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(wait.name())
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.workers_per_core == 1 { "" } else { "s" };
        write!(
            f,
            "{}, {} worker{plural} per core, capacity {}, batch {}",
            self.wait, self.workers_per_core, self.capacity, self.batch
        )
    }
}

/// The values that are tried, each with each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Workers on each CPU.
    pub workers_per_core: Vec<usize>,
    /// Wait strategies.
    pub wait: Vec<WaitStrategy>,
    /// Capacities.
    pub capacity: Vec<usize>,
    /// Batches.
    pub batch: Vec<usize>,
}

/// A batch that does not fit into a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchTooLarge {
    /// The batch.
    pub batch: usize,
    /// The capacity.
    pub capacity: usize,
}

impl fmt::Display for BatchTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a batch of {} does not fit into a lane of {} slots",
            self.batch, self.capacity
        )
    }
}

impl Error for BatchTooLarge {}

impl Sweep {
    /// The configurations, each once.
    ///
    /// Workers that share a CPU do not spin: the engine lets them yield instead. So where the sweep
    /// has `spin-then-yield` as well, `busy-spin` is left out for them.
    ///
    /// # Errors
    ///
    /// [`BatchTooLarge`].
    pub fn configurations(&self) -> Result<Vec<Configuration>, BatchTooLarge> {
        let yields = self.wait.contains(&WaitStrategy::spin_then_yield());
        let mut all = Vec::new();
        for &wait in &self.wait {
            for &workers_per_core in &self.workers_per_core {
                if wait.is_busy_spin() && workers_per_core > 1 && yields {
                    continue;
                }
                for &capacity in &self.capacity {
                    for &batch in &self.batch {
                        if batch > capacity {
                            return Err(BatchTooLarge { batch, capacity });
                        }
                        let one = Configuration {
                            workers_per_core,
                            wait,
                            capacity,
                            batch,
                        };
                        if !all.contains(&one) {
                            all.push(one);
                        }
                    }
                }
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep() -> Sweep {
        Sweep {
            workers_per_core: vec![1, 2],
            wait: vec![WaitStrategy::busy_spin(), WaitStrategy::park()],
            capacity: vec![64, 128],
            batch: vec![16],
        }
    }

    #[test]
    fn every_value_is_tried_with_every_other_once() {
        let all = sweep().configurations().expect("batches fit");
        assert_eq!(all.len(), 8);
        let twice = Sweep {
            capacity: vec![64, 64, 128],
            ..sweep()
        };
        assert_eq!(twice.configurations().expect("batches fit"), all);
    }

    #[test]
    fn spinning_on_a_shared_cpu_is_left_out_where_yielding_is_tried() {
        let mut sweep = sweep();
        sweep.wait.push(WaitStrategy::spin_then_yield());
        let all = sweep.configurations().expect("batches fit");
        assert_eq!(all.len(), 10);
        assert!(
            !all.iter()
                .any(|one| one.wait.is_busy_spin() && one.workers_per_core == 2)
        );
    }

    #[test]
    fn a_batch_must_fit_every_lane() {
        let wide = Sweep {
            batch: vec![16, 65],
            ..sweep()
        };
        let error = wide.configurations().expect_err("65 in 64");
        assert_eq!((error.batch, error.capacity), (65, 64));
    }
}
