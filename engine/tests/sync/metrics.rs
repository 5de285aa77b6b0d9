//! What the metrics of a synchronous signal count.

use crate::support::{Gate, LONG, delivery, held_walk, on_each, via_each};
use corecast::{Context, Listener, SyncSignal};
use std::thread;

#[test]
fn a_new_signal_has_counted_nothing() {
    let metrics = SyncSignal::<u64>::new().metrics();
    assert_eq!((metrics.emitted, metrics.accepted), (0, 0));
    assert_eq!(
        (metrics.delivered, metrics.failed, metrics.panicked),
        (0, 0, 0)
    );
    assert_eq!((metrics.rejected, metrics.dropped), (0, 0));
    assert_eq!((metrics.listeners, metrics.retired_arrays), (0, 0));
    assert!(metrics.name.is_none() && metrics.lanes.is_empty() && metrics.latency.is_none());
}

#[test]
fn emissions_deliveries_failures_and_panics_are_counted() {
    on_each::<u64>(|signal, handle| {
        let _subscriptions = (
            signal.subscribe(|_| {}),
            signal.subscribe_fallible(|n| if n % 2 == 0 { Ok(()) } else { Err("odd") }),
            signal.subscribe(|n| assert!(n % 5 != 0)),
        );
        for n in 0..20 {
            handle.emit(&n);
        }
        let metrics = signal.metrics();
        assert_eq!((metrics.emitted, metrics.accepted), (20, 20));
        assert_eq!((metrics.failed, metrics.panicked), (10 + 4, 4));
        assert_eq!(metrics.delivered, 60 - 14);
        assert_eq!(metrics.listeners, 3);
    });
}

#[test]
fn try_emit_counts_those_that_ran() {
    on_each::<u64>(|signal, handle| {
        let _subscriptions = (
            signal.subscribe(|_| {}),
            signal.subscribe_fallible(|n| if *n == 0 { Ok(()) } else { Err("no") }),
            signal.subscribe(|n| assert!(*n == 0)),
        );
        handle.try_emit(&0, &Context::none()).unwrap();
        handle.try_emit(&1, &Context::none()).unwrap_err();
        let cancelled = Context::none();
        cancelled.cancel_token().cancel();
        handle.try_emit(&0, &cancelled).unwrap_err();
        let metrics = signal.metrics();
        assert_eq!(metrics.emitted, 3);
        assert_eq!(
            (metrics.delivered, metrics.failed, metrics.panicked),
            (4, 1, 0)
        );
    });
}

#[test]
fn emissions_without_listeners_are_emissions() {
    on_each::<u64>(|signal, handle| {
        // More than their count has room for.
        for n in 1..=1000 {
            handle.emit(&0);
            let metrics = signal.metrics();
            assert_eq!((metrics.emitted, metrics.delivered), (n, 0));
        }
    });
}

#[test]
fn nested_emissions_are_counted_one_by_one() {
    on_each::<u64>(|signal, handle| {
        let inside = signal.clone();
        let _subscription = signal.subscribe(move |n| {
            if *n > 0 {
                inside.emit(&(n - 1));
            }
        });
        handle.emit(&3);
        let metrics = signal.metrics();
        assert_eq!((metrics.emitted, metrics.delivered), (4, 4));
        signal.clear();
    });
}

#[test]
fn counts_outlive_the_emitters_and_threads_that_counted() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let _subscription = signal.subscribe(|_| {});
        for round in 1..=5 {
            let mut handle = via.handle(&signal);
            thread::spawn(move || {
                for _ in 0..100 {
                    handle.emit(&0);
                }
            })
            .join()
            .unwrap();
            let metrics = signal.metrics();
            assert_eq!(
                (metrics.emitted, metrics.delivered),
                (100 * round, 100 * round)
            );
        }
    });
}

#[test]
fn spent_listeners_are_not_counted_as_delivered_or_as_listeners() {
    on_each::<u64>(|signal, handle| {
        let _once = signal.add(Listener::new(|_| {}).once()).unwrap();
        let _other = signal.subscribe(|_| {});
        for _ in 0..4 {
            handle.emit(&0);
        }
        let metrics = signal.metrics();
        assert_eq!(
            (metrics.delivered, metrics.failed, metrics.listeners),
            (5, 0, 1)
        );
    });
}

#[test]
fn arrays_that_a_walk_keeps_alive_show_and_go() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let gate = Gate::default();
        let _gate = signal.subscribe(gate.listener());
        let walk = held_walk(&signal, via, &gate, 0);
        let before = signal.metrics();
        let subscriptions: Vec<_> = (0..5).map(|_| signal.subscribe(|_| {})).collect();
        let during = signal.metrics();
        assert_eq!(during.retired_arrays - before.retired_arrays, 5);
        assert!(during.bytes > before.bytes);
        gate.open();
        walk.join().unwrap();
        assert_eq!(signal.quiesce(LONG), Ok(()));
        assert_eq!(signal.metrics().retired_arrays, 0);
        drop(subscriptions);
    });
}

#[test]
fn rates_come_from_two_snapshots() {
    let signal = SyncSignal::<u64>::builder().name("rates").build().unwrap();
    let _subscriptions = (
        signal.subscribe(|_| {}),
        signal.subscribe_fallible(|_| Err("no")),
    );
    let earlier = signal.metrics();
    for _ in 0..10 {
        signal.emit(&0);
    }
    let later = signal.metrics();
    assert_eq!(later.name.as_deref(), Some("rates"));
    let rates = later.since(&earlier);
    assert_eq!(rates.interval, later.at - earlier.at);
    assert!((rates.error_rate - 0.5).abs() < 1e-9);
    let events = rates.events_per_second * rates.interval.as_secs_f64();
    assert!((events - 10.0).abs() < 1e-6, "{rates:?}");
    let none = earlier.since(&earlier);
    assert_eq!((none.events_per_second, none.error_rate), (0.0, 0.0));
}

#[test]
fn metrics_may_be_read_while_others_emit() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let _subscription = signal.subscribe(|_| {});
        thread::scope(|scope| {
            let mut handle = via.handle(&signal);
            let emitting = scope.spawn(move || {
                for _ in 0..50_000 {
                    assert_eq!(handle.emit(&0), delivery(1, 0));
                }
            });
            let mut last = 0;
            while !emitting.is_finished() {
                let metrics = signal.metrics();
                assert!(last <= metrics.emitted && metrics.emitted <= 50_000);
                last = metrics.emitted;
            }
        });
        let metrics = signal.metrics();
        assert_eq!((metrics.emitted, metrics.delivered), (50_000, 50_000));
    });
}

#[test]
fn what_was_delivered_never_becomes_less() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let _even = signal.subscribe_fallible(|n| if n % 2 == 0 { Ok(()) } else { Err("odd") });
        thread::scope(|scope| {
            let mut handle = via.handle(&signal);
            let emitting = scope.spawn(move || {
                for n in 0..20_000 {
                    handle.emit(&n);
                }
            });
            let mut last = signal.metrics();
            while !emitting.is_finished() {
                let now = signal.metrics();
                assert!(last.delivered <= now.delivered && now.delivered <= now.emitted);
                assert!(now.delivered <= 10_000, "{now:?}");
                last = now;
            }
        });
        let metrics = signal.metrics();
        assert_eq!((metrics.emitted, metrics.delivered), (20_000, 10_000));
    });
}
