//! `try_emit`: stops at the first error, panic, cancellation or passed deadline.

use crate::support::{Calls, Log, delivery, five, on_each, via_each};
use corecast::{Context, EmitError, Listener, SyncSignal};
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[derive(Debug, PartialEq, Eq)]
struct Refusal(u32);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "refused with {}", self.0)
    }
}

impl std::error::Error for Refusal {}

#[test]
fn of_plain_error_plain_two_run_and_the_second_s_own_error_comes_back() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let refusing = log.clone();
        let _first = signal.subscribe(log.entry(1));
        let second = signal
            .add(
                Listener::fallible(move |_: &u64| {
                    refusing.push(2);
                    Err(Refusal(42))
                })
                .name("gate"),
            )
            .unwrap();
        let _third = signal.subscribe(log.entry(3));
        let error = handle.try_emit(&0, &Context::none()).unwrap_err();
        assert_eq!(log.take(), [1, 2]);
        assert_eq!(error.delivered(), 1);
        let text = error.to_string();
        assert!(
            text.contains("gate") && text.contains("refused with 42"),
            "{text}"
        );
        let EmitError::Listener {
            id,
            name,
            index,
            delivered,
            source,
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((id, name.as_deref()), (second.id(), Some("gate")));
        assert_eq!((index, delivered), (1, 1));
        assert_eq!(*source.downcast::<Refusal>().unwrap(), Refusal(42));
        // `emit` runs all three.
        assert_eq!(handle.emit(&0), delivery(2, 1));
        assert_eq!(log.take(), [1, 2, 3]);
    });
}

#[test]
fn the_source_of_an_error_is_the_listener_s_own() {
    let signal = SyncSignal::<u64>::new();
    let _subscription = signal.subscribe_fallible(|_| Err(Refusal(1)));
    let error = signal.try_emit(&0, &Context::none()).unwrap_err();
    let source = std::error::Error::source(&error).expect("a source");
    assert_eq!(source.downcast_ref::<Refusal>(), Some(&Refusal(1)));
}

#[test]
fn a_panic_stops_the_walk_and_says_where() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let subscriptions = five(signal, &log, 2, || panic!("at two"));
        let error = handle.try_emit(&0, &Context::none()).unwrap_err();
        assert_eq!(log.take(), [0, 1, 2]);
        assert_eq!(error.delivered(), 2);
        assert!(error.to_string().contains("at two"), "{error}");
        let EmitError::Panicked {
            id,
            name,
            index,
            delivered,
            message,
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((id, name), (subscriptions[2].id(), None));
        assert_eq!((index, delivered, message.as_str()), (2, 2, "at two"));
        // The error has told of it; there is no fault as well.
        assert!(signal.faults().is_empty());
        let error = handle.try_emit(&0, &Context::none()).unwrap_err();
        assert_eq!((error.delivered(), log.take()), (2, vec![0, 1, 2]));
    });
}

#[test]
fn what_listeners_did_before_is_not_undone() {
    on_each::<Mutex<Vec<u32>>>(|signal, handle| {
        let _subscriptions = [
            signal.subscribe(|book| book.lock().unwrap().push(1)),
            signal.subscribe_fallible(|_| Err("no")),
        ];
        let event = Mutex::new(Vec::new());
        handle.try_emit(&event, &Context::none()).unwrap_err();
        assert_eq!(*event.lock().unwrap(), [1]);
    });
}

#[test]
fn the_index_is_the_position_in_the_snapshot_and_delivered_leaves_out_the_skipped() {
    on_each::<u64>(|signal, handle| {
        let _once = signal
            .add(Listener::new(|_| {}).once().priority(2))
            .unwrap();
        let _first = signal.add(Listener::new(|_| {}).priority(1)).unwrap();
        assert_eq!(handle.emit(&0), delivery(2, 0));
        let _failing = {
            // A spent listener that is still in the array is skipped and not counted.
            let key = signal
                .add(Listener::new(|_| {}).once().priority(3))
                .unwrap();
            handle.emit(&0);
            (signal.subscribe_fallible(|_| Err("no")), key)
        };
        let _spent = signal
            .add(Listener::new(|_| {}).once().priority(5))
            .unwrap();
        let error = handle.try_emit(&0, &Context::none()).unwrap_err();
        assert_eq!(error.delivered(), 2);
        let error = handle.try_emit(&0, &Context::none()).unwrap_err();
        assert!(
            matches!(
                error,
                EmitError::Listener {
                    index: 2,
                    delivered: 1,
                    ..
                }
            ),
            "{error:?}"
        );
    });
}

#[test]
fn a_walk_without_trouble_delivers_to_all() {
    on_each::<u64>(|signal, handle| {
        let _plain = signal.subscribe(|_| {});
        let _fallible = signal.subscribe_fallible(|_| Ok::<_, String>(()));
        for context in [
            Context::none(),
            Context::with_timeout(Duration::MAX),
            Context::with_timeout(Duration::from_secs(3600)),
            Context::with_deadline(Instant::now() + Duration::from_secs(3600)),
        ] {
            assert_eq!(handle.try_emit(&0, &context).unwrap(), delivery(2, 0));
        }
    });
}

#[test]
fn under_concurrent_subscribers_and_removers_it_stops_at_the_refusing_listener() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let late = Calls::default();
        let _first = signal.add(Listener::new(|_| {}).priority(9)).unwrap();
        let _refusing = signal.subscribe_fallible(|_| Err(Refusal(7)));
        let _never = signal
            .add(Listener::new(late.counter()).priority(-9))
            .unwrap();
        std::thread::scope(|scope| {
            let mut handle = via.handle(&signal);
            let emitting = scope.spawn(move || {
                for _ in 0..5_000 {
                    let error = handle.try_emit(&0, &Context::none()).unwrap_err();
                    let EmitError::Listener {
                        index,
                        delivered,
                        source,
                        ..
                    } = error
                    else {
                        panic!("{error:?}");
                    };
                    assert!(source.is::<Refusal>());
                    assert!(
                        delivered >= 1 && delivered <= index,
                        "{delivered} of {index}"
                    );
                }
            });
            while !emitting.is_finished() {
                let high = signal.add(Listener::new(|_| {}).priority(5)).unwrap();
                let low = signal
                    .add(Listener::new(late.counter()).priority(-5))
                    .unwrap();
                drop((high, low));
            }
            emitting.join().unwrap();
        });
        assert_eq!(late.get(), 0);
    });
}
