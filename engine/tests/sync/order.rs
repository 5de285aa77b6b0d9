//! In which order listeners are called.

use crate::support::{Log, on_each, via_each};
use corecast::{Listener, SyncSignal};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn listeners_are_called_in_the_order_of_subscription() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let _subscriptions: Vec<_> = (0..10).map(|n| signal.subscribe(log.entry(n))).collect();
        handle.emit(&0);
        assert_eq!(log.take(), (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn higher_priority_is_called_first_and_equal_ones_in_the_order_of_subscription() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let priorities = [0, 5, -5, 5, 0, i32::MAX, i32::MIN, -5, i32::MAX, i32::MIN];
        let _subscriptions: Vec<_> = (0..)
            .zip(priorities)
            .map(|(n, priority)| {
                let listener = Listener::new(log.entry(n)).priority(priority);
                signal.add(listener).expect("no key")
            })
            .collect();
        handle.emit(&0);
        assert_eq!(log.take(), [5, 8, 1, 3, 0, 4, 2, 7, 6, 9]);
    });
}

#[test]
fn the_priority_is_0_unless_told() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let _low = signal
            .add(Listener::new(log.entry(3)).priority(-1))
            .unwrap();
        let _plain = signal.subscribe(log.entry(1));
        let _zero = signal.add(Listener::new(log.entry(2)).priority(0)).unwrap();
        let _high = signal.add(Listener::new(log.entry(0)).priority(1)).unwrap();
        handle.emit(&0);
        assert_eq!(log.take(), [0, 1, 2, 3]);
    });
}

#[test]
fn many_added_at_once_take_the_places_they_would_take_one_by_one() {
    on_each::<u64>(|signal, handle| {
        let other = SyncSignal::<u64>::new();
        let (log, one_by_one) = (Log::default(), Log::default());
        let mut subscriptions = Vec::new();
        for round in 0..4 {
            let entries: Vec<_> = (0..8)
                .map(|n| (round * 8 + n, (n as i32 * 5 + round as i32) % 4))
                .collect();
            let many = entries
                .iter()
                .map(|&(n, priority)| Listener::new(log.entry(n)).priority(priority));
            subscriptions.extend(signal.add_many(many).expect("no keys"));
            for (n, priority) in entries {
                let listener = Listener::new(one_by_one.entry(n)).priority(priority);
                subscriptions.push(other.add(listener).expect("no key"));
            }
        }
        handle.emit(&0);
        other.emit(&0);
        assert_eq!(log.take(), one_by_one.take());
    });
}

#[test]
fn subscriptions_of_add_many_come_in_the_order_given() {
    let signal = SyncSignal::<u64>::new();
    let log = Log::default();
    let mut subscriptions = signal
        .add_many((0..3).map(|n| Listener::new(log.entry(n)).priority(n as i32)))
        .expect("no keys");
    assert_eq!(subscriptions.len(), 3);
    assert!(subscriptions.remove(0).unsubscribe());
    signal.emit(&0);
    assert_eq!(log.take(), [2, 1]);
}

#[test]
fn removal_never_reorders_the_rest() {
    for gone in 0..7 {
        on_each::<u64>(|signal, handle| {
            let log = Log::default();
            let mut subscriptions: Vec<_> = (0..7)
                .map(|n| {
                    let listener = Listener::new(log.entry(n)).priority(n as i32 % 3);
                    signal.add(listener).expect("no key")
                })
                .collect();
            handle.emit(&0);
            let mut expected = log.take();
            expected.retain(|n| *n != gone);
            assert!(subscriptions.remove(gone as usize).unsubscribe());
            handle.emit(&0);
            assert_eq!(log.take(), expected);
        });
    }
}

#[test]
fn removing_several_at_once_leaves_the_others_in_order() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let _once: Vec<_> = (0..20)
            .map(|n| {
                let listener = Listener::new(log.entry(n));
                let listener = if n % 3 == 0 {
                    listener.once()
                } else {
                    listener
                };
                signal.add(listener).expect("no key")
            })
            .collect();
        handle.emit(&0);
        assert_eq!(log.take(), (0..20).collect::<Vec<_>>());
        // The next change takes all the spent ones out.
        let _last = signal.subscribe(log.entry(20));
        handle.emit(&0);
        let left: Vec<_> = (0..21).filter(|n| *n == 20 || n % 3 != 0).collect();
        assert_eq!(log.take(), left);
    });
}

thread_local! {
    /// The place of the listener that this thread called last: priority, then order.
    static LAST: Cell<(i32, u64)> = const { Cell::new((i32::MAX, 0)) };
}

#[test]
fn every_walk_is_in_order_while_others_subscribe_and_remove() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let listener = |priority: i32, n: u64| {
            Listener::new(move |_: &u64| {
                let last = LAST.replace((priority, n));
                let in_order = priority < last.0 || (priority == last.0 && n > last.1);
                assert!(in_order, "{priority}/{n} after {last:?}");
            })
            .priority(priority)
        };
        let churning = AtomicBool::new(true);
        thread::scope(|scope| {
            let emitting: Vec<_> = (0..2)
                .map(|_| {
                    let mut handle = via.handle(&signal);
                    let churning = &churning;
                    scope.spawn(move || {
                        let mut emissions = 0_u64;
                        while churning.load(Ordering::Relaxed) || emissions < 100 {
                            LAST.set((i32::MAX, 0));
                            assert_eq!(handle.emit(&0).failed, 0);
                            emissions += 1;
                        }
                    })
                })
                .collect();
            // The priorities are each churner's own, so that the order of numbers is its alone.
            let churners: Vec<_> = (0..2)
                .map(|thread| {
                    let signal = &signal;
                    scope.spawn(move || {
                        let mut kept = std::collections::VecDeque::new();
                        for n in 1..1500_u64 {
                            let priority = (n as i32 * 7 % 3) * 2 + thread;
                            kept.push_back(signal.add(listener(priority, n)).expect("no key"));
                            if kept.len() > 8 {
                                let middle = (n as usize * 5) % kept.len();
                                kept.remove(middle);
                            }
                        }
                    })
                })
                .collect();
            churners
                .into_iter()
                .for_each(|churner| churner.join().unwrap());
            churning.store(false, Ordering::Relaxed);
            emitting
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
        });
        assert!(signal.faults().is_empty(), "{:?}", signal.faults().pop());
        assert!(signal.is_empty());
    });
}
