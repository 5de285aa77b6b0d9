//! An engine with something to show: every counter has a value of its own.

use corecast::{
    AsyncSignal, BreakerMetrics, CircuitBreaker, Cores, Emitter, Engine, EngineMetrics, Overflow,
    SignalMetrics, Subscription, SyncSignal,
};
use std::time::Duration;

/// A label value that needs escaping.
pub(crate) const ODD_NAME: &str = "odd \"name\"\\\n{x=\"y\"}";

pub(crate) struct Scene {
    pub(crate) engine: EngineMetrics,
    pub(crate) orders: SignalMetrics,
    pub(crate) breaker: BreakerMetrics,
    _running: Running,
}

struct Running {
    _engine: Engine,
    _signals: [AsyncSignal<u64>; 3],
    _emitters: [Emitter<u64>; 2],
    _subscriptions: Vec<Subscription>,
}

/// Two events in a lane of eight slots, four dropped, some delivered, one refused.
pub(crate) fn scene() -> Scene {
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .manual()
        .build()
        .unwrap();
    let ticks = engine
        .signal::<u64>("ticks")
        .capacity(8)
        .overflow(Overflow::DropNewest)
        .sample_latency(1)
        .build()
        .unwrap();
    let namesake = engine.signal::<u64>("ticks").build().unwrap();
    let odd = engine.signal::<u64>(ODD_NAME).build().unwrap();
    let mut subscriptions = vec![
        ticks.subscribe(|_| {}),
        ticks.subscribe_fallible(|n: &u64| {
            if n % 5 == 4 {
                Err("every fifth")
            } else {
                Ok(())
            }
        }),
        namesake.subscribe(|_| {}),
    ];
    let mut out = ticks.emitter().unwrap();
    for n in 0..12 {
        out.emit(n).unwrap();
    }
    engine.run_until_idle().unwrap();
    out.emit(12).unwrap();
    out.emit(13).unwrap();
    let mut other = namesake.emitter().unwrap();
    other.emit(1).unwrap();
    engine.run_until_idle().unwrap();
    out.emit(14).unwrap();

    let orders = SyncSignal::<u64>::builder().name("orders").build().unwrap();
    let breaker = CircuitBreaker::builder("gateway")
        .failures(1)
        .cool_down(Duration::MAX)
        .build()
        .unwrap();
    subscriptions.push(orders.subscribe_fallible(breaker.guard(|_: &u64| Err("down"))));
    subscriptions.push(orders.subscribe(|_| {}));
    for n in 0..3 {
        orders.emit(&n);
    }
    Scene {
        engine: engine.metrics(),
        orders: orders.metrics(),
        breaker: breaker.metrics(),
        _running: Running {
            _engine: engine,
            _signals: [ticks, namesake, odd],
            _emitters: [out, other],
            _subscriptions: subscriptions,
        },
    }
}

