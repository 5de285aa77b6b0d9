//! A worker's thread dies of a panic outside any listener: everybody else learns of it.

use crate::support::*;
use corecast::{Engine, FlushError, Overflow, RejectReason, WorkerId, WorkerListener, WorkerState};
use std::sync::mpsc;

const FIRST: WorkerId = WorkerId::new(0);
const SECOND: WorkerId = WorkerId::new(1);

/// A listener that says when it is called and then waits to be told to go on.
fn held() -> (
    impl FnMut(&u64) + Send + 'static,
    mpsc::Receiver<u64>,
    mpsc::Sender<()>,
) {
    let (entered, at_work) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let listener = move |n: &u64| {
        entered.send(*n).expect("the row waits");
        // Also when nobody is left to say it.
        let _ = wait.recv();
    };
    (listener, at_work, go)
}

fn dead(engine: &Engine) -> Vec<bool> {
    let workers = engine.metrics().workers;
    let is_dead = |state| state == WorkerState::Dead;
    workers.iter().map(|worker| is_dead(worker.state)).collect()
}

#[test]
fn emitters_learn_that_a_worker_is_dead() {
    watched(|| {
        let engine = engine(2, false);
        let signal = engine.signal::<u64>("numbers").capacity(4).build();
        let signal = signal.expect("possible");
        let on = |worker| WorkerListener::new(|_: &u64| {}).on_worker(worker);
        signal.add(on(FIRST)).expect("open").detach();
        let mut emitter = signal.emitter().expect("open");
        emitter.emit(1).expect("room");
        signal.emit(2).expect("room");
        engine.kill_worker(FIRST);
        assert_eq!(dead(&engine), [true, false]);
        let reason = |rejected: corecast::Rejected<u64>| (rejected.event, rejected.reason);
        let is_dead = |n| Err((n, RejectReason::WorkerDead));
        assert_eq!(emitter.emit(3).map_err(reason), is_dead(3));
        assert_eq!(emitter.try_emit(4).map_err(reason), is_dead(4));
        let within = emitter.emit_within(5, &corecast::Context::none());
        assert_eq!(within.map_err(reason), is_dead(5));
        assert_eq!(signal.emit(6).map_err(reason), is_dead(6));
        assert_eq!(signal.try_emit(7).map_err(reason), is_dead(7));
        let batch = emitter.emit_batch([8, 9]).expect_err("a dead worker");
        assert_eq!(
            (batch.accepted, batch.reason),
            (0, RejectReason::WorkerDead)
        );
        assert_eq!(batch.event, Some(8));
        // One made now learns of it as well.
        let mut late = signal.emitter().expect("open");
        assert_eq!(late.emit(10).map_err(reason), is_dead(10));
        // Nobody listens there any more: the other worker's listeners are reached.
        signal.clear();
        let (sender, seen) = mpsc::channel();
        let listener = WorkerListener::new(move |n| sender.send(*n).expect("the row reads"));
        signal
            .add(listener.on_worker(SECOND))
            .expect("open")
            .detach();
        emitter.emit(11).expect("a living worker");
        signal.emit(12).expect("a living worker");
        let report = engine.shutdown(LONG);
        let mut numbers: Vec<u64> = seen.try_iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [11, 12]);
        assert_eq!(
            (report.dead.as_slice(), report.stuck.as_slice()),
            (&[FIRST][..], &[][..])
        );
        assert_eq!(report.accepted, report.delivered + report.abandoned);
        let metrics = signal.metrics();
        assert_eq!((metrics.accepted, metrics.rejected), (4, 7));
    });
}

#[test]
fn an_emitter_that_waits_for_room_is_woken_when_the_worker_dies() {
    watched(|| {
        for shared in [false, true] {
            let engine = engine(1, false);
            let signal = engine.signal::<u64>("numbers").capacity(2);
            let signal = signal.overflow(Overflow::Wait).build().expect("possible");
            let (listener, at_work, go) = held();
            signal.subscribe(listener).detach();
            let mut emitter = signal.emitter().expect("open");
            let mut emit = move |n| match shared {
                true => signal.emit(n),
                false => emitter.emit(n),
            };
            emit(0).expect("room");
            at_work.recv().expect("the first event");
            let killer = engine.clone();
            let killer = std::thread::spawn(move || killer.kill_worker(FIRST));
            // The worker dies when the listener returns; until then there is room for one more.
            let emitting = std::thread::spawn(move || {
                let refused = (1..).find_map(|n| emit(n).err());
                refused.expect("it ends somehow").reason
            });
            drop(go);
            killer.join().expect("no panic");
            let reason = emitting.join().expect("no panic");
            assert_eq!(reason, RejectReason::WorkerDead);
            let report = engine.shutdown(LONG);
            assert_eq!(report.dead, [FIRST]);
            assert_eq!(report.accepted, report.delivered + report.abandoned);
        }
    });
}

