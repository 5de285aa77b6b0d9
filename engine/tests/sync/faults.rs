//! What a fault of a synchronous signal says.

use crate::support::{delivery, on_each, via_each};
use corecast::{Fault, FaultKind, Listener, SyncSignal};
use std::fmt;
use std::panic::panic_any;
use std::thread;

fn all(signal: &SyncSignal<u64>) -> Vec<Fault> {
    std::iter::from_fn(|| signal.faults().pop()).collect()
}

#[test]
fn it_names_signal_listener_place_thread_time_and_event() {
    via_each(|via| {
        let before = std::time::SystemTime::now();
        let signal = SyncSignal::<u64>::builder().name("prices").build().unwrap();
        let listener = Listener::new(|_: &u64| panic!("too much"))
            .name("risk")
            .describe(|n| format!("price {n}"));
        let line = line!() + 1;
        let subscription = signal.add(listener).unwrap();
        let mut handle = via.handle(&signal);
        let named = thread::Builder::new().name("feed".to_owned());
        named
            .spawn(move || assert_eq!(handle.emit(&17), delivery(0, 1)))
            .unwrap()
            .join()
            .unwrap();
        let fault = signal.faults().pop().expect("a fault");
        assert_eq!(fault.kind, FaultKind::Panic);
        assert_eq!(fault.signal.as_deref(), Some("prices"));
        assert_eq!(fault.listener, Some(subscription.id()));
        assert_eq!(fault.listener_name.as_deref(), Some("risk"));
        let place = fault.place.expect("a place");
        assert!(
            place.file().ends_with("faults.rs") && place.line() == line,
            "{place}"
        );
        assert_eq!((fault.worker, fault.sequence), (None, None));
        assert_eq!(fault.thread, "feed");
        assert_eq!(fault.event.as_deref(), Some("price 17"));
        assert_eq!(fault.message, "too much");
        assert!(before <= fault.first && fault.first <= fault.last && fault.count == 1);
        let text = fault.to_string();
        for part in [
            "panic",
            "prices",
            "risk",
            "faults.rs",
            "too much",
            "price 17",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(fault.payload.as_ref().expect("a payload").is::<&str>());
    });
}

#[test]
fn the_place_is_where_each_way_of_subscribing_was_called() {
    let signal = SyncSignal::<u64>::new();
    let bad = |_: &u64| panic!("bad");
    let err = |_: &u64| Err("bad");
    let line = line!();
    let _subscriptions = (
        signal.subscribe(bad),
        signal.subscribe_fallible(err),
        signal.add(Listener::new(bad)).unwrap(),
        signal.add_many([Listener::fallible(err)]).unwrap(),
    );
    signal.emit(&0);
    let lines: Vec<_> = all(&signal)
        .iter()
        .map(|fault| fault.place.expect("a place").line() - line)
        .collect();
    assert_eq!(lines, [2, 3, 4, 5]);
}

#[test]
fn an_error_is_kept_as_it_is() {
    on_each::<u64>(|signal, handle| {
        let _subscription = signal.subscribe_fallible(|n| u8::try_from(*n).map(|_| ()));
        assert_eq!(handle.emit(&300), delivery(0, 1));
        let fault = signal.faults().pop().expect("a fault");
        assert_eq!(fault.kind, FaultKind::Error);
        let error = fault.error.as_ref().expect("the error");
        assert!(error.is::<std::num::TryFromIntError>());
        assert_eq!(fault.message, error.to_string());
        assert!(fault.payload.is_none());
    });
}

#[test]
fn a_payload_of_any_type_is_kept() {
    #[derive(Debug, PartialEq)]
    struct Odd(u64);
    on_each::<u64>(|signal, handle| {
        let _subscription = signal.subscribe(|n| panic_any(Odd(*n)));
        assert_eq!(handle.emit(&3), delivery(0, 1));
        let mut fault = signal.faults().pop().expect("a fault");
        let payload = fault.payload.take().expect("a payload");
        assert_eq!(*payload.downcast::<Odd>().unwrap(), Odd(3));
        assert!(fault.message.contains("without a text"), "{fault}");
    });
}

#[test]
fn describe_is_called_on_a_fault_only() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static DESCRIBED: AtomicUsize = AtomicUsize::new(0);
    let signal = SyncSignal::<u64>::new();
    let listener = Listener::new(|n: &u64| assert!(n.is_multiple_of(2))).describe(|n| {
        DESCRIBED.fetch_add(1, Ordering::SeqCst);
        n.to_string()
    });
    let _subscription = signal.add(listener).unwrap();
    for n in 0..10 {
        signal.emit(&n);
    }
    assert_eq!(DESCRIBED.load(Ordering::SeqCst), 5);
}

