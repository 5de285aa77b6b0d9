//! Emitting through the signal, from many threads at once.

use crate::support::{LONG, Log, engine, worker};
use corecast::{Batch, WorkerListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const THREADS: usize = 8;
const EVENTS: u64 = 5000;
const SUM: u64 = THREADS as u64 * EVENTS * (EVENTS - 1) / 2;

/// Checks that each thread's events come in its order, each once, and adds them up.
fn checking(sum: &Arc<AtomicU64>, gaps: bool) -> impl FnMut(&(usize, u64)) + Send + 'static {
    let sum = Arc::clone(sum);
    let mut next = [0; THREADS];
    move |&(thread, n)| {
        if gaps {
            assert!(n >= next[thread], "of thread {thread}");
        } else {
            assert_eq!(n, next[thread], "of thread {thread}");
        }
        next[thread] = n + 1;
        sum.fetch_add(n, Ordering::Relaxed);
    }
}

#[test]
fn eight_threads_lose_nothing_and_each_keeps_its_order() {
    let engine = engine(2);
    let signal = engine.signal("s").capacity(64).build().unwrap();
    let sums: Vec<_> = (0..3).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let mut batches = checking(&sums[2], false);
    let _kept = [
        WorkerListener::new(checking(&sums[0], false)).on_worker(worker(0)),
        WorkerListener::new(checking(&sums[1], false)).on_worker(worker(1)),
        WorkerListener::batch(move |run: Batch<'_, _>| run.iter().for_each(&mut batches))
            .on_worker(worker(1)),
    ]
    .map(|listener| signal.add(listener).unwrap());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let signal = &signal;
            scope.spawn(move || (0..EVENTS).for_each(|n| signal.emit((thread, n)).unwrap()));
        }
    });
    let report = engine.shutdown(LONG);
    let lane_events = 2 * THREADS as u64 * EVENTS;
    assert_eq!(
        (report.accepted, report.delivered),
        (lane_events, lane_events)
    );
    assert!(sums.iter().all(|sum| sum.load(Ordering::Relaxed) == SUM));
    assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
    let metrics = signal.metrics();
    assert_eq!((metrics.emitted, metrics.rejected), (lane_events / 2, 0));
}

#[test]
fn eight_threads_on_a_route_to_one_worker_lose_nothing_and_keep_their_order() {
    let engine = engine(3);
    let by_thread = engine
        .signal("s")
        .capacity(16)
        .shard_by(|event: &(usize, u64)| event.0);
    let by_thread = by_thread.build().unwrap();
    let in_turn = engine
        .signal("t")
        .capacity(16)
        .round_robin()
        .build()
        .unwrap();
    let (one, other) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let _kept = [
        by_thread.subscribe_sharded(|_| checking(&one, false)),
        in_turn.subscribe_sharded(|_| checking(&other, true)),
    ];
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (by_thread, in_turn) = (&by_thread, &in_turn);
            scope.spawn(move || {
                for n in 0..EVENTS {
                    by_thread.emit((thread, n)).unwrap();
                    in_turn.emit((thread, n)).unwrap();
                }
            });
        }
    });
    let report = engine.shutdown(LONG);
    assert_eq!(report.delivered, 2 * THREADS as u64 * EVENTS);
    assert_eq!(one.load(Ordering::Relaxed), SUM);
    assert_eq!(other.load(Ordering::Relaxed), SUM);
    assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
}

#[test]
fn shared_emissions_and_emitters_share_the_listeners() {
    let engine = engine(1);
    let signal = engine
        .signal::<(usize, u64)>("s")
        .capacity(16)
        .build()
        .unwrap();
    let sum = Arc::new(AtomicU64::new(0));
    let _kept = signal.subscribe(checking(&sum, false));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let signal = &signal;
            scope.spawn(move || {
                if thread % 2 == 0 {
                    (0..EVENTS).for_each(|n| signal.emit((thread, n)).unwrap());
                } else {
                    let mut out = signal.emitter().unwrap();
                    (0..EVENTS).for_each(|n| out.emit((thread, n)).unwrap());
                }
            });
        }
    });
    engine.shutdown(LONG);
    assert_eq!(sum.load(Ordering::Relaxed), SUM);
    assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
}

#[test]
fn the_first_shared_emission_makes_one_lane_to_each_worker_for_all_handles() {
    let engine = engine(3);
    let signal = engine.signal::<u64>("s").capacity(8).build().unwrap();
    let log = Log::new();
    let _kept = signal.subscribe(log.listener());
    assert!(signal.metrics().lanes.is_empty());
    thread::scope(|scope| {
        for n in 0..8 {
            let signal = signal.clone();
            scope.spawn(move || signal.emit(n).unwrap());
        }
    });
    let lanes = signal.metrics().lanes;
    assert_eq!(lanes.len(), 3);
    assert!(lanes.iter().all(|lane| lane.shared && lane.capacity == 8));
    drop(signal.emitter().unwrap());
    engine.shutdown(LONG);
    let mut seen = log.take();
    seen.sort_unstable();
    assert_eq!(seen, (0..8).collect::<Vec<_>>());
}
