//! A walk takes its own way through one listener, through a few and through many, and another one
//! still the first time on a thread: they come to the same, whatever happens at whichever listener.

use crate::support::{Handle, Log, delivery, on_each};
use corecast::{Context, EmitError, Listener, Subscription, SyncSignal};
use std::time::Duration;

/// On each side of where the ways part.
const SIZES: [u32; 6] = [1, 2, 3, 16, 17, 40];

/// What a listener does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Nothing,
    Error,
    Panic,
    Cancel,
}

/// Listeners that log their places, one of which gets into trouble.
struct Troubled {
    log: Log,
    subscriptions: Vec<Subscription>,
}

impl Troubled {
    fn new(signal: &SyncSignal<u64>, size: u32, place: u32, trouble: Trouble) -> Self {
        let log = Log::default();
        let listener = |number| {
            let log = log.clone();
            let call = move |_: &u64, context: &Context| {
                log.push(number);
                match trouble {
                    Trouble::Error if number == place => return Err("refused"),
                    Trouble::Panic if number == place => panic!("at {number}"),
                    Trouble::Cancel if number == place => context.cancel_token().cancel(),
                    _ => {}
                }
                Ok(())
            };
            signal.add(Listener::with_context(call)).unwrap()
        };
        Self {
            subscriptions: (0..size).map(listener).collect(),
            log,
        }
    }
}

/// Runs `test` for each size, with trouble at its first, its middle and its last place; from both
/// handles, which have not been used before.
fn each_place(trouble: Trouble, test: impl Fn(&SyncSignal<u64>, &mut dyn Handle<u64>, u32, u32)) {
    for size in SIZES {
        let mut places = vec![0, size / 2, size - 1];
        places.dedup();
        for place in places {
            eprintln!("{size} listeners, {trouble:?} at {place}");
            on_each(|signal, handle| test(signal, handle, size, place));
        }
    }
}

#[test]
fn an_emission_calls_all_and_counts_the_one_in_trouble() {
    for (trouble, failed) in [
        (Trouble::Nothing, 0),
        (Trouble::Error, 1),
        (Trouble::Panic, 1),
        (Trouble::Cancel, 0),
    ] {
        each_place(trouble, |signal, handle, size, place| {
            let listeners = Troubled::new(signal, size, place, trouble);
            let all: Vec<_> = (0..size).collect();
            // The first goes the general way.
            for _ in 0..3 {
                let delivered = size as usize - failed;
                assert_eq!(handle.emit(&7), delivery(delivered, failed));
                assert_eq!(listeners.log.take(), all);
            }
            let (metrics, failed) = (signal.metrics(), failed as u64);
            assert_eq!(metrics.emitted, 3);
            assert_eq!(metrics.delivered, 3 * (u64::from(size) - failed));
            assert_eq!(metrics.failed, 3 * failed);
            let faults = std::iter::from_fn(|| signal.faults().pop());
            assert_eq!(faults.map(|fault| fault.count).sum::<u64>(), 3 * failed);
        });
    }
}

#[test]
fn a_walk_that_may_fail_stops_behind_the_one_in_trouble() {
    let hour = || Context::with_timeout(Duration::from_secs(3600));
    for context in [Context::none as fn() -> Context, hour] {
        for trouble in [
            Trouble::Nothing,
            Trouble::Error,
            Trouble::Panic,
            Trouble::Cancel,
        ] {
            each_place(trouble, |signal, handle, size, place| {
                let listeners = Troubled::new(signal, size, place, trouble);
                let id = listeners.subscriptions[place as usize].id();
                let reached = match trouble {
                    Trouble::Nothing => size,
                    _ => place + 1,
                };
                for _ in 0..3 {
                    let context = context();
                    let done = handle.try_emit(&7, &context);
                    assert_eq!(listeners.log.take(), (0..reached).collect::<Vec<_>>());
                    let (of, index, delivered, said) = match (trouble, done) {
                        (Trouble::Nothing, Ok(done)) => {
                            assert_eq!(done, delivery(size as usize, 0));
                            continue;
                        }
                        (Trouble::Cancel, Err(EmitError::Cancelled { delivered })) => {
                            assert_eq!(delivered, reached as usize);
                            // The same context once more: nobody is called.
                            let again = handle.try_emit(&7, &context);
                            assert!(
                                matches!(again, Err(EmitError::Cancelled { delivered: 0 })),
                                "{again:?}"
                            );
                            assert!(listeners.log.take().is_empty());
                            continue;
                        }
                        (
                            Trouble::Error,
                            Err(EmitError::Listener {
                                id,
                                index,
                                delivered,
                                source,
                                ..
                            }),
                        ) => (id, index, delivered, source.to_string()),
                        (
                            Trouble::Panic,
                            Err(EmitError::Panicked {
                                id,
                                index,
                                delivered,
                                message,
                                ..
                            }),
                        ) => (id, index, delivered, message),
                        (_, done) => panic!("{done:?}"),
                    };
                    let place = place as usize;
                    assert_eq!((of, index, delivered), (id, place, place));
                    assert!(said == "refused" || said == format!("at {place}"), "{said}");
                }
            });
        }
    }
}

#[test]
fn listeners_that_leave_during_a_walk_are_let_go_of_after_it() {
    on_each::<u64>(|signal, handle| {
        for size in SIZES {
            eprintln!("{size} listeners");
            let log = Log::default();
            handle.emit(&0);
            for key in 0..size {
                let (log, of) = (log.clone(), signal.clone());
                let leave = move |_: &u64| {
                    log.push(key);
                    assert!(of.unsubscribe(&key.to_string()));
                };
                let leaving = Listener::new(leave).key(key.to_string());
                signal.add(leaving).unwrap().detach();
            }
            assert_eq!(handle.emit(&0), delivery(size as usize, 0));
            assert_eq!(handle.emit(&0), delivery(0, 0));
            assert_eq!(log.take(), (0..size).collect::<Vec<_>>());
            signal.quiesce(Duration::from_secs(60)).unwrap();
            assert_eq!(signal.metrics().retired_arrays, 0);
        }
    });
}
