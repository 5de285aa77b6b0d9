//! Percentiles of single durations.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest duration that keeps its precision: a minute. Longer ones count as this.
const LONGEST_NS: u64 = 60_000_000_000;

/// Significant decimal digits kept.
const DIGITS: u8 = 3;

/// A histogram of durations in nanoseconds, to three digits.
///
/// # Complexity
///
/// Recording is a few instructions and allocates nothing; the buckets (about 200 KiB) are made once.
#[derive(Clone)]
pub struct Latency {
    histogram: Histogram<u64>,
}

/// The percentiles that a report shows, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many durations were recorded.
    pub count: u64,
    /// Half were at most this.
    pub p50: u64,
    /// 99 in 100 were at most this.
    pub p99: u64,
    /// 999 in 1000 were at most this.
    pub p999: u64,
    /// None was longer.
    pub max: u64,
}

impl Latency {
    /// An empty histogram.
    ///
    /// # Panics
    ///
    /// Never: the bounds are constants that the histogram accepts.
    #[must_use]
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
            .expect("constant bounds: low 1, high a minute, three digits");
        Self { histogram }
    }

    /// Counts one duration; what is longer than a minute counts as a minute.
    pub fn record(&mut self, duration: Duration) {
        self.record_ns(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts one duration in nanoseconds; what is longer than a minute counts as a minute.
    pub fn record_ns(&mut self, nanoseconds: u64) {
        self.histogram.saturating_record(nanoseconds.max(1));
    }

    /// Adds another histogram's counts.
    ///
    /// # Panics
    ///
    /// Never: all histograms here have the same bounds.
    pub fn merge(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("histograms of the same bounds");
    }

    /// The duration in nanoseconds that `percent` of the recorded ones do not exceed; 0 when empty.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> u64 {
        self.histogram.value_at_percentile(percent)
    }

    /// The percentiles that reports show.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        Percentiles {
            count: self.histogram.len(),
            p50: self.percentile(50.0),
            p99: self.percentile(99.0),
            p999: self.percentile(99.9),
            max: self.histogram.max(),
        }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Latency").field(&self.percentiles()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_distribution() {
        let mut latency = Latency::new();
        (1..=1000).for_each(|nanoseconds| latency.record_ns(nanoseconds));
        let p = latency.percentiles();
        assert_eq!((p.count, p.p50, p.p99, p.max), (1000, 500, 990, 1000));
        // 99.9 % of 1000 is 999, or a rounding error more.
        assert!((999..=1000).contains(&p.p999), "{}", p.p999);
    }

    #[test]
    fn zero_and_enormous_durations_are_counted() {
        let mut latency = Latency::new();
        latency.record(Duration::ZERO);
        latency.record(Duration::MAX);
        let p = latency.percentiles();
        assert_eq!(p.count, 2);
        assert!(p.max >= LONGEST_NS);
    }

    #[test]
    fn merged_histograms_hold_both_sets() {
        let (mut low, mut high) = (Latency::new(), Latency::new());
        low.record_ns(10);
        high.record_ns(500);
        low.merge(&high);
        assert_eq!(low.percentiles().count, 2);
        assert_eq!(low.percentile(100.0), 500);
    }
}
