//! What the counters say, to the last event.

use crate::support::{LONG, Log, door, engine, manual, worker};
use corecast::{Batch, Overflow, Signal, SyncSignal, WorkerListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn every_event_and_every_call_is_counted_where_it_belongs() {
    let engine = manual(2);
    let builder = engine.signal::<u64>("prices").capacity(16);
    let signal = builder.overflow(Overflow::Reject).build().unwrap();
    let at = |listener: WorkerListener<u64>, index| signal.add(listener.on_worker(worker(index)));
    let fallible = |n: &u64| if n % 4 == 1 { Err("no") } else { Ok(()) };
    let panicking = |n: &u64| assert!(n % 8 != 3, "not {n}");
    let _kept = [
        at(WorkerListener::new(|_| {}), 0),
        at(WorkerListener::fallible(fallible), 0),
        at(WorkerListener::new(panicking), 1),
        at(WorkerListener::batch(|_| {}), 1),
    ]
    .map(Result::unwrap);
    let mut out = signal.emitter().unwrap();
    let accepted = (0..40).filter(|n| out.emit(*n).is_ok()).count() as u64;
    assert_eq!(accepted, 16);
    assert_eq!(out.emit_batch(0..3).unwrap_err().accepted, 0);
    (0..2).for_each(|n| signal.emit(n).unwrap());
    engine.run_until_idle().unwrap();

    let metrics = signal.metrics();
    assert_eq!(metrics.name.as_deref(), Some("prices"));
    assert_eq!(
        (metrics.accepted, metrics.rejected, metrics.dropped),
        (18, 25, 0)
    );
    assert_eq!(metrics.emitted, 43);
    // Of 0..16 and 0..2: four and one are refused by the second, two make the third panic.
    let (errors, panics) = (4 + 1, 2);
    assert_eq!(
        (metrics.failed, metrics.panicked),
        (errors + panics, panics)
    );
    assert_eq!(metrics.delivered, 18 * 4 - errors - panics);
    assert_eq!(metrics.listeners, 4);
    let delivered: Vec<_> = engine
        .metrics()
        .workers
        .iter()
        .map(|one| one.delivered)
        .collect();
    assert_eq!(
        delivered,
        [18, 18],
        "a lane-event is through, whatever its listeners said"
    );
    let report = engine.shutdown(LONG);
    assert_eq!((report.accepted, report.delivered), (36, 36));
}

#[test]
fn counters_outlive_the_emitters_and_listeners_that_they_count() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    for _ in 0..10 {
        let subscription = signal.subscribe(|_| {});
        let mut out = signal.emitter().unwrap();
        out.emit_batch(0..5).unwrap();
        engine.run_until_idle().unwrap();
        out.close();
        drop(subscription);
    }
    engine.run_until_idle().unwrap();
    let metrics = signal.metrics();
    assert!(metrics.lanes.is_empty());
    assert_eq!(
        (metrics.emitted, metrics.accepted, metrics.delivered),
        (50, 50, 50)
    );
    drop(signal);
    assert_eq!(
        engine.shutdown(LONG).accepted,
        50,
        "and the signal, for the report"
    );
}

#[test]
fn a_lane_reports_its_depth_its_high_water_mark_and_its_place() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").capacity(32).build().unwrap();
    let _kept = signal.subscribe(|_| {});
    let mut out = signal.emitter().unwrap();
    out.emit_batch(0..20).unwrap();
    signal.emit(0).unwrap();
    let lanes = signal.metrics().lanes;
    let shown: Vec<_> = lanes
        .iter()
        .map(|lane| {
            (
                lane.worker.index(),
                lane.shared,
                lane.capacity,
                lane.depth,
                lane.high_water,
            )
        })
        .collect();
    let expected = [
        (0, false, 32, 20, 0),
        (0, true, 32, 1, 0),
        (1, false, 32, 0, 0),
        (1, true, 32, 0, 0),
    ];
    assert_eq!(shown, expected);
    engine.run_until_idle().unwrap();
    out.emit_batch(0..3).unwrap();
    engine.run_until_idle().unwrap();
    let lanes = signal.metrics().lanes;
    assert_eq!((lanes[0].depth, lanes[0].high_water), (0, 20));
    assert_eq!((lanes[1].depth, lanes[1].high_water), (0, 1));
}

