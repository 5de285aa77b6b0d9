//! Many threads at once, on one signal.

use crate::support::{Calls, Drops, LONG, Via, delivery, via_each};
use corecast::{Context, Listener, Subscription, SyncSignal};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

/// A thread with a small stack, for the tests that want very many.
fn small<'scope, R: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    f: impl FnOnce() -> R + Send + 'scope,
) -> thread::ScopedJoinHandle<'scope, R> {
    thread::Builder::new()
        .stack_size(128 * 1024)
        .spawn_scoped(scope, f)
        .expect("a thread")
}

#[test]
fn a_thousand_threads_that_each_add_and_remove_as_much_leave_it_empty() {
    let signal = SyncSignal::<u64>::new();
    let drops = Drops::default();
    let barrier = Barrier::new(1000);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..1000)
            .map(|n| {
                let (signal, drops, barrier) = (&signal, &drops, &barrier);
                small(scope, move || {
                    barrier.wait();
                    for round in 0..4 {
                        let (state, key) = (drops.state(), format!("{n}/{round}"));
                        let listener =
                            Listener::new(move |_: &u64| state.touch()).key(key.as_str());
                        let subscription = signal.add(listener).expect("a key of its own");
                        assert!(signal.contains_key(&key));
                        if round % 2 == 0 {
                            assert!(subscription.unsubscribe());
                        } else {
                            assert!(signal.unsubscribe(&key));
                        }
                        assert!(!signal.contains_key(&key));
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
    assert!(signal.is_empty() && signal.keys().is_empty());
    assert_eq!(signal.emit(&0), delivery(0, 0));
    assert_eq!(signal.quiesce(LONG), Ok(()));
    assert_eq!(drops.count(), 4000);
    assert_eq!(signal.metrics().retired_arrays, 0);
}

#[test]
fn a_thousand_threads_emit_through_handles_of_their_own() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let calls = Calls::default();
        let _subscription = signal.subscribe(calls.counter());
        thread::scope(|scope| {
            for _ in 0..1000 {
                let mut handle = via.handle(&signal);
                small(scope, move || {
                    for n in 0..10 {
                        assert_eq!(handle.emit(&n), delivery(1, 0));
                    }
                });
            }
        });
        assert_eq!(calls.get(), 10_000);
        let metrics = signal.metrics();
        assert_eq!((metrics.emitted, metrics.delivered), (10_000, 10_000));
    });
}

#[test]
fn emitters_subscribers_and_removers_together_lose_nothing_that_stays() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let drops = Drops::default();
        let (stays, busy) = (Calls::default(), AtomicUsize::new(4));
        let first = signal
            .add(Listener::new(stays.counter()).priority(1))
            .unwrap();
        let last = signal
            .add(Listener::new(stays.counter()).priority(-1))
            .unwrap();
        let emitted: usize = thread::scope(|scope| {
            let emitters: Vec<_> = (0..3)
                .map(|n| {
                    let (mut handle, busy) = (via.handle(&signal), &busy);
                    scope.spawn(move || {
                        let mut emitted = 0;
                        while busy.load(Ordering::Relaxed) > 0 || emitted < 100 {
                            let delivered = if n == 0 {
                                handle.try_emit(&0, &Context::none()).unwrap().delivered
                            } else {
                                handle.emit(&0).delivered
                            };
                            assert!(delivered >= 2);
                            emitted += 1;
                        }
                        emitted
                    })
                })
                .collect();
            for churner in 0..4 {
                let (signal, drops, busy) = (&signal, &drops, &busy);
                scope.spawn(move || {
                    for n in 0..400 {
                        let state = drops.state();
                        let listener = Listener::new(move |_: &u64| state.touch());
                        let listener = match (churner + n) % 4 {
                            0 => listener.once(),
                            1 => listener.key(format!("{churner}/{n}")),
                            2 => listener.priority(n % 7 - 3),
                            _ => listener,
                        };
                        let subscription = signal.add(listener).unwrap();
                        if n % 16 == 0 {
                            assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
                        }
                    }
                    busy.fetch_sub(1, Ordering::Relaxed);
                });
            }
            emitters
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(stays.get(), 2 * emitted);
        drop((first, last));
        assert_eq!(signal.quiesce(LONG), Ok(()));
        assert_eq!((drops.count(), signal.len()), (1600, 0));
        assert_eq!(signal.metrics().emitted, emitted as u64);
    });
}

