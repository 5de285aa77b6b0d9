//! A walk takes its own way through one listener, through a few and through many, and another one
//! still the first time on a thread: they come to the same, whatever happens at whichever listener.

use crate::support::{Handle, Log, delivery, on_each};
use corecast::{Context, EmitError, Listener, Subscription, SyncSignal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// On each side of where the ways part.
const SIZES: [u32; 6] = [1, 2, 3, 16, 17, 40];

/// What the listener at the troubled place does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Nothing,
    Error,
    Panic,
    Cancel,
}

/// Listeners that log their places, and one of which can be told to get into trouble.
struct Troubled {
    log: Log,
    trouble: Arc<AtomicU8>,
    subscriptions: Vec<Subscription>,
}

impl Troubled {
    fn at(place: u32, size: u32, signal: &SyncSignal<u64>) -> Self {
        let log = Log::default();
        let trouble = Arc::new(AtomicU8::new(Trouble::Nothing as u8));
        let listener = |number| {
            let (log, trouble) = (log.clone(), Arc::clone(&trouble));
            let call = move |_: &u64, context: &Context| {
                log.push(number);
                match trouble.load(Ordering::Relaxed) {
                    _ if number != place => return Ok(()),
                    of if of == Trouble::Error as u8 => return Err("refused"),
                    of if of == Trouble::Panic as u8 => panic!("at {number}"),
                    of if of == Trouble::Cancel as u8 => context.cancel_token().cancel(),
                    _ => {}
                }
                Ok(())
            };
            signal.add(Listener::with_context(call)).unwrap()
        };
        Self {
            subscriptions: (0..size).map(listener).collect(),
            log,
            trouble,
        }
    }

    fn set(&self, trouble: Trouble) {
        self.trouble.store(trouble as u8, Ordering::Relaxed);
    }

    fn called(&self) -> Vec<u32> {
        self.log.take()
    }
}

/// The sizes, each with its first, middle and last place.
fn each_place(test: impl Fn(&SyncSignal<u64>, &mut dyn Handle<u64>, u32, u32)) {
    on_each::<u64>(|signal, handle| {
        for size in SIZES {
            let mut places = vec![0, size / 2, size - 1];
            places.dedup();
            for place in places {
                eprintln!("{size} listeners, trouble at {place}");
                test(signal, handle, size, place);
                assert!(signal.is_empty());
            }
        }
    });
}

#[test]
fn an_emission_calls_all_and_counts_the_one_in_trouble() {
    each_place(|signal, handle, size, place| {
        let listeners = Troubled::at(place, size, signal);
        let all: Vec<_> = (0..size).collect();
        for (trouble, failed) in [
            (Trouble::Nothing, 0),
            (Trouble::Error, 1),
            (Trouble::Cancel, 0),
            (Trouble::Panic, 1),
            (Trouble::Nothing, 0),
        ] {
            listeners.set(trouble);
            let before = signal.metrics();
            // Twice: the first may go the general way.
            for _ in 0..2 {
                let done = handle.emit(&7);
                assert_eq!(
                    done,
                    delivery(size as usize - failed, failed),
                    "{trouble:?}"
                );
                assert_eq!(listeners.called(), all, "{trouble:?}");
            }
            let after = signal.metrics();
            let (delivered, failed) = (2 * (u64::from(size) - failed as u64), 2 * failed as u64);
            assert_eq!(after.emitted - before.emitted, 2, "{trouble:?}");
            assert_eq!(after.delivered - before.delivered, delivered, "{trouble:?}");
            assert_eq!(after.failed - before.failed, failed, "{trouble:?}");
            let faults: u64 = std::iter::from_fn(|| signal.faults().pop())
                .map(|fault| fault.count)
                .sum();
            assert_eq!(faults, failed, "{trouble:?}");
        }
    });
}

#[test]
fn a_walk_that_may_fail_stops_behind_the_one_in_trouble() {
    each_place(|signal, handle, size, place| {
        let listeners = Troubled::at(place, size, signal);
        let id = listeners.subscriptions[place as usize].id();
        let (place, all) = (place as usize, size as usize);
        let reached: Vec<_> = (0..=place as u32).collect();
        for context in [Context::none as fn() -> Context, || {
            Context::with_timeout(Duration::from_secs(3600))
        }] {
            for _ in 0..2 {
                listeners.set(Trouble::Nothing);
                let done = handle.try_emit(&7, &context()).unwrap();
                assert_eq!((done, listeners.called().len()), (delivery(all, 0), all));

                listeners.set(Trouble::Error);
                let error = handle.try_emit(&7, &context()).unwrap_err();
                let EmitError::Listener {
                    id: of,
                    index,
                    delivered,
                    source,
                    ..
                } = error
                else {
                    panic!("{error:?}");
                };
                assert_eq!((of, index, delivered), (id, place, place));
                assert_eq!(source.to_string(), "refused");
                assert_eq!(listeners.called(), reached);

                listeners.set(Trouble::Panic);
                let error = handle.try_emit(&7, &context()).unwrap_err();
                let EmitError::Panicked {
                    id: of,
                    index,
                    delivered,
                    message,
                    ..
                } = error
                else {
                    panic!("{error:?}");
                };
                assert_eq!((of, index, delivered), (id, place, place));
                assert_eq!(message, format!("at {place}"));
                assert_eq!(listeners.called(), reached);

                listeners.set(Trouble::Cancel);
                let cancelled = context();
                let error = handle.try_emit(&7, &cancelled).unwrap_err();
                assert_eq!(error.delivered(), place + 1);
                assert!(matches!(error, EmitError::Cancelled { .. }), "{error:?}");
                assert_eq!(listeners.called(), reached);

                // The same once more: nobody is called.
                let error = handle.try_emit(&7, &cancelled).unwrap_err();
                assert!(
                    matches!(error, EmitError::Cancelled { delivered: 0 }),
                    "{error:?}"
                );
                assert!(listeners.called().is_empty());
            }
        }
    });
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