#[test]
fn what_panics_while_a_fault_is_rendered_adds_no_other() {
    struct Rude;
    impl fmt::Debug for Rude {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            f_panics()
        }
    }
    impl fmt::Display for Rude {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            f_panics()
        }
    }
    impl std::error::Error for Rude {}
    fn f_panics() -> fmt::Result {
        panic!("while rendering")
    }
    on_each::<u64>(|signal, handle| {
        let listener = Listener::fallible(|_: &u64| Err(Rude)).describe(|_| panic!("describing"));
        let _rude = signal.add(listener).unwrap();
        let _after = signal.subscribe(|_| {});
        assert_eq!(handle.emit(&0), delivery(1, 1));
        let faults = all(signal);
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].message.contains("while rendering"),
            "{}",
            faults[0]
        );
        assert!(
            faults[0]
                .event
                .as_deref()
                .is_some_and(|text| text.contains("describing"))
        );
    });
}

#[test]
fn payloads_and_errors_that_panic_when_dropped_are_survived() {
    #[derive(Debug)]
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in its drop");
        }
    }
    impl fmt::Display for Bomb {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a bomb")
        }
    }
    impl std::error::Error for Bomb {}
    on_each::<u64>(|signal, handle| {
        let _panics = signal.subscribe(|_| panic_any(Bomb));
        let _errs = signal.subscribe_fallible(|_| Err(Bomb));
        let _after = signal.subscribe(|_| {});
        // The second of each is folded into the first, and dropped.
        for _ in 0..3 {
            assert_eq!(handle.emit(&0), delivery(1, 2));
        }
        let faults = all(signal);
        assert_eq!(
            faults.iter().map(|fault| fault.count).collect::<Vec<_>>(),
            [3, 3]
        );
        drop(faults);
        let error = handle.try_emit(&0, &corecast::Context::none()).unwrap_err();
        assert!(
            matches!(error, corecast::EmitError::Panicked { .. }),
            "{error:?}"
        );
    });
}

#[test]
fn repetitions_of_a_waiting_fault_are_folded_into_it() {
    on_each::<u64>(|signal, handle| {
        let _a = signal.subscribe_fallible(|_| Err("a"));
        let _b = signal.subscribe_fallible(|n| Err(format!("b{}", n % 2)));
        for n in 0..10 {
            handle.emit(&n);
        }
        let counts: Vec<_> = all(signal)
            .into_iter()
            .map(|fault| (fault.message.clone(), fault.count))
            .collect();
        let expected = [("a", 10), ("b0", 5), ("b1", 5)].map(|(text, n)| (text.to_owned(), n));
        assert_eq!(counts, expected);
        handle.emit(&0);
        assert_eq!(signal.faults().len(), 2, "read ones are not added to");
    });
}

#[test]
fn what_does_not_fit_in_the_queue_is_counted_and_nothing_waits() {
    on_each::<u64>(|signal, handle| {
        let _subscription = signal.subscribe_fallible(|n| Err(format!("number {n}")));
        for n in 0..1000 {
            assert_eq!(handle.emit(&n), delivery(0, 1));
        }
        let waiting = signal.faults().len() as u64;
        assert_eq!(waiting + signal.faults().lost(), 1000);
        assert!(waiting >= 64, "{waiting}");
        let first = signal.faults().pop().expect("the oldest");
        assert_eq!(first.message, "number 0");
        assert_eq!(signal.metrics().failed, 1000);
    });
}

#[test]
fn faults_of_many_threads_are_all_counted() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let _subscription = signal.subscribe_fallible(|n| Err(format!("kind {n}")));
        thread::scope(|scope| {
            for n in 0..4 {
                let mut handle = via.handle(&signal);
                scope.spawn(move || {
                    for _ in 0..500 {
                        assert_eq!(handle.emit(&n), delivery(0, 1));
                    }
                });
            }
        });
        let count: u64 = all(&signal).iter().map(|fault| fault.count).sum();
        assert_eq!(count + signal.faults().lost(), 2000);
        assert_eq!(signal.metrics().failed, 2000);
    });
}
