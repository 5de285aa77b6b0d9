//! `FaultPolicy::Quarantine`, and that of nobody: `Isolate`.

use crate::support::{Calls, Drops, LONG, Via, delivery, via_each};
use corecast::{Context, FaultKind, FaultPolicy, Listener, SyncSignal};
use std::thread;

fn quarantine(after: u32) -> SyncSignal<u64> {
    let policy = FaultPolicy::Quarantine { after };
    SyncSignal::builder().fault_policy(policy).build().unwrap()
}

fn kinds(signal: &SyncSignal<u64>) -> Vec<FaultKind> {
    std::iter::from_fn(|| signal.faults().pop())
        .map(|fault| fault.kind)
        .collect()
}

#[test]
fn isolated_a_listener_that_always_fails_is_called_again_and_again() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let calls = Calls::default();
        let counted = calls.clone();
        let subscription = signal.subscribe(move |_| {
            counted.add();
            panic!("always");
        });
        let mut handle = via.handle(&signal);
        for _ in 0..100 {
            assert_eq!(handle.emit(&0), delivery(0, 1));
        }
        assert_eq!(calls.get(), 100);
        assert!(subscription.is_active());
    });
}

#[test]
fn after_so_many_faults_in_a_row_the_listener_is_removed() {
    for after in [1, 2, 5] {
        for panics in [true, false] {
            via_each(|via| {
                let signal = quarantine(after);
                let (calls, drops) = (Calls::default(), Drops::default());
                let (counted, state) = (calls.clone(), drops.state());
                let listener = Listener::fallible(move |_: &u64| {
                    state.touch();
                    counted.add();
                    assert!(!panics, "always");
                    Err("always")
                });
                let subscription = signal.add(listener.key("k").name("bad")).unwrap();
                let good = signal.subscribe(|_| {});
                let mut handle = via.handle(&signal);
                for _ in 0..after {
                    assert!(subscription.is_active());
                    assert_eq!(handle.emit(&0), delivery(1, 1));
                }
                assert!(!subscription.is_active() && !signal.contains_key("k"));
                assert_eq!(handle.emit(&0), delivery(1, 0));
                assert_eq!((calls.get(), signal.len()), (after as usize, 1));
                assert_eq!(
                    drops.count(),
                    1,
                    "dropped just after the walk that removed it"
                );
                let kind = if panics {
                    FaultKind::Panic
                } else {
                    FaultKind::Error
                };
                assert_eq!(kinds(&signal), [kind, FaultKind::Quarantined]);
                assert!(!subscription.unsubscribe() && good.unsubscribe());
            });
        }
    }
}

#[test]
fn a_success_between_them_begins_the_count_anew() {
    via_each(|via| {
        let signal = quarantine(3);
        let subscription = signal.subscribe_fallible(|n| if *n == 0 { Ok(()) } else { Err("n") });
        let mut handle = via.handle(&signal);
        for n in [1, 1, 0, 1, 1, 0, 1, 1, 0] {
            handle.emit(&n);
        }
        assert!(subscription.is_active());
        for n in [1, 1, 1] {
            handle.emit(&n);
        }
        assert!(!subscription.is_active());
    });
}

#[test]
fn faults_of_try_emit_count_as_well() {
    via_each(|via| {
        let signal = quarantine(2);
        let subscription = signal.subscribe_fallible(|_| Err("always"));
        let mut handle = via.handle(&signal);
        handle.try_emit(&0, &Context::none()).unwrap_err();
        assert!(subscription.is_active());
        handle.try_emit(&0, &Context::none()).unwrap_err();
        assert!(!subscription.is_active());
        assert_eq!(
            handle.try_emit(&0, &Context::none()).unwrap(),
            delivery(0, 0)
        );
        assert_eq!(kinds(&signal), [FaultKind::Quarantined]);
    });
}

#[test]
fn only_the_one_at_fault_is_removed() {
    via_each(|via| {
        let signal = quarantine(1);
        let others: Vec<_> = (0..4).map(|_| signal.subscribe(|_| {})).collect();
        let bad = signal
            .add(Listener::new(|_| panic!("bad")).priority(1))
            .unwrap();
        let mut handle = via.handle(&signal);
        assert_eq!(handle.emit(&0), delivery(4, 1));
        assert_eq!(handle.emit(&0), delivery(4, 0));
        assert!(!bad.is_active() && others.iter().all(corecast::Subscription::is_active));
    });
}

#[test]
fn under_concurrent_emitters_it_is_removed_once_and_soon() {
    via_each(|via| {
        for _ in 0..20 {
            let signal = quarantine(4);
            let (calls, drops) = (Calls::default(), Drops::default());
            let (counted, state) = (calls.clone(), drops.state());
            let subscription = signal.subscribe(move |_| {
                state.touch();
                counted.add();
                panic!("always");
            });
            thread::scope(|scope| {
                for _ in 0..4 {
                    let mut handle = via.handle(&signal);
                    scope.spawn(move || while handle.emit(&0).failed > 0 {});
                }
            });
            assert!(!subscription.is_active());
            // Each thread may have been inside it when the fourth fault was counted.
            assert!((4..=4 + 3).contains(&calls.get()), "{} calls", calls.get());
            let removals = kinds(&signal)
                .into_iter()
                .filter(|kind| *kind == FaultKind::Quarantined)
                .count();
            assert_eq!(removals, 1);
            assert_eq!(signal.quiesce(LONG), Ok(()));
            assert_eq!(drops.count(), 1);
        }
    });
}

#[test]
fn a_listener_may_be_at_fault_in_a_nested_walk() {
    let signal = quarantine(2);
    let inside = signal.clone();
    let subscription = signal.subscribe(move |n| {
        if *n > 0 {
            inside.emit(&(n - 1));
        }
        panic!("always");
    });
    // The innermost walks fault first; after two of them it is gone, and the outer calls finish.
    assert_eq!(Via::Owned.handle(&signal).emit(&3), delivery(0, 1));
    assert!(!subscription.is_active());
    assert_eq!(signal.metrics().panicked, 4);
}
