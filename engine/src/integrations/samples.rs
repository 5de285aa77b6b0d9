//! Snapshots as samples: what every exporter shows, under which names and labels.

use crate::{
    BreakerMetrics, BreakerState, EngineMetrics, LaneMetrics, Latency, SignalMetrics, WorkerId,
    WorkerMetrics, WorkerState,
};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What samples of one name mean: the name, and a line of help.
pub(crate) type Family = (&'static str, &'static str);

/// What is sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    /// Only ever grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(f64),
}

/// Labels with their values.
pub(crate) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Where samples go.
pub(crate) trait Sink {
    fn sample(&mut self, family: Family, labels: &[(&'static str, &str)], value: Value);
}

/// Samples with the same labels.
fn each(
    sink: &mut impl Sink,
    labels: &[(&'static str, &str)],
    samples: &[(&'static str, &'static str, Value)],
) {
    for (name, help, value) in samples {
        sink.sample((name, help), labels, *value);
    }
}

fn count(value: u64) -> Value {
    Value::Counter(value)
}

fn level(value: usize) -> Value {
    Value::Gauge(value as f64)
}

/// One sample for each state there is: 1 for the one that holds, 0 for the others.
fn states(
    sink: &mut impl Sink,
    family: Family,
    labels: &Labels<'_>,
    states: impl IntoIterator<Item = (&'static str, bool)>,
) {
    for (name, holds) in states {
        let mut labels = labels.clone();
        labels.push(("state", name));
        sink.sample(family, &labels, level(holds.into()));
    }
}

/// An engine with its workers and signals, labelled with the engine's name.
pub(crate) fn engine(sink: &mut impl Sink, name: &str, metrics: &EngineMetrics) {
    let labels = vec![("engine", name)];
    let single = [
        (
            "corecast_faults_waiting",
            "Faults that wait to be read.",
            level(metrics.faults_waiting),
        ),
        (
            "corecast_faults_lost_total",
            "Faults that found their queue full.",
            count(metrics.faults_lost),
        ),
        (
            "corecast_bytes",
            "Bytes held by the engine's signals.",
            level(metrics.bytes),
        ),
    ];
    each(sink, &labels, &single);
    for one in &metrics.workers {
        worker(sink, &labels, one);
    }
    let workers: Vec<_> = metrics.workers.iter().map(|worker| worker.id).collect();
    let mut instances = BTreeMap::new();
    for one in &metrics.signals {
        // Signals of one name are told apart by the order in which they were made.
        let instance = match instances.entry(one.name.as_deref()) {
            Entry::Vacant(first) => {
                first.insert(1_usize);
                None
            }
            Entry::Occupied(mut earlier) => {
                *earlier.get_mut() += 1;
                Some(earlier.get().to_string())
            }
        };
        let mut labels = labels.clone();
        labels.extend(instance.as_deref().map(|number| ("instance", number)));
        signal(sink, labels, &workers, one);
    }
}

fn worker(sink: &mut impl Sink, labels: &Labels<'_>, metrics: &WorkerMetrics) {
    let number = metrics.id.index().to_string();
    let mut labels = labels.clone();
    labels.push(("worker", &number));
    let samples = [
        (
            "corecast_worker_delivered_total",
            "Lane-events that the worker has delivered.",
            count(metrics.delivered),
        ),
        (
            "corecast_worker_parks_total",
            "How often the worker went to sleep.",
            count(metrics.parks),
        ),
        (
            "corecast_worker_listeners",
            "Listeners placed on the worker.",
            level(metrics.listeners),
        ),
    ];
    each(sink, &labels, &samples);
    let all = [
        ("active", WorkerState::Active),
        ("parked", WorkerState::Parked),
        ("left", WorkerState::Left),
        ("dead", WorkerState::Dead),
    ];
    let help = "1 for what the worker's thread is doing, 0 for the rest.";
    states(
        sink,
        ("corecast_worker_state", help),
        &labels,
        all.map(|(name, state)| (name, state == metrics.state)),
    );
}

/// A signal. Lanes are summed up by worker, for `workers` and those that have a lane, so that the
/// number of samples does not grow with the number of emitters.
pub(crate) fn signal<'a>(
    sink: &mut impl Sink,
    mut labels: Labels<'a>,
    workers: &[WorkerId],
    metrics: &'a SignalMetrics,
) {
    labels.extend(metrics.name.as_deref().map(|name| ("signal", name)));
    let samples = [
        (
            "corecast_signal_emitted_total",
            "Events that somebody tried to emit.",
            count(metrics.emitted),
        ),
        (
            "corecast_signal_accepted_total",
            "Events that were taken.",
            count(metrics.accepted),
        ),
        (
            "corecast_signal_rejected_total",
            "Events handed back to their emitter.",
            count(metrics.rejected),
        ),
        (
            "corecast_signal_dropped_total",
            "Events that an overflow policy dropped.",
            count(metrics.dropped),
        ),
        (
            "corecast_signal_delivered_total",
            "Calls of listeners that ran and succeeded.",
            count(metrics.delivered),
        ),
        (
            "corecast_signal_failed_total",
            "Calls of listeners that returned an error or panicked.",
            count(metrics.failed),
        ),
        (
            "corecast_signal_panicked_total",
            "Calls of listeners that panicked.",
            count(metrics.panicked),
        ),
        (
            "corecast_signal_listeners",
            "Listeners.",
            level(metrics.listeners),
        ),
        (
            "corecast_signal_retired_arrays",
            "Listener arrays that are out of use and not yet dropped.",
            level(metrics.retired_arrays),
        ),
        (
            "corecast_signal_bytes",
            "Bytes held by the signal.",
            level(metrics.bytes),
        ),
    ];
    each(sink, &labels, &samples);
    lanes(sink, &labels, workers, &metrics.lanes);
    if let Some(times) = &metrics.latency {
        latency(sink, &labels, times);
    }
}

#[derive(Default)]
struct LaneTotals {
    lanes: usize,
    depth: usize,
    high_water: usize,
    slots: usize,
}

fn lanes(sink: &mut impl Sink, labels: &Labels<'_>, workers: &[WorkerId], lanes: &[LaneMetrics]) {
    let mut totals: BTreeMap<WorkerId, LaneTotals> = BTreeMap::new();
    for worker in workers {
        totals.entry(*worker).or_default();
    }
    for lane in lanes {
        let total = totals.entry(lane.worker).or_default();
        total.lanes += 1;
        total.depth += lane.depth;
        total.high_water = total.high_water.max(lane.high_water);
        total.slots += lane.capacity;
    }
    for (worker, total) in totals {
        let number = worker.index().to_string();
        let mut labels = labels.clone();
        labels.push(("worker", &number));
        let samples = [
            ("corecast_lanes", "Lanes to the worker.", level(total.lanes)),
            (
                "corecast_lane_depth",
                "Events that wait in all those lanes.",
                level(total.depth),
            ),
            (
                "corecast_lane_high_water",
                "The most events that the worker has found waiting in one of them.",
                level(total.high_water),
            ),
            (
                "corecast_lane_slots",
                "Slots of all those lanes.",
                level(total.slots),
            ),
        ];
        each(sink, &labels, &samples);
    }
}

fn latency(sink: &mut impl Sink, labels: &Labels<'_>, times: &Latency) {
    let seconds = (
        "corecast_signal_latency_seconds",
        "Sampled time from emit to the end of the last listener on a worker; quantile 1 is the longest.",
    );
    let quantiles = [
        ("0.5", times.p50),
        ("0.9", times.p90),
        ("0.99", times.p99),
        ("0.999", times.p999),
        ("1", times.max),
    ];
    for (quantile, time) in quantiles {
        let mut labels = labels.clone();
        labels.push(("quantile", quantile));
        sink.sample(seconds, &labels, Value::Gauge(time.as_secs_f64()));
    }
    let samples = [(
        "corecast_signal_latency_samples_total",
        "Events whose latency was sampled.",
        count(times.count),
    )];
    each(sink, labels, &samples);
}

/// A circuit breaker.
pub(crate) fn breaker(sink: &mut impl Sink, metrics: &BreakerMetrics) {
    let labels = vec![("breaker", &*metrics.name)];
    let samples = [
        (
            "corecast_breaker_admitted_total",
            "Calls that were made.",
            count(metrics.admitted),
        ),
        (
            "corecast_breaker_failed_total",
            "Calls that failed.",
            count(metrics.failed),
        ),
        (
            "corecast_breaker_refused_total",
            "Calls that were not made.",
            count(metrics.refused),
        ),
        (
            "corecast_breaker_opened_total",
            "How often it opened.",
            count(metrics.opened),
        ),
    ];
    each(sink, &labels, &samples);
    let all = [
        BreakerState::Closed,
        BreakerState::Open,
        BreakerState::HalfOpen,
    ];
    let help = "1 for what the breaker does with calls, 0 for the rest.";
    states(
        sink,
        ("corecast_breaker_state", help),
        &labels,
        all.map(|state| (state.name(), state == metrics.state)),
    );
}

/// A rate limit.
#[cfg(feature = "limits")]
pub(crate) fn rate_limit(sink: &mut impl Sink, name: &str, metrics: &crate::RateLimitMetrics) {
    let samples = [
        (
            "corecast_rate_limit_admitted_total",
            "Events that the limit admitted.",
            count(metrics.admitted),
        ),
        (
            "corecast_rate_limit_refused_total",
            "Events that the limit refused.",
            count(metrics.refused),
        ),
    ];
    each(sink, &[("limit", name)], &samples);
}

/// A publisher to other machines.
#[cfg(feature = "zenoh")]
pub(crate) fn publisher(
    sink: &mut impl Sink,
    name: &str,
    metrics: &crate::zenoh::PublisherMetrics,
) {
    let samples = [
        (
            "corecast_publisher_events_total",
            "Events that the publisher was called with.",
            count(metrics.events),
        ),
        (
            "corecast_publisher_published_total",
            "Events handed to the network.",
            count(metrics.published),
        ),
        (
            "corecast_publisher_dropped_total",
            "Events that the network was too slow for.",
            count(metrics.dropped),
        ),
        (
            "corecast_publisher_failed_total",
            "Events that were not encoded.",
            count(metrics.failed),
        ),
        (
            "corecast_publisher_queued",
            "Events on their way to the network.",
            Value::Gauge(metrics.queued as f64),
        ),
        (
            "corecast_publisher_frames_total",
            "Frames handed to the network.",
            count(metrics.frames),
        ),
        (
            "corecast_publisher_bytes_total",
            "Bytes of those frames.",
            count(metrics.bytes),
        ),
    ];
    each(sink, &[("publisher", name)], &samples);
}

/// A receiver from other machines.
#[cfg(feature = "zenoh")]
pub(crate) fn receiver(sink: &mut impl Sink, name: &str, metrics: &crate::zenoh::ReceiverMetrics) {
    let samples = [
        (
            "corecast_receiver_frames_total",
            "Frames that came.",
            count(metrics.frames),
        ),
        (
            "corecast_receiver_malformed_total",
            "Frames that were none.",
            count(metrics.malformed),
        ),
        (
            "corecast_receiver_received_total",
            "Events received and emitted.",
            count(metrics.received),
        ),
        (
            "corecast_receiver_rejected_total",
            "Events that the emitter did not accept.",
            count(metrics.rejected),
        ),
        (
            "corecast_receiver_undecoded_total",
            "Events that were not decoded.",
            count(metrics.undecoded),
        ),
        (
            "corecast_receiver_gaps_total",
            "Places where events are missing.",
            count(metrics.gaps),
        ),
        (
            "corecast_receiver_missing_total",
            "Events missing there.",
            count(metrics.missing),
        ),
        (
            "corecast_receiver_repeated_total",
            "Events that came again or too late.",
            count(metrics.repeated),
        ),
        (
            "corecast_receiver_restarts_total",
            "How often another incarnation came under a key.",
            count(metrics.restarts),
        ),
        (
            "corecast_receiver_publishers",
            "Publishers heard of that have not ended.",
            Value::Gauge(metrics.publishers as f64),
        ),
        (
            "corecast_receiver_inbox_bytes",
            "Bytes that wait to be decoded.",
            level(metrics.inbox_bytes),
        ),
        (
            "corecast_receiver_inbox_high_water_bytes",
            "The most there have been.",
            level(metrics.inbox_high_water),
        ),
    ];
    each(sink, &[("receiver", name)], &samples);
}
