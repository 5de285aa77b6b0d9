//! `quiesce`: when it is `Ok`, everything retired before has been dropped.

use crate::support::{Drops, Gate, LONG, comes_back, delivery, held_walk, on_each, via_each};
use corecast::{Fences, Listener, SyncSignal, WaitError};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[test]
fn with_nothing_retired_it_is_ok() {
    on_each::<u64>(|signal, handle| {
        assert_eq!(signal.quiesce(Duration::ZERO), Ok(()));
        handle.emit(&0);
        assert_eq!(signal.quiesce(Duration::MAX), Ok(()));
    });
}

#[test]
fn arrays_that_subscribers_retired_are_dropped() {
    on_each::<u64>(|signal, handle| {
        let _subscriptions: Vec<_> = (0..10).map(|_| signal.subscribe(|_| {})).collect();
        handle.emit(&0);
        assert!(signal.metrics().retired_arrays > 0);
        assert_eq!(signal.quiesce(Duration::ZERO), Ok(()));
        assert_eq!(signal.metrics().retired_arrays, 0);
        assert_eq!(handle.emit(&0), delivery(10, 0));
    });
}

#[test]
fn spent_listeners_are_dropped() {
    on_each::<u64>(|signal, handle| {
        let drops = Drops::default();
        let _spent: Vec<_> = (0..5)
            .map(|_| {
                let state = drops.state();
                let once = Listener::new(move |_: &u64| state.touch()).once();
                signal.add(once).unwrap()
            })
            .collect();
        handle.emit(&0);
        assert_eq!(signal.quiesce(LONG), Ok(()));
        assert_eq!(drops.count(), 5);
    });
}

#[test]
fn with_another_thread_inside_a_walk_it_waits_for_that_walk() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let (gate, drops) = (Gate::default(), Drops::default());
        let _gate = signal.subscribe(gate.listener());
        let state = drops.state();
        let subscription = signal.subscribe(move |_| state.touch());
        let walk = held_walk(&signal, via, &gate, 0);
        drop(subscription);
        assert_eq!(signal.quiesce(Duration::ZERO), Err(WaitError::Timeout));
        let (waiting, seen) = (signal.clone(), drops.clone());
        let waiter = thread::spawn(move || (waiting.quiesce(LONG), seen.count()));
        gate.open();
        assert_eq!(waiter.join().unwrap(), (Ok(()), 1));
        walk.join().unwrap();
    });
}

#[test]
fn a_walk_that_began_after_is_waited_for_by_nobody_on_the_owned_path() {
    let signal = SyncSignal::<u64>::new();
    let (gate, drops) = (Gate::default(), Drops::default());
    let state = drops.state();
    let subscription = signal.subscribe(move |_| state.touch());
    let _gate = signal.subscribe(gate.listener());
    drop(subscription);
    assert_eq!(signal.quiesce(LONG), Ok(()));
    let walk = held_walk(&signal, crate::support::Via::Owned, &gate, 0);
    assert_eq!(signal.quiesce(Duration::ZERO), Ok(()));
    assert_eq!(drops.count(), 1);
    gate.open();
    walk.join().unwrap();
}

#[test]
fn from_inside_a_walk_it_would_deadlock() {
    on_each::<u64>(|signal, handle| {
        let inside = signal.clone();
        let results = Arc::new(Mutex::new(Vec::new()));
        let told = results.clone();
        let _first = signal.subscribe(move |n| {
            if *n > 0 {
                inside.emit(&(n - 1));
            }
            let result = inside.quiesce(Duration::MAX);
            told.lock().unwrap().push(result);
        });
        assert_eq!(handle.emit(&2), delivery(1, 0));
        assert_eq!(*results.lock().unwrap(), [Err(WaitError::WouldDeadlock); 3]);
        assert_eq!(signal.quiesce(LONG), Ok(()));
        signal.clear();
    });
}

#[test]
fn it_waits_for_a_destructor_that_another_thread_is_running() {
    struct Slow(Gate, Drops);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.pass();
            drop(self.1.state());
        }
    }
    on_each::<u64>(|signal, handle| {
        let (gate, drops) = (Gate::default(), Drops::default());
        let slow = Slow(gate.clone(), drops.clone());
        let subscription = signal.subscribe(move |_| {
            let _whole = &slow;
        });
        handle.emit(&0);
        let remover = thread::spawn(move || subscription.unsubscribe());
        gate.wait_for(1);
        assert_eq!(signal.quiesce(Duration::ZERO), Err(WaitError::Timeout));
        let (waiting, seen) = (signal.clone(), drops.clone());
        let waiter = thread::spawn(move || (waiting.quiesce(Duration::MAX), seen.count()));
        gate.open();
        assert_eq!(waiter.join().unwrap(), (Ok(()), 1));
        assert!(remover.join().unwrap());
    });
}

#[test]
fn after_a_long_stall_it_drops_thousands_of_arrays() {
    via_each(|via| {
        comes_back(move || {
            let signal = SyncSignal::<u64>::new();
            let (gate, drops) = (Gate::default(), Drops::default());
            let _gate = signal.subscribe(gate.listener());
            let walk = held_walk(&signal, via, &gate, 0);
            // From inside a walk of another signal nobody looks twice, so this goes fast.
            let (inside, counted) = (signal.clone(), drops.clone());
            let churn = SyncSignal::<u64>::new();
            let _churner = churn.subscribe(move |_| {
                for _ in 0..2000 {
                    let state = counted.state();
                    drop(inside.subscribe(move |_| state.touch()));
                }
            });
            assert_eq!(churn.emit(&0), delivery(1, 0));
            assert_eq!(drops.count(), 0);
            gate.open();
            assert_eq!(signal.quiesce(LONG), Ok(()));
            assert_eq!((drops.count(), signal.metrics().retired_arrays), (2000, 0));
            walk.join().unwrap();
        });
    });
}

#[test]
fn many_threads_may_wait_at_once() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let drops = Drops::default();
        let stop = AtomicBool::new(false);
        let removed = AtomicUsize::new(0);
        thread::scope(|scope| {
            let mut handle = via.handle(&signal);
            let stopped = &stop;
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    handle.emit(&0);
                }
            });
            let waiters: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..50 {
                            let state = drops.state();
                            drop(signal.subscribe(move |_| state.touch()));
                            removed.fetch_add(1, Ordering::SeqCst);
                            let before = removed.load(Ordering::SeqCst);
                            assert_eq!(signal.quiesce(LONG), Ok(()));
                            assert!(drops.count() >= before);
                        }
                    })
                })
                .collect();
            waiters
                .into_iter()
                .for_each(|waiter| waiter.join().unwrap());
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(drops.count(), 200);
    });
}

#[test]
fn it_holds_with_full_fences_too() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::builder()
            .fences(Fences::Full)
            .build()
            .unwrap();
        let (gate, drops) = (Gate::default(), Drops::default());
        let (state, held) = (drops.state(), gate.clone());
        let subscription = signal.subscribe(move |_| {
            state.touch();
            held.pass();
        });
        let walk = held_walk(&signal, via, &gate, 0);
        drop(subscription);
        assert_eq!(signal.quiesce(Duration::ZERO), Err(WaitError::Timeout));
        gate.open();
        assert_eq!(signal.quiesce(LONG), Ok(()));
        assert_eq!(drops.count(), 1);
        walk.join().unwrap();
    });
}
