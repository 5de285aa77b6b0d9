//! Flushing: waiting until listeners have finished what an emitter has published.

use crate::support::{LONG, Log, door, engine, in_time, manual, worker};
use corecast::{FlushError, WorkerListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn a_flush_returns_when_every_listener_has_finished_every_event() {
    let engine = engine(3);
    let signal = engine.signal::<u64>("s").capacity(128).build().unwrap();
    let finished = Arc::new(AtomicU64::new(0));
    let kept: Vec<_> = (0..6)
        .map(|_| {
            let finished = Arc::clone(&finished);
            signal.subscribe(move |_| {
                // Relaxed: the flush is what makes it visible.
                finished.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    let mut out = signal.emitter().unwrap();
    assert_eq!(out.flush(Duration::ZERO), Ok(()), "nothing to wait for");
    for n in 1..=300 {
        out.emit(n).unwrap();
        out.flush(if n % 2 == 0 { LONG } else { Duration::MAX })
            .unwrap();
        assert_eq!(finished.load(Ordering::Relaxed), 6 * n);
    }
    drop(kept);
    out.emit(0).unwrap();
    assert_eq!(out.flush(LONG), Ok(()), "nobody to wait for");
}

#[test]
fn a_flush_waits_for_ones_own_events_alone() {
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let (door, mut stand) = door();
    let _kept = signal.subscribe(move |n| {
        if *n == 100 {
            stand();
        }
    });
    let mut one = signal.emitter().unwrap();
    let mut other = signal.emitter().unwrap();
    one.emit(1).unwrap();
    one.flush(LONG).unwrap();
    other.emit(100).unwrap();
    door.wait();
    assert_eq!(one.flush(Duration::ZERO), Ok(()));
    assert_eq!(other.flush(Duration::ZERO), Err(FlushError::Timeout));
    drop(door);
    other.flush(LONG).unwrap();
}

#[test]
fn a_flush_whose_time_is_up_says_so_and_the_next_one_goes_on() {
    let engine = engine(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let (door, mut stand) = door();
    let log = Log::new();
    let _kept = signal.subscribe({
        let log = log.clone();
        move |n| {
            stand();
            log.push(*n);
        }
    });
    let mut out = signal.emitter().unwrap();
    out.emit(1).unwrap();
    out.emit(2).unwrap();
    door.wait();
    for limit in [Duration::ZERO, Duration::from_millis(20)] {
        let error = out.flush(limit).unwrap_err();
        assert_eq!(error, FlushError::Timeout);
        assert!(error.to_string().contains("time was up"), "{error}");
    }
    drop(door);
    out.flush(LONG).unwrap();
    assert_eq!(log.take(), [1, 2]);
}

#[test]
fn a_flush_from_a_listener_of_the_worker_that_it_waits_for_is_refused() {
    let engine = engine(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let results = Log::new();
    let mut own = signal.emitter().unwrap();
    let flusher = WorkerListener::new({
        let results = results.clone();
        move |n: &u64| {
            if *n == 0 {
                assert_eq!(own.flush(LONG), Ok(()), "nothing to wait for");
                own.emit(1).unwrap();
                results.push(own.flush(LONG));
            }
        }
    });
    let _flusher = signal.add(flusher.on_worker(worker(0))).unwrap();
    let mut out = signal.emitter().unwrap();
    out.emit(0).unwrap();
    out.flush(LONG).unwrap();
    assert_eq!(results.take(), [Err(FlushError::WouldDeadlock)]);
    assert!(engine.faults().is_empty());
}

#[test]
fn a_flush_from_a_listener_waits_for_another_worker() {
    let engine = engine(2);
    let front = engine.signal::<u64>("front").build().unwrap();
    let back = engine.signal::<u64>("back").build().unwrap();
    let log = Log::new();
    let mut own = back.emitter().unwrap();
    let relay = WorkerListener::new({
        let log = log.clone();
        move |n: &u64| {
            own.emit(*n).unwrap();
            own.flush(LONG).unwrap();
            log.push(("relay", *n));
        }
    });
    let sink = WorkerListener::new({
        let log = log.clone();
        move |n: &u64| log.push(("sink", *n))
    });
    let _relay = front.add(relay.on_worker(worker(0))).unwrap();
    let _sink = back.add(sink.on_worker(worker(1))).unwrap();
    let mut out = front.emitter().unwrap();
    (0..50).for_each(|n| out.emit(n).unwrap());
    out.flush(LONG).unwrap();
    let expected: Vec<_> = (0..50).flat_map(|n| [("sink", n), ("relay", n)]).collect();
    assert_eq!(log.take(), expected);
}

#[test]
fn after_a_shutdown_a_flush_says_whether_everything_was_delivered() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let _kept = signal.subscribe(|_| {});
    let mut out = signal.emitter().unwrap();
    out.emit(1).unwrap();
    engine.shutdown(LONG);
    assert_eq!(out.flush(LONG), Ok(()));

    let engine = crate::support::engine(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let (door, mut stand) = door();
    let _kept = signal.subscribe(move |_| stand());
    let mut out = signal.emitter().unwrap();
    out.emit(1).unwrap();
    out.emit(2).unwrap();
    door.wait();
    let (out, flushed) = in_time(move || {
        let flushing = thread::spawn(move || {
            let flushed = out.flush(Duration::MAX);
            (out, flushed)
        });
        engine.shutdown(Duration::ZERO);
        drop(door);
        flushing.join().unwrap()
    });
    assert_eq!(flushed, Err(FlushError::Closed));
    assert!(flushed.unwrap_err().to_string().contains("shut down"));
    drop(out);
}
