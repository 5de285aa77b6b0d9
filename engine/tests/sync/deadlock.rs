//! Waiting for a listener to be gone from inside a walk, and walks that wait for each other.

use crate::support::{Calls, Drops, LONG, comes_back, delivery, on_each, via_each};
use corecast::{Subscription, SyncSignal, WaitError};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

/// A timeout that must run out; the machine may add what it likes.
const SHORT: Duration = Duration::from_millis(30);

#[test]
fn from_inside_the_listener_itself_it_would_deadlock_and_the_listener_is_removed() {
    on_each::<u64>(|signal, handle| {
        let (drops, calls) = (Drops::default(), Calls::default());
        let itself = Arc::new(Mutex::new(None::<Subscription>));
        let (state, own, counted) = (drops.state(), itself.clone(), calls.clone());
        *itself.lock().unwrap() = Some(signal.subscribe(move |_| {
            state.touch();
            let own = own.lock().unwrap().take().expect("the first call");
            let result = own.unsubscribe_and_wait(Duration::MAX);
            assert_eq!(result, Err(WaitError::WouldDeadlock));
            counted.add();
        }));
        assert_eq!(handle.emit(&0), delivery(1, 0));
        assert_eq!(calls.get(), 1);
        assert!(signal.is_empty());
        assert_eq!(handle.emit(&0), delivery(0, 0));
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn from_inside_a_nested_walk_or_another_signal_s_it_would_deadlock() {
    on_each::<u64>(|signal, handle| {
        let other = SyncSignal::<u64>::new();
        let victims = Arc::new(Mutex::new(vec![
            signal.subscribe(|_| {}),
            signal.subscribe(|_| {}),
            other.subscribe(|_| {}),
        ]));
        let results = Arc::new(Mutex::new(Vec::new()));
        let (inside, taking, told) = (signal.clone(), victims.clone(), results.clone());
        let _first = signal.subscribe(move |n| {
            if *n > 0 {
                inside.emit(&(n - 1));
            }
            if let Some(victim) = taking.lock().unwrap().pop() {
                told.lock().unwrap().push(victim.unsubscribe_and_wait(LONG));
            }
        });
        handle.emit(&2);
        assert_eq!(*results.lock().unwrap(), [Err(WaitError::WouldDeadlock); 3]);
        assert_eq!((signal.len(), other.len()), (1, 0));
        signal.clear();
    });
}

#[test]
fn two_walks_that_wait_for_each_other_both_come_back() {
    via_each(|via| {
        let results = comes_back(move || {
            let signal = SyncSignal::<u64>::new();
            let both = Arc::new(Barrier::new(2));
            let results = Arc::new(Mutex::new(Vec::new()));
            let slots = [(); 2].map(|()| Arc::new(Mutex::new(None::<Subscription>)));
            for own in 0..2 {
                // The listener of walk 0 waits for that of walk 1 to be gone, and the other way.
                let (both, told) = (both.clone(), results.clone());
                let other = slots[1 - own].clone();
                *slots[own].lock().unwrap() = Some(signal.subscribe(move |walk| {
                    if *walk == own as u64 {
                        both.wait();
                        let other = other.lock().unwrap().take().expect("taken once");
                        let result = other.unsubscribe_and_wait(LONG);
                        told.lock().unwrap().push(result);
                    }
                }));
            }
            thread::scope(|scope| {
                for walk in 0..2 {
                    let mut handle = via.handle(&signal);
                    scope.spawn(move || handle.emit(&walk));
                }
            });
            assert!(signal.is_empty());
            assert_eq!(signal.quiesce(LONG), Ok(()));
            results.lock().unwrap().clone()
        });
        assert_eq!(results, [Err(WaitError::WouldDeadlock); 2]);
    });
}

#[test]
fn two_walks_whose_helpers_wait_for_each_other_time_out() {
    // The walks wait for threads outside of any walk, which cannot know that they are waited for.
    via_each(|via| {
        let results = comes_back(move || {
            let signal = SyncSignal::<u64>::new();
            let both = Arc::new(Barrier::new(2));
            let results = Arc::new(Mutex::new(Vec::new()));
            let slots = [(); 2].map(|()| Arc::new(Mutex::new(None::<Subscription>)));
            for own in 0..2 {
                let (both, told) = (both.clone(), results.clone());
                let other = slots[1 - own].clone();
                *slots[own].lock().unwrap() = Some(signal.subscribe(move |walk| {
                    if *walk == own as u64 {
                        both.wait();
                        let other = other.lock().unwrap().take().expect("taken once");
                        let helper = thread::spawn(move || other.unsubscribe_and_wait(SHORT));
                        told.lock().unwrap().push(helper.join().unwrap());
                        both.wait();
                    }
                }));
            }
            thread::scope(|scope| {
                for walk in 0..2 {
                    let mut handle = via.handle(&signal);
                    scope.spawn(move || handle.emit(&walk));
                }
            });
            assert_eq!(signal.quiesce(LONG), Ok(()));
            results.lock().unwrap().clone()
        });
        assert_eq!(results, [Err(WaitError::Timeout); 2]);
    });
}
