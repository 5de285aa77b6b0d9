//! The handle of a subscription.

use crate::support::{Calls, Drops, delivery, on_each};
use corecast::{Listener, Subscription, SyncSignal};
use std::collections::HashSet;
use std::thread;

#[test]
fn dropping_it_removes_the_listener() {
    on_each::<u64>(|signal, handle| {
        let calls = Calls::default();
        let subscription = signal.subscribe(calls.counter());
        assert_eq!(handle.emit(&0), delivery(1, 0));
        drop(subscription);
        assert_eq!((handle.emit(&0), signal.len()), (delivery(0, 0), 0));
        assert_eq!(calls.get(), 1);
    });
}

#[test]
fn a_detached_listener_stays_for_the_signal_s_life() {
    let drops = Drops::default();
    let signal = SyncSignal::<u64>::new();
    let state = drops.state();
    signal.subscribe(move |_| state.touch()).detach();
    assert_eq!((signal.emit(&0), signal.len()), (delivery(1, 0), 1));
    signal.quiesce(crate::support::LONG).unwrap();
    assert_eq!(drops.count(), 0);
    drop(signal);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_detached_listener_can_be_removed_by_key_and_by_clear() {
    let signal = SyncSignal::<u64>::new();
    for remove in [
        |signal: &SyncSignal<u64>| assert!(signal.unsubscribe("k")),
        SyncSignal::clear,
    ] {
        signal.add(Listener::new(|_| {}).key("k")).unwrap().detach();
        remove(&signal);
        assert!(signal.is_empty());
    }
}

#[test]
fn unsubscribe_says_whether_it_was_this_call_that_removed_it() {
    let signal = SyncSignal::<u64>::new();
    let add = || signal.add(Listener::new(|_| {}).key("k")).unwrap();
    assert!(add().unsubscribe());
    let subscription = add();
    assert!(signal.unsubscribe("k"));
    assert!(!subscription.unsubscribe());
    let subscription = add();
    signal.clear();
    assert!(!subscription.unsubscribe());
}

#[test]
fn it_is_active_for_as_long_as_the_listener_is_subscribed() {
    let signal = SyncSignal::<u64>::new();
    let add = || signal.add(Listener::new(|_| {}).key("k")).unwrap();
    let subscription = add();
    assert!(subscription.is_active());
    assert!(format!("{subscription:?}").contains("active: true"));
    signal.emit(&0);
    assert!(subscription.is_active());
    assert!(signal.unsubscribe("k"));
    assert!(!subscription.is_active());
    assert!(format!("{subscription:?}").contains("active: false"));
    // A successor with the same key, and perhaps at the same address, is somebody else.
    let successor = add();
    assert!(!subscription.is_active() && successor.is_active());
}

#[test]
fn ids_are_unique_in_the_process_and_grow() {
    let ids: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let signal = SyncSignal::<u64>::new();
                    let ids: Vec<_> = (0..100)
                        .map(|_| {
                            let subscription = signal.subscribe(|_| {});
                            subscription.id()
                        })
                        .collect();
                    assert!(ids.is_sorted_by(|a, b| a < b && a.get() < b.get()));
                    ids
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 400);
}

#[test]
fn it_may_be_dropped_in_another_thread() {
    fn is_send_and_sync<T: Send + Sync>(value: T) -> T {
        value
    }
    let signal = SyncSignal::<std::rc::Rc<u64>>::new();
    let subscription: Subscription = is_send_and_sync(signal.subscribe(|_| {}));
    thread::spawn(move || drop(subscription)).join().unwrap();
    assert!(signal.is_empty());
}
