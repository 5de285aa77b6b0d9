//! Shutdown and drop, in every state that an engine may be in.

use crate::support::{LONG, Log, door, engine, eventually, in_time, tomb, worker, workers};
use corecast::{
    EmitterError, Engine, FlushError, Overflow, RejectReason, ShutdownReport, SubscribeError,
    WaitStrategy, WorkerListener, WorkerState,
};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

/// Accepted, delivered, abandoned.
fn sums(report: &ShutdownReport) -> (u64, u64, u64) {
    assert_eq!(report.accepted, report.delivered + report.abandoned);
    (report.accepted, report.delivered, report.abandoned)
}

#[test]
fn with_empty_lanes_it_joins_the_workers_and_has_nothing_to_say() {
    for wait in [
        WaitStrategy::park(),
        WaitStrategy::spin_then_yield(),
        WaitStrategy::backoff(),
        WaitStrategy::busy_spin(),
    ] {
        let engine = workers(2).wait(wait).build().unwrap();
        let signal = engine.signal::<u64>("s").build().unwrap();
        let _kept = signal.subscribe(|_| {});
        let _out = signal.emitter().unwrap();
        assert_eq!(engine.shutdown(LONG), ShutdownReport::default());
        let metrics = engine.metrics();
        assert!(
            metrics
                .workers
                .iter()
                .all(|one| one.state == WorkerState::Left)
        );
    }
}

#[test]
fn straight_after_the_engine_was_built_nothing_is_lost() {
    for emit in [false, true] {
        for _ in 0..50 {
            let engine = engine(3);
            let signal = engine.signal::<u64>("s").build().unwrap();
            let log = Log::new();
            signal.subscribe(log.listener()).detach();
            if emit {
                // Its lane may be in the mail when the engine ends.
                signal.emitter().unwrap().emit(1).unwrap();
            }
            let report = engine.shutdown(LONG);
            let events = u64::from(emit);
            assert_eq!(sums(&report), (events, events, 0));
            assert_eq!(log.len() as u64, events);
        }
    }
    drop(engine(2));
}

#[test]
fn sleeping_workers_are_woken_and_leave() {
    let engine = engine(3);
    eventually("all sleep", || engine.metrics().parked_workers() == 3);
    let report = in_time(move || engine.shutdown(Duration::MAX));
    assert_eq!(report, ShutdownReport::default());
}

#[test]
fn full_lanes_are_delivered_to_the_end() {
    let engine = engine(2);
    let signal = engine.signal::<u64>("s").capacity(64).build().unwrap();
    let (door, mut stand) = door();
    let log = Log::new();
    let _kept = [0, 1].map(|index| {
        let log = log.clone();
        signal
            .add(WorkerListener::new(log.listener()).on_worker(worker(index)))
            .unwrap()
    });
    let gate = WorkerListener::new(move |n: &u64| {
        if *n == 0 {
            stand();
        }
    });
    let _gate = signal.add(gate.on_worker(worker(0)).priority(1)).unwrap();
    let mut out = signal.emitter().unwrap();
    out.emit(0).unwrap();
    door.wait();
    let mut accepted = 1;
    while out.try_emit(accepted).is_ok() {
        accepted += 1;
    }
    assert_eq!(accepted, 64);
    let ending = thread::spawn({
        let engine = engine.clone();
        move || engine.shutdown(LONG)
    });
    eventually("it is closed", || {
        out.try_emit(0)
            .is_err_and(|rejected| rejected.reason == RejectReason::Closed)
    });
    drop(door);
    let report = in_time(move || ending.join().unwrap());
    assert_eq!(sums(&report), (128, 128, 0));
    assert_eq!(log.len(), 128);
}