#[test]
fn the_high_water_mark_of_a_busy_lane_is_its_deepest_when_it_was_looked_at() {
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").capacity(64).build().unwrap();
    let (door, mut stand) = door();
    let _kept = signal.subscribe(move |n| {
        if *n == 0 {
            stand();
        }
    });
    let mut out = signal.emitter().unwrap();
    out.emit(0).unwrap();
    door.wait();
    out.emit_batch(1..41).unwrap();
    assert_eq!(signal.metrics().lanes[0].depth, 41);
    drop(door);
    out.flush(LONG).unwrap();
    assert_eq!(
        signal.metrics().lanes[0].high_water,
        40,
        "when the first had been delivered"
    );
}

/// The table in the documentation of `capacity`.
#[test]
fn the_bytes_of_a_lane_are_those_that_are_documented() {
    fn slot<T: Clone + Send + 'static>(event: T) -> usize {
        let engine = manual(1);
        let signal = engine.signal::<T>("s").capacity(1024).build().unwrap();
        let without = signal.metrics().bytes;
        let _kept = signal.subscribe(|_| {});
        let listener = signal.metrics().bytes - without;
        let mut out = signal.emitter().unwrap();
        out.emit(event).unwrap();
        let metrics = signal.metrics();
        let lane = metrics.lanes[0].bytes;
        assert_eq!(metrics.bytes, without + listener + lane);
        assert_eq!(engine.metrics().bytes, metrics.bytes);
        assert_eq!(lane % 1024, 0);
        lane / 1024
    }
    assert_eq!(slot(()), 8);
    assert_eq!(slot(0_u64), 16);
    assert_eq!(slot([0_u64; 3]), 32);
    assert_eq!(slot([0_u64; 7]), 64);
    assert_eq!(slot([0_u64; 8]), 72);
    assert_eq!(slot([0_u64; 15]), 128);
    assert_eq!(slot([0_u64; 32]), 264);
}

#[test]
fn every_nth_events_latency_is_sampled_and_none_unless_asked() {
    for (every, samples) in [(1, 100), (10, 10), (7, 14), (0, 0)] {
        let engine = manual(1);
        let builder = engine.signal::<u64>("s").sample_latency(every);
        let signal = builder.build().unwrap();
        let _kept = signal.subscribe(|_| {});
        let mut out = signal.emitter().unwrap();
        for n in 0..100 {
            out.emit(n).unwrap();
            engine.run_until_idle().unwrap();
        }
        let latency = signal.metrics().latency;
        assert_eq!(latency.map_or(0, |latency| latency.count), samples);
        assert_eq!(latency.is_some(), every > 0);
    }
}

#[test]
fn latency_goes_from_the_emission_to_the_end_of_the_last_listener() {
    const SLOW: Duration = Duration::from_millis(5);
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").sample_latency(2).build().unwrap();
    let _quick = signal.subscribe(|_| {});
    let _slow = signal.subscribe_batch(|run: Batch<'_, u64>| {
        if run.iter().any(|n| *n == 3) {
            std::thread::sleep(SLOW);
        }
    });
    let mut out = signal.emitter().unwrap();
    out.emit_batch(0..6).unwrap();
    engine.run_until_idle().unwrap();
    let latency = signal.metrics().latency.unwrap();
    assert_eq!(latency.count, 3);
    // Half a percent: the histogram keeps three digits.
    assert!(latency.max >= SLOW - SLOW / 200, "{latency:?}");
    assert!(latency.p50 <= latency.p90 && latency.p90 <= latency.p99);
    assert!(latency.p99 <= latency.p999 && latency.p999 <= latency.max);
}

