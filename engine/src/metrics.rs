//! Counters and sizes as plain snapshots, and rates from two of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// Counters and sizes of one signal at one moment.
///
/// Exact when nobody emits. While somebody does, each number is of a moment between the call and its
/// return, and `emitted = accepted + rejected + dropped` holds in every snapshot. Counters only grow,
/// and keep what listeners, threads and emitters counted that are gone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignalMetrics {
    /// When this was taken.
    pub at: Instant,
    /// The signal's name, if it has one.
    pub name: Option<Arc<str>>,
    /// Which of its engine's signals it is, in the order in which they were made.
    pub(crate) number: u64,
    /// Events that somebody tried to emit: `accepted + rejected + dropped`.
    pub emitted: u64,
    /// Events that were taken.
    pub accepted: u64,
    /// Events handed back to their emitter.
    pub rejected: u64,
    /// Events that an overflow policy dropped.
    pub dropped: u64,
    /// Calls of listeners that ran and succeeded.
    pub delivered: u64,
    /// Calls of listeners that returned an error or panicked.
    pub failed: u64,
    /// Calls of listeners that panicked.
    pub panicked: u64,
    /// Listeners.
    pub listeners: usize,
    /// Listener arrays that are out of use and not yet dropped. What stays above 0 says that a walk
    /// takes long, with it the captured state of listeners that were removed.
    pub retired_arrays: usize,
    /// Bytes held: listener arrays (16 for each listener in each array, on targets with 64-bit
    /// pointers), retired ones included, lanes, and histograms of sampled latencies. Not the
    /// listeners themselves: see [`SyncSignal`](crate::SyncSignal).
    pub bytes: usize,
    /// The lanes of an asynchronous signal.
    pub lanes: Vec<LaneMetrics>,
    /// From emit to the end of the last listener on a worker, where
    /// [sampling](crate::AsyncSignalBuilder::sample_latency) is on.
    pub latency: Option<Latency>,
}

/// One lane at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneMetrics {
    /// The worker that drains it.
    pub worker: crate::WorkerId,
    /// Slots.
    pub capacity: usize,
    /// Events that wait, or that the worker has not yet reported as done.
    pub depth: usize,
    /// The most events that the worker has found waiting. What has come since it last looked shows
    /// in `depth`.
    pub high_water: usize,
    /// Bytes of its slots.
    pub bytes: usize,
    /// Whether it is one of the signal's shared lanes.
    pub shared: bool,
}

/// Percentiles of sampled latencies, of all workers together, to three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// The median.
    pub p50: Duration,
    /// The 90th percentile.
    pub p90: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// The 99.9th percentile.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
    /// Samples.
    pub count: u64,
}

/// What happened between two snapshots: see [`SignalMetrics::since`] and
/// [`EngineMetrics::since`](crate::EngineMetrics::since).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Rates {
    /// The time between them.
    pub interval: Duration,
    /// Events emitted in a second.
    pub events_per_second: f64,
    /// Calls of listeners in a second.
    pub deliveries_per_second: f64,
    /// Failed calls among all calls, from 0 to 1.
    pub error_rate: f64,
}

impl SignalMetrics {
    pub(crate) fn at_this_moment() -> Self {
        Self {
            at: Instant::now(),
            name: None,
            number: 0,
            emitted: 0,
            accepted: 0,
            rejected: 0,
            dropped: 0,
            delivered: 0,
            failed: 0,
            panicked: 0,
            listeners: 0,
            retired_arrays: 0,
            bytes: 0,
            lanes: Vec::new(),
            latency: None,
        }
    }

    /// The rates between `earlier` and this snapshot of the same signal. Zero over no time.
    ///
    /// ```
    /// let signal = corecast::SyncSignal::<u64>::new();
    /// let even = |n: &u64| if n % 2 == 0 { Ok(()) } else { Err("odd") };
    /// let _subscription = signal.subscribe_fallible(even);
    /// let earlier = signal.metrics();
    /// for n in 0..8 {
    ///     signal.emit(&n);
    /// }
    /// let rates = signal.metrics().since(&earlier);
    /// assert_eq!(rates.error_rate, 0.5);
    /// assert!(rates.events_per_second > 0.0);
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Rates {
        let interval = self.at.saturating_duration_since(earlier.at);
        Rates::over(interval, self.calls_since(Some(earlier)))
    }

    /// What was counted after `earlier`, or in all.
    pub(crate) fn calls_since(&self, earlier: Option<&Self>) -> Calls {
        let since = |count: fn(&Self) -> u64| {
            let before = earlier.map_or(0, count);
            count(self).saturating_sub(before)
        };
        Calls {
            emitted: since(|one| one.emitted),
            delivered: since(|one| one.delivered),
            failed: since(|one| one.failed),
        }
    }
}

/// Events and calls of listeners, counted over some time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Calls {
    emitted: u64,
    delivered: u64,
    failed: u64,
}

impl core::iter::Sum for Calls {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            emitted: sum.emitted + one.emitted,
            delivered: sum.delivered + one.delivered,
            failed: sum.failed + one.failed,
        })
    }
}

impl Rates {
    /// Zero over no time.
    pub(crate) fn over(interval: Duration, counted: Calls) -> Self {
        let seconds = interval.as_secs_f64();
        let in_a_second = |count: u64| {
            if seconds > 0.0 {
                count as f64 / seconds
            } else {
                0.0
            }
        };
        let calls = counted.failed + counted.delivered;
        Self {
            interval,
            events_per_second: in_a_second(counted.emitted),
            deliveries_per_second: in_a_second(counted.delivered),
            error_rate: if calls > 0 {
                counted.failed as f64 / calls as f64
            } else {
                0.0
            },
        }
    }
}
