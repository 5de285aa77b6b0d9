//! What becomes of an engine one of whose workers has died. No listener can kill one, so these tests
//! give a worker a lane that panics.

use super::Engine;
use super::worker_shared::{Drain, Mail};
use crate::{
    AsyncSignal, Cores, FlushError, RejectReason, Subscription, WorkerId, WorkerListener,
    WorkerState,
};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(120);
const DEAD: WorkerId = WorkerId::new(0);
const ALIVE: WorkerId = WorkerId::new(1);

/// A lane that ends its worker when it is told to.
struct Deadly(mpsc::Receiver<()>);

impl Drain for Deadly {
    fn drain(&mut self) -> usize {
        // The test says when, once it has what it needs in place.
        let _ = self.0.recv();
        panic!("the worker dies of this");
    }

    fn longest_run(&self) -> usize {
        1
    }

    fn capacity(&self) -> usize {
        1
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn is_finished(&self) -> bool {
        false
    }

    fn give_up(self: Box<Self>) {}
}

fn engine() -> Engine {
    let builder = Engine::builder().cores(Cores::count(1)).workers_per_core(2);
    builder.build().unwrap()
}

/// Ends worker 0 and waits until it has.
fn kill(engine: &Engine) {
    let worker = &engine.handle.shared.workers[DEAD.index()];
    let (now, when) = mpsc::channel();
    now.send(()).unwrap();
    let holders = holders(engine);
    let unread = worker.send(Mail::Lane(Box::new(Deadly(when))));
    assert!(unread.is_none());
    await_death(engine, holders);
}

/// Who shares in the engine: each worker's thread until its very end, when it has told everybody.
fn holders(engine: &Engine) -> usize {
    Arc::strong_count(&engine.handle.shared)
}

fn await_death(engine: &Engine, before: usize) {
    let begun = Instant::now();
    let is_dead = || engine.metrics().workers[0].state == WorkerState::Dead;
    while !is_dead() || holders(engine) >= before {
        assert!(begun.elapsed() < LONG, "it does not die");
        thread::yield_now();
    }
}

/// A listener on each worker that sends on what it sees.
fn listeners(signal: &AsyncSignal<u64>) -> (Vec<Subscription>, mpsc::Receiver<(WorkerId, u64)>) {
    let (saw, seen) = mpsc::channel();
    let subscriptions = [DEAD, ALIVE]
        .map(|worker| {
            let saw = saw.clone();
            let listener = WorkerListener::new(move |n: &u64| saw.send((worker, *n)).unwrap());
            signal.add(listener.on_worker(worker)).unwrap()
        })
        .into();
    (subscriptions, seen)
}

#[test]
fn events_for_a_dead_worker_come_back_through_every_way_of_emitting() {
    let engine = engine();
    let signal = engine.signal::<u64>("s").recycled(|| 0).build().unwrap();
    let (subscriptions, seen) = listeners(&signal);
    let mut out = signal.emitter().unwrap();
    out.emit(1).unwrap();
    out.flush(LONG).unwrap();
    signal.emit(2).unwrap();
    while seen.recv_timeout(LONG).unwrap() != (DEAD, 2) {}
    kill(&engine);

    let dead = RejectReason::WorkerDead;
    for (event, rejected) in [
        (3, out.emit(3)),
        (4, out.try_emit(4)),
        (5, out.emit_within(5, &crate::Context::none())),
        (6, signal.emit(6)),
        (7, signal.try_emit(7)),
    ] {
        let rejected = rejected.unwrap_err();
        assert_eq!((rejected.event, rejected.reason), (event, dead));
        assert!(rejected.to_string().contains("dead"), "{rejected}");
    }
    assert_eq!(out.emit_with(|slot| *slot = 8), Err(dead));
    let rejected = out.emit_batch([9, 10]).unwrap_err();
    assert_eq!((rejected.accepted, rejected.reason), (0, dead));
    assert_eq!(rejected.event, Some(9));
    // An emitter that is made now fares no better.
    assert_eq!(signal.emitter().unwrap().emit(11).unwrap_err().reason, dead);
    // A broadcast is all or none: the other worker got nothing either.
    assert!(seen.try_iter().all(|(_, n)| n <= 2));

    let metrics = signal.metrics();
    assert_eq!(metrics.accepted, 2);
    assert_eq!(
        metrics.emitted,
        metrics.accepted + metrics.rejected + metrics.dropped
    );
    assert_eq!(metrics.rejected, 8);
    let report = engine.shutdown(LONG);
    assert_eq!(
        (report.dead.as_slice(), report.stuck.as_slice()),
        (&[DEAD][..], &[][..])
    );
    assert_eq!(
        (report.accepted, report.delivered, report.abandoned),
        (4, 4, 0)
    );
    drop(subscriptions);
}

#[test]
fn without_its_listeners_a_dead_worker_is_in_nobodys_way() {
    let engine = engine();
    let signal = engine.signal::<u64>("s").build().unwrap();
    let (mut subscriptions, seen) = listeners(&signal);
    let mut out = signal.emitter().unwrap();
    kill(&engine);
    assert_eq!(out.emit(1).unwrap_err().reason, RejectReason::WorkerDead);
    // Nobody else would drop what they had captured.
    let removed = subscriptions.remove(0);
    assert_eq!(removed.unsubscribe_and_wait(LONG), Ok(()));
    out.emit(2).unwrap();
    signal.emit(3).unwrap();
    out.flush(LONG).unwrap();
    let report = engine.shutdown(LONG);
    let mut seen: Vec<_> = seen.try_iter().collect();
    seen.sort();
    assert_eq!(seen, [(ALIVE, 2), (ALIVE, 3)]);
    assert_eq!(
        (report.accepted, report.delivered, report.dead),
        (2, 2, vec![DEAD])
    );
}

#[test]
fn on_a_route_to_one_worker_only_events_for_the_dead_one_come_back() {
    let engine = engine();
    let signal = engine.signal::<u64>("s").round_robin().build().unwrap();
    let (saw, seen) = mpsc::channel();
    let _kept = signal.subscribe_sharded(|_| {
        let saw = saw.clone();
        move |n: &u64| saw.send(*n).unwrap()
    });
    let mut out = signal.emitter().unwrap();
    out.emit(0).unwrap();
    out.emit(1).unwrap();
    out.flush(LONG).unwrap();
    kill(&engine);
    // Whoever's turn it is stays the same until the event is accepted.
    assert_eq!(out.emit(2).unwrap_err().reason, RejectReason::WorkerDead);
    assert_eq!(out.emit(3).unwrap_err().event, 3);
    let results: Vec<_> = (4..8).map(|n| signal.emit(n).is_ok()).collect();
    assert_eq!(results.iter().filter(|ok| **ok).count(), 2);
    let report = engine.shutdown(LONG);
    assert_eq!((report.accepted, report.delivered), (4, 4));
    assert_eq!(seen.try_iter().count(), 4);
}

#[test]
fn a_flush_and_an_emitter_that_wait_for_a_worker_that_dies_are_woken() {
    let engine = engine();
    let signal = engine.signal::<u64>("s").capacity(4).build().unwrap();
    let worker = &engine.handle.shared.workers[DEAD.index()];
    let (now, when) = mpsc::channel();
    // From here on the worker stands still: it looks at this lane and waits.
    assert!(worker.send(Mail::Lane(Box::new(Deadly(when)))).is_none());
    let listener = WorkerListener::new(|_: &u64| {}).on_worker(DEAD);
    let _kept = signal.add(listener).unwrap();
    let mut full = signal.emitter().unwrap();
    let mut flushing = signal.emitter().unwrap();
    while full.try_emit(0).is_ok() {}
    flushing.emit(1).unwrap();
    let before = holders(&engine);
    let (flushed, emitted) = thread::scope(|scope| {
        let flushed = scope.spawn(|| flushing.flush(LONG));
        let emitted = scope.spawn(|| full.emit(2));
        // Let go whether or not they have begun to wait: each has to see it either way.
        now.send(()).unwrap();
        (flushed.join().unwrap(), emitted.join().unwrap())
    });
    await_death(&engine, before);
    let rejected = match emitted {
        // The worker may have drained the lanes before it came to the deadly one.
        Ok(()) => full.emit(2).unwrap_err(),
        Err(rejected) => rejected,
    };
    assert_eq!(
        (rejected.event, rejected.reason),
        (2, RejectReason::WorkerDead)
    );
    assert!(
        matches!(flushed, Ok(()) | Err(FlushError::WorkerDead)),
        "{flushed:?}"
    );
    let report = engine.shutdown(LONG);
    assert_eq!(report.dead, [DEAD]);
    assert_eq!(report.accepted, report.delivered + report.abandoned);
    assert_eq!(signal.metrics().accepted, report.accepted);
}

#[test]
fn what_was_queued_for_a_worker_that_died_is_abandoned_and_dropped() {
    let engine = engine();
    let signal = engine.signal::<Arc<()>>("s").build().unwrap();
    let worker = &engine.handle.shared.workers[DEAD.index()];
    let (now, when) = mpsc::channel();
    let (enter, entered) = mpsc::channel();
    let (open, opened) = mpsc::channel::<()>();
    let listener = WorkerListener::new(move |_: &Arc<()>| {
        enter.send(()).unwrap();
        let _ = opened.recv();
    });
    let subscription = signal.add(listener.on_worker(DEAD)).unwrap();
    let mut out = signal.emitter().unwrap();
    let event = Arc::new(());
    out.emit(Arc::clone(&event)).unwrap();
    entered.recv_timeout(LONG).unwrap();
    let before = holders(&engine);
    // It is inside its listener; the deadly lane is in its mail, and more events are in its lane than
    // it takes before it looks at the other one.
    now.send(()).unwrap();
    assert!(worker.send(Mail::Lane(Box::new(Deadly(when)))).is_none());
    (0..500).for_each(|_| out.emit(Arc::clone(&event)).unwrap());
    drop(open);
    await_death(&engine, before);
    let flushed = out.flush(LONG);
    assert!(
        matches!(flushed, Ok(()) | Err(FlushError::WorkerDead)),
        "{flushed:?}"
    );
    let report = engine.shutdown(LONG);
    assert_eq!(report.accepted, 501);
    assert!(report.abandoned > 0, "{report:?}");
    assert_eq!(report.accepted, report.delivered + report.abandoned);
    drop((out, subscription));
    assert_eq!(Arc::strong_count(&event), 1, "each was dropped");
}

#[test]
fn an_engine_with_a_dead_worker_drops_without_waiting_for_it() {
    let engine = engine();
    kill(&engine);
    let (done, over) = mpsc::channel();
    let dropping = thread::spawn(move || {
        drop(engine);
        done.send(()).unwrap();
    });
    over.recv_timeout(LONG).unwrap();
    dropping.join().unwrap();
}
