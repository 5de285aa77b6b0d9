//! `unsubscribe_and_wait`: when it is `Ok`, nothing is left of the listener.

use crate::support::{Calls, Drops, Gate, LONG, delivery, held_walk, on_each, via_each};
use corecast::{FaultKind, Listener, SyncSignal, WaitError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Timeouts that must run out; the machine may add what it likes.
const SHORT: Duration = Duration::from_millis(30);

#[test]
fn with_nobody_inside_it_is_ok_at_once_and_the_state_is_gone() {
    for timeout in [Duration::ZERO, SHORT, LONG, Duration::MAX] {
        on_each::<u64>(|signal, handle| {
            let drops = Drops::default();
            let state = drops.state();
            let subscription = signal.subscribe(move |_| state.touch());
            handle.emit(&0);
            assert_eq!(subscription.unsubscribe_and_wait(timeout), Ok(()));
            assert_eq!(drops.count(), 1);
            assert_eq!(handle.emit(&0), delivery(0, 0));
        });
    }
}

#[test]
fn with_another_thread_inside_the_listener_it_waits_for_it() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let (gate, drops) = (Gate::default(), Drops::default());
        let running = Arc::new(AtomicBool::new(false));
        let (state, held, runs) = (drops.state(), gate.clone(), running.clone());
        let subscription = signal.subscribe(move |_| {
            state.touch();
            runs.store(true, Ordering::SeqCst);
            held.pass();
            runs.store(false, Ordering::SeqCst);
        });
        let walk = held_walk(&signal, via, &gate, 0);
        let (seen, removing) = (drops.clone(), signal.clone());
        let (started, has_started) = channel();
        let waiter = thread::spawn(move || {
            started.send(()).unwrap();
            let result = subscription.unsubscribe_and_wait(LONG);
            (result, seen.count(), running.load(Ordering::SeqCst))
        });
        has_started.recv().unwrap();
        // It is removed long before the waiting is over.
        while !removing.is_empty() {
            thread::yield_now();
        }
        assert!(!waiter.is_finished());
        assert_eq!(drops.count(), 0);
        gate.open();
        assert_eq!(waiter.join().unwrap(), (Ok(()), 1, false));
        walk.join().unwrap();
    });
}

#[test]
fn when_the_time_is_up_it_is_a_timeout_and_the_listener_is_removed() {
    for timeout in [Duration::ZERO, SHORT] {
        via_each(|via| {
            let signal = SyncSignal::<u64>::new();
            let (gate, drops) = (Gate::default(), Drops::default());
            let (state, held) = (drops.state(), gate.clone());
            let subscription = signal.subscribe(move |_| {
                state.touch();
                held.pass();
            });
            let walk = held_walk(&signal, via, &gate, 0);
            let result = subscription.unsubscribe_and_wait(timeout);
            assert_eq!(result, Err(WaitError::Timeout));
            assert!(signal.is_empty());
            assert_eq!(via.handle(&signal).emit(&0), delivery(0, 0));
            assert_eq!(drops.count(), 0);
            gate.open();
            walk.join().unwrap();
            assert_eq!(signal.quiesce(LONG), Ok(()));
            assert_eq!(drops.count(), 1);
        });
    }
}

#[test]
fn an_idle_emitter_that_never_emits_again_is_not_waited_for() {
    let signal = SyncSignal::<u64>::new();
    let mut used = signal.emitter();
    let unused = signal.emitter();
    let drops = Drops::default();
    for _ in 0..3 {
        let state = drops.state();
        let subscription = signal.subscribe(move |_| state.touch());
        used.emit(&0);
        assert_eq!(subscription.unsubscribe_and_wait(Duration::ZERO), Ok(()));
    }
    assert_eq!(drops.count(), 3);
    drop((used, unused));
}

#[test]
fn a_panicking_destructor_in_the_state_is_ok_and_a_fault() {
    for panicking in [true, false] {
        via_each(|via| {
            let signal = SyncSignal::<u64>::new();
            let (gate, drops) = (Gate::default(), Drops::default());
            let (state, held) = (drops.state_that_panics(), gate.clone());
            let subscription = signal.subscribe(move |_| {
                state.touch();
                held.pass();
                assert!(!panicking, "in the call as well");
            });
            let walk = held_walk(&signal, via, &gate, 0);
            gate.open();
            assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
            assert_eq!(drops.count(), 1);
            walk.join().expect("no unwind");
            let kinds: Vec<_> = std::iter::from_fn(|| signal.faults().pop())
                .map(|fault| fault.kind)
                .collect();
            assert!(kinds.contains(&FaultKind::ListenerDrop), "{kinds:?}");
            assert_eq!(kinds.contains(&FaultKind::Panic), panicking);
        });
    }
}

