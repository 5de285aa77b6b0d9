//! Shutting an engine down against its emitters (edges S2 and S3) and its worker (P1): what was
//! accepted is delivered and counted, and everybody leaves.

use corecast::{Emitter, Engine};
use corecast_loom_tests::{Captured, Log, Threaded, engine_model, long_model, manual};
use corecast_ring::sync::thread;
use std::time::Duration;

/// Shuts down while `emit` emits events that go to `lanes` lanes each, after `before` that were
/// emitted already; `emit` says how many were accepted.
fn what_was_accepted_is_delivered<E: Send + 'static>(
    engine: &Engine,
    log: &Log,
    lanes: u64,
    before: u64,
    emit: impl FnOnce() -> (E, u64) + Send + 'static,
) {
    let emitting = thread::spawn(emit);
    let report = engine.shutdown(Duration::MAX);
    let (emitter, accepted) = emitting.join().expect("emitting thread");
    let events = lanes * (before + accepted);
    assert_eq!(log.events().len() as u64, events);
    assert_eq!(
        (report.accepted, report.delivered, report.abandoned),
        (events, events, 0)
    );
    drop(emitter);
    assert!(engine.faults().is_empty());
}

#[test]
fn nothing_is_published_after_the_seal() {
    engine_model("shutdown::nothing_is_published_after_the_seal", || {
        let engine = manual(1);
        let signal = engine.signal("one").capacity(2).build().expect("a signal");
        let log = Log::default();
        let seen = log.clone();
        signal.subscribe(move |event| seen.push(*event)).detach();
        let mut emitter = signal.emitter().expect("a lane");
        what_was_accepted_is_delivered(&engine, &log, 1, 0, move || {
            let accepted = [1, 1].map(|event| u64::from(emitter.emit(event).is_ok()));
            (emitter, accepted.iter().sum())
        });
    });
}

/// A broadcast to two workers: `emit` emits one event and says whether it was accepted.
fn broadcast_to_two(
    name: &'static str,
    emit: impl Fn(&mut Emitter<u64>) -> bool + Copy + Send + Sync + 'static,
) {
    engine_model(name, move || {
        let engine = manual(2);
        let signal = engine.signal("two").capacity(2).build().expect("a signal");
        let log = Log::default();
        for _ in 0..2 {
            let seen = log.clone();
            signal.subscribe(move |event| seen.push(*event)).detach();
        }
        let mut emitter = signal.emitter().expect("two lanes");
        what_was_accepted_is_delivered(&engine, &log, 2, 0, move || {
            let accepted = u64::from(emit(&mut emitter));
            (emitter, accepted)
        });
    });
}

#[test]
fn nothing_of_a_broadcast_is_published_after_the_seal() {
    broadcast_to_two(
        "shutdown::nothing_of_a_broadcast_is_published_after_the_seal",
        |emitter| emitter.emit(1).is_ok(),
    );
}

#[test]
fn nothing_staged_for_a_broadcast_is_published_after_the_seal() {
    broadcast_to_two(
        "shutdown::nothing_staged_for_a_broadcast_is_published_after_the_seal",
        |emitter| emitter.emit_batch([1]).is_ok(),
    );
}

#[test]
fn nothing_of_a_routed_emission_is_published_after_the_seal() {
    engine_model(
        "shutdown::nothing_of_a_routed_emission_is_published_after_the_seal",
        || {
            let engine = manual(1);
            let signal = engine.signal("turns").capacity(2).round_robin().build();
            let signal = signal.expect("a signal");
            let log = Log::default();
            let seen = &log;
            signal
                .subscribe_sharded(|_| {
                    let seen = seen.clone();
                    move |event: &u64| seen.push(*event)
                })
                .detach();
            let mut emitter = signal.emitter().expect("a lane");
            what_was_accepted_is_delivered(&engine, &log, 1, 0, move || {
                let accepted = [1, 2].map(|event| u64::from(emitter.emit(event).is_ok()));
                (emitter, accepted.iter().sum())
            });
        },
    );
}

#[test]
fn no_shared_emission_is_published_after_the_seal() {
    engine_model(
        "shutdown::no_shared_emission_is_published_after_the_seal",
        || {
            let engine = manual(1);
            let signal = engine.signal("any").capacity(2).build().expect("a signal");
            let log = Log::default();
            let seen = log.clone();
            signal.subscribe(move |event| seen.push(*event)).detach();
            // The first one makes the lanes. Delivered, so that the end has nothing else to do that
            // would order the threads.
            signal.emit(1).expect("room for two");
            assert_eq!(engine.run_until_idle(), Ok(1));
            let emitter = signal.clone();
            what_was_accepted_is_delivered(&engine, &log, 1, 1, move || {
                let accepted = u64::from(emitter.emit(2).is_ok());
                (emitter, accepted)
            });
        },
    );
}

#[test]
fn a_sleeping_worker_leaves() {
    engine_model("shutdown::a_sleeping_worker_leaves", || {
        let mut threaded = Threaded::new();
        threaded.start();
        let report = threaded.shut_down();
        assert_eq!(report.accepted, 0);
    });
}

#[test]
fn a_worker_delivers_what_it_was_woken_for_before_it_leaves() {
    long_model(
        "shutdown::a_worker_delivers_what_it_was_woken_for_before_it_leaves",
        || {
            let mut threaded = Threaded::new();
            let signal = threaded.engine().signal("one").capacity(2);
            let signal = signal.build().expect("a signal");
            let log = Log::default();
            let seen = log.clone();
            signal.subscribe(move |event| seen.push(*event)).detach();
            let mut emitter = signal.emitter().expect("a lane");
            threaded.start();
            emitter.emit(1).expect("room for two");
            let report = threaded.shut_down();
            assert_eq!((report.accepted, report.delivered), (1, 1));
            assert_eq!(log.events(), [1]);
        },
    );
}

#[test]
fn the_workers_of_a_manual_engine_leave_with_whoever_has_them_last() {
    engine_model(
        "shutdown::the_workers_of_a_manual_engine_leave_with_whoever_has_them_last",
        || {
            let engine = manual(1);
            let signal = engine.signal("one").capacity(2).build().expect("a signal");
            let (captured, watch) = Captured::new();
            signal.subscribe(move |_: &u64| captured.touch()).detach();
            drop(signal.emitter().expect("a lane"));
            let worker = engine.clone();
            let draining = thread::spawn(move || worker.run_until_idle());
            // Does not wait for whoever drains.
            engine.shutdown(Duration::ZERO);
            assert!(draining.join().expect("draining thread").is_ok());
            drop((signal, engine));
            assert!(watch.is_dropped());
        },
    );
}