/// Name, labels, value.
#[cfg(any(feature = "metrics", feature = "prometheus"))]
pub(crate) type Sample = (String, Vec<(&'static str, String)>, f64);

/// What any exporter must show of the scene.
#[cfg(any(feature = "metrics", feature = "prometheus"))]
pub(crate) fn expected(scene: &Scene) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |name: &str, labels: &[(&'static str, &str)], value: f64| {
        let labels = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        samples.push((format!("corecast_{name}"), labels.collect(), value));
    };
    let engine = ("engine", "main");
    add(
        "faults_waiting",
        &[engine],
        scene.engine.faults_waiting as f64,
    );
    add(
        "faults_lost_total",
        &[engine],
        scene.engine.faults_lost as f64,
    );
    add("bytes", &[engine], scene.engine.bytes as f64);
    let [worker] = &scene.engine.workers[..] else {
        panic!("one worker");
    };
    let zero = ("worker", "0");
    add(
        "worker_delivered_total",
        &[engine, zero],
        worker.delivered as f64,
    );
    add("worker_parks_total", &[engine, zero], worker.parks as f64);
    add("worker_listeners", &[engine, zero], worker.listeners as f64);
    for (state, holds) in [
        ("active", 1.0),
        ("parked", 0.0),
        ("left", 0.0),
        ("dead", 0.0),
    ] {
        add("worker_state", &[engine, zero, ("state", state)], holds);
    }
    let labels: [&[_]; 3] = [
        &[engine, ("signal", "ticks")],
        &[engine, ("instance", "2"), ("signal", "ticks")],
        &[engine, ("signal", ODD_NAME)],
    ];
    for (labels, signal) in labels.into_iter().zip(&scene.engine.signals) {
        add_signal(&mut add, labels, signal);
        let labels = [labels, &[zero]].concat();
        let lanes = &signal.lanes;
        add("lanes", &labels, lanes.len() as f64);
        add(
            "lane_depth",
            &labels,
            lanes.iter().map(|lane| lane.depth).sum::<usize>() as f64,
        );
        let highest = lanes.iter().map(|lane| lane.high_water).max();
        add("lane_high_water", &labels, highest.unwrap_or(0) as f64);
        add(
            "lane_slots",
            &labels,
            lanes.iter().map(|lane| lane.capacity).sum::<usize>() as f64,
        );
    }
    add_signal(&mut add, &[("signal", "orders")], &scene.orders);
    let gateway = ("breaker", "gateway");
    add("breaker_admitted_total", &[gateway], 1.0);
    add("breaker_failed_total", &[gateway], 1.0);
    add("breaker_refused_total", &[gateway], 2.0);
    add("breaker_opened_total", &[gateway], 1.0);
    for (state, holds) in [("closed", 0.0), ("open", 1.0), ("half-open", 0.0)] {
        add("breaker_state", &[gateway, ("state", state)], holds);
    }
    samples
}

#[cfg(any(feature = "metrics", feature = "prometheus"))]
fn add_signal(
    add: &mut impl FnMut(&str, &[(&'static str, &str)], f64),
    labels: &[(&'static str, &str)],
    signal: &SignalMetrics,
) {
    add("signal_emitted_total", labels, signal.emitted as f64);
    add("signal_accepted_total", labels, signal.accepted as f64);
    add("signal_rejected_total", labels, signal.rejected as f64);
    add("signal_dropped_total", labels, signal.dropped as f64);
    add("signal_delivered_total", labels, signal.delivered as f64);
    add("signal_failed_total", labels, signal.failed as f64);
    add("signal_panicked_total", labels, signal.panicked as f64);
    add("signal_listeners", labels, signal.listeners as f64);
    add(
        "signal_retired_arrays",
        labels,
        signal.retired_arrays as f64,
    );
    add("signal_bytes", labels, signal.bytes as f64);
    let Some(latency) = &signal.latency else {
        return;
    };
    for (quantile, time) in [
        ("0.5", latency.p50),
        ("0.9", latency.p90),
        ("0.99", latency.p99),
        ("0.999", latency.p999),
        ("1", latency.max),
    ] {
        let labels = [labels, &[("quantile", quantile)]].concat();
        add("signal_latency_seconds", &labels, time.as_secs_f64());
    }
    add("signal_latency_samples_total", labels, latency.count as f64);
}

/// The scene is worth comparing with: it has failures, drops, depth and latencies.
#[test]
fn scene_has_something_to_show() {
    let scene = scene();
    let ticks = &scene.engine.signals[0];
    assert_eq!((ticks.emitted, ticks.accepted, ticks.dropped), (15, 11, 4));
    assert_eq!((ticks.delivered, ticks.failed), (19, 1));
    assert_eq!(ticks.lanes[0].depth, 1);
    assert!(ticks.latency.is_some_and(|latency| latency.count > 0));
    assert_eq!(scene.engine.signals[1].emitted, 1);
    assert_eq!(scene.orders.failed, 3);
}
