//! Emitters, signals and listeners that come and go while workers run: nothing is left behind.

use crate::support::{LONG, door, engine, eventually, manual};
use corecast::{Engine, WorkerListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of all signals, lanes, listeners on workers, retired arrays.
fn held(engine: &Engine) -> (usize, usize, usize, usize) {
    let metrics = engine.metrics();
    let lanes = metrics
        .signals
        .iter()
        .map(|signal| signal.lanes.len())
        .sum();
    let retired = metrics
        .signals
        .iter()
        .map(|signal| signal.retired_arrays)
        .sum();
    let listeners = metrics.workers.iter().map(|worker| worker.listeners).sum();
    (metrics.bytes, lanes, listeners, retired)
}

#[test]
fn two_hundred_thousand_emitters_leave_nothing_behind() {
    const THREADS: u64 = 2;
    const EMITTERS: u64 = 100_000;
    let engine = engine(2);
    let signal = engine.signal::<u64>("s").capacity(2).build().unwrap();
    let sum = Arc::new(AtomicU64::new(0));
    let kept: Vec<_> = (0..2)
        .map(|_| {
            let sum = Arc::clone(&sum);
            signal.subscribe(move |n| {
                sum.fetch_add(*n, Ordering::Relaxed);
            })
        })
        .collect();
    let before = held(&engine);
    assert_eq!((before.1, before.2), (0, 2));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for n in 0..EMITTERS {
                    let mut out = signal.emitter().unwrap();
                    out.emit(n).unwrap();
                    if n % 1024 == 0 {
                        // Of a hundred thousand lanes at each worker few are there at a time.
                        assert!(held(&engine).1 < 20_000, "{:?}", held(&engine));
                    }
                }
            });
        }
    });
    let events = THREADS * EMITTERS;
    eventually("the workers have given up every lane", || {
        held(&engine) == before
    });
    assert_eq!(
        sum.load(Ordering::Relaxed),
        2 * THREADS * (EMITTERS * (EMITTERS - 1) / 2)
    );
    let metrics = signal.metrics();
    assert_eq!(
        (metrics.emitted, metrics.accepted, metrics.delivered),
        (events, events, 2 * events)
    );
    drop(kept);
    eventually("the listeners are gone", || held(&engine).2 == 0);
    let report = engine.shutdown(LONG);
    assert_eq!(
        (report.accepted, report.delivered),
        (2 * events, 2 * events)
    );
}

#[test]
fn a_worker_that_is_behind_with_lanes_is_given_time_before_there_are_more() {
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").capacity(2).build().unwrap();
    let (door, mut stand) = door();
    let _subscription = signal.subscribe(move |_| stand());
    signal.emitter().unwrap().emit(0).unwrap();
    door.wait();
    // The worker stands in the door, and lets go of no lane.
    for _ in 0..1100 {
        drop(signal.emitter().unwrap());
    }
    let begun = Instant::now();
    drop(signal.emitter().unwrap());
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(1), "{waited:?}");
    assert_eq!(held(&engine).1, 1102, "and no longer than it has to");
    drop(door);
    eventually("the worker has let go of them", || held(&engine).1 == 0);
}

#[test]
fn twenty_thousand_signals_leave_nothing_behind() {
    const SIGNALS: u64 = 10_000;
    let engine = engine(1);
    let empty = held(&engine);
    assert_eq!(empty, (0, 0, 0, 0));
    let sum = Arc::new(AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for n in 0..SIGNALS {
                    let signal = engine.signal::<u64>("s").capacity(2).build().unwrap();
                    let sum = Arc::clone(&sum);
                    let subscription = signal.subscribe(move |n| {
                        sum.fetch_add(*n, Ordering::Relaxed);
                    });
                    let mut out = signal.emitter().unwrap();
                    out.emit(n).unwrap();
                    match n % 4 {
                        0 => out.flush(LONG).unwrap(),
                        1 => drop(signal),
                        2 => drop(out),
                        _ => subscription.detach(),
                    }
                }
            });
        }
    });
    eventually("every signal is gone", || {
        engine.metrics().signals.is_empty() && held(&engine) == empty
    });
    // Its own handle is the last, once every listener has been dropped.
    eventually("every listener is gone", || Arc::strong_count(&sum) == 1);
    let report = engine.shutdown(LONG);
    assert_eq!(
        (report.accepted, report.delivered, report.abandoned),
        (2 * SIGNALS, 2 * SIGNALS, 0)
    );
}

#[test]
fn a_signal_and_its_listeners_may_end_at_once() {
    const ROUNDS: usize = 20_000;
    let engine = manual(1);
    let next = Mutex::new(Vec::new());
    let meeting = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                meeting.wait();
                drop(next.lock().unwrap().pop());
                meeting.wait();
            }
        });
        for _ in 0..ROUNDS {
            let signal = engine.signal::<u64>("s").capacity(2).build().unwrap();
            let subscriptions: Vec<_> = (0..4).map(|_| signal.subscribe(|_| {})).collect();
            next.lock().unwrap().push(signal);
            meeting.wait();
            drop(subscriptions);
            meeting.wait();
            engine.run_until_idle().unwrap();
        }
    });
    assert_eq!(held(&engine), (0, 0, 0, 0));
}

#[test]
fn listeners_that_come_and_go_leave_no_array_and_no_join_behind() {
    const LISTENERS: usize = 10_000;
    let engine = engine(2);
    let signal = engine.signal::<u64>("s").capacity(64).build().unwrap();
    let mut out = signal.emitter().unwrap();
    let alive = Arc::new(());
    let before = held(&engine);
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Acquire) {
                out.emit(n).unwrap();
                n += 1;
            }
            out.flush(LONG).unwrap();
        });
        for n in 0..LISTENERS {
            let token = Arc::clone(&alive);
            let listener = WorkerListener::new(move |_: &u64| {
                let () = *token;
            });
            let subscription = signal.add(listener.priority((n % 5) as i32)).unwrap();
            if n % 16 == 0 {
                subscription.unsubscribe_and_wait(LONG).unwrap();
            }
        }
        done.store(true, Ordering::Release);
    });
    eventually("every listener is gone", || Arc::strong_count(&alive) == 1);
    eventually("every array is gone", || held(&engine) == before);
}

#[test]
fn on_a_manual_engine_too_what_goes_is_gone() {
    let engine = manual(2);
    let signal = engine.signal::<Vec<u64>>("s").capacity(4).build().unwrap();
    let before = held(&engine);
    for n in 0..20_000 {
        let mut out = signal.emitter().unwrap();
        let subscription = signal.subscribe(|_| {});
        out.emit(vec![n]).unwrap();
        signal.try_emit(vec![n]).unwrap();
        if n % 2 == 0 {
            drop(subscription);
            engine.run_until_idle().unwrap();
        } else {
            engine.run_until_idle().unwrap();
            subscription.unsubscribe_and_wait(LONG).unwrap();
        }
    }
    engine.run_until_idle().unwrap();
    let after = held(&engine);
    let shared: usize = signal.metrics().lanes.iter().map(|lane| lane.bytes).sum();
    assert_eq!(
        after,
        (before.0 + shared, 2, 0, 0),
        "the two shared lanes stay"
    );
}