#[test]
fn rates_come_from_two_snapshots() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let _kept = signal.subscribe_fallible(|n: &u64| {
        if n.is_multiple_of(2) {
            Ok(())
        } else {
            Err("odd")
        }
    });
    let mut out = signal.emitter().unwrap();
    out.emit_batch(0..10).unwrap();
    engine.run_until_idle().unwrap();
    let earlier = signal.metrics();
    out.emit_batch(0..40).unwrap();
    engine.run_until_idle().unwrap();
    let later = signal.metrics();
    let rates = later.since(&earlier);
    assert_eq!(rates.interval, later.at - earlier.at);
    let seconds = rates.interval.as_secs_f64();
    assert!((rates.events_per_second * seconds - 40.0).abs() < 1e-6);
    assert!((rates.deliveries_per_second * seconds - 20.0).abs() < 1e-6);
    assert!((rates.error_rate - 0.5).abs() < 1e-9);
    let none = later.since(&later);
    assert_eq!((none.events_per_second, none.error_rate), (0.0, 0.0));
}

#[test]
fn metrics_may_be_read_while_everything_moves_and_never_run_backwards() {
    let engine = engine(2);
    let signal = engine.signal::<u64>("s").capacity(32).build().unwrap();
    let log = Log::new();
    let _kept = signal.subscribe(log.listener());
    let done = AtomicBool::new(false);
    let looks = AtomicU64::new(0);
    let mut rounds = 0;
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut last = (0, 0);
            while !done.load(Ordering::Acquire) {
                let metrics = signal.metrics();
                let now = (metrics.accepted, metrics.delivered);
                assert!(now.0 >= last.0 && now.1 >= last.1, "{last:?} then {now:?}");
                assert_eq!(metrics.emitted, metrics.accepted);
                assert!(
                    metrics
                        .lanes
                        .iter()
                        .all(|lane| lane.depth <= 32 && lane.high_water <= 32)
                );
                last = now;
                looks.fetch_add(1, Ordering::Relaxed);
            }
        });
        // Until the reader, who may have to wait for a CPU, has looked now and then; or is gone.
        while rounds < 20 || (looks.load(Ordering::Relaxed) < 20 && !reader.is_finished()) {
            let mut out = signal.emitter().unwrap();
            (0..200).for_each(|n| out.emit(n).unwrap());
            rounds += 1;
        }
        done.store(true, Ordering::Release);
        reader.join().unwrap();
    });
    engine.shutdown(LONG);
    assert_eq!(signal.metrics().accepted, rounds * 200);
    assert_eq!(log.len() as u64, rounds * 200);
}

#[test]
fn the_trait_shows_what_both_kinds_of_signal_share() {
    let engine = manual(1);
    let ticks = engine.signal::<u64>("ticks").build().unwrap();
    let orders = engine
        .signal::<u64>("orders")
        .round_robin()
        .build()
        .unwrap();
    let alarms = SyncSignal::<str>::builder().name("alarms").build().unwrap();
    let _orders = orders.subscribe_sharded(|_| |_: &u64| {});
    for key in ["b", "a"] {
        let log = Log::new();
        alarms
            .add(corecast::Listener::new(|_| {}).key(key))
            .unwrap()
            .detach();
        ticks
            .add(WorkerListener::new(log.listener()).key(key))
            .unwrap()
            .detach();
    }
    alarms.emit("one");
    ticks.emit(1).unwrap();
    engine.run_until_idle().unwrap();

    let signals: Vec<Box<dyn Signal>> = vec![
        Box::new(ticks.clone()),
        Box::new(alarms.clone()),
        Box::new(orders.clone()),
    ];
    let names: Vec<_> = signals
        .iter()
        .map(|signal| signal.metrics().name.unwrap())
        .collect();
    assert_eq!(
        names.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["ticks", "alarms", "orders"]
    );
    for signal in &signals[..2] {
        assert_eq!(
            (signal.len(), signal.is_empty(), signal.metrics().delivered),
            (2, false, 2)
        );
        let keys: Vec<_> = signal.keys().iter().map(|key| key.to_string()).collect();
        assert_eq!(keys, ["b", "a"]);
        assert!(signal.contains_key("a") && !signal.contains_key("c"));
        assert!(signal.unsubscribe("a") && !signal.unsubscribe("a"));
        assert_eq!(signal.len(), 1);
        signal.clear();
    }
    assert_eq!(signals[2].len(), 1);
    signals[2].clear();
    assert!(signals.iter().all(|signal| signal.is_empty()));
    // The handles see the same signals, and other threads may keep house.
    assert!(ticks.is_empty() && alarms.is_empty() && orders.is_empty());
    std::thread::spawn(move || drop(signals)).join().unwrap();
}
