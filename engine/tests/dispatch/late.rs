//! Late subscribers: which events a listener gets that comes while others are on their way.

use crate::support::{LONG, Log, door, engine, manual, worker};
use corecast::{Batch, Subscription, WorkerListener};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

#[test]
fn what_waits_in_a_lane_is_not_for_those_who_come_later() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").capacity(16).build().unwrap();
    let (early, late, batches) = (Log::new(), Log::new(), Log::new());
    let _early = signal.subscribe(early.listener());
    let mut one = signal.emitter().unwrap();
    let mut other = signal.emitter().unwrap();
    for n in 0..3 {
        one.emit(n).unwrap();
        other.emit(100 + n).unwrap();
        signal.emit(200 + n).unwrap();
    }
    let _late = signal.subscribe(late.listener());
    let _batches = signal.subscribe_batch({
        let log = batches.clone();
        move |batch: Batch<'_, u64>| batch.iter().for_each(|n| log.push(*n))
    });
    // A lane that is made after them is theirs from the beginning.
    let mut third = signal.emitter().unwrap();
    for n in 3..6 {
        one.emit(n).unwrap();
        other.emit(100 + n).unwrap();
        signal.emit(200 + n).unwrap();
        third.emit(300 + n).unwrap();
    }
    engine.run_until_idle().unwrap();
    let sorted = |log: &Log<u64>| {
        let mut all = log.take();
        all.sort_unstable();
        all
    };
    let all = [
        0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104, 105, 200, 201, 202, 203, 204, 205, 303, 304, 305,
    ];
    assert_eq!(sorted(&early), all);
    let later = [3, 4, 5, 103, 104, 105, 203, 204, 205, 303, 304, 305];
    assert_eq!(sorted(&late), later);
    assert_eq!(sorted(&batches), later);
}

#[test]
fn a_full_lane_that_wraps_keeps_its_late_listeners_apart() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").capacity(4).build().unwrap();
    let early = Log::new();
    let _early = signal.subscribe(early.listener());
    let mut out = signal.emitter().unwrap();
    let mut late = Vec::new();
    for lap in 0..50 {
        for n in 0..4 {
            out.emit(4 * lap + n).unwrap();
            if n == lap % 4 {
                let log = Log::new();
                late.push((4 * lap + n + 1, signal.subscribe(log.listener()), log));
            }
        }
        engine.run_until_idle().unwrap();
    }
    assert_eq!(early.take(), (0..200).collect::<Vec<_>>());
    for (first, _subscription, log) in late {
        assert_eq!(log.take(), (first..200).collect::<Vec<_>>());
    }
}

#[test]
fn a_listener_subscribed_by_a_listener_gets_what_is_emitted_after_and_not_what_waits() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").capacity(16).build().unwrap();
    let log = Log::new();
    let (hand, handed) = mpsc::channel();
    let _outer = signal.subscribe({
        let (signal, log) = (signal.clone(), log.clone());
        move |n| {
            if *n == 1 {
                hand.send(signal.subscribe(log.listener())).unwrap();
                signal.emit(10).unwrap();
            }
        }
    });
    let mut out = signal.emitter().unwrap();
    (0..4).for_each(|n| out.emit(n).unwrap());
    engine.run_until_idle().unwrap();
    let _inner = handed.recv().unwrap();
    out.emit(4).unwrap();
    engine.run_until_idle().unwrap();
    assert_eq!(log.take(), [10, 4]);
}

#[test]
fn on_a_running_worker_too_what_waits_is_for_those_who_were_there() {
    for batch in [false, true] {
        let engine = engine(1);
        let signal = engine.signal::<u64>("s").capacity(32).build().unwrap();
        let (door, mut stand) = door();
        let (early, late) = (Log::new(), Log::new());
        let _early = signal.subscribe({
            let log = early.clone();
            move |n| {
                log.push(*n);
                if *n == 0 {
                    stand();
                }
            }
        });
        let mut out = signal.emitter().unwrap();
        out.emit(0).unwrap();
        door.wait();
        (1..5).for_each(|n| out.emit(n).unwrap());
        let _late = if batch {
            let log = late.clone();
            signal.subscribe_batch(move |run: Batch<'_, u64>| run.iter().for_each(|n| log.push(*n)))
        } else {
            signal.subscribe(late.listener())
        };
        (5..10).for_each(|n| out.emit(n).unwrap());
        drop(door);
        out.flush(LONG).unwrap();
        assert_eq!(early.take(), (0..10).collect::<Vec<_>>());
        assert_eq!(late.take(), (5..10).collect::<Vec<_>>(), "batch: {batch}");
    }
}

/// The bounds of the rule, from outside: an event whose emission had returned before `subscribe` was
/// called does not come, one whose emission began after it returned does.
#[test]
fn the_first_event_of_a_late_listener_lies_between_the_call_of_subscribe_and_its_return() {
    const ROUNDS: usize = 500;
    for shared in [false, true] {
        let engine = engine(2);
        let signal = engine.signal::<u64>("s").capacity(64).build().unwrap();
        let (begun, returned) = (AtomicU64::new(0), AtomicU64::new(0));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut out = signal.emitter().unwrap();
                let mut n = 0;
                while !done.load(Ordering::Acquire) {
                    begun.store(n + 1, Ordering::SeqCst);
                    if shared {
                        signal.emit(n).unwrap();
                    } else {
                        out.emit(n).unwrap();
                    }
                    n += 1;
                    returned.store(n, Ordering::SeqCst);
                }
            });
            for round in 0..ROUNDS {
                let (tell, told) = mpsc::channel();
                let mut last = None;
                let listener = move |n: &u64| {
                    match last {
                        // The test waits for the first one and may be gone after that.
                        None => drop(tell.send(*n)),
                        Some(last) => assert_eq!(*n, last + 1),
                    }
                    last = Some(*n);
                };
                let listener = WorkerListener::new(listener).on_worker(worker(round as u32 % 2));
                let earliest = returned.load(Ordering::SeqCst);
                let subscription = signal.add(listener).unwrap();
                let latest = begun.load(Ordering::SeqCst);
                let first = told.recv_timeout(LONG).unwrap();
                assert!(
                    (earliest..=latest).contains(&first),
                    "{first} is not within {earliest}..={latest}, shared: {shared}"
                );
                drop(subscription);
            }
            done.store(true, Ordering::Release);
        });
        assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
    }
}

