//! Adding and removing while walks are under way.

use crate::support::{Calls, Gate, Log, delivery, held_walk, on_each, via_each};
use corecast::{Context, Listener, Subscription, SyncSignal};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The ways to remove the listener with the key "victim".
type Way = fn(&SyncSignal<u64>, &Mutex<Option<Subscription>>);

const WAYS: [Way; 4] = [
    |_, victim| drop(victim.lock().unwrap().take()),
    |_, victim| assert!(victim.lock().unwrap().take().unwrap().unsubscribe()),
    |signal, _| assert!(signal.unsubscribe("victim")),
    |signal, _| signal.clear(),
];

#[test]
fn removed_listener_is_not_called_later_in_the_walk() {
    for way in WAYS {
        on_each::<u64>(|signal, handle| {
            let (calls, inside) = (Calls::default(), signal.clone());
            let victim = Arc::new(Mutex::new(None));
            let removing = victim.clone();
            let _first = signal.subscribe(move |_| way(&inside, &removing));
            let listener = Listener::new(calls.counter()).key("victim");
            *victim.lock().unwrap() = Some(signal.add(listener).unwrap());
            assert_eq!(handle.emit(&0), delivery(1, 0));
            assert_eq!(calls.get(), 0);
            signal.clear();
        });
    }
}

#[test]
fn removed_in_a_nested_walk_it_is_not_called_later_in_the_outer_one() {
    for way in WAYS {
        on_each::<u64>(|signal, handle| {
            let (calls, inside) = (Calls::default(), signal.clone());
            let victim = Arc::new(Mutex::new(None));
            let removing = victim.clone();
            let _first = signal.subscribe(move |n| match n {
                2 => {
                    // Another array comes between that of the outer walk and that of the removal.
                    inside.subscribe(|_| {}).detach();
                    inside.emit(&1);
                }
                _ => way(&inside, &removing),
            });
            let listener = Listener::new(calls.counter()).key("victim");
            *victim.lock().unwrap() = Some(signal.add(listener).unwrap());
            handle.emit(&2);
            assert_eq!(calls.get(), 0);
            signal.clear();
        });
    }
}

#[test]
fn removed_by_another_thread_before_the_walk_comes_to_it_it_is_not_called() {
    for way in WAYS {
        via_each(|via| {
            let (signal, gate, calls) =
                (SyncSignal::<u64>::new(), Gate::default(), Calls::default());
            let _gate = signal.subscribe(gate.listener());
            let victim = Mutex::new(Some(
                signal
                    .add(Listener::new(calls.counter()).key("victim"))
                    .unwrap(),
            ));
            let walk = held_walk(&signal, via, &gate, 0);
            thread::scope(|scope| {
                scope.spawn(|| way(&signal, &victim));
            });
            gate.open();
            assert_eq!(walk.join().unwrap().0, delivery(1, 0));
            assert_eq!(calls.get(), 0);
        });
    }
}

#[test]
fn removed_from_many_old_arrays_it_is_called_from_none() {
    via_each(|via| {
        let (signal, gate, calls) = (SyncSignal::<u64>::new(), Gate::default(), Calls::default());
        let _gate = signal
            .add(Listener::new(gate.listener()).priority(9))
            .unwrap();
        let victim = signal.subscribe(calls.counter());
        let mut walks = Vec::new();
        let mut fillers = Vec::new();
        for n in 0..6 {
            walks.push(held_walk(&signal, via, &gate, n));
            fillers.push(signal.subscribe(|_| {}));
        }
        drop(victim);
        gate.open();
        for (n, walk) in walks.into_iter().enumerate() {
            assert_eq!(walk.join().unwrap().0, delivery(n + 1, 0));
        }
        assert_eq!(calls.get(), 0);
    });
}

#[test]
fn a_listener_removed_behind_the_walk_has_been_called_in_it_and_is_not_again() {
    on_each::<u64>(|signal, handle| {
        let (log, inside) = (Log::default(), signal.clone());
        let _first = signal
            .add(Listener::new(log.entry(1)).key("first"))
            .unwrap();
        let _second = signal.subscribe(move |_| {
            inside.unsubscribe("first");
        });
        let _third = signal.subscribe(log.entry(3));
        assert_eq!(handle.emit(&0), delivery(3, 0));
        assert_eq!(handle.emit(&0), delivery(2, 0));
        assert_eq!(log.take(), [1, 3, 3]);
        signal.clear();
    });
}

#[test]
fn a_listener_may_remove_itself_and_the_others_still_run() {
    for way in WAYS {
        on_each::<u64>(|signal, handle| {
            let (log, inside) = (Log::default(), signal.clone());
            let victim = Arc::new(Mutex::new(None));
            let (removing, logged) = (victim.clone(), log.clone());
            let itself = Listener::new(move |_: &u64| {
                logged.push(1);
                way(&inside, &removing);
                logged.push(2);
            });
            let _first = signal.subscribe(log.entry(0));
            *victim.lock().unwrap() = Some(signal.add(itself.key("victim")).unwrap());
            handle.emit(&0);
            handle.emit(&0);
            let called = log.take();
            assert!(called == [0, 1, 2, 0] || called == [0, 1, 2], "{called:?}");
            assert!(!signal.contains_key("victim"));
        });
    }
}

#[test]
fn clear_from_inside_a_walk_ends_what_is_left_of_it() {
    on_each::<u64>(|signal, handle| {
        let (log, inside) = (Log::default(), signal.clone());
        let _subscriptions: Vec<_> = (0..6)
            .map(|n| {
                let (log, inside) = (log.clone(), inside.clone());
                signal.subscribe(move |_| {
                    log.push(n);
                    if n == 2 {
                        inside.clear();
                    }
                })
            })
            .collect();
        assert_eq!(handle.emit(&0), delivery(3, 0));
        assert_eq!(log.take(), [0, 1, 2]);
        assert_eq!(handle.emit(&0), delivery(0, 0));
    });
}

