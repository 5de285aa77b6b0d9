//! Wait strategies, of workers and of emitters that wait; sleeping and being woken.

use crate::support::{LONG, Log, engine, eventually, in_time, workers};
use corecast::{Cores, Engine, Fences, WaitStrategy, WorkerState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

fn strategies() -> [WaitStrategy; 4] {
    [
        WaitStrategy::busy_spin(),
        WaitStrategy::spin_then_yield(),
        WaitStrategy::backoff(),
        WaitStrategy::park(),
    ]
}

#[test]
fn under_every_strategy_and_fence_workers_drain_and_emitters_wait_for_room() {
    for fences in [Fences::default(), Fences::Full] {
        for wait in strategies() {
            // A lane of eight slots: most emissions wait.
            let engine = workers(1).wait(wait).fences(fences).build().unwrap();
            let signal = engine.signal::<u64>("s").capacity(8).build().unwrap();
            let sum = Arc::new(AtomicU64::new(0));
            let _kept = signal.subscribe({
                let sum = Arc::clone(&sum);
                let mut next = 0;
                move |n| {
                    assert_eq!(*n, next);
                    next += 1;
                    sum.fetch_add(*n, Ordering::Relaxed);
                }
            });
            assert_eq!(engine.workers()[0].wait, wait);
            let mut out = signal.emitter().unwrap();
            let emitted = in_time(move || {
                (0..1000).for_each(|n| out.emit(n).unwrap());
                out.flush(LONG).unwrap();
                out.sequence()
            });
            assert_eq!(emitted, 1000, "{wait}, {fences:?}");
            assert_eq!(sum.load(Ordering::Relaxed), 999 * 500);
            assert!(engine.faults().is_empty());
            assert_eq!(engine.shutdown(LONG).abandoned, 0);
        }
    }
}

#[test]
fn a_worker_that_sleeps_is_woken_by_the_next_event_every_time() {
    for fences in [Fences::default(), Fences::Full] {
        let engine = workers(1)
            .wait(WaitStrategy::park())
            .fences(fences)
            .build()
            .unwrap();
        let signal = engine.signal::<u64>("s").build().unwrap();
        let log = Log::new();
        let _kept = signal.subscribe(log.listener());
        let mut out = signal.emitter().unwrap();
        let parks = || engine.metrics().workers[0].parks;
        for n in 0..40 {
            let before = parks();
            eventually("it sleeps", || engine.metrics().parked_workers() == 1);
            match n % 4 {
                0 => out.emit(n).unwrap(),
                1 => signal.emit(n).unwrap(),
                2 => drop(out.emit_batch([n]).unwrap()),
                _ => drop(signal.emitter().unwrap().emit(n)),
            }
            eventually("the event arrives", || log.len() as u64 == n + 1);
            assert!(before <= parks());
        }
        assert!(parks() >= 40, "it went to sleep each time");
        assert_eq!(log.take(), (0..40).collect::<Vec<_>>());
    }
}

/// Without a pause between them, so that an emission meets every moment of going to sleep.
#[test]
fn no_event_is_slept_through_however_the_moments_meet() {
    let engine = engine(2);
    let ping = engine.signal::<u64>("ping").capacity(2).build().unwrap();
    let pong = engine.signal::<u64>("pong").capacity(2).build().unwrap();
    let mut back = pong.emitter().unwrap();
    let _echo = ping.subscribe(move |n| back.emit(*n).unwrap());
    let (answer, answers) = std::sync::mpsc::channel();
    let _answer = pong.subscribe(move |n| answer.send(*n).unwrap());
    let mut out = ping.emitter().unwrap();
    for n in 0..5000 {
        out.emit(n).unwrap();
        if n % 8 == 0 {
            // Time enough for both workers to lie down, or just not.
            (0..n % 64).for_each(|_| thread::yield_now());
        }
        assert_eq!(answers.recv_timeout(LONG), Ok(n));
    }
}

#[test]
fn busy_spinning_workers_that_share_a_cpu_are_degraded_to_yielding_and_say_so() {
    let busy = WaitStrategy::busy_spin();
    let engine = workers(3).wait(busy).build().unwrap();
    for info in engine.workers() {
        assert!(info.degraded);
        assert_eq!(info.wait, WaitStrategy::spin_then_yield());
    }
    // They get on with each other.
    let signal = engine.signal::<u64>("s").capacity(64).build().unwrap();
    let logs: Vec<_> = (0..3).map(|_| Log::new()).collect();
    let kept: Vec<_> = logs
        .iter()
        .map(|log| signal.subscribe(log.listener()))
        .collect();
    let mut out = signal.emitter().unwrap();
    (0..2000).for_each(|n| out.emit(n).unwrap());
    out.flush(LONG).unwrap();
    assert!(logs.iter().all(|log| log.len() == 2000));
    drop((kept, engine));

    let alone = workers(1).wait(busy).build().unwrap();
    let info = alone.workers().remove(0);
    assert!(!info.degraded && info.wait == busy);
    let shared = workers(2).wait(WaitStrategy::park()).build().unwrap();
    assert!(
        shared
            .workers()
            .iter()
            .all(|info| !info.degraded && info.wait == WaitStrategy::park())
    );
}

#[test]
fn one_cpu_may_wait_otherwise_than_the_rest() {
    let all = Engine::builder()
        .cores(Cores::all())
        .manual()
        .build()
        .unwrap();
    let plan = Engine::builder()
        .cores(Cores::all())
        .build()
        .unwrap()
        .workers();
    assert_eq!(plan.len(), all.workers().len());
    let first = plan[0].cpu.unwrap();
    let engine = Engine::builder()
        .cores(Cores::all())
        .wait(WaitStrategy::backoff())
        .wait_on(first, WaitStrategy::spin_then_yield())
        .wait_on(first, WaitStrategy::park())
        .build()
        .unwrap();
    for (index, info) in engine.workers().into_iter().enumerate() {
        let expected = if index == 0 {
            WaitStrategy::park()
        } else {
            WaitStrategy::backoff()
        };
        assert_eq!(info.wait, expected, "the last word counts");
    }
}

#[test]
fn an_idle_engine_sleeps_and_stays_asleep() {
    let engine = engine(3);
    let parks = || -> Vec<_> {
        let metrics = engine.metrics();
        metrics.workers.iter().map(|one| one.parks).collect()
    };
    eventually("all sleep", || engine.metrics().parked_workers() == 3);
    let metrics = engine.metrics();
    assert_eq!(metrics.active_workers(), 0);
    assert!(
        metrics
            .workers
            .iter()
            .all(|one| one.state == WorkerState::Parked)
    );
    // An emitter that is made wakes those to whom it has lanes; then they sleep again.
    let signal = engine.signal::<u64>("s").build().unwrap();
    eventually("all have lain down", || parks() == [1, 1, 1]);
    let out = signal.emitter().unwrap();
    eventually("all have lain down again", || parks() == [2, 2, 2]);
    eventually("all sleep again", || engine.metrics().parked_workers() == 3);
    (0..10_000).for_each(|_| thread::yield_now());
    assert_eq!(parks(), [2, 2, 2], "nobody turned over in sleep");
    drop(out);
}
