//! Listeners that emit on their own signal.

use crate::support::{Calls, Log, delivery, on_each, panic_of, via_each};
use corecast::{Context, Delivery, EmitError, FaultKind, FaultPolicy, Listener, SyncSignal};
use std::sync::{Arc, Mutex};

/// A listener that emits `n - 1` on its own signal as long as `n` is not 0.
fn recursive(signal: &SyncSignal<u64>, log: &Log) -> corecast::Subscription {
    let (inside, log) = (signal.clone(), log.clone());
    signal.subscribe(move |n| {
        log.push(*n as u32);
        if *n > 0 {
            inside.emit(&(n - 1));
        }
    })
}

#[test]
fn four_nested_calls_run_inside_each_other() {
    on_each::<u64>(|signal, handle| {
        let (before, after) = (Log::default(), Log::default());
        let _recursive = recursive(signal, &before);
        let logged = after.clone();
        let _after = signal.subscribe(move |n| logged.push(*n as u32));
        assert_eq!(handle.emit(&3), delivery(2, 0));
        assert_eq!(before.take(), [3, 2, 1, 0]);
        assert_eq!(after.take(), [0, 1, 2, 3]);
        signal.clear();
    });
}

/// How deep a walk comes that goes on for as long as it may, and what the last one got.
fn dive(signal: &SyncSignal<u64>, emit: impl FnOnce()) -> (usize, Delivery) {
    let (inside, depth, last) = (signal.clone(), Calls::default(), Arc::new(Mutex::new(None)));
    let (counted, told) = (depth.clone(), last.clone());
    let subscription = signal.subscribe(move |n| {
        counted.add();
        let delivery = inside.emit(n);
        told.lock().unwrap().get_or_insert(delivery);
    });
    emit();
    drop(subscription);
    let last = last.lock().unwrap().expect("an answer");
    (depth.get(), last)
}

#[test]
fn past_64_nested_walks_emit_reports_a_fault_and_returns() {
    on_each::<u64>(|signal, handle| {
        let (depth, last) = dive(signal, || assert_eq!(handle.emit(&0), delivery(1, 0)));
        assert_eq!((depth, last), (64, delivery(0, 0)));
        let fault = signal.faults().pop().expect("a fault");
        assert_eq!((fault.kind, fault.count), (FaultKind::ReentrancyLimit, 1));
        assert!(fault.message.contains("64"), "{fault}");
        assert!(signal.faults().is_empty());
    });
}

#[test]
fn past_64_nested_walks_try_emit_is_an_error() {
    on_each::<u64>(|signal, handle| {
        let (inside, depth) = (signal.clone(), Calls::default());
        let counted = depth.clone();
        let subscription = signal.subscribe_fallible(move |n| {
            counted.add();
            inside.try_emit(n, &Context::none()).map(|_| ())
        });
        let mut error = handle.try_emit(&0, &Context::none()).unwrap_err();
        let mut levels = 1;
        while let EmitError::Listener { source, .. } = error {
            error = *source.downcast().expect("the nested walk's error");
            levels += 1;
        }
        assert!(
            matches!(error, EmitError::ReentrancyLimit { delivered: 0 }),
            "{error:?}"
        );
        assert!(error.to_string().contains("nested"), "{error}");
        assert_eq!((depth.get(), levels), (64, 65));
        assert!(signal.faults().is_empty());
        drop(subscription);
    });
}

#[test]
fn the_limit_can_be_chosen() {
    via_each(|via| {
        for limit in [1, 2, 7, 200] {
            let signal = SyncSignal::builder()
                .reentrancy_limit(limit)
                .build()
                .unwrap();
            let mut handle = via.handle(&signal);
            let (depth, _) = dive(&signal, || {
                handle.emit(&0);
            });
            assert_eq!(depth, limit as usize);
        }
    });
}

#[test]
fn after_a_refusal_the_thread_can_nest_as_deep_again() {
    on_each::<u64>(|signal, handle| {
        for _ in 0..3 {
            let (depth, _) = dive(signal, || {
                handle.emit(&0);
            });
            assert_eq!(depth, 64);
        }
    });
}

#[test]
fn walks_of_several_signals_on_one_thread_count_together() {
    on_each::<u64>(|signal, handle| {
        let other = SyncSignal::<u64>::new();
        let (to_other, depth) = (other.clone(), Calls::default());
        let (there, back) = (depth.clone(), depth.clone());
        let back_again = signal.clone();
        let ping = signal.subscribe(move |n| {
            there.add();
            to_other.emit(n);
        });
        let pong = other.subscribe(move |n| {
            back.add();
            back_again.emit(n);
        });
        handle.emit(&0);
        assert_eq!(depth.get(), 64);
        drop((ping, pong));
    });
}

