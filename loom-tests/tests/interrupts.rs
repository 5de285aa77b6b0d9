//! A run of events in progress, and the removal of the listener that takes it or the abandonment of the
//! engine (edge I1).

use corecast::{AsyncSignal, Emitter, Engine, Subscription};
use corecast_loom_tests::{long_model, manual, model_without_light_fences};
use corecast_ring::sync::{Arc, AtomicBool, Ordering, thread};
use std::time::Duration;

/// A manual engine and a run of three events in its lane.
struct Run {
    engine: Engine,
    _signal: AsyncSignal<u64>,
    emitter: Emitter<u64>,
    listener: Subscription,
}

/// The listener is not to be called any more once it has found `over` true.
fn run_until(over: &Arc<AtomicBool>) -> Run {
    let engine = manual(1);
    // Room enough for runs of several events: progress is released every quarter of a ring.
    let signal = engine.signal("run").capacity(16).build().expect("a signal");
    let asks = Arc::clone(over);
    let mut knows = false;
    let listener = signal.subscribe(move |_: &u64| {
        assert!(!knows, "called after its end was known");
        // Acquire: what ended it happens before the next call.
        knows = asks.load(Ordering::Acquire);
    });
    let mut emitter = signal.emitter().expect("a lane");
    for event in 1..=3 {
        emitter.emit(event).expect("room for sixteen");
    }
    Run {
        engine,
        _signal: signal,
        emitter,
        listener,
    }
}

#[test]
fn a_run_stops_at_a_listener_that_it_knows_to_be_removed() {
    // Removing wakes the worker, whose light fence would do for the counting's Release.
    model_without_light_fences(
        "interrupts::a_run_stops_at_a_listener_that_it_knows_to_be_removed",
        || {
            let removed = Arc::new(AtomicBool::new(false));
            let run = run_until(&removed);
            let worker = run.engine.clone();
            let draining = thread::spawn(move || worker.run_until_idle());
            assert!(run.listener.unsubscribe());
            removed.store(true, Ordering::Release);
            assert_eq!(draining.join().expect("draining thread"), Ok(3));
            drop(run.emitter);
            run.engine.shutdown(Duration::MAX);
            assert!(run.engine.faults().is_empty());
        },
    );
}

#[test]
fn a_run_stops_when_its_engine_is_known_to_be_abandoned() {
    long_model(
        "interrupts::a_run_stops_when_its_engine_is_known_to_be_abandoned",
        || {
            let abandoned = Arc::new(AtomicBool::new(false));
            let run = run_until(&abandoned);
            let worker = run.engine.clone();
            let draining = thread::spawn(move || worker.run_until_idle());
            let report = run.engine.shutdown(Duration::ZERO);
            abandoned.store(true, Ordering::Release);
            let drained = draining.join().expect("draining thread");
            assert!(run.engine.faults().is_empty());
            assert_eq!(report.accepted, 3);
            // Whoever had the worker delivered what it did before it knew.
            assert!(report.stuck.is_empty() || drained.is_ok_and(|events| events <= 3));
        },
    );
}
