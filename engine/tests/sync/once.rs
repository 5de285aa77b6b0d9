//! `once`: exactly one call, however many threads emit.

use crate::support::{Calls, Drops, Gate, LONG, delivery, held_walk, on_each, via_each};
use corecast::{Context, Listener, SyncSignal};
use std::sync::Barrier;
use std::thread;

#[test]
fn it_is_called_by_the_first_emission_alone() {
    on_each::<u64>(|signal, handle| {
        let calls = Calls::default();
        let once = signal.add(Listener::new(calls.counter()).once()).unwrap();
        let _other = signal.subscribe(|_| {});
        assert_eq!((signal.len(), once.is_active()), (2, true));
        assert_eq!(handle.emit(&0), delivery(2, 0));
        assert_eq!((signal.len(), once.is_active()), (1, false));
        assert_eq!(handle.emit(&0), delivery(1, 0));
        assert_eq!(
            handle.try_emit(&0, &Context::none()).unwrap(),
            delivery(1, 0)
        );
        assert_eq!(calls.get(), 1);
    });
}

#[test]
fn of_32_concurrent_emitters_exactly_one_calls_it_in_every_trial() {
    const TRIALS: usize = 200;
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let (calls, barrier) = (Calls::default(), Barrier::new(33));
        let delivered: usize = thread::scope(|scope| {
            let emitters: Vec<_> = (0..32)
                .map(|_| {
                    let (mut handle, barrier) = (via.handle(&signal), &barrier);
                    scope.spawn(move || {
                        let mut delivered = 0;
                        for trial in 0..TRIALS {
                            barrier.wait();
                            delivered += if trial % 2 == 0 {
                                handle.emit(&0).delivered
                            } else {
                                handle.try_emit(&0, &Context::none()).unwrap().delivered
                            };
                            barrier.wait();
                        }
                        delivered
                    })
                })
                .collect();
            for trial in 0..TRIALS {
                let listener = Listener::new(calls.counter()).once().key("k");
                signal.add(listener).expect("the key is free").detach();
                barrier.wait();
                barrier.wait();
                assert_eq!(calls.get(), trial + 1);
                assert!(signal.is_empty() && !signal.contains_key("k"));
            }
            emitters
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(delivered, TRIALS);
    });
}

#[test]
fn a_call_that_panics_or_errs_counts() {
    on_each::<u64>(|signal, handle| {
        let _panics = signal
            .add(Listener::new(|_| panic!("once")).once())
            .unwrap();
        let _errs = signal
            .add(Listener::fallible(|_: &u64| Err("once")).once())
            .unwrap();
        assert_eq!(handle.emit(&0), delivery(0, 2));
        assert_eq!(handle.emit(&0), delivery(0, 0));
        assert!(signal.is_empty());
        let _again = signal
            .add(Listener::new(|_| panic!("once")).once())
            .unwrap();
        handle.try_emit(&0, &Context::none()).unwrap_err();
        assert_eq!(
            handle.try_emit(&0, &Context::none()).unwrap(),
            delivery(0, 0)
        );
    });
}

#[test]
fn once_spent_it_is_gone_from_len_keys_and_contains_key_and_its_key_is_free() {
    on_each::<u64>(|signal, handle| {
        let once = |calls: &Calls| Listener::new(calls.counter()).once().key("k");
        let (first, second) = (Calls::default(), Calls::default());
        let spent = signal.add(once(&first)).unwrap();
        handle.emit(&0);
        assert_eq!(signal.len(), 0);
        assert!(signal.is_empty() && signal.keys().is_empty() && !signal.contains_key("k"));
        assert!(!signal.unsubscribe("k"));
        let next = signal.add(once(&second)).expect("the key is free at once");
        assert!(next.is_active() && !spent.unsubscribe());
        assert!(signal.contains_key("k"));
        assert_eq!(handle.emit(&0), delivery(1, 0));
        assert_eq!((first.get(), second.get()), (1, 1));
    });
}

#[test]
fn the_key_is_free_already_inside_its_own_call() {
    on_each::<u64>(|signal, handle| {
        let inside = signal.clone();
        let calls = Calls::default();
        let next = calls.clone();
        let once = Listener::new(move |_: &u64| {
            assert!(!inside.contains_key("k") && inside.is_empty());
            let again = Listener::new(next.counter()).key("k");
            inside.add(again).expect("a free key").detach();
        });
        signal.add(once.once().key("k")).unwrap().detach();
        assert_eq!(handle.emit(&0), delivery(1, 0));
        assert_eq!(handle.emit(&0), delivery(1, 0));
        assert_eq!(calls.get(), 1);
        // The closure holds a handle of its own signal: an end to that circle.
        signal.clear();
    });
}

#[test]
fn its_state_is_dropped_at_the_next_subscribe_removal_or_quiesce() {
    type Way<'a> = &'a dyn Fn(&SyncSignal<u64>);
    let ways: [Way<'_>; 5] = [
        &|signal| signal.subscribe(|_| {}).detach(),
        &|signal| assert!(signal.unsubscribe("other")),
        &|signal| signal.clear(),
        &|signal| signal.quiesce(LONG).unwrap(),
        &|signal| {
            signal
                .add_many([Listener::new(|_| {})])
                .unwrap()
                .remove(0)
                .detach()
        },
    ];
    for way in ways {
        on_each::<u64>(|signal, handle| {
            let drops = Drops::default();
            let state = drops.state();
            let once = Listener::new(move |_: &u64| state.touch()).once();
            let _once = signal.add(once).unwrap();
            let _other = signal.add(Listener::new(|_| {}).key("other")).unwrap();
            handle.emit(&0);
            handle.emit(&0);
            assert_eq!(drops.count(), 0, "an emission runs no drop");
            way(signal);
            assert_eq!(drops.threads(), [thread::current().id()]);
        });
    }
}

#[test]
fn dropping_the_subscription_of_a_spent_listener_drops_its_state() {
    on_each::<u64>(|signal, handle| {
        let drops = Drops::default();
        let state = drops.state();
        let once = signal
            .add(Listener::new(move |_: &u64| state.touch()).once())
            .unwrap();
        handle.emit(&0);
        drop(once);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn removed_before_any_emission_it_is_never_called() {
    on_each::<u64>(|signal, handle| {
        let calls = Calls::default();
        let once = signal.add(Listener::new(calls.counter()).once()).unwrap();
        assert!(once.unsubscribe());
        assert_eq!(handle.emit(&0), delivery(0, 0));
        assert_eq!(calls.get(), 0);
    });
}

#[test]
fn a_nested_walk_does_not_call_it_again() {
    on_each::<u64>(|signal, handle| {
        let (inside, calls) = (signal.clone(), Calls::default());
        let counted = calls.clone();
        let once = Listener::new(move |_: &u64| {
            counted.add();
            assert_eq!(inside.emit(&0), delivery(1, 0));
        });
        let _other = signal.subscribe(|_| {});
        let _once = signal.add(once.once()).unwrap();
        assert_eq!(handle.emit(&0), delivery(2, 0));
        assert_eq!(calls.get(), 1);
        signal.clear();
    });
}

#[test]
fn others_skip_it_while_its_one_call_is_still_running() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let gate = Gate::default();
        let once = signal
            .add(Listener::new(gate.listener()).once().key("k"))
            .unwrap();
        let walk = held_walk(&signal, via, &gate, 0);
        assert_eq!(via.handle(&signal).emit(&0), delivery(0, 0));
        assert!(!once.is_active() && !signal.contains_key("k") && signal.is_empty());
        gate.open();
        assert_eq!(walk.join().unwrap().0, delivery(1, 0));
    });
}
