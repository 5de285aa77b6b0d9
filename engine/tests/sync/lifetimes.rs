//! Who may outlive whom: subscriptions, signals, emitters, threads.

use crate::support::{Calls, Drops, LONG, State, delivery, via_each};
use corecast::{Context, SyncEmitter, SyncSignal, WaitError};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;

fn holding(signal: &SyncSignal<u64>, state: State) -> corecast::Subscription {
    signal.subscribe(move |_| state.touch())
}

#[test]
fn a_subscription_may_outlive_its_signal() {
    let drops = Drops::default();
    let subscriptions: Vec<_> = {
        let signal = SyncSignal::new();
        let subscriptions = (0..4).map(|_| holding(&signal, drops.state())).collect();
        signal.emit(&0);
        subscriptions
    };
    assert_eq!(drops.count(), 4, "a signal takes its listeners along");
    assert!(subscriptions.iter().all(|one| !one.is_active()));
    let mut subscriptions = subscriptions.into_iter();
    assert!(!subscriptions.next().unwrap().unsubscribe());
    subscriptions.next().unwrap().detach();
    assert_eq!(
        subscriptions.next().unwrap().unsubscribe_and_wait(LONG),
        Ok(())
    );
    drop(subscriptions);
    assert_eq!(drops.count(), 4);
}

#[test]
fn a_signal_may_outlive_its_subscriptions() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let mut handle = via.handle(&signal);
        for _ in 0..3 {
            let subscription = signal.subscribe(|_| {});
            assert_eq!(handle.emit(&0), delivery(1, 0));
            drop(subscription);
            assert_eq!(handle.emit(&0), delivery(0, 0));
        }
    });
}

#[test]
fn an_emitter_may_outlive_both() {
    let drops = Drops::default();
    let signal = SyncSignal::new();
    let mut emitter = signal.emitter();
    let (kept, dropped) = (
        holding(&signal, drops.state()),
        holding(&signal, drops.state()),
    );
    let detached = drops.state();
    signal.subscribe(move |_| detached.touch()).detach();
    drop(signal);
    assert_eq!(emitter.emit(&0), delivery(3, 0));
    drop(dropped);
    assert_eq!(emitter.emit(&0), delivery(2, 0));
    assert_eq!(drops.count(), 1);
    assert!(kept.is_active());
    drop(kept);
    assert_eq!(
        emitter.try_emit(&0, &Context::none()).unwrap(),
        delivery(1, 0)
    );
    drop(emitter);
    assert_eq!(drops.count(), 3);
}

#[test]
fn the_last_of_several_handles_takes_the_listeners_along() {
    let drops = Drops::default();
    let signal = SyncSignal::new();
    holding(&signal, drops.state()).detach();
    let (clone, emitter) = (signal.clone(), signal.emitter());
    drop(signal);
    drop(clone);
    assert_eq!(drops.count(), 0);
    drop(emitter);
    assert_eq!(drops.count(), 1);
}

#[test]
fn neither_a_subscription_nor_a_thread_s_memory_of_it_keeps_a_signal_alive() {
    let drops = Drops::default();
    thread::scope(|scope| {
        let signal = SyncSignal::new();
        let subscription = holding(&signal, drops.state());
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let emits = signal.clone();
        let (emitted, has_emitted) = std::sync::mpsc::channel();
        scope.spawn(move || {
            emits.emit(&0);
            drop(emits);
            emitted.send(()).unwrap();
            wait.recv().unwrap_err();
        });
        has_emitted.recv().unwrap();
        drop(signal);
        assert_eq!(drops.count(), 1);
        drop((go_on, subscription));
    });
}