#[test]
fn a_nested_walk_is_over_the_snapshot_of_that_moment() {
    on_each::<u64>(|signal, handle| {
        let (log, inside) = (Log::default(), signal.clone());
        let logged = log.clone();
        let _first = signal.subscribe(move |n| {
            if *n == 1 {
                inside
                    .add(Listener::new(logged.entry(7)).key("added"))
                    .unwrap()
                    .detach();
                assert!(inside.unsubscribe("removed"));
                assert_eq!(inside.emit(&0), delivery(3, 0));
                logged.push(99);
            }
        });
        let removed = Listener::new(log.entry(8)).key("removed");
        let _removed = signal.add(removed).unwrap();
        let _last = signal.subscribe(log.entry(9));
        // The nested walk calls the first, the last and the added one; the outer one goes on
        // without the removed one and without the added one.
        assert_eq!(handle.emit(&1), delivery(2, 0));
        assert_eq!(log.take(), [9, 7, 99, 9]);
        signal.clear();
    });
}

#[test]
fn a_panic_in_a_nested_walk_stays_there() {
    on_each::<u64>(|signal, handle| {
        let (inside, after) = (signal.clone(), Calls::default());
        let _outer = signal.subscribe(move |n| {
            if *n == 1 {
                assert_eq!(inside.emit(&0), delivery(2, 1));
            }
        });
        let _panics = signal.subscribe(|n| assert!(*n == 1, "nested"));
        let _after = signal.subscribe(after.counter());
        assert_eq!(handle.emit(&1), delivery(3, 0));
        assert_eq!(after.get(), 2);
        signal.clear();
    });
}

#[test]
fn a_propagated_panic_leaves_every_level_as_it_was() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::builder()
            .fault_policy(FaultPolicy::Propagate)
            .reentrancy_limit(5)
            .build()
            .unwrap();
        let mut handle = via.handle(&signal);
        let inside = signal.clone();
        let subscription = signal.subscribe(move |n| {
            assert!(*n > 0, "the bottom");
            inside.emit(&(n - 1));
        });
        for _ in 0..3 {
            assert_eq!(panic_of(|| handle.emit(&4)), "the bottom");
        }
        drop(subscription);
        let (depth, _) = dive(&signal, || {
            handle.emit(&0);
        });
        assert_eq!(depth, 5);
    });
}

#[test]
fn another_thread_has_its_own_count() {
    let signal = SyncSignal::<u64>::builder()
        .reentrancy_limit(1)
        .build()
        .unwrap();
    let inside = signal.clone();
    let delivered = Arc::new(Mutex::new(Vec::new()));
    let told = delivered.clone();
    let _subscription = signal.subscribe(move |n| {
        if *n == 1 {
            let inside = inside.clone();
            let other = std::thread::spawn(move || inside.emit(&0));
            told.lock().unwrap().push(other.join().unwrap());
        }
    });
    assert_eq!(signal.emit(&1), delivery(1, 0));
    assert_eq!(*delivered.lock().unwrap(), [delivery(1, 0)]);
    signal.clear();
}

/// `many` emitters at home on this thread, each of which is used by the listener of the walk before,
/// below `above` walks of one signal in each other: how deep all of that goes.
fn chain(signal: &SyncSignal<u64>, many: usize, above: u64) -> usize {
    let emitters: Vec<_> = (0..many).map(|_| Mutex::new(signal.emitter())).collect();
    let emitters = Arc::new(emitters);
    let (next, depth) = (Arc::clone(&emitters), Calls::default());
    let calls = depth.clone();
    let _subscription = signal.subscribe(move |n| {
        calls.add();
        if let Some(emitter) = next.get(*n as usize) {
            emitter.lock().unwrap().emit(&(n + 1));
        }
    });
    let nowhere = many as u64;
    for emitter in emitters.iter() {
        emitter.lock().unwrap().emit(&nowhere);
    }
    let before = depth.get();
    let (recursive, calls) = (SyncSignal::<u64>::new(), depth.clone());
    let inside = recursive.clone();
    let _recursive = recursive.subscribe(move |n| {
        calls.add();
        if *n > 1 {
            inside.emit(&(n - 1));
        } else {
            emitters[0].lock().unwrap().emit(&1);
        }
    });
    if above > 0 {
        recursive.emit(&above);
        recursive.clear();
    } else {
        signal.emitter().emit(&0);
    }
    depth.get() - before
}

#[test]
fn owned_emitters_that_are_nested_in_each_other_keep_to_the_limit() {
    for (limit, many) in [(1, 10), (2, 10), (7, 10), (64, 100)] {
        let builder = SyncSignal::builder().reentrancy_limit(limit);
        let signal = builder.build().unwrap();
        assert_eq!(chain(&signal, many, 0), limit as usize);
        assert!(!signal.faults().is_empty());
    }
    assert_eq!(chain(&SyncSignal::new(), 10, 0), 11);
}

#[test]
fn owned_emitters_keep_to_the_limit_below_other_walks_too() {
    for above in 1..64 {
        let signal = SyncSignal::new();
        assert_eq!(chain(&signal, 100, above), 64, "below {above}");
        assert_eq!(signal.faults().pop().map(|fault| fault.count), Some(1));
        // And again, when the deep walks are over.
        assert_eq!(chain(&signal, 100, 0), 64, "after {above}");
        assert_eq!(
            chain(&signal, 10, above.min(50)),
            above.min(50) as usize + 10
        );
    }
}
