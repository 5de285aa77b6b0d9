//! Where listeners are placed.

use crate::support::{LONG, Log, engine, manual, worker};
use corecast::{Engine, SubscribeError, WorkerListener};
use std::thread;

/// Listeners on each worker, as the engine counts them.
fn counts(engine: &Engine) -> Vec<usize> {
    let metrics = engine.metrics();
    metrics
        .workers
        .iter()
        .map(|worker| worker.listeners)
        .collect()
}

#[test]
fn a_listener_runs_on_the_worker_that_it_was_placed_on() {
    let engine = engine(3);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let log = Log::new();
    let subscriptions: Vec<_> = [2, 0, 1, 2]
        .into_iter()
        .map(|index| {
            let log = log.clone();
            let listener = WorkerListener::new(move |_| {
                let thread = thread::current().name().unwrap_or_default().to_owned();
                log.push((index, thread));
            });
            signal.add(listener.on_worker(worker(index))).unwrap()
        })
        .collect();
    assert_eq!(counts(&engine), [1, 1, 2]);
    let mut out = signal.emitter().unwrap();
    out.emit(1).unwrap();
    out.flush(LONG).unwrap();
    let mut seen = log.take();
    seen.sort();
    let threads: Vec<_> = engine
        .workers()
        .into_iter()
        .map(|info| info.thread)
        .collect();
    let expected: Vec<_> = [0, 1, 2, 2]
        .map(|index| (index, threads[index as usize].clone()))
        .into();
    assert_eq!(seen, expected);
    drop(subscriptions);
}

#[test]
fn a_listener_goes_to_the_worker_with_the_fewest_in_the_engine_and_ties_to_the_lowest_id() {
    let engine = manual(3);
    let one = engine.signal::<u64>("one").build().unwrap();
    let other = engine.signal::<String>("other").build().unwrap();
    let on = |index| WorkerListener::new(|_: &u64| {}).on_worker(worker(index));

    let first = one.subscribe(|_| {});
    assert_eq!(counts(&engine), [1, 0, 0], "all are equal: the lowest");
    let _second = other.subscribe(|_| {});
    assert_eq!(
        counts(&engine),
        [1, 1, 0],
        "another signal's listener counts"
    );
    let _third = one.add(on(2)).unwrap();
    let _fourth = one.add(on(2)).unwrap();
    assert_eq!(counts(&engine), [1, 1, 2], "chosen ones count too");
    let _fifth = one.subscribe(|_| {});
    assert_eq!(counts(&engine), [2, 1, 2]);
    let _sixth = one.subscribe_batch(|_| {});
    assert_eq!(counts(&engine), [2, 2, 2]);
    drop(first);
    assert_eq!(counts(&engine), [1, 2, 2]);
    let _seventh = other.subscribe_fallible(|_: &String| Ok::<_, String>(()));
    assert_eq!(
        counts(&engine),
        [2, 2, 2],
        "a place that was left is taken again"
    );
    other.clear();
    assert_eq!(counts(&engine), [1, 1, 2]);
}

#[test]
fn a_worker_that_the_engine_does_not_have_is_named_and_nothing_changes() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let listener = WorkerListener::new(|_| {}).key("k").on_worker(worker(2));
    let error = signal.add(listener).unwrap_err();
    assert_eq!(error, SubscribeError::UnknownWorker(worker(2)));
    assert!(error.to_string().contains("w2"), "{error}");
    assert_eq!((signal.len(), counts(&engine)), (0, vec![0, 0]));
    assert!(!signal.contains_key("k"));
    // Its key is still free.
    let listener = WorkerListener::new(|_| {}).key("k").on_worker(worker(1));
    let _kept = signal.add(listener).unwrap();
}

#[test]
fn a_sharded_listener_counts_once_on_every_worker() {
    let engine = manual(3);
    let signal = engine.signal::<u64>("s").round_robin().build().unwrap();
    let subscription = signal.subscribe_sharded(|_| |_: &u64| {});
    assert_eq!((counts(&engine), signal.len()), (vec![1, 1, 1], 3));
    assert!(subscription.unsubscribe());
    assert_eq!((counts(&engine), signal.len()), (vec![0, 0, 0], 0));
}

#[test]
fn the_listeners_of_a_signal_that_is_gone_are_counted_no_more() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    signal.subscribe(|_| {}).detach();
    signal.subscribe(|_| {}).detach();
    assert_eq!(counts(&engine), [1, 1]);
    drop(signal);
    assert_eq!(counts(&engine), [0, 0]);
}