#[test]
fn a_listener_may_drop_the_last_outside_handle_of_its_signal() {
    via_each(|via| {
        let drops = Drops::default();
        let signal = SyncSignal::<u64>::new();
        let mut handle = via.handle(&signal);
        let last = Arc::new(Mutex::new(None::<SyncSignal<u64>>));
        let (state, own) = (drops.state(), last.clone());
        signal
            .subscribe(move |_| {
                state.touch();
                drop(own.lock().unwrap().take());
            })
            .detach();
        *last.lock().unwrap() = Some(signal);
        assert_eq!(handle.emit(&0), delivery(1, 0));
        assert_eq!(drops.count(), 0);
        assert_eq!(handle.emit(&0), delivery(1, 0));
        drop(handle);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_signal_dropped_with_a_panicking_state_drops_the_others_too() {
    let drops = Drops::default();
    let signal = SyncSignal::new();
    holding(&signal, drops.state()).detach();
    holding(&signal, drops.state_that_panics()).detach();
    holding(&signal, drops.state()).detach();
    drop(signal);
    assert_eq!(drops.count(), 3);
}

#[test]
fn a_removed_and_a_live_listener_are_dropped_once_each_with_the_signal() {
    let drops = Drops::default();
    let signal = SyncSignal::new();
    let (removed, kept) = (
        holding(&signal, drops.state()),
        holding(&signal, drops.state()),
    );
    let inner = Arc::new(Mutex::new(Some(removed)));
    signal
        .subscribe(move |_| {
            let removed = inner.lock().unwrap().take();
            if let Some(removed) = removed {
                assert_eq!(
                    removed.unsubscribe_and_wait(LONG),
                    Err(WaitError::WouldDeadlock)
                );
            }
        })
        .detach();
    signal.emit(&0);
    drop(signal);
    assert_eq!(drops.count(), 2);
    drop(kept);
    assert_eq!(drops.count(), 2);
}

#[test]
fn a_thread_may_use_thousands_of_signals_one_after_another_and_many_at_once() {
    let calls = Calls::default();
    let at_once: Vec<_> = (0..100)
        .map(|_| {
            let signal = SyncSignal::<u64>::new();
            let subscription = signal.subscribe(calls.counter());
            (signal, subscription)
        })
        .collect();
    for round in 0..30 {
        for (signal, _) in &at_once {
            assert_eq!(signal.emit(&round), delivery(1, 0));
        }
        for _ in 0..50 {
            let signal = SyncSignal::<u64>::new();
            let _subscription = signal.subscribe(calls.counter());
            signal.emit(&0);
        }
    }
    assert_eq!(calls.get(), 30 * 150);
}

#[test]
fn signals_and_emitters_may_be_used_in_a_thread_s_last_moments() {
    /// Emits when the thread's locals are dropped, in whichever order that is.
    struct Farewell(SyncSignal<u64>, SyncEmitter<u64>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            let subscription = self.0.subscribe(|_| {});
            self.0.emit(&1);
            self.1.emit(&1);
            assert!(subscription.unsubscribe());
        }
    }
    thread_local!(static LAST: RefCell<Vec<Farewell>> = const { RefCell::new(Vec::new()) });
    let (signal, calls) = (SyncSignal::new(), Calls::default());
    let _subscription = signal.subscribe(calls.counter());
    for emits_before in [true, false] {
        let (inside, emitter) = (signal.clone(), signal.emitter());
        thread::spawn(move || {
            if emits_before {
                inside.emit(&0);
            }
            LAST.with(|last| last.borrow_mut().push(Farewell(inside.clone(), emitter)));
            inside.emit(&0);
        })
        .join()
        .unwrap();
    }
    assert_eq!(calls.get(), 2 + 1 + 4);
    assert!(signal.faults().is_empty());
}

#[test]
fn handles_are_send_and_sync_for_every_event_and_emitters_are_send() {
    fn is_send_and_sync<T: Send + Sync>() {}
    fn is_send<T: Send>() {}
    is_send_and_sync::<SyncSignal<Rc<RefCell<u64>>>>();
    is_send_and_sync::<SyncSignal<dyn std::fmt::Debug>>();
    is_send_and_sync::<SyncSignal<*const u8>>();
    is_send::<SyncEmitter<Rc<RefCell<u64>>>>();
    is_send::<SyncEmitter<str>>();
}
