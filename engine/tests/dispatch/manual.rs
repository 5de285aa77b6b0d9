//! Manual engines: no threads, and nothing left to chance.

use crate::support::{LONG, Log, door, engine, eventually, in_time, manual, worker};
use corecast::{
    Batch, Context, FlushError, Overflow, RejectReason, RunError, WorkerListener, WorkerState,
};
use std::thread;
use std::time::Duration;

/// A small life with two signals that feed each other, several emitters, faults and removals.
fn life() -> Vec<String> {
    let engine = manual(3);
    let ticks = engine.signal::<u64>("ticks").capacity(16).build().unwrap();
    let trades = engine
        .signal::<String>("trades")
        .capacity(8)
        .round_robin()
        .build()
        .unwrap();
    let log = Log::new();
    let mut kept = Vec::new();
    for index in 0..5 {
        let log = log.clone();
        kept.push(ticks.subscribe(move |n| log.push(format!("tick {n} at {index}"))));
    }
    let mut onward = trades.emitter().unwrap();
    kept.push(ticks.subscribe_fallible(move |n: &u64| {
        onward
            .emit(format!("trade {n}"))
            .map_err(|rejected| rejected.reason.to_string())
    }));
    kept.push(trades.subscribe_sharded(|worker| {
        let log = log.clone();
        move |text: &String| log.push(format!("{text} on {worker}"))
    }));
    kept.push(ticks.subscribe_batch({
        let log = log.clone();
        move |batch: Batch<'_, u64>| log.push(format!("run of {} from {}", batch.len(), batch[0]))
    }));
    let mut emitters: Vec<_> = (0..3).map(|_| ticks.emitter().unwrap()).collect();
    for n in 0..200 {
        let emitted = emitters[n as usize % 3].emit(n);
        log.push(format!("{n} emitted: {}", emitted.is_ok()));
        if n % 7 == 0 {
            log.push(format!("ran {:?}", engine.run_until_idle()));
        }
        if n % 50 == 49 {
            drop(kept.remove(0));
        }
    }
    log.push(format!("ran {:?}", engine.run_until_idle()));
    let report = engine.shutdown(LONG);
    log.push(format!("{report:?}"));
    log.take()
}

#[test]
fn two_runs_of_the_same_life_are_the_same() {
    let first = life();
    assert!(first.len() > 1000);
    assert_eq!(first, life());
}

#[test]
fn nothing_is_delivered_until_somebody_runs_it_and_then_all_of_it() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let log = Log::new();
    let _kept = [0, 1].map(|index| {
        let listener = WorkerListener::new(log.listener());
        signal.add(listener.on_worker(worker(index))).unwrap()
    });
    let mut out = signal.emitter().unwrap();
    (0..300).for_each(|n| out.emit(n).unwrap());
    signal.emit(300).unwrap();
    assert_eq!(log.len(), 0);
    assert_eq!(
        engine.run_until_idle(),
        Ok(602),
        "an event counts once per worker"
    );
    assert_eq!(log.len(), 602);
    assert_eq!(engine.run_until_idle(), Ok(0));
    let here = thread::current().id();
    let same = signal.subscribe(move |_| assert_eq!(thread::current().id(), here));
    signal.emit(0).unwrap();
    engine.run_until_idle().unwrap();
    assert!(engine.faults().is_empty());
    drop(same);
}

#[test]
fn a_run_delivers_what_listeners_emit_meanwhile() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").capacity(4).build().unwrap();
    let log = Log::new();
    let mut out = signal.emitter().unwrap();
    let _counting = signal.subscribe({
        let log = log.clone();
        move |n| {
            log.push(*n);
            if *n < 1000 {
                out.emit(n + 1).unwrap();
            }
        }
    });
    signal.emit(0).unwrap();
    assert_eq!(engine.run_until_idle(), Ok(1001));
    assert_eq!(log.take(), (0..=1000).collect::<Vec<_>>());
}

#[test]
fn waiting_for_a_full_lane_would_never_end() {
    let engine = manual(1);
    let limit = Duration::from_secs(3600);
    for overflow in [Overflow::Wait, Overflow::WaitFor(limit)] {
        let builder = engine.signal::<u64>("s").capacity(4);
        let signal = builder.overflow(overflow).build().unwrap();
        let log = Log::new();
        let _kept = signal.subscribe(log.listener());
        let mut out = signal.emitter().unwrap();
        (0..4).for_each(|n| out.emit(n).unwrap());
        let rejected = out.emit(4).unwrap_err();
        assert_eq!(
            (rejected.event, rejected.reason),
            (4, RejectReason::WouldDeadlock)
        );
        let rejected = out
            .emit_within(5, &Context::with_timeout(limit))
            .unwrap_err();
        assert_eq!(
            (rejected.event, rejected.reason),
            (5, RejectReason::WouldDeadlock)
        );
        let rejected = out.emit_batch([6, 7]).unwrap_err();
        assert_eq!(
            (rejected.event, rejected.reason),
            (Some(6), RejectReason::WouldDeadlock)
        );
        (10..14).for_each(|n| signal.emit(n).unwrap());
        let rejected = signal.emit(14).unwrap_err();
        assert_eq!(
            (rejected.event, rejected.reason),
            (14, RejectReason::WouldDeadlock)
        );
        engine.run_until_idle().unwrap();
        let mut seen = log.take();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 10, 11, 12, 13]);
    }
}

#[test]
fn flush_drains_on_the_callers_thread() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let log = Log::new();
    let _kept = signal.subscribe(log.listener());
    let mut out = signal.emitter().unwrap();
    (0..100).for_each(|n| out.emit(n).unwrap());
    assert_eq!(out.flush(Duration::ZERO), Ok(()));
    assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
    assert_eq!(engine.run_until_idle(), Ok(0));
}

