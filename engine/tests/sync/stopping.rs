//! What stops a `try_emit` between two listeners: cancellation, and a deadline.

use crate::support::{Calls, Gate, Log, delivery, five, on_each, via_each};
use corecast::{Context, EmitError, Listener, SyncSignal};
use std::time::{Duration, Instant};

#[test]
fn cancelled_before_it_calls_nobody() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let _subscriptions = five(signal, &log, 9, || {});
        let context = Context::none();
        context.cancel_token().cancel();
        let error = handle.try_emit(&0, &context).unwrap_err();
        assert!(
            matches!(error, EmitError::Cancelled { delivered: 0 }),
            "{error:?}"
        );
        assert_eq!(log.take(), Vec::<u32>::new());
        // Another context is another matter.
        assert_eq!(
            handle.try_emit(&0, &Context::none()).unwrap(),
            delivery(5, 0)
        );
    });
}

#[test]
fn cancelled_by_the_first_the_middle_or_the_last_listener_it_stops_after_that_one() {
    for canceller in [0, 2, 4] {
        on_each::<u64>(|signal, handle| {
            let log = Log::default();
            let context = Context::none();
            let token = context.cancel_token();
            let _subscriptions = five(signal, &log, canceller, move || token.cancel());
            let error = handle.try_emit(&0, &context).unwrap_err();
            let ran = canceller as usize + 1;
            assert!(
                matches!(error, EmitError::Cancelled { delivered } if delivered == ran),
                "{error:?}"
            );
            assert_eq!(log.take(), (0..=canceller).collect::<Vec<_>>());
        });
    }
}

#[test]
fn cancelled_after_it_changes_nothing_until_the_next_time() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let _subscriptions = five(signal, &log, 9, || {});
        let context = Context::none();
        assert_eq!(handle.try_emit(&0, &context).unwrap(), delivery(5, 0));
        context.cancel_token().cancel();
        handle.try_emit(&0, &context).unwrap_err();
        assert_eq!(log.take().len(), 5);
    });
}

#[test]
fn a_deadline_that_passed_before_calls_nobody() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let _subscriptions = five(signal, &log, 9, || {});
        for context in [
            Context::with_deadline(Instant::now()),
            Context::with_timeout(Duration::ZERO),
        ] {
            let error = handle.try_emit(&0, &context).unwrap_err();
            assert!(
                matches!(error, EmitError::DeadlineExceeded { delivered: 0 }),
                "{error:?}"
            );
        }
        assert_eq!(log.take(), Vec::<u32>::new());
    });
}

#[test]
fn a_deadline_that_passes_inside_a_listener_stops_the_walk_after_it() {
    for slow in [0, 2, 4] {
        on_each::<u64>(|signal, handle| {
            let log = Log::default();
            // Listeners before the slow one may be overtaken by the deadline on a busy machine, so
            // it passes only when the slow one lets it: it sets the deadline's time itself.
            let deadline = Instant::now() + Duration::from_millis(200);
            let _subscriptions = five(signal, &log, slow, move || {
                while Instant::now() < deadline {
                    std::thread::yield_now();
                }
            });
            let error = handle
                .try_emit(&0, &Context::with_deadline(deadline))
                .unwrap_err();
            let ran = log.take();
            // Whoever ran, ran in order, and nobody after the slow one.
            assert_eq!(ran, (0..=slow).collect::<Vec<_>>()[..ran.len()]);
            assert!(
                matches!(error, EmitError::DeadlineExceeded { delivered } if delivered == ran.len()),
                "{error:?}"
            );
        });
    }
}

#[test]
fn cancellation_is_told_before_a_passed_deadline() {
    on_each::<u64>(|signal, handle| {
        let _subscription = signal.subscribe(|_| {});
        let context = Context::with_timeout(Duration::ZERO);
        context.cancel_token().cancel();
        let error = handle.try_emit(&0, &context).unwrap_err();
        assert!(matches!(error, EmitError::Cancelled { .. }), "{error:?}");
    });
}

#[test]
fn an_error_is_told_before_the_cancellation_that_came_with_it() {
    on_each::<u64>(|signal, handle| {
        let context = Context::none();
        let token = context.cancel_token();
        let _subscription = signal.subscribe_fallible(move |_| {
            token.cancel();
            Err("as well")
        });
        let error = handle.try_emit(&0, &context).unwrap_err();
        assert!(
            matches!(error, EmitError::Listener { index: 0, .. }),
            "{error:?}"
        );
    });
}

#[test]
fn with_no_listeners_it_is_ok_without_a_check() {
    on_each::<u64>(|signal, handle| {
        let context = Context::with_timeout(Duration::ZERO);
        context.cancel_token().cancel();
        assert_eq!(handle.try_emit(&0, &context).unwrap(), delivery(0, 0));
        let subscription = signal.subscribe(|_| {});
        handle.try_emit(&0, &context).unwrap_err();
        drop(subscription);
        assert_eq!(handle.try_emit(&0, &context).unwrap(), delivery(0, 0));
    });
}

#[test]
fn with_only_spent_listeners_it_is_ok_without_a_check() {
    on_each::<u64>(|signal, handle| {
        let _once = signal.add(Listener::new(|_| {}).once()).unwrap();
        assert_eq!(handle.emit(&0), delivery(1, 0));
        assert!(signal.is_empty());
        let context = Context::with_timeout(Duration::ZERO);
        context.cancel_token().cancel();
        assert_eq!(handle.try_emit(&0, &context).unwrap(), delivery(0, 0));
    });
}

#[test]
fn another_thread_can_cancel_a_walk_under_way() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let mut handle = via.handle(&signal);
        let gate = Gate::default();
        let calls = Calls::default();
        let _subscriptions = [
            signal.subscribe(gate.listener()),
            signal.subscribe(calls.counter()),
        ];
        let context = Context::none();
        let token = context.cancel_token();
        let walk = std::thread::spawn(move || handle.try_emit(&0, &context));
        gate.wait_for(1);
        token.cancel();
        gate.open();
        let error = walk.join().unwrap().unwrap_err();
        assert!(
            matches!(error, EmitError::Cancelled { delivered: 1 }),
            "{error:?}"
        );
        assert_eq!(calls.get(), 0);
    });
}
