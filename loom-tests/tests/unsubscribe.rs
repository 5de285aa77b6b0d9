//! Removing a listener against the walks that may call it: the removal switch (L2), owned walks (W1,
//! W2), walks that are kept waiting for (W3) and shared walks (E1, E2).

use corecast::{Delivery, Listener, SyncSignal};
use corecast_loom_tests::{Captured, long_model, model};
use corecast_ring::sync::{Arc, AtomicBool, Ordering, thread};
use std::time::Duration;

/// A walk whose first listener learns of the removal of the second does not call that one. `before`
/// happens to the signal while the walk may already be under way.
fn removed_is_not_called_when_the_walk_knows<R>(before: impl Fn(&SyncSignal<u64>) -> R) {
    let signal = SyncSignal::<u64>::new();
    let removed = Arc::new(AtomicBool::new(false));
    // The walk's own note: invisible to loom.
    let knows = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (asks, notes) = (Arc::clone(&removed), std::sync::Arc::clone(&knows));
    let _first = signal.subscribe(move |_| {
        // Acquire: what the remover did before happens before the rest of this walk.
        notes.store(asks.load(Ordering::Acquire), Ordering::Relaxed);
    });
    let second = signal.subscribe(move |_| assert!(!knows.load(Ordering::Relaxed)));
    let mut emitter = signal.emitter();
    let walking = thread::spawn(move || {
        let delivery = emitter.emit(&1);
        (emitter, delivery)
    });
    let _kept = before(&signal);
    assert!(second.unsubscribe());
    removed.store(true, Ordering::Release);
    let (emitter, delivery) = walking.join().expect("emitting thread");
    assert_eq!(
        delivery.failed, 0,
        "called after the walk knew of the removal"
    );
    drop(emitter);
}

#[test]
fn removed_is_not_called() {
    model("unsubscribe::removed_is_not_called", || {
        removed_is_not_called_when_the_walk_knows(|_| ());
    });
}

#[test]
fn removed_is_not_called_by_a_walk_on_an_older_array() {
    model(
        "unsubscribe::removed_is_not_called_by_a_walk_on_an_older_array",
        || removed_is_not_called_when_the_walk_knows(|signal| signal.subscribe(|_| {})),
    );
}

#[test]
fn owned_walk_is_waited_for() {
    model("unsubscribe::owned_walk_is_waited_for", || {
        let signal = SyncSignal::<u64>::new();
        let (captured, watch) = Captured::new();
        let subscription = signal.subscribe(move |_| captured.touch());
        let mut emitter = signal.emitter();
        let emitting = thread::spawn(move || {
            let delivery = emitter.emit(&1);
            (emitter, delivery)
        });
        assert_eq!(subscription.unsubscribe_and_wait(Duration::MAX), Ok(()));
        assert!(watch.is_dropped());
        let (emitter, delivery) = emitting.join().expect("emitting thread");
        assert!(delivery.delivered <= 1 && delivery.failed == 0);
        assert!(signal.faults().is_empty());
        drop(emitter);
    });
}

#[test]
fn a_marked_walk_reclaims() {
    model("unsubscribe::a_marked_walk_reclaims", || {
        let signal = SyncSignal::<u64>::new();
        let (captured, watch) = Captured::new();
        let subscription = signal.subscribe(move |_| captured.touch());
        let mut emitter = signal.emitter();
        let emitting = thread::spawn(move || {
            emitter.emit(&1);
            emitter
        });
        assert!(subscription.unsubscribe());
        // Nobody asks again: the remover or the walk it met has dropped what was captured.
        let emitter = emitting.join().expect("emitting thread");
        assert!(watch.is_dropped());
        assert!(signal.faults().is_empty());
        drop(emitter);
    });
}

