//! Listeners that emit towards themselves or one another: told, never hung.

use crate::support::{LONG, Log, engine, eventually, in_time, worker};
use corecast::{AsyncSignal, Engine, Overflow, RejectReason, Rejected, WorkerListener};
use std::sync::{Arc, Barrier};
use std::time::Duration;

const CAPACITY: usize = 4;

fn signal(engine: &Engine, overflow: Overflow) -> AsyncSignal<u64> {
    let builder = engine.signal("s").capacity(CAPACITY);
    builder.overflow(overflow).build().unwrap()
}

#[test]
fn a_listener_that_emits_into_a_full_lane_to_its_own_worker_is_told() {
    for overflow in [Overflow::Wait, Overflow::WaitFor(Duration::MAX)] {
        for shared in [false, true] {
            let engine = engine(2);
            let signal = signal(&engine, overflow);
            let log = Log::new();
            let mut own = signal.emitter().unwrap();
            let emitting = WorkerListener::new({
                let (signal, log) = (signal.clone(), log.clone());
                move |n: &u64| {
                    if *n > 0 {
                        return;
                    }
                    for n in 1..10 {
                        log.push(if shared { signal.emit(n) } else { own.emit(n) });
                    }
                }
            });
            let _kept = signal.add(emitting.on_worker(worker(1))).unwrap();
            let mut out = signal.emitter().unwrap();
            in_time(move || {
                out.emit(0).unwrap();
                out.flush(LONG).unwrap();
            });
            let results = log.take();
            let (fit, rest) = results.split_at(CAPACITY);
            assert!(fit.iter().all(Result::is_ok));
            for (result, n) in rest.iter().zip(5..) {
                let event = n;
                let reason = RejectReason::WouldDeadlock;
                assert_eq!(*result, Err(Rejected { event, reason }));
            }
            let report = engine.shutdown(LONG);
            assert_eq!(
                (report.accepted, report.delivered, report.stuck),
                (5, 5, vec![])
            );
        }
    }
}

#[test]
fn it_is_told_through_every_way_of_emitting() {
    let engine = engine(1);
    let builder = engine.signal::<u64>("s").capacity(CAPACITY);
    let signal = builder.recycled(|| 0).build().unwrap();
    let log = Log::new();
    let mut own = signal.emitter().unwrap();
    let _kept = signal.subscribe({
        let log = log.clone();
        move |n| {
            if *n > 0 {
                return;
            }
            (1..=CAPACITY as u64).for_each(|n| own.emit(n).unwrap());
            log.push(own.emit(9).unwrap_err().reason);
            log.push(
                own.emit_within(9, &corecast::Context::none())
                    .unwrap_err()
                    .reason,
            );
            log.push(own.emit_with(|slot| *slot = 9).unwrap_err());
            log.push(own.emit_batch([9]).unwrap_err().reason);
            // Who does not wait is told that it is full.
            log.push(own.try_emit(9).unwrap_err().reason);
        }
    });
    let mut out = signal.emitter().unwrap();
    out.emit(0).unwrap();
    out.flush(LONG).unwrap();
    let told = RejectReason::WouldDeadlock;
    assert_eq!(log.take(), [told, told, told, told, RejectReason::Full]);
}

/// Worker `i` feeds worker `i + 1`, and the last one the first. All are in their listeners before any
/// of them emits, so that nobody drains until somebody gives up: exactly one is told, and then
/// everything flows.
fn ring(engines: &[Engine], signals: Vec<AsyncSignal<u64>>, at: &[u32]) {
    const EVENTS: u64 = 50;
    let count = signals.len();
    let together = Arc::new(Barrier::new(count));
    let told = Log::new();
    let mut kept = Vec::new();
    for index in 0..count {
        let mut out = signals[(index + 1) % count].emitter().unwrap();
        let (together, told) = (Arc::clone(&together), told.clone());
        let listener = WorkerListener::new(move |n: &u64| {
            if *n > 0 {
                return;
            }
            together.wait();
            for n in 1..=EVENTS {
                if let Err(rejected) = out.emit(n) {
                    told.push((rejected.reason, rejected.event));
                    return;
                }
            }
        });
        let placed = listener.on_worker(worker(at[index]));
        kept.push(signals[index].add(placed).unwrap());
    }
    let emitters: Vec<_> = signals
        .iter()
        .map(|signal| signal.emitter().unwrap())
        .collect();
    in_time(move || {
        let mut emitters = emitters;
        emitters.iter_mut().for_each(|out| out.emit(0).unwrap());
        emitters.iter_mut().for_each(|out| out.flush(LONG).unwrap());
    });
    let mut events = 0;
    for engine in engines {
        let report = engine.shutdown(LONG);
        assert_eq!((report.abandoned, report.stuck), (0, vec![]));
        events += report.delivered;
    }
    let told = told.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0], (RejectReason::WouldDeadlock, CAPACITY as u64 + 1));
    let gave_up = EVENTS - CAPACITY as u64;
    assert_eq!(events, count as u64 * (EVENTS + 1) - gave_up);
}

#[test]
fn of_two_workers_that_feed_each_others_full_lanes_one_is_told() {
    for _ in 0..20 {
        let engine = engine(2);
        let signals = (0..2).map(|_| signal(&engine, Overflow::Wait)).collect();
        ring(&[engine], signals, &[0, 1]);
    }
}

#[test]
fn of_three_workers_in_a_circle_one_is_told() {
    for _ in 0..20 {
        let engine = engine(4);
        let signals = (0..3).map(|_| signal(&engine, Overflow::Wait)).collect();
        ring(&[engine], signals, &[2, 0, 3]);
    }
}

#[test]
fn of_two_workers_of_different_engines_one_is_told() {
    let engines = [engine(1), engine(1)];
    let signals = engines
        .iter()
        .map(|engine| signal(engine, Overflow::Wait))
        .collect();
    ring(&engines, signals, &[0, 0]);
}

#[test]
fn a_chain_that_is_no_circle_waits_and_gets_through() {
    const EVENTS: u64 = 2000;
    let engine = engine(3);
    let signals: Vec<_> = (0..3).map(|_| signal(&engine, Overflow::Wait)).collect();
    let log = Log::new();
    let mut kept = Vec::new();
    for index in 0..2 {
        let mut out = signals[index + 1].emitter().unwrap();
        let relay = WorkerListener::new(move |n: &u64| out.emit(*n).unwrap());
        kept.push(
            signals[index]
                .add(relay.on_worker(worker(index as u32)))
                .unwrap(),
        );
    }
    let sink = WorkerListener::new(log.listener()).on_worker(worker(2));
    kept.push(signals[2].add(sink).unwrap());
    let mut out = signals[0].emitter().unwrap();
    in_time(move || {
        (0..EVENTS).for_each(|n| out.emit(n).unwrap());
        out.flush(LONG).unwrap();
    });
    // What was flushed has left the first worker; the relays need an engine that is open.
    eventually("all get through", || log.len() as u64 == EVENTS);
    let report = engine.shutdown(LONG);
    assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
    assert_eq!((report.delivered, report.abandoned), (3 * EVENTS, 0));
    let seen = log.take();
    assert!(seen.iter().copied().eq(0..EVENTS));
}
