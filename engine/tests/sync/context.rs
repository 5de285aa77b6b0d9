//! What listeners see of an emission's context.

use crate::support::{Calls, delivery, on_each};
use corecast::{Context, Delivery, EmitError, Listener, SyncSignal};
use std::time::{Duration, Instant};

#[test]
fn a_listener_sees_the_context_of_its_emission() {
    on_each::<u64>(|signal, handle| {
        let deadline = Instant::now() + Duration::from_secs(1000);
        let calls = Calls::default();
        let seen = calls.clone();
        let _subscription = signal
            .add(Listener::with_context(move |_: &u64, context: &Context| {
                assert_eq!(context.deadline(), Some(deadline));
                assert!(!context.is_cancelled());
                seen.add();
                Ok::<_, String>(())
            }))
            .unwrap();
        let context = Context::with_deadline(deadline);
        assert_eq!(handle.try_emit(&0, &context).unwrap(), delivery(1, 0));
        assert_eq!(calls.get(), 1);
    });
}

#[test]
fn a_listener_may_cancel_its_own_walk() {
    on_each::<u64>(|signal, handle| {
        let _canceller = signal
            .add(Listener::with_context(|_: &u64, context: &Context| {
                context.cancel_token().cancel();
                assert!(context.is_cancelled());
                Ok::<_, String>(())
            }))
            .unwrap();
        let later = Calls::default();
        let _later = signal.subscribe(later.counter());
        let context = Context::none();
        let error = handle.try_emit(&0, &context).unwrap_err();
        assert!(
            matches!(error, EmitError::Cancelled { delivered: 1 }),
            "{error:?}"
        );
        assert!(context.is_cancelled());
        assert_eq!(later.get(), 0);
    });
}

#[test]
fn the_context_of_a_plain_emit_has_no_deadline_and_cannot_be_cancelled() {
    on_each::<u64>(|signal, handle| {
        let _canceller = signal
            .add(Listener::with_context(|_: &u64, context: &Context| {
                assert_eq!(context.deadline(), None);
                context.cancel_token().cancel();
                assert!(!context.is_cancelled());
                Ok::<_, String>(())
            }))
            .unwrap();
        let _later = signal.subscribe(|_| {});
        for _ in 0..2 {
            assert_eq!(handle.emit(&0), delivery(2, 0));
        }
    });
}

#[test]
fn a_listener_can_hand_its_context_on_to_a_nested_walk() {
    on_each::<u64>(|signal, handle| {
        let inner = SyncSignal::<u64>::new();
        let reached = Calls::default();
        let _stop = inner.add(Listener::with_context(|_: &u64, context: &Context| {
            context.cancel_token().cancel();
            Ok::<_, String>(())
        }));
        let _never = inner.subscribe(reached.counter());
        let passing_on = inner.clone();
        let _outer = signal
            .add(Listener::with_context(move |n: &u64, context: &Context| {
                passing_on.try_emit(n, context).map(|Delivery { .. }| ())
            }))
            .unwrap();
        let error = handle.try_emit(&0, &Context::none()).unwrap_err();
        let EmitError::Listener { source, .. } = error else {
            panic!("{error:?}");
        };
        let nested = source
            .downcast::<EmitError>()
            .expect("the nested walk's error");
        assert!(
            matches!(*nested, EmitError::Cancelled { delivered: 1 }),
            "{nested:?}"
        );
        assert_eq!(reached.get(), 0);
    });
}

#[test]
fn an_error_of_a_listener_that_sees_the_context_is_its_own() {
    on_each::<u64>(|signal, handle| {
        let _subscription = signal
            .add(Listener::with_context(|n: &u64, _: &Context| {
                u8::try_from(*n).map(|_| ())
            }))
            .unwrap();
        assert_eq!(
            handle.try_emit(&255, &Context::none()).unwrap(),
            delivery(1, 0)
        );
        let error = handle.try_emit(&256, &Context::none()).unwrap_err();
        assert!(error.to_string().contains("out of range"), "{error}");
        assert_eq!(handle.emit(&256), delivery(0, 1));
    });
}

#[test]
fn every_token_of_a_context_cancels_it() {
    let context = Context::none();
    let tokens = [context.cancel_token(), context.cancel_token().clone()];
    assert!(!context.is_cancelled() && tokens.iter().all(|token| !token.is_cancelled()));
    std::thread::scope(|scope| {
        scope.spawn(|| tokens[1].cancel());
    });
    assert!(context.is_cancelled() && tokens.iter().all(corecast::CancelToken::is_cancelled));
}

#[test]
fn a_timeout_beyond_the_clock_is_no_deadline() {
    assert_eq!(Context::with_timeout(Duration::MAX).deadline(), None);
    assert_eq!(Context::none().deadline(), None);
    assert!(
        Context::with_timeout(Duration::from_secs(1))
            .deadline()
            .is_some()
    );
}
