//! `FaultPolicy::Propagate`: a panic goes to whoever emits.

use crate::support::{Log, Via, delivery, panic_of, via_each};
use corecast::{Context, FaultKind, FaultPolicy, SyncSignal};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

fn propagating() -> SyncSignal<u64> {
    let policy = FaultPolicy::Propagate;
    SyncSignal::builder().fault_policy(policy).build().unwrap()
}

#[test]
fn emit_finishes_the_walk_and_then_resumes_the_first_panic() {
    via_each(|via| {
        let signal = propagating();
        let log = Log::default();
        let _subscriptions: Vec<_> = (0..5)
            .map(|n| {
                let log = log.clone();
                signal.subscribe(move |_| {
                    log.push(n);
                    assert!(n % 2 == 0, "listener {n}");
                })
            })
            .collect();
        let mut handle = via.handle(&signal);
        for _ in 0..2 {
            assert_eq!(panic_of(|| handle.emit(&0)), "listener 1");
            assert_eq!(log.take(), [0, 1, 2, 3, 4]);
        }
        let metrics = signal.metrics();
        assert_eq!(
            (metrics.delivered, metrics.failed, metrics.panicked),
            (6, 4, 4)
        );
        let faults: Vec<_> = std::iter::from_fn(|| signal.faults().pop()).collect();
        assert_eq!(faults.len(), 2);
        assert!(
            faults
                .iter()
                .all(|fault| fault.kind == FaultKind::Panic && fault.count == 2)
        );
        // The first one's payload went to the caller; the fault has its text.
        assert_eq!(faults[0].message, "listener 1");
        assert!(faults[0].payload.is_none() && faults[1].payload.is_some());
    });
}

#[test]
fn try_emit_resumes_it_at_once() {
    via_each(|via| {
        let signal = propagating();
        let log = Log::default();
        let _subscriptions: Vec<_> = (0..3)
            .map(|n| {
                let log = log.clone();
                signal.subscribe(move |_| {
                    log.push(n);
                    assert!(n != 1, "listener {n}");
                })
            })
            .collect();
        let mut handle = via.handle(&signal);
        for _ in 0..2 {
            assert_eq!(
                panic_of(|| handle.try_emit(&0, &Context::none())),
                "listener 1"
            );
            assert_eq!(log.take(), [0, 1]);
        }
    });
}

#[test]
fn the_payload_is_the_listener_s_own() {
    via_each(|via| {
        let signal = propagating();
        let _subscription = signal.subscribe(|n| panic_any(*n));
        let mut handle = via.handle(&signal);
        let caught = catch_unwind(AssertUnwindSafe(|| handle.emit(&41))).unwrap_err();
        assert_eq!(caught.downcast_ref::<u64>(), Some(&41));
        let caught =
            catch_unwind(AssertUnwindSafe(|| handle.try_emit(&42, &Context::none()))).unwrap_err();
        assert_eq!(caught.downcast_ref::<u64>(), Some(&42));
    });
}

#[test]
fn errors_are_handled_as_when_isolated() {
    via_each(|via| {
        let signal = propagating();
        let _subscriptions = (
            signal.subscribe_fallible(|_| Err("no")),
            signal.subscribe(|_| {}),
        );
        let mut handle = via.handle(&signal);
        assert_eq!(handle.emit(&0), delivery(1, 1));
        handle.try_emit(&0, &Context::none()).unwrap_err();
        assert_eq!(signal.faults().len(), 1);
    });
}

#[test]
fn the_signal_works_on_and_nothing_stays_behind() {
    via_each(|via| {
        let signal = propagating();
        let drops = crate::support::Drops::default();
        let mut handle = via.handle(&signal);
        for n in 1..=3 {
            let state = drops.state();
            let subscription = signal.subscribe(move |_| {
                state.touch();
                panic!("n");
            });
            panic_of(|| handle.emit(&0));
            // The walk that unwound is over: it keeps nothing, and nobody waits for it.
            let result = subscription.unsubscribe_and_wait(std::time::Duration::ZERO);
            assert_eq!((result, drops.count()), (Ok(()), n));
            assert_eq!(handle.emit(&0), delivery(0, 0));
        }
        assert_eq!(signal.metrics().retired_arrays, 0);
    });
}

#[test]
fn out_of_a_nested_walk_it_ends_the_outer_call_too() {
    let signal = propagating();
    let log = Log::default();
    let (inside, logged) = (signal.clone(), log.clone());
    let _first = signal.subscribe(move |n| {
        logged.push(*n as u32);
        assert!(*n > 0, "the bottom");
        inside.emit(&(n - 1));
    });
    let _second = signal.subscribe(log.entry(9));
    let mut handle = Via::Owned.handle(&signal);
    assert_eq!(panic_of(|| handle.emit(&2)), "the bottom");
    // Each walk was finished before its panic went on.
    assert_eq!(log.take(), [2, 1, 0, 9, 9, 9]);
    signal.clear();
}