/// Swaps one listener for another, over and over, while others emit; how often each event was seen
/// by one of the two: the least and the most.
fn swap_while_others_emit(
    via: Via,
    swap: impl Fn(&SyncSignal<AtomicUsize>, Subscription),
) -> (usize, usize) {
    let signal = SyncSignal::<AtomicUsize>::new();
    let (stop, all_there) = (AtomicBool::new(false), Barrier::new(4));
    let (least, most) = (AtomicUsize::new(usize::MAX), AtomicUsize::new(0));
    let seen = |event: &AtomicUsize| {
        event.fetch_add(1, Ordering::Relaxed);
    };
    let mut current = signal.subscribe(seen);
    thread::scope(|scope| {
        for _ in 0..3 {
            let (mut handle, stop) = (via.handle(&signal), &stop);
            let (least, most, all_there) = (&least, &most, &all_there);
            scope.spawn(move || {
                all_there.wait();
                loop {
                    let event = AtomicUsize::new(0);
                    handle.emit(&event);
                    let seen = event.into_inner();
                    least.fetch_min(seen, Ordering::Relaxed);
                    most.fetch_max(seen, Ordering::Relaxed);
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        all_there.wait();
        for _ in 0..500 {
            let old = core::mem::replace(&mut current, signal.subscribe(seen));
            swap(&signal, old);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(signal.len(), 1);
    (least.into_inner(), most.into_inner())
}

#[test]
fn a_listener_is_swapped_for_another_while_others_emit_and_no_event_reaches_more_than_both() {
    via_each(|via| {
        let (_, most) = swap_while_others_emit(via, |_, old| assert!(old.unsubscribe()));
        assert!((1..=2).contains(&most), "seen by {most}");
    });
}

#[test]
fn swapped_with_a_quiesce_between_no_event_misses_both() {
    // Walks that began before the new one was there have ended when the old one goes.
    via_each(|via| {
        let swap = |signal: &SyncSignal<AtomicUsize>, old: Subscription| {
            assert_eq!(signal.quiesce(LONG), Ok(()));
            assert_eq!(old.unsubscribe_and_wait(LONG), Ok(()));
        };
        let (least, most) = swap_while_others_emit(via, swap);
        assert!(least >= 1 && most <= 2, "seen by {least} to {most}");
    });
}

#[test]
fn emitters_come_and_go_while_others_emit_and_remove() {
    let signal = SyncSignal::<u64>::new();
    let calls = Calls::default();
    let _stays = signal.subscribe(calls.counter());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for n in 0..300 {
                    let mut emitter = signal.emitter();
                    assert!(emitter.emit(&n).delivered >= 1);
                    let subscription = signal.subscribe(|_| {});
                    assert!(emitter.emit(&n).delivered >= 2);
                    drop(emitter);
                    drop(subscription);
                }
            });
        }
    });
    assert_eq!(calls.get(), 1800);
    assert_eq!((signal.metrics().emitted, signal.len()), (1800, 1));
}

#[test]
fn one_listener_may_run_in_many_threads_at_once() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let inside = Arc::new(Barrier::new(8));
        let all = inside.clone();
        // Nobody passes the barrier unless eight threads are inside the same listener.
        let _subscription = signal.subscribe(move |_| {
            all.wait();
        });
        thread::scope(|scope| {
            for _ in 0..8 {
                let mut handle = via.handle(&signal);
                scope.spawn(move || assert_eq!(handle.emit(&0), delivery(1, 0)));
            }
        });
    });
}

#[test]
fn clear_against_emitters_and_subscribers_leaves_what_came_after() {
    via_each(|via| {
        let (signal, drops) = (SyncSignal::<u64>::new(), Drops::default());
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let (mut handle, stopped) = (via.handle(&signal), &stop);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    assert_eq!(handle.emit(&0).failed, 0);
                }
            });
            let adders: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        for n in 0..300 {
                            let state = drops.state();
                            signal.subscribe(move |_| state.touch()).detach();
                            if n % 10 == 0 {
                                signal.clear();
                            }
                        }
                    })
                })
                .collect();
            adders.into_iter().for_each(|adder| adder.join().unwrap());
            stop.store(true, Ordering::Relaxed);
        });
        let left = signal.len();
        assert_eq!(signal.emit(&0), delivery(left, 0));
        signal.clear();
        assert_eq!(signal.quiesce(LONG), Ok(()));
        assert_eq!(drops.count(), 900);
    });
}

#[test]
fn a_listener_misses_no_event_between_two_that_it_gets_whichever_handle_they_come_through() {
    const EVENTS: u64 = 5_000_000;
    let signal = SyncSignal::<u64>::new();
    thread::scope(|scope| {
        let shared = signal.clone();
        let (mut first, mut second) = (signal.emitter(), signal.emitter());
        let emitting = scope.spawn(move || {
            for n in 1..=EVENTS {
                match n % 3 {
                    0 => shared.emit(&n),
                    1 => first.emit(&n),
                    _ => second.emit(&n),
                };
            }
        });
        while !emitting.is_finished() {
            let last = AtomicU64::new(0);
            let subscription = signal.subscribe(move |n| {
                let before = last.swap(*n, Ordering::Relaxed);
                assert!(before == 0 || before + 1 == *n, "{n} came after {before}");
            });
            // Until it has been called, or nothing is emitted any more.
            let begin = signal.metrics().emitted;
            while signal.metrics().emitted < begin + 10 && !emitting.is_finished() {
                thread::yield_now();
            }
            drop(subscription);
        }
    });
    let metrics = signal.metrics();
    assert_eq!((metrics.emitted, metrics.failed), (EVENTS, 0));
    assert!(metrics.delivered > 0);
}