#[test]
fn shared_walk_is_waited_for() {
    // Long by the epoch's own steps, while two threads pin in turn.
    long_model("unsubscribe::shared_walk_is_waited_for", || {
        let signal = SyncSignal::<u64>::new();
        let (captured, watch) = Captured::new();
        let subscription = signal.subscribe(move |_| captured.touch());
        let shared = signal.clone();
        let emitting = thread::spawn(move || shared.emit(&1));
        assert_eq!(subscription.unsubscribe_and_wait(Duration::MAX), Ok(()));
        assert!(watch.is_dropped());
        let delivery = emitting.join().expect("emitting thread");
        assert!(delivery.delivered <= 1 && delivery.failed == 0);
        assert!(signal.faults().is_empty());
    });
}

#[test]
fn a_marked_shared_walk_reclaims() {
    // As shared_walk_is_waited_for.
    long_model("unsubscribe::a_marked_shared_walk_reclaims", || {
        let signal = SyncSignal::<u64>::new();
        let (captured, watch) = Captured::new();
        let subscription = signal.subscribe(move |_| captured.touch());
        let shared = signal.clone();
        let emitting = thread::spawn(move || shared.emit(&1));
        assert!(subscription.unsubscribe());
        let delivery = emitting.join().expect("emitting thread");
        assert_eq!(delivery.failed, 0);
        assert!(watch.is_dropped());
        assert!(signal.faults().is_empty());
    });
}

#[test]
fn two_removals_of_one_listener_are_one() {
    model("unsubscribe::two_removals_of_one_listener_are_one", || {
        let signal = SyncSignal::<u64>::new();
        let (captured, watch) = Captured::new();
        let listener = Listener::new(move |_| captured.touch()).key("one");
        let subscription = signal.add(listener).expect("the first of its key");
        let other = signal.clone();
        let by_key = thread::spawn(move || other.unsubscribe("one"));
        let by_handle = subscription.unsubscribe();
        let by_key = by_key.join().expect("removing thread");
        assert_ne!(by_handle, by_key);
        assert!(signal.is_empty() && watch.is_dropped());
        assert!(signal.faults().is_empty());
    });
}

/// The removal of a listener that was called before, against another walk of the thread that called
/// it: `emit` is at home on its thread by then, and its walk has no guard.
fn a_quick_walk_is_waited_for(signal: &SyncSignal<u64>, mut emit: impl FnMut(u64) -> Delivery) {
    let (captured, watch) = Captured::new();
    let subscription = signal.subscribe(move |_| captured.touch());
    assert_eq!(emit(1).delivered, 1);
    let removing = thread::spawn(move || {
        assert_eq!(subscription.unsubscribe_and_wait(Duration::MAX), Ok(()));
        assert!(watch.is_dropped());
    });
    let delivery = emit(2);
    assert_eq!(signal.faults().pop().map(|fault| fault.to_string()), None);
    assert!(
        delivery.delivered <= 1 && delivery.failed == 0,
        "{delivery:?}"
    );
    removing.join().expect("removing thread");
    assert!(signal.faults().is_empty());
}

#[test]
fn a_quick_owned_walk_is_waited_for() {
    model("unsubscribe::a_quick_owned_walk_is_waited_for", || {
        let signal = SyncSignal::new();
        let mut emitter = signal.emitter();
        a_quick_walk_is_waited_for(&signal, |event| emitter.emit(&event));
    });
}

#[test]
fn a_quick_shared_walk_is_waited_for() {
    // As shared_walk_is_waited_for.
    long_model("unsubscribe::a_quick_shared_walk_is_waited_for", || {
        let signal = SyncSignal::new();
        a_quick_walk_is_waited_for(&signal, |event| signal.emit(&event));
    });
}

#[test]
fn a_quick_marked_walk_reclaims() {
    model("unsubscribe::a_quick_marked_walk_reclaims", || {
        let signal = SyncSignal::<u64>::new();
        let (captured, watch) = Captured::new();
        let subscription = signal.subscribe(move |_| captured.touch());
        let mut emitter = signal.emitter();
        assert_eq!(emitter.emit(&1).delivered, 1);
        let removing = thread::spawn(move || assert!(subscription.unsubscribe()));
        assert_eq!(emitter.emit(&2).failed, 0);
        removing.join().expect("removing thread");
        assert!(watch.is_dropped());
        assert!(signal.faults().is_empty());
    });
}
