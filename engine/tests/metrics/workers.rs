use crate::{LONG, until};
use corecast::{Cores, Engine, EngineMetrics, Pinning, WaitStrategy, WorkerListener, WorkerState};
use std::sync::mpsc::channel;

fn two_workers(wait: WaitStrategy) -> Engine {
    Engine::builder()
        .cores(Cores::count(1))
        .workers_per_core(2)
        .pinning(Pinning::Off)
        .wait(wait)
        .build()
        .unwrap()
}

fn parked_and_active(metrics: &EngineMetrics) -> (usize, usize) {
    (metrics.parked_workers(), metrics.active_workers())
}

#[test]
fn idle_workers_are_parked_and_one_inside_a_listener_is_active() {
    let engine = two_workers(WaitStrategy::park());
    until("both sleep", || {
        parked_and_active(&engine.metrics()) == (2, 0)
    });
    let signal = engine.signal::<u64>("s").build().unwrap();
    let (entered, is_inside) = channel();
    let (leave, may_leave) = channel::<()>();
    let second = engine.workers()[1].id;
    let blocks = WorkerListener::new(move |_: &u64| {
        entered.send(()).unwrap();
        may_leave.recv().unwrap();
    });
    let _subscription = signal.add(blocks.on_worker(second)).unwrap();
    let mut out = signal.emitter().unwrap();
    out.emit(1).unwrap();
    is_inside.recv().unwrap();
    // The other one may be awake for a moment yet, because the lane was brought to it.
    until("the other one sleeps", || {
        parked_and_active(&engine.metrics()) == (1, 1)
    });
    let metrics = engine.metrics();
    assert_eq!(metrics.workers[1].state, WorkerState::Active);
    let listeners: Vec<_> = metrics
        .workers
        .iter()
        .map(|worker| worker.listeners)
        .collect();
    assert_eq!(listeners, [0, 1]);
    let parks = metrics.workers[1].parks;
    assert!(parks > 0, "it had been asleep");
    leave.send(()).unwrap();
    out.flush(LONG).unwrap();
    until("it sleeps again", || {
        engine.metrics().workers[1].parks > parks
    });
    assert_eq!(engine.metrics().workers[1].delivered, 1);

    engine.shutdown(LONG);
    let metrics = engine.metrics();
    assert_eq!(parked_and_active(&metrics), (0, 0));
    assert!(
        metrics
            .workers
            .iter()
            .all(|worker| worker.state == WorkerState::Left)
    );
}

#[test]
fn workers_that_never_sleep_are_active_and_count_no_parks() {
    let engine = two_workers(WaitStrategy::spin_then_yield());
    let signal = engine.signal::<u64>("s").build().unwrap();
    let _subscription = signal.subscribe(|_| {});
    let mut out = signal.emitter().unwrap();
    for event in 0..100 {
        out.emit(event).unwrap();
        out.flush(LONG).unwrap();
    }
    let metrics = engine.metrics();
    assert_eq!(parked_and_active(&metrics), (0, 2));
    assert!(metrics.workers.iter().all(|worker| worker.parks == 0));
    assert_eq!(
        metrics
            .workers
            .iter()
            .map(|worker| worker.delivered)
            .sum::<u64>(),
        100
    );
}
