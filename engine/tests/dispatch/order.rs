//! In order, exactly once, and who comes first on a worker.

use crate::support::{LONG, Log, engine, manual, worker};
use corecast::{Batch, WorkerListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Checks that each emitter's events come in order, each once, and adds them up.
struct Checker {
    next: Vec<u64>,
    sum: Arc<AtomicU64>,
}

impl Checker {
    fn new(emitters: usize, sum: &Arc<AtomicU64>) -> Self {
        let sum = Arc::clone(sum);
        Self {
            next: vec![0; emitters],
            sum,
        }
    }

    fn saw(&mut self, &(emitter, n): &(usize, u64)) {
        assert_eq!(n, self.next[emitter], "of emitter {emitter}");
        self.next[emitter] += 1;
        self.sum.fetch_add(n + 1, Ordering::Relaxed);
    }
}

#[test]
fn each_emitters_events_reach_each_listener_in_order_and_once_while_others_come_and_go() {
    const EMITTERS: usize = 3;
    const EVENTS: u64 = 50_000;
    let engine = engine(2);
    let signal = engine
        .signal::<(usize, u64)>("s")
        .capacity(256)
        .build()
        .unwrap();
    let sums: Vec<_> = (0..4).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let mut kept = Vec::new();
    for (index, sum) in sums.iter().enumerate() {
        let mut checker = Checker::new(EMITTERS, sum);
        let listener = if index < 2 {
            WorkerListener::new(move |event| checker.saw(event))
        } else {
            WorkerListener::batch(move |batch: Batch<'_, _>| {
                batch.iter().for_each(|event| checker.saw(event));
            })
        };
        let at = worker(index as u32 % 2);
        kept.push(signal.add(listener.on_worker(at)).unwrap());
    }
    let done = AtomicBool::new(false);
    let passers_by = thread::scope(|scope| {
        let churn = scope.spawn(|| {
            let mut count = 0_u64;
            while !done.load(Ordering::Acquire) {
                // What a passer-by sees has no gap either.
                let mut last = [None; EMITTERS];
                let listener = move |&(emitter, n): &(usize, u64)| {
                    assert!(last[emitter].is_none_or(|last| n == last + 1));
                    last[emitter] = Some(n);
                };
                let subscription = signal.subscribe(listener);
                count += 1;
                if count.is_multiple_of(3) {
                    subscription.unsubscribe_and_wait(LONG).unwrap();
                }
            }
            count
        });
        let emitters: Vec<_> = (0..EMITTERS)
            .map(|emitter| {
                let mut out = signal.emitter().unwrap();
                scope.spawn(move || {
                    for n in 0..EVENTS {
                        out.emit((emitter, n)).unwrap();
                    }
                    out.flush(LONG).unwrap();
                })
            })
            .collect();
        emitters.into_iter().for_each(|one| one.join().unwrap());
        done.store(true, Ordering::Release);
        churn.join().unwrap()
    });
    assert!(passers_by > 0);
    let expected = EMITTERS as u64 * EVENTS * (EVENTS + 1) / 2;
    for sum in &sums {
        assert_eq!(sum.load(Ordering::Relaxed), expected);
    }
    assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
    let report = engine.shutdown(LONG);
    assert_eq!(report.accepted, 2 * EMITTERS as u64 * EVENTS);
    assert_eq!((report.delivered, report.abandoned), (report.accepted, 0));
}

#[test]
fn listeners_on_a_worker_see_an_event_by_priority_and_then_as_subscribed() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let log = Log::new();
    let mut kept = Vec::new();
    for (name, priority) in [
        ("a", 0),
        ("b", -5),
        ("c", 7),
        ("d", 0),
        ("e", i32::MAX),
        ("f", i32::MIN),
        ("g", 7),
    ] {
        let log = log.clone();
        let listener = WorkerListener::new(move |n: &u64| log.push((*n, name)));
        kept.push(signal.add(listener.priority(priority).key(name)).unwrap());
    }
    let keys: Vec<_> = signal.keys().iter().map(|key| key.to_string()).collect();
    assert_eq!(keys, ["e", "c", "g", "a", "d", "b", "f"]);
    let mut out = signal.emitter().unwrap();
    out.emit(1).unwrap();
    out.emit(2).unwrap();
    engine.run_until_idle().unwrap();
    let of = |n| ["e", "c", "g", "a", "d", "b", "f"].map(|name| (n, name));
    assert_eq!(log.take(), [of(1), of(2)].concat(), "an event at a time");
    // Removal leaves the order of the others alone.
    assert!(signal.unsubscribe("g"));
    assert!(signal.unsubscribe("e"));
    out.emit(3).unwrap();
    engine.run_until_idle().unwrap();
    assert_eq!(log.take(), ["c", "a", "d", "b", "f"].map(|name| (3, name)));
}

#[test]
fn a_batch_listener_splits_the_list_and_those_before_it_finish_the_run_first() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").capacity(16).build().unwrap();
    let log = Log::new();
    let each = |name: &'static str| {
        let log = log.clone();
        WorkerListener::new(move |n: &u64| log.push((name, vec![*n])))
    };
    let runs = |name: &'static str| {
        let log = log.clone();
        WorkerListener::batch(move |batch: Batch<'_, u64>| {
            log.push((name, batch.iter().copied().collect()));
        })
    };
    let _kept = [
        each("a"),
        each("b"),
        runs("c"),
        each("d"),
        runs("e"),
        each("f"),
        each("g"),
    ]
    .map(|listener| signal.add(listener).unwrap());
    let mut out = signal.emitter().unwrap();
    // Sixteen slots: a run has four events at most.
    out.emit_batch([1, 2, 3]).unwrap();
    engine.run_until_idle().unwrap();
    let one = |name, n: u64| (name, vec![n]);
    let expected = vec![
        one("a", 1),
        one("b", 1),
        one("a", 2),
        one("b", 2),
        one("a", 3),
        one("b", 3),
        ("c", vec![1, 2, 3]),
        one("d", 1),
        one("d", 2),
        one("d", 3),
        ("e", vec![1, 2, 3]),
        one("f", 1),
        one("g", 1),
        one("f", 2),
        one("g", 2),
        one("f", 3),
        one("g", 3),
    ];
    assert_eq!(log.take(), expected);
}

#[test]
fn the_events_of_one_emitter_keep_their_order_through_every_way_of_emitting() {
    let engine = manual(2);
    let signal = engine
        .signal::<u64>("s")
        .capacity(64)
        .recycled(|| 0)
        .build()
        .unwrap();
    let logs = [Log::new(), Log::new()];
    let _kept = [0, 1].map(|index| {
        let listener = WorkerListener::new(logs[index as usize].listener());
        signal.add(listener.on_worker(worker(index))).unwrap()
    });
    let mut out = signal.emitter().unwrap();
    let mut n = 0;
    for round in 0..10 {
        out.emit(n).unwrap();
        out.try_emit(n + 1).unwrap();
        out.emit_within(n + 2, &corecast::Context::none()).unwrap();
        out.emit_with(|slot| *slot = n + 3).unwrap();
        out.emit_batch(n + 4..n + 4 + round).unwrap();
        n += 4 + round;
        engine.run_until_idle().unwrap();
    }
    assert_eq!(out.sequence(), n);
    for log in &logs {
        assert_eq!(log.take(), (0..n).collect::<Vec<_>>());
    }
}
