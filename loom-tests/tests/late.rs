//! Subscribing while events flow (edges J1 and S1): what follows reaches the listener, what was
//! before does not.

use corecast_loom_tests::{Log, engine_model, manual};
use corecast_ring::sync::{Arc, AtomicBool, AtomicU64, Ordering, thread};
use std::time::Duration;

#[test]
fn a_late_listener_sees_what_follows() {
    engine_model("late::a_late_listener_sees_what_follows", || {
        let engine = manual(1);
        let signal = engine.signal("late").capacity(2).build().expect("a signal");
        signal.subscribe(|_: &u64| {}).detach();
        let mut emitter = signal.emitter().expect("a lane");
        emitter.emit(1).expect("room for two");
        let worker = engine.clone();
        let draining = thread::spawn(move || worker.run_until_idle());
        let log = Log::default();
        let late = log.clone();
        let subscription = signal.subscribe(move |event| late.push(*event));
        emitter.emit(2).expect("room for two");
        assert!(draining.join().expect("draining thread").is_ok());
        assert!(engine.run_until_idle().is_ok());
        assert_eq!(log.events(), [2]);
        drop((subscription, emitter));
        engine.shutdown(Duration::MAX);
        assert!(engine.faults().is_empty());
    });
}

#[test]
fn a_late_listener_divides_the_events_of_a_running_emitter() {
    engine_model(
        "late::a_late_listener_divides_the_events_of_a_running_emitter",
        || {
            let engine = manual(1);
            let signal = engine.signal("late").capacity(2).build().expect("a signal");
            signal.subscribe(|_: &u64| {}).detach();
            let mut emitter = signal.emitter().expect("a lane");
            let (subscribed, returned) = (
                Arc::new(AtomicBool::new(false)),
                Arc::new(AtomicU64::new(0)),
            );
            let (knows, tells) = (Arc::clone(&subscribed), Arc::clone(&returned));
            let emitting = thread::spawn(move || {
                let mut after = 3;
                for event in [1, 2] {
                    if knows.load(Ordering::Acquire) {
                        after = after.min(event);
                    }
                    emitter.emit(event).expect("room for two");
                    tells.store(event, Ordering::Release);
                }
                (emitter, after)
            });
            let before = returned.load(Ordering::Acquire);
            let log = Log::default();
            let late = log.clone();
            let subscription = signal.subscribe(move |event| late.push(*event));
            subscribed.store(true, Ordering::Release);
            let (emitter, after) = emitting.join().expect("emitting thread");
            assert!(engine.run_until_idle().is_ok());
            let events = log.events();
            let first = events.first().copied().unwrap_or(3);
            assert_eq!(events, (first..3).collect::<Vec<_>>());
            assert!(
                before < first && first <= after,
                "{before} {events:?} {after}"
            );
            drop((subscription, emitter));
            engine.shutdown(Duration::MAX);
        },
    );
}

#[test]
fn an_emitter_that_knows_of_the_first_listener_reaches_it() {
    engine_model(
        "late::an_emitter_that_knows_of_the_first_listener_reaches_it",
        || {
            let engine = manual(1);
            let signal = engine
                .signal("first")
                .capacity(2)
                .build()
                .expect("a signal");
            let mut emitter = signal.emitter().expect("a lane");
            let subscribed = Arc::new(AtomicBool::new(false));
            let knows = Arc::clone(&subscribed);
            let emitting = thread::spawn(move || {
                // This one may meet the subscription half way.
                emitter.emit(1).expect("room for two");
                let known = knows.load(Ordering::Acquire);
                emitter.emit(2).expect("room for two");
                (emitter, known)
            });
            let log = Log::default();
            let first = log.clone();
            let subscription = signal.subscribe(move |event: &u64| first.push(*event));
            subscribed.store(true, Ordering::Release);
            let (emitter, known) = emitting.join().expect("emitting thread");
            assert!(engine.run_until_idle().is_ok());
            assert!(!known || log.events().ends_with(&[2]));
            drop((subscription, emitter));
            engine.shutdown(Duration::MAX);
        },
    );
}