/// One step of a life on a manual engine.
#[derive(Debug, Clone)]
enum Step {
    Emit(usize),
    EmitShared,
    EmitBatch(usize, usize),
    NewEmitter(usize),
    Subscribe { worker: u32, batch: bool },
    Remove(usize),
    Run,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3_usize).prop_map(Step::Emit),
        3 => Just(Step::EmitShared),
        2 => (0..3_usize, 1..6_usize).prop_map(|(emitter, events)| Step::EmitBatch(emitter, events)),
        1 => (0..3_usize).prop_map(Step::NewEmitter),
        3 => (0..2_u32, any::<bool>()).prop_map(|(worker, batch)| Step::Subscribe { worker, batch }),
        2 => any::<usize>().prop_map(Step::Remove),
        3 => Just(Step::Run),
    ];
    prop::collection::vec(step, 1..80)
}

/// A listener and what it is to have seen: what was emitted after it came, unless it left before that
/// was delivered.
struct Expected {
    subscription: Option<Subscription>,
    log: Log<u64>,
    waiting: VecDeque<u64>,
    delivered: Vec<u64>,
}

proptest! {
    #[test]
    fn every_listener_gets_exactly_what_is_emitted_while_it_is_there_and_delivered_before_it_leaves(
        steps in steps()
    ) {
        let engine = manual(2);
        let signal = engine.signal::<u64>("s").capacity(512).build().unwrap();
        let mut emitters: Vec<_> = (0..3).map(|_| signal.emitter().unwrap()).collect();
        let mut listeners: Vec<Expected> = Vec::new();
        let mut next = 0;
        for step in steps {
            let first = next;
            match step {
                Step::Emit(emitter) => {
                    emitters[emitter].emit(next).unwrap();
                    next += 1;
                }
                Step::EmitShared => {
                    signal.emit(next).unwrap();
                    next += 1;
                }
                Step::EmitBatch(emitter, events) => {
                    next += events as u64;
                    let accepted = emitters[emitter].emit_batch(first..next).unwrap();
                    prop_assert_eq!(accepted, events);
                }
                Step::NewEmitter(emitter) => emitters[emitter] = signal.emitter().unwrap(),
                Step::Subscribe { worker: at, batch } => {
                    let log = Log::new();
                    let listener = if batch {
                        let log = log.clone();
                        WorkerListener::batch(move |run: Batch<'_, u64>| {
                            run.iter().for_each(|n| log.push(*n));
                        })
                    } else {
                        WorkerListener::new(log.listener())
                    };
                    let subscription = signal.add(listener.on_worker(worker(at))).unwrap();
                    listeners.push(Expected {
                        subscription: Some(subscription),
                        log,
                        waiting: VecDeque::new(),
                        delivered: Vec::new(),
                    });
                }
                Step::Remove(index) if !listeners.is_empty() => {
                    let index = index % listeners.len();
                    let left = &mut listeners[index];
                    left.waiting.clear();
                    drop(left.subscription.take());
                }
                Step::Remove(_) => {}
                Step::Run => {
                    engine.run_until_idle().unwrap();
                    for one in &mut listeners {
                        one.delivered.extend(one.waiting.drain(..));
                    }
                }
            }
            for one in listeners.iter_mut().filter(|one| one.subscription.is_some()) {
                one.waiting.extend(first..next);
            }
        }
        engine.run_until_idle().unwrap();
        for one in &mut listeners {
            one.delivered.extend(one.waiting.drain(..));
            let mut seen = one.log.take();
            seen.sort_unstable();
            prop_assert_eq!(&seen, &one.delivered);
        }
        prop_assert!(engine.faults().is_empty());
    }
}

/// A subscription at the very moment of an emission gets its event or does not, and nothing between.
#[test]
fn a_listener_that_comes_during_an_emission_misses_nothing_after_its_first_event() {
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").capacity(8).build().unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let mut out = signal.emitter().unwrap();
    for round in 0..500 {
        let barrier = std::sync::Barrier::new(2);
        let subscription = thread::scope(|scope| {
            let late = scope.spawn(|| {
                barrier.wait();
                let seen = Arc::clone(&seen);
                signal.subscribe(move |n| {
                    seen.fetch_add(1 << (n % 2), Ordering::Relaxed);
                })
            });
            barrier.wait();
            out.emit(2 * round).unwrap();
            late.join().unwrap()
        });
        out.emit(2 * round + 1).unwrap();
        out.flush(LONG).unwrap();
        let seen = seen.swap(0, Ordering::Relaxed);
        assert!(seen == 2 || seen == 3, "round {round}: {seen:b}");
        drop(subscription);
    }
}