#[test]
fn emitters_that_wait_are_woken_and_get_their_events_back() {
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").capacity(4).build().unwrap();
    let (door, mut stand) = door();
    let _kept = signal.subscribe(move |n| {
        if *n == 0 {
            stand();
        }
    });
    let mut first = signal.emitter().unwrap();
    first.emit(0).unwrap();
    door.wait();
    let waiting = Arc::new(Barrier::new(5));
    // Each fills what there is to fill, and then waits.
    let emitting: Vec<_> = (0..4)
        .map(|index| {
            let (signal, waiting) = (signal.clone(), Arc::clone(&waiting));
            thread::spawn(move || {
                let mut out = signal.emitter().unwrap();
                let shared = index % 2 == 0;
                let mut n = 1;
                while if shared {
                    signal.try_emit(n).is_ok()
                } else {
                    out.try_emit(n).is_ok()
                } {
                    n += 1;
                }
                waiting.wait();
                match index {
                    0 | 2 => signal.emit(1000 + index),
                    1 => out.emit(1000 + index),
                    _ => out.emit_within(1000 + index, &corecast::Context::none()),
                }
            })
        })
        .collect();
    waiting.wait();
    let ending = thread::spawn({
        let engine = engine.clone();
        move || engine.shutdown(Duration::ZERO)
    });
    for (index, one) in emitting.into_iter().enumerate() {
        let rejected = in_time(move || one.join().unwrap()).unwrap_err();
        assert_eq!(rejected.reason, RejectReason::Closed);
        assert_eq!(rejected.event, 1000 + index as u64);
    }
    let report = in_time(move || ending.join().unwrap());
    assert_eq!(report.stuck, [worker(0)]);
    let (accepted, ..) = sums(&report);
    assert_eq!(
        accepted,
        1 + 4 + 4 + 4,
        "two lanes of their own, one shared, and the first event"
    );
    let metrics = signal.metrics();
    assert_eq!(metrics.accepted, accepted);
    assert_eq!(
        metrics.emitted,
        metrics.accepted + metrics.rejected + metrics.dropped
    );
    drop(door);
}

#[test]
fn a_listener_that_does_not_return_is_reported_as_stuck_and_the_rest_is_joined() {
    let engine = engine(3);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let (door, mut stand) = door();
    let log = Log::new();
    let stuck = WorkerListener::new(move |_: &u64| stand());
    let _stuck = signal.add(stuck.on_worker(worker(1))).unwrap();
    let _fine = [0, 2].map(|index| {
        let listener = WorkerListener::new(log.listener());
        signal.add(listener.on_worker(worker(index))).unwrap()
    });
    let mut out = signal.emitter().unwrap();
    (0..10).for_each(|n| out.emit(n).unwrap());
    door.wait();
    let (engine, report) = in_time(move || {
        let report = engine.shutdown(Duration::from_millis(50));
        (engine, report)
    });
    assert_eq!(
        (report.stuck.as_slice(), report.dead.as_slice()),
        (&[worker(1)][..], &[][..])
    );
    assert_eq!(sums(&report), (30, 20, 10));
    assert_eq!(log.len(), 20);
    let left: Vec<_> = engine
        .metrics()
        .workers
        .iter()
        .map(|one| one.state)
        .collect();
    assert_eq!((left[0], left[2]), (WorkerState::Left, WorkerState::Left));
    assert_ne!(left[1], WorkerState::Left);
    // It leaves when its listener returns; nothing more is called.
    door.let_one_through();
    eventually("it leaves", || {
        engine.metrics().workers[1].state == WorkerState::Left
    });
    assert_eq!(signal.metrics().delivered, 21);
    assert_eq!(
        out.flush(LONG),
        Err(FlushError::Closed),
        "dropped is not delivered"
    );
    assert_eq!(engine.shutdown(LONG), report, "the first report stands");
}

