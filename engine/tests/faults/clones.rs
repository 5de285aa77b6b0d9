//! An event's `clone` panics on its way to several workers.

use crate::support::*;
use corecast::{AsyncSignal, Engine};
use std::sync::mpsc;

/// An event of which the `fatal`-th copy panics. Its parts are counted when they end.
struct Copied {
    number: u64,
    fatal: usize,
    copies: Count,
    end: Bomb,
}

impl Copied {
    fn new(number: u64, fatal: usize, ends: &Count) -> Self {
        Self {
            number,
            fatal,
            copies: Count::default(),
            end: Bomb::dud(number, ends),
        }
    }
}

impl Clone for Copied {
    fn clone(&self) -> Self {
        let copy = self.copies.next();
        assert!(copy != self.fatal, "copy {copy}");
        Self {
            number: self.number,
            fatal: self.fatal,
            copies: self.copies.clone(),
            end: self.end.clone(),
        }
    }
}

/// A broadcast with a listener on each worker, and what they see.
fn broadcast(engine: &Engine) -> (AsyncSignal<Copied>, mpsc::Receiver<u64>) {
    let signal = engine.signal::<Copied>("copied").capacity(4).build();
    let signal = signal.expect("possible");
    let (sender, seen) = mpsc::channel();
    for _ in engine.workers() {
        let sender = sender.clone();
        let listener = move |event: &Copied| sender.send(event.number).expect("the row reads");
        signal.subscribe(listener).detach();
    }
    (signal, seen)
}

/// Which way an event is emitted.
#[derive(Debug, Clone, Copy)]
enum Way {
    Owned,
    Batch,
    Shared,
}

#[test]
fn a_clone_that_panics_leaves_the_event_to_no_worker_and_later_events_flow() {
    watched(|| {
        for way in [Way::Owned, Way::Batch, Way::Shared] {
            // Two copies are made for three workers.
            for fatal in [1, 2] {
                on_both(3, |engine| {
                    let (signal, seen) = broadcast(&engine);
                    let mut emitter = signal.emitter().expect("open");
                    let ends = Count::default();
                    // Around the ring more than once, so that the slots in question are used again.
                    for round in 0..6 {
                        let good = Copied::new(round, 0, &ends);
                        let bad = Copied::new(99, fatal, &ends);
                        let text = match way {
                            Way::Owned => {
                                emitter.emit(good).expect("room");
                                panic_text(|| emitter.emit(bad))
                            }
                            Way::Batch => panic_text(|| emitter.emit_batch([good, bad])),
                            Way::Shared => {
                                signal.emit(good).expect("room");
                                panic_text(|| signal.emit(bad))
                            }
                        };
                        assert_eq!(text, format!("copy {fatal}"), "{way:?}");
                        emitter.flush(LONG).expect("delivered");
                        if engine.run_until_idle().is_err() {
                            // An engine with threads. Its shared lanes have no flush.
                            let twelve = || (0..3).map(|_| seen.recv_timeout(LONG));
                            assert!(twelve().all(|number| number == Ok(round)));
                        } else {
                            let numbers: Vec<_> = seen.try_iter().collect();
                            assert_eq!(numbers, [round; 3]);
                        }
                    }
                    let report = engine.shutdown(LONG);
                    assert_eq!((report.accepted, report.delivered), (18, 18));
                    assert_eq!(seen.try_iter().count(), 0);
                    // Each round has a good event, a bad one and the copies of both.
                    assert_eq!(ends.get(), 6 * (3 + fatal), "{way:?}");
                    let metrics = signal.metrics();
                    assert_eq!((metrics.emitted, metrics.accepted), (6, 6));
                });
            }
        }
    });
}