#[test]
fn a_flush_ends_when_the_worker_dies_before_it_has_delivered() {
    watched(|| {
        let engine = engine(1, false);
        let signal = engine.signal::<u64>("numbers").capacity(256).batch(1);
        let signal = signal.build().expect("possible");
        let (listener, at_work, go) = held();
        signal.subscribe(listener).detach();
        let killer = engine.clone();
        let kills = move |n: &u64| {
            if *n == 3 {
                killer.kill_worker(FIRST);
            }
        };
        let subscription = signal.subscribe(kills);
        let mut emitter = signal.emitter().expect("open");
        emitter.emit_batch(0..100).expect("room");
        at_work.recv().expect("the first event");
        let flushing = std::thread::spawn(move || (emitter.flush(LONG), emitter));
        drop(go);
        let (flushed, mut emitter) = flushing.join().expect("no panic");
        assert_eq!(flushed, Err(FlushError::WorkerDead));
        assert_eq!(emitter.flush(LONG), Err(FlushError::WorkerDead));
        let report = engine.shutdown(LONG);
        assert_eq!(
            (report.accepted, report.delivered, report.abandoned),
            (100, 4, 96)
        );
        drop(subscription);
    });
}

#[test]
fn sharded_events_are_refused_for_the_dead_worker_alone() {
    watched(|| {
        let engine = engine(3, false);
        let signal = engine.signal::<u64>("turns").recycled(|| 0).round_robin();
        let signal = signal.build().expect("possible");
        let (sender, seen) = mpsc::channel();
        let subscription = signal.subscribe_sharded(|worker| {
            let sender = sender.clone();
            move |n: &u64| sender.send((worker, *n)).expect("the row reads")
        });
        let mut emitter = signal.emitter().expect("open");
        engine.kill_worker(SECOND);
        emitter.emit(0).expect("a living worker");
        let refused = emitter.emit(1).expect_err("a dead worker");
        assert_eq!(refused.reason, RejectReason::WorkerDead);
        let refused = emitter
            .emit_with(|slot| *slot = 1)
            .expect_err("a dead worker");
        assert_eq!(refused, RejectReason::WorkerDead);
        emitter.flush(LONG).expect("what was accepted is delivered");
        let report = engine.shutdown(LONG);
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), [(FIRST, 0)]);
        assert_eq!(report.dead, [SECOND]);
        assert_eq!((report.accepted, report.delivered), (1, 1));
        drop(subscription);
    });
}

#[test]
fn what_a_dead_worker_leaves_behind_is_dropped_once_and_may_panic() {
    watched(|| {
        let engine = engine(1, false);
        let signal = engine.signal::<Bomb>("bombs").capacity(64).batch(1);
        let signal = signal.build().expect("possible");
        let (ends, captured) = (Count::default(), Count::default());
        let (bomb, killer) = (Bomb::live(100, &captured), engine.clone());
        let subscription = signal.subscribe(move |event| {
            assert!(!bomb.is(event.number));
            killer.kill_worker(FIRST);
        });
        let mut emitter = signal.emitter().expect("open");
        let bombs = (0..20).map(|number| Bomb::live(number, &ends));
        emitter.emit_batch(bombs).expect("room");
        assert_eq!(emitter.flush(LONG), Err(FlushError::WorkerDead));
        // Its listeners are anybody's to drop now.
        assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
        assert_eq!(captured.get(), 1);
        drop((emitter, signal));
        let report = engine.shutdown(LONG);
        assert_eq!(report.dead, [FIRST]);
        assert_eq!((report.accepted, report.delivered), (20, 1));
        drop(engine);
        assert_eq!(ends.get(), 20);
    });
}

#[test]
fn a_parked_worker_may_die_and_the_engine_ends_in_order() {
    watched(|| {
        for dead in 0..3 {
            let engine = engine(3, false);
            let signal = engine.signal::<u64>("numbers").build().expect("possible");
            let calls = Count::default();
            for worker in engine.workers() {
                let count = calls.clone();
                let listener = WorkerListener::new(move |_| count.up());
                signal
                    .add(listener.on_worker(worker.id))
                    .expect("open")
                    .detach();
            }
            let mut emitter = signal.emitter().expect("open");
            emitter.emit(1).expect("room");
            emitter.flush(LONG).expect("delivered");
            let dead = WorkerId::new(dead);
            engine.kill_worker(dead);
            // Twice is no more than once.
            engine.kill_worker(dead);
            // A broadcast is all or none: nobody gets what one cannot get.
            assert!(emitter.emit(2).is_err());
            let report = engine.shutdown(LONG);
            assert_eq!((calls.get(), report.dead), (3, vec![dead]));
            assert_eq!((report.accepted, report.delivered), (3, 3));
            assert_eq!(engine.shutdown(LONG).accepted, 3);
        }
    });
}