#[test]
fn a_run_within_a_run_is_an_error_and_so_is_a_flush() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let errors = Log::new();
    let mut own = signal.emitter().unwrap();
    let _nested = signal.subscribe({
        let (engine, errors) = (engine.clone(), errors.clone());
        move |n| {
            if *n == 0 {
                errors.push(engine.run_until_idle().unwrap_err().to_string());
                own.emit(1).unwrap();
                assert_eq!(own.flush(LONG), Err(FlushError::WouldDeadlock));
            }
        }
    });
    signal.emit(0).unwrap();
    assert_eq!(engine.run_until_idle(), Ok(2));
    let expected = RunError::Nested.to_string();
    assert!(expected.contains("within a listener"), "{expected}");
    assert_eq!(errors.take(), [expected]);
    assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
    // The listener holds the engine that holds it, until that ends.
    assert_eq!(engine.shutdown(LONG).delivered, 2);
}

#[test]
fn an_engine_with_threads_is_not_run_by_hand() {
    let engine = engine(1);
    let error = engine.run_until_idle().unwrap_err();
    assert_eq!(error, RunError::NotManual);
    assert!(error.to_string().contains("manual()"), "{error}");
}

#[test]
fn one_thread_at_a_time_runs_it_and_others_wait_for_their_turn() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let (door, mut stand) = door();
    let log = Log::new();
    let _kept = signal.subscribe({
        let log = log.clone();
        move |n| {
            if *n == 0 {
                stand();
            }
            log.push(*n);
        }
    });
    let mut out = signal.emitter().unwrap();
    out.emit(0).unwrap();
    let first = thread::spawn({
        let engine = engine.clone();
        move || engine.run_until_idle()
    });
    door.wait();
    out.emit(1).unwrap();
    assert_eq!(
        out.flush(Duration::ZERO),
        Err(FlushError::Timeout),
        "somebody else is at it"
    );
    let second = thread::spawn({
        let engine = engine.clone();
        move || engine.run_until_idle()
    });
    drop(door);
    let (first, second) = in_time(move || (first.join().unwrap(), second.join().unwrap()));
    assert_eq!(first.unwrap() + second.unwrap(), 2);
    assert_eq!(log.take(), [0, 1]);
    eventually("flushed", || out.flush(LONG).is_ok());
}

#[test]
fn its_workers_have_no_cpu_and_no_thread() {
    let engine = manual(2);
    for (index, info) in engine.workers().into_iter().enumerate() {
        assert_eq!(info.id.index(), index);
        assert_eq!(
            (info.cpu, info.pinned, info.thread.as_str()),
            (None, false, "")
        );
    }
    assert_eq!(engine.metrics().workers[0].state, WorkerState::Active);
    engine.shutdown(LONG);
    assert_eq!(engine.metrics().workers[0].state, WorkerState::Left);
    assert_eq!(engine.run_until_idle(), Ok(0), "there is nothing any more");
}

#[test]
fn its_shutdown_delivers_what_waits_and_its_drop_does_too() {
    for drop_it in [false, true] {
        let engine = manual(2);
        let signal = engine.signal::<u64>("s").build().unwrap();
        let log = Log::new();
        let _kept = signal.subscribe(log.listener());
        let mut out = signal.emitter().unwrap();
        (0..10).for_each(|n| out.emit(n).unwrap());
        signal.emit(10).unwrap();
        if drop_it {
            drop(engine);
        } else {
            let report = engine.shutdown(LONG);
            assert_eq!(
                (report.accepted, report.delivered, report.abandoned),
                (11, 11, 0)
            );
        }
        assert_eq!(log.take(), (0..11).collect::<Vec<_>>());
        assert_eq!(out.emit(11).unwrap_err().reason, RejectReason::Closed);
    }
}

#[test]
fn a_shutdown_from_within_a_run_returns_and_abandons_what_waits() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let reports = Log::new();
    let _kept = signal.subscribe({
        let (engine, reports) = (engine.clone(), reports.clone());
        move |_| reports.push(engine.shutdown(LONG))
    });
    let mut out = signal.emitter().unwrap();
    (0..5).for_each(|n| out.emit(n).unwrap());
    engine.run_until_idle().unwrap();
    let reports = reports.take();
    assert_eq!(reports.len(), 1, "no call begins after it");
    let report = &reports[0];
    assert_eq!(report.stuck, [worker(0)]);
    assert_eq!(
        (report.accepted, report.delivered + report.abandoned),
        (5, 5)
    );
    assert_eq!(engine.shutdown(LONG), *report);
    assert_eq!(
        out.flush(LONG),
        Err(FlushError::Closed),
        "dropped is not delivered"
    );
}

#[test]
fn a_shutdown_does_not_wait_for_a_run_of_another_thread_beyond_its_deadline() {
    let engine = manual(2);
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
    (0..5).for_each(|n| out.emit(n).unwrap());
    let running = thread::spawn({
        let engine = engine.clone();
        move || engine.run_until_idle()
    });
    door.wait();
    let report = engine.shutdown(Duration::from_millis(10));
    assert_eq!(
        (report.accepted, report.delivered, report.abandoned),
        (5, 0, 5)
    );
    assert_eq!(
        report.stuck,
        [worker(0), worker(1)],
        "whoever runs one runs all"
    );
    assert_eq!(out.emit(5).unwrap_err().reason, RejectReason::Closed);
    drop(door);
    let run = in_time(move || running.join().unwrap());
    assert!(run.is_ok_and(|delivered| delivered <= 1));
    assert_eq!(
        log.take(),
        [0],
        "the call in hand comes to its end, and no other begins"
    );
    assert_eq!(engine.shutdown(LONG), report);
}
