//! `emit`: every listener runs, whatever becomes of the others.

use crate::support::{Calls, Log, delivery, on_each, via_each};
use corecast::{FaultKind, Listener, SyncSignal};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[test]
fn with_no_listeners_nothing_is_delivered() {
    on_each::<u64>(|signal, handle| {
        assert_eq!(handle.emit(&0), delivery(0, 0));
        let subscription = signal.subscribe(|_| {});
        assert_eq!(handle.emit(&0), delivery(1, 0));
        drop(subscription);
        assert_eq!(handle.emit(&0), delivery(0, 0));
    });
}

#[test]
fn plain_and_fallible_listeners_all_run_and_errors_are_counted() {
    on_each::<u64>(|signal, handle| {
        let log = Log::default();
        let fallible = |n: u32| {
            let log = log.clone();
            move |_: &u64| {
                log.push(n);
                if n.is_multiple_of(2) {
                    Err("even")
                } else {
                    Ok(())
                }
            }
        };
        let _subscriptions = [
            signal.subscribe(log.entry(0)),
            signal.subscribe_fallible(fallible(1)),
            signal.subscribe_fallible(fallible(2)),
            signal.subscribe(log.entry(3)),
            signal.subscribe_fallible(fallible(4)),
            signal.subscribe(log.entry(5)),
        ];
        assert_eq!(handle.emit(&0), delivery(4, 2));
        assert_eq!(log.take(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(signal.faults().len(), 2);
    });
}

#[test]
fn a_panic_anywhere_in_the_walk_is_counted_and_the_walk_goes_on() {
    for panicking in [
        vec![0],
        vec![2],
        vec![4],
        vec![0, 1, 4],
        vec![0, 1, 2, 3, 4],
    ] {
        on_each::<u64>(|signal, handle| {
            let log = Log::default();
            let _subscriptions: Vec<_> = (0..5)
                .map(|n| {
                    let (log, panics) = (log.clone(), panicking.contains(&n));
                    signal.subscribe(move |_| {
                        log.push(n);
                        assert!(!panics, "listener {n} panics");
                    })
                })
                .collect();
            for _ in 0..3 {
                assert_eq!(
                    handle.emit(&0),
                    delivery(5 - panicking.len(), panicking.len())
                );
                assert_eq!(log.take(), [0, 1, 2, 3, 4]);
            }
            for n in &panicking {
                let fault = signal.faults().pop().expect("a fault");
                assert_eq!(fault.kind, FaultKind::Panic);
                assert_eq!(fault.message, format!("listener {n} panics"));
                assert_eq!(fault.count, 3);
            }
            assert!(signal.faults().is_empty());
        });
    }
}

#[test]
fn every_listener_sees_the_event_itself() {
    on_each::<u64>(|signal, handle| {
        let event = 7_u64;
        let address = &raw const event as usize;
        let calls = Calls::default();
        let _subscriptions: Vec<_> = (0..3)
            .map(|_| {
                let calls = calls.clone();
                signal.subscribe(move |seen: &u64| {
                    assert_eq!(&raw const *seen as usize, address);
                    calls.add();
                })
            })
            .collect();
        assert_eq!(handle.emit(&event), delivery(3, 0));
        assert_eq!(calls.get(), 3);
    });
}

#[test]
fn events_without_a_size_and_of_none_are_events() {
    on_each::<str>(|signal, handle| {
        let _subscription = signal.subscribe(|text| assert_eq!(text, "text"));
        assert_eq!(handle.emit("text"), delivery(1, 0));
    });
    on_each::<[u8]>(|signal, handle| {
        let _subscription = signal.subscribe(|bytes| assert_eq!(bytes, [1, 2, 3]));
        assert_eq!(handle.emit(&[1, 2, 3]), delivery(1, 0));
        let _empty = signal.subscribe(|bytes| assert!(bytes.is_empty()));
        assert_eq!(handle.emit(&[]), delivery(1, 1));
    });
    on_each::<dyn std::fmt::Display>(|signal, handle| {
        let _subscription = signal.subscribe(|shown| assert_eq!(shown.to_string(), "9"));
        assert_eq!(handle.emit(&9), delivery(1, 0));
    });
    on_each::<()>(|signal, handle| {
        let calls = Calls::default();
        let _subscription = signal.subscribe(calls.counter());
        assert_eq!(handle.emit(&()), delivery(1, 0));
        assert_eq!(calls.get(), 1);
    });
}

#[test]
fn the_zero_value_is_an_event_like_any_other() {
    on_each::<(u64, Option<Box<u8>>, String)>(|signal, handle| {
        let calls = Calls::default();
        let counted = calls.clone();
        let _subscription = signal.subscribe(move |event| {
            assert_eq!(*event, <(u64, Option<Box<u8>>, String)>::default());
            counted.add();
        });
        assert_eq!(handle.emit(&Default::default()), delivery(1, 0));
        assert_eq!(calls.get(), 1);
    });
}

#[test]
fn large_and_overaligned_events_are_events() {
    #[repr(align(4096))]
    struct Page([u8; 16 * 1024]);
    on_each::<Page>(|signal, handle| {
        let _subscription = signal.subscribe(|page| {
            assert_eq!(&raw const *page as usize % 4096, 0);
            assert_eq!(
                page.0.iter().map(|byte| u64::from(*byte)).sum::<u64>(),
                16 * 1024
            );
        });
        assert_eq!(handle.emit(&Page([1; 16 * 1024])), delivery(1, 0));
    });
}

#[test]
fn events_need_be_neither_send_nor_sync() {
    on_each::<Rc<RefCell<Vec<u32>>>>(|signal, handle| {
        let _subscriptions = [
            signal.subscribe(|shared| shared.borrow_mut().push(1)),
            signal.subscribe(|shared| shared.borrow_mut().push(2)),
        ];
        let event = Rc::new(RefCell::new(Vec::new()));
        assert_eq!(handle.emit(&event), delivery(2, 0));
        assert_eq!(*event.borrow(), [1, 2]);
    });
}

#[test]
fn a_listener_may_change_what_the_event_lends_it() {
    on_each::<Cell<u64>>(|signal, handle| {
        let _subscriptions: Vec<_> = (0..4)
            .map(|_| signal.subscribe(|cell| cell.set(cell.get() * 2)))
            .collect();
        let event = Cell::new(1);
        handle.emit(&event);
        assert_eq!(event.get(), 16);
    });
}

#[test]
fn each_emission_of_each_thread_reaches_each_listener_once() {
    via_each(|via| {
        let signal = SyncSignal::<u64>::new();
        let calls: Vec<_> = (0..3).map(|_| Calls::default()).collect();
        let _subscriptions: Vec<_> = calls
            .iter()
            .map(|calls| signal.subscribe(calls.counter()))
            .collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut handle = via.handle(&signal);
                scope.spawn(move || {
                    for n in 0..5_000 {
                        assert_eq!(handle.emit(&n), delivery(3, 0));
                    }
                });
            }
        });
        assert!(calls.iter().all(|calls| calls.get() == 20_000));
    });
}

#[test]
fn both_handles_reach_the_same_listeners() {
    let signal = SyncSignal::<u64>::new();
    let clone = signal.clone();
    let mut emitters = [signal.emitter(), clone.emitter()];
    let calls = Calls::default();
    let subscription = clone.add(Listener::new(calls.counter()).key("k")).unwrap();
    assert!(signal.contains_key("k"));
    signal.emit(&0);
    clone.emit(&0);
    emitters.iter_mut().for_each(|emitter| {
        emitter.emit(&0);
    });
    assert_eq!(calls.get(), 4);
    assert!(signal.unsubscribe("k") && !subscription.is_active());
    assert_eq!(emitters[0].emit(&0), delivery(0, 0));
}

#[test]
fn an_emitter_may_move_to_another_thread_between_emissions() {
    let signal = SyncSignal::<u64>::new();
    let calls = Calls::default();
    let _subscription = signal.subscribe(calls.counter());
    let mut emitter = signal.emitter();
    for n in 0..8 {
        emitter = std::thread::spawn(move || {
            emitter.emit(&n);
            emitter
        })
        .join()
        .unwrap();
    }
    assert_eq!(calls.get(), 8);
}