#[test]
fn a_walk_whose_own_array_goes_with_it_delivers_what_it_delivered() {
    on_each::<u64>(|signal, handle| {
        // Not the thread's first walk: those that follow go the short way.
        handle.emit(&0);
        for n in [1, 2, 5, 20, 40].repeat(8) {
            for tries in [false, true] {
                let inside = signal.clone();
                let plain = (1..n).map(|_| Listener::new(|_: &u64| {}));
                let last = Listener::new(move |_: &u64| inside.clear()).priority(-1);
                let added = signal.add_many(plain.chain([last])).unwrap();
                let delivered = if tries {
                    handle.try_emit(&0, &Context::none()).unwrap()
                } else {
                    handle.emit(&0)
                };
                assert_eq!(delivered, delivery(n, 0));
                assert_eq!((signal.len(), added.len()), (0, n));
            }
        }
    });
}

#[test]
fn a_listener_added_in_a_walk_is_called_by_the_next_one() {
    on_each::<u64>(|signal, handle| {
        let (log, inside) = (Log::default(), signal.clone());
        let logged = log.clone();
        let _first = signal.subscribe(move |n| {
            logged.push(0);
            if *n == 1 {
                for priority in [-1, 0, 1] {
                    let late = Listener::new(logged.entry(7)).priority(priority);
                    inside.add(late).unwrap().detach();
                }
            }
        });
        assert_eq!(handle.emit(&1), delivery(1, 0));
        assert_eq!(log.take(), [0]);
        assert_eq!(handle.emit(&0), delivery(4, 0));
        assert_eq!(log.take(), [7, 0, 7, 7]);
        signal.clear();
    });
}

#[test]
fn a_listener_added_by_another_thread_is_not_called_by_the_walk_under_way() {
    via_each(|via| {
        let (signal, gate, calls) = (SyncSignal::<u64>::new(), Gate::default(), Calls::default());
        let _gate = signal.subscribe(gate.listener());
        let walk = held_walk(&signal, via, &gate, 0);
        let _late = signal.subscribe(calls.counter());
        gate.open();
        assert_eq!(walk.join().unwrap().0, delivery(1, 0));
        assert_eq!(calls.get(), 0);
        assert_eq!(via.handle(&signal).emit(&0), delivery(2, 0));
        assert_eq!(calls.get(), 1);
    });
}

#[test]
fn every_emission_that_starts_after_subscribe_returned_calls_it() {
    const SUBSCRIPTIONS: u64 = 300;
    via_each(|via| {
        let signal = SyncSignal::<AtomicU64>::new();
        let subscribed = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                let (mut handle, subscribed) = (via.handle(&signal), &subscribed);
                scope.spawn(move || {
                    loop {
                        let before = subscribed.load(Ordering::Acquire);
                        let called = AtomicU64::new(0);
                        handle.emit(&called);
                        assert!(called.into_inner() >= before);
                        if before == SUBSCRIPTIONS {
                            break;
                        }
                    }
                });
            }
            for n in 1..=SUBSCRIPTIONS {
                let count = |called: &AtomicU64| {
                    called.fetch_add(1, Ordering::Relaxed);
                };
                signal.subscribe(count).detach();
                subscribed.store(n, Ordering::Release);
            }
        });
    });
}

#[test]
fn no_emission_that_starts_after_the_removal_returned_calls_it() {
    const REMOVALS: u64 = 400;
    via_each(|via| {
        // The event says how many removals had returned when its emission began.
        let signal = SyncSignal::<u64>::new();
        let removed = AtomicU64::new(0);
        let calls = Calls::default();
        thread::scope(|scope| {
            for _ in 0..3 {
                let (mut handle, removed) = (via.handle(&signal), &removed);
                scope.spawn(move || {
                    loop {
                        let before = removed.load(Ordering::Acquire);
                        assert_eq!(handle.emit(&before).failed, 0);
                        if before == REMOVALS {
                            break;
                        }
                    }
                });
            }
            for n in 1..=REMOVALS {
                let counted = calls.clone();
                let listener = Listener::new(move |before: &u64| {
                    assert!(*before < n, "listener {n} after its removal");
                    counted.add();
                });
                let subscription = signal.add(listener.key("victim")).unwrap();
                if n % 8 == 0 {
                    // Let somebody call it.
                    let seen = calls.get();
                    while calls.get() == seen {
                        thread::yield_now();
                    }
                }
                if n % 2 == 0 {
                    drop(subscription);
                } else {
                    assert!(signal.unsubscribe("victim"));
                }
                removed.store(n, Ordering::Release);
            }
        });
        assert!(calls.get() >= REMOVALS as usize / 8);
        assert!(signal.faults().is_empty(), "{:?}", signal.faults().pop());
    });
}

#[test]
fn two_removals_of_one_listener_are_one_removal() {
    via_each(|via| {
        for _ in 0..100 {
            let signal = SyncSignal::<u64>::new();
            let subscription = signal.add(Listener::new(|_| {}).key("k")).unwrap();
            let _other = signal.subscribe(|_| {});
            let mut handle = via.handle(&signal);
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                let stop = &stop;
                let emitting = scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        handle.emit(&0);
                    }
                });
                let by_key = scope.spawn(|| signal.unsubscribe("k"));
                let by_subscription = subscription.unsubscribe();
                assert!(by_key.join().unwrap() ^ by_subscription);
                stop.store(true, Ordering::Relaxed);
                emitting.join().unwrap();
            });
            assert_eq!(signal.len(), 1);
        }
    });
}