#[test]
fn with_no_time_at_all_what_waits_is_abandoned_and_counted() {
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").capacity(16).build().unwrap();
    let (door, mut stand) = door();
    let (tomb, buried) = tomb();
    let _kept = signal.subscribe(move |_| {
        tomb.lies();
        stand();
    });
    let mut out = signal.emitter().unwrap();
    (0..10).for_each(|n| out.emit(n).unwrap());
    door.wait();
    let releasing = {
        let closed = signal.clone();
        thread::spawn(move || {
            // The one in hand is let through while the shutdown is at it; the door is kept, for it may be
            // that the next one stands in it before the engine is abandoned.
            eventually("it is closed", || closed.emitter().is_err());
            door.let_one_through();
            door
        })
    };
    let report = engine.shutdown(Duration::ZERO);
    let _door = in_time(move || releasing.join().unwrap());
    let (accepted, delivered, abandoned) = sums(&report);
    assert_eq!(accepted, 10);
    assert!(delivered <= 1 && abandoned >= 9, "{report:?}");
    assert!(buried.try_recv().is_err(), "it is subscribed still");
}

#[test]
fn called_twice_or_by_two_at_once_it_returns_the_first_report() {
    let engine = engine(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let _kept = signal.subscribe(|_| {});
    let mut out = signal.emitter().unwrap();
    (0..100).for_each(|n| out.emit(n).unwrap());
    let both = Arc::new(Barrier::new(4));
    let ending: Vec<_> = (0..4)
        .map(|_| {
            let (engine, both) = (engine.clone(), Arc::clone(&both));
            thread::spawn(move || {
                both.wait();
                engine.shutdown(LONG)
            })
        })
        .collect();
    let reports: Vec<_> =
        in_time(move || ending.into_iter().map(|one| one.join().unwrap()).collect());
    assert_eq!(sums(&reports[0]), (100, 100, 0));
    assert!(reports.iter().all(|report| *report == reports[0]));
    assert_eq!(engine.shutdown(Duration::ZERO), reports[0]);
}

#[test]
fn from_within_a_listener_it_returns_and_that_worker_counts_as_stuck() {
    let engine = engine(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let (tell, told) = mpsc::channel();
    let other = Log::new();
    let ender = WorkerListener::new({
        let engine = engine.clone();
        move |n: &u64| {
            if *n == 3 {
                tell.send(engine.shutdown(LONG)).unwrap();
            }
        }
    });
    let _ender = signal.add(ender.on_worker(worker(0))).unwrap();
    let listener = WorkerListener::new(other.listener());
    let _other = signal.add(listener.on_worker(worker(1))).unwrap();
    let mut out = signal.emitter().unwrap();
    out.emit_batch(0..10).unwrap();
    let report = told.recv_timeout(LONG).unwrap();
    assert_eq!(
        (report.stuck.as_slice(), report.accepted),
        (&[worker(0)][..], 20)
    );
    assert_eq!(other.len(), 10, "the other worker delivered everything");
    sums(&report);
    assert_eq!(engine.shutdown(LONG), report);
    eventually("it leaves when the listener returns", || {
        engine.metrics().workers[0].state == WorkerState::Left
    });
}

#[test]
fn two_listeners_that_shut_it_down_at_once_both_return() {
    let engine = engine(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let both = Arc::new(Barrier::new(2));
    let (tell, told) = mpsc::channel();
    let _kept = [0, 1].map(|index| {
        let (engine, both, tell) = (engine.clone(), Arc::clone(&both), tell.clone());
        let listener = WorkerListener::new(move |_: &u64| {
            both.wait();
            tell.send(engine.shutdown(LONG)).unwrap();
        });
        signal.add(listener.on_worker(worker(index))).unwrap()
    });
    signal.emit(1).unwrap();
    let first = told.recv_timeout(LONG).unwrap();
    let second = told.recv_timeout(LONG).unwrap();
    assert_eq!((first.accepted, second.accepted), (2, 2));
    assert_eq!(engine.shutdown(LONG).accepted, 2);
}

thread_local! {
    static LAST: RefCell<Option<AtExit>> = const { RefCell::new(None) };
}

/// Ends an engine when its thread ends.
struct AtExit {
    engine: Option<Engine>,
    explicitly: bool,
    tell: mpsc::Sender<Option<ShutdownReport>>,
}

impl Drop for AtExit {
    fn drop(&mut self) {
        let engine = self.engine.take().expect("dropped once");
        let report = self.explicitly.then(|| engine.shutdown(LONG));
        drop(engine);
        self.tell.send(report).expect("the test waits");
    }
}

#[test]
fn a_thread_locals_destructor_may_end_an_engine() {
    for explicitly in [true, false] {
        let engine = engine(2);
        let signal = engine.signal::<u64>("s").build().unwrap();
        let log = Log::new();
        let _kept = signal.subscribe(log.listener());
        let mut out = signal.emitter().unwrap();
        (0..10).for_each(|n| out.emit(n).unwrap());
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let engine = Some(engine);
            LAST.set(Some(AtExit {
                engine,
                explicitly,
                tell,
            }));
        });
        let report = told.recv_timeout(LONG).unwrap();
        in_time(move || thread.join().unwrap());
        assert_eq!(log.len(), 10);
        assert_eq!(report.is_some(), explicitly);
        if let Some(report) = report {
            assert_eq!(sums(&report), (10, 10, 0));
        }
        assert_eq!(out.emit(1).unwrap_err().reason, RejectReason::Closed);
    }
}

#[test]
fn an_emitter_and_a_subscription_may_outlive_a_thread_locals_destructor() {
    thread_local! {
        static KEPT: RefCell<Vec<Box<dyn std::any::Any>>> = const { RefCell::new(Vec::new()) };
    }
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let log = Log::new();
    let _counting = signal.subscribe(log.listener());
    let thread = thread::spawn({
        let signal = signal.clone();
        move || {
            KEPT.with_borrow_mut(|kept| {
                let mut out = signal.emitter().unwrap();
                out.emit(1).unwrap();
                kept.push(Box::new(signal.subscribe(|_| {})));
                kept.push(Box::new(out));
                kept.push(Box::new(signal));
            });
        }
    });
    in_time(move || thread.join().unwrap());
    eventually("its lane is gone", || signal.metrics().lanes.is_empty());
    assert_eq!((log.take(), signal.len()), (vec![1], 1));
    assert_eq!(engine.shutdown(LONG).delivered, 1);
}

#[test]
fn dropping_the_last_handle_delivers_what_was_accepted() {
    let engine = engine(2);
    let other = engine.clone();
    let signal = engine.signal::<u64>("s").build().unwrap();
    let log = Log::new();
    let _kept = signal.subscribe(log.listener());
    let mut out = signal.emitter().unwrap();
    drop(engine);
    (0..100).for_each(|n| out.emit(n).unwrap());
    drop(other);
    assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
    let rejected = out.emit(100).unwrap_err();
    assert_eq!(
        (rejected.event, rejected.reason),
        (100, RejectReason::Closed)
    );
}

#[test]
fn dropping_the_last_handle_does_not_wait_for_ever_for_a_stuck_listener() {
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let (door, mut stand) = door();
    let _kept = signal.subscribe(move |_| stand());
    signal.emit(0).unwrap();
    door.wait();
    in_time(move || drop(engine));
    drop(door);
}

#[test]
fn a_listener_that_owns_the_last_handle_may_drop_it() {
    let engine = engine(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let (log, dropped) = (Log::new(), Arc::new(AtomicBool::new(false)));
    let mut own = Some(engine.clone());
    let _kept = signal.subscribe({
        let (log, dropped) = (log.clone(), Arc::clone(&dropped));
        move |n| {
            log.push(*n);
            drop(own.take());
            dropped.store(true, Ordering::Release);
        }
    });
    let mut out = signal.emitter().unwrap();
    drop(engine);
    let accepted = out.emit_batch(0..10).unwrap();
    eventually("it is dropped", || dropped.load(Ordering::Acquire));
    eventually("the rest is delivered", || log.len() == accepted);
}

#[test]
fn after_it_everything_is_refused_with_its_event_and_counted() {
    let engine = engine(1);
    let builder = engine
        .signal::<u64>("s")
        .capacity(8)
        .overflow(Overflow::Wait);
    let signal = builder.recycled(|| 0).build().unwrap();
    let kept = signal.subscribe(|_| {});
    let mut out = signal.emitter().unwrap();
    out.emit(0).unwrap();
    engine.shutdown(LONG);
    assert!(!out.emit(1).is_ok_and(|()| true));
    for (event, rejected) in [
        (2, out.emit(2)),
        (3, out.try_emit(3)),
        (4, out.emit_within(4, &corecast::Context::none())),
        (5, signal.emit(5)),
        (6, signal.try_emit(6)),
    ] {
        let rejected = rejected.unwrap_err();
        assert_eq!(
            (rejected.event, rejected.reason),
            (event, RejectReason::Closed)
        );
        assert!(rejected.to_string().contains("shut down"), "{rejected}");
    }
    assert_eq!(
        out.emit_with(|_| panic!("no slot")),
        Err(RejectReason::Closed)
    );
    let mut events = 7..20;
    let rejected = out.emit_batch(events.by_ref()).unwrap_err();
    assert_eq!((rejected.event, rejected.accepted), (Some(7), 0));
    assert_eq!(rejected.reason, RejectReason::Closed);
    assert_eq!(events, 8..20);
    let metrics = signal.metrics();
    assert_eq!(
        (metrics.emitted, metrics.accepted, metrics.rejected),
        (9, 1, 8)
    );

    assert!(kept.is_active());
    let inactive = signal.subscribe(|_| {});
    assert!(!inactive.is_active() && !inactive.unsubscribe());
    assert!(!signal.subscribe_batch(|_| {}).is_active());
    let error = signal.add(WorkerListener::new(|_| {})).unwrap_err();
    assert_eq!(error, SubscribeError::Closed);
    assert!(error.to_string().contains("shut down"), "{error}");
    assert_eq!(signal.emitter().unwrap_err(), EmitterError::Closed);
    // A signal that is made now was never open.
    let late = engine.signal::<u64>("late").round_robin().build().unwrap();
    assert!(!late.subscribe_sharded(|_| |_: &u64| {}).is_active());
    assert_eq!(late.emitter().unwrap_err(), EmitterError::Closed);
    assert_eq!(late.emit(1).unwrap_err().reason, RejectReason::Closed);
}

#[test]
fn emissions_that_race_with_it_are_either_delivered_or_handed_back() {
    for round in 0..40 {
        let engine = engine(2);
        let signal = engine.signal::<u64>("s").capacity(64).build().unwrap();
        let log = Log::new();
        let kept: Vec<_> = (0..2).map(|_| signal.subscribe(log.listener())).collect();
        let begin = Barrier::new(4);
        let (accepted, report) = thread::scope(|scope| {
            let own = [0, 1].map(|_| {
                let mut out = signal.emitter().unwrap();
                let begin = &begin;
                scope.spawn(move || {
                    begin.wait();
                    (0..).take_while(|n| out.emit(*n).is_ok()).count() as u64
                })
            });
            let shared = scope.spawn(|| {
                begin.wait();
                (0..).take_while(|n| signal.emit(*n).is_ok()).count() as u64
            });
            begin.wait();
            (0..round * 20).for_each(|_| std::hint::spin_loop());
            let report = engine.shutdown(LONG);
            let own: u64 = own.map(|one| one.join().unwrap()).iter().sum();
            (own + shared.join().unwrap(), report)
        });
        assert_eq!(sums(&report), (2 * accepted, 2 * accepted, 0));
        assert_eq!(log.len() as u64, 2 * accepted);
        let metrics = signal.metrics();
        assert_eq!((metrics.accepted, metrics.rejected), (accepted, 3));
        drop(kept);
    }
}
