//! Sampled latencies: a histogram of its own for each worker, merged by whoever reads.

use crate::metrics::Latency;
use cache_padded::CachePadded;
use corecast_affinity::{TickClock, Ticks};
use corecast_ring::sync::{Mutex, lock};
use hdrhistogram::Histogram;
use std::time::Duration;

/// The longest latency told from a longer one: an hour.
const LONGEST: u64 = 3_600_000_000_000;
/// Of a latency, so many digits are kept.
const DIGITS: u8 = 3;

/// From one nanosecond to an hour: about 270 KB. `None` where the allocator or the bounds refuse.
fn histogram() -> Option<Histogram<u64>> {
    Histogram::new_with_bounds(1, LONGEST, DIGITS).ok()
}

/// One worker's latencies. Written by the worker alone; the lock is there for those who read, and
/// a sample waits for them no longer than a merge takes.
pub(crate) struct WorkerLatency {
    clock: TickClock,
    histogram: CachePadded<Mutex<Histogram<u64>>>,
}

impl WorkerLatency {
    /// Of latencies by `clock`.
    pub(crate) fn new(clock: TickClock) -> Option<Self> {
        let histogram = CachePadded::new(Mutex::new(histogram()?));
        Some(Self { clock, histogram })
    }

    /// Records how long ago `emitted` was.
    pub(crate) fn record_since(&self, emitted: Ticks) {
        self.record(self.clock.nanoseconds(emitted, self.clock.now()));
    }

    fn record(&self, nanoseconds: u64) {
        lock(&self.histogram).saturating_record(nanoseconds.max(1));
    }

    /// What it takes, beside itself.
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.histogram).distinct_values() * size_of::<u64>()
    }
}

/// The percentiles over all workers; `None` if no latency is sampled.
pub(crate) fn merged<'a>(workers: impl Iterator<Item = &'a WorkerLatency>) -> Option<Latency> {
    let mut all: Option<Histogram<u64>> = None;
    for worker in workers {
        let one = lock(&worker.histogram);
        match &mut all {
            None => all = Some(one.clone()),
            // Histograms of the same bounds always add up.
            Some(all) => drop(all.add(&*one)),
        }
    }
    let all = all?;
    let at = |quantile| Duration::from_nanos(all.value_at_quantile(quantile));
    Some(Latency {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: Duration::from_nanos(all.max()),
        count: all.len(),
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_all_workers_samples_together() {
        let worker = || WorkerLatency::new(TickClock::get()).unwrap();
        let workers = [worker(), worker()];
        // 1 to 1000 microseconds, alternately here and there, the slowest half on the second.
        for microseconds in 1..=1000 {
            workers[usize::from(microseconds > 500)].record(1000 * microseconds);
        }
        let all = merged(workers.iter()).unwrap();
        assert_eq!(all.count, 1000);
        for (shown, exact) in [
            (all.p50, 500),
            (all.p90, 900),
            (all.p99, 990),
            (all.p999, 999),
        ] {
            let exact = Duration::from_micros(exact);
            assert!(
                shown >= exact && shown <= exact.mul_f64(1.001),
                "{shown:?} for {exact:?}"
            );
        }
        assert!(all.max >= Duration::from_micros(1000));
        assert_eq!(merged([].into_iter()), None);
    }

    #[test]
    fn a_latency_beyond_the_longest_counts_as_the_longest() {
        let worker = WorkerLatency::new(TickClock::get()).unwrap();
        worker.record(u64::MAX);
        worker.record(0);
        let all = merged([&worker].into_iter()).unwrap();
        assert_eq!(all.count, 2);
        assert!(all.max >= Duration::from_secs(3600));
        assert!(all.max < Duration::from_secs(3610));
    }
}