#[test]
fn a_thread_pinned_on_crossbeam_s_default_collector_is_not_waited_for() {
    on_each::<u64>(|signal, handle| {
        let (pinned, done) = (Gate::default(), Gate::default());
        let (tells, stays) = (pinned.clone(), done.clone());
        let other = thread::spawn(move || {
            let guard = crossbeam_epoch::pin();
            tells.open();
            stays.pass();
            drop(guard);
        });
        pinned.pass();
        let own_pin = crossbeam_epoch::pin();
        let drops = Drops::default();
        let state = drops.state();
        let subscription = signal.subscribe(move |_| state.touch());
        handle.emit(&0);
        assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
        assert_eq!(drops.count(), 1);
        assert_eq!(signal.quiesce(LONG), Ok(()));
        drop(own_pin);
        done.open();
        other.join().unwrap();
    });
}

#[test]
fn it_is_never_running_when_that_is_ok_under_emitters_without_pause() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let running = Arc::new(AtomicUsize::new(0));
        let calls = Calls::default();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                let (mut handle, stop) = (via.handle(&signal), &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        assert_eq!(handle.emit(&0).failed, 0);
                    }
                });
            }
            for _ in 0..60 {
                let drops = Drops::default();
                let (state, running, counted) = (drops.state(), running.clone(), calls.clone());
                let inside = running.clone();
                let subscription = signal.subscribe(move |_| {
                    state.touch();
                    inside.fetch_add(1, Ordering::SeqCst);
                    counted.add();
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
                let seen = calls.get();
                while calls.get() < seen + 3 {
                    thread::yield_now();
                }
                assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
                assert_eq!((running.load(Ordering::SeqCst), drops.count()), (0, 1));
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn of_a_listener_that_is_gone_already_it_waits_for_what_is_left() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let (gate, drops) = (Gate::default(), Drops::default());
        let (state, held) = (drops.state(), gate.clone());
        let listener = Listener::new(move |_: &u64| {
            state.touch();
            held.pass();
        });
        let subscription = signal.add(listener.key("k")).unwrap();
        let walk = held_walk(&signal, via, &gate, 0);
        assert!(signal.unsubscribe("k"));
        let waiter = thread::spawn(move || subscription.unsubscribe_and_wait(LONG));
        gate.open();
        assert_eq!(waiter.join().unwrap(), Ok(()));
        assert_eq!(drops.count(), 1);
        walk.join().unwrap();
    });
}

#[test]
fn once_the_signal_is_gone_it_is_ok() {
    let drops = Drops::default();
    let signal = SyncSignal::<u64>::new();
    let mut emitter = signal.emitter();
    let state = drops.state();
    let subscription = signal.subscribe(move |_| state.touch());
    emitter.emit(&0);
    drop((signal, emitter));
    assert_eq!(drops.count(), 1);
    assert_eq!(subscription.unsubscribe_and_wait(Duration::ZERO), Ok(()));
}

#[test]
fn while_the_signal_is_being_dropped_it_waits_for_that() {
    struct Slow(Gate, Drops);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.pass();
            drop(self.1.state());
        }
    }
    let (gate, drops) = (Gate::default(), Drops::default());
    let signal = SyncSignal::<u64>::new();
    let slow = Slow(gate.clone(), drops.clone());
    let subscription = signal.subscribe(move |_| {
        let _whole = &slow;
    });
    let probe = signal.subscribe(|_| {});
    let dropping = thread::spawn(move || drop(signal));
    gate.wait_for(1);
    assert_eq!(probe.unsubscribe_and_wait(SHORT), Err(WaitError::Timeout));
    let waiter = thread::spawn(move || subscription.unsubscribe_and_wait(Duration::MAX));
    gate.open();
    assert_eq!(waiter.join().unwrap(), Ok(()));
    assert_eq!(drops.count(), 1);
    dropping.join().unwrap();
}

#[test]
fn errors_say_what_happened() {
    assert!(
        WaitError::WouldDeadlock
            .to_string()
            .contains("inside a walk")
    );
    assert!(WaitError::Timeout.to_string().contains("time"));
    assert!(WaitError::Unsupported.to_string().contains("membarrier"));
}
