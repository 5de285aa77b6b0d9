//! A fill closure, a factory, a key or an iterator panics while an event is being emitted.

use crate::support::*;
use corecast::{Emitter, EmitterError, Engine, Route, Routing};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

/// A recycled broadcast with a listener on each worker; what they see.
fn broadcast(engine: &Engine) -> (Emitter<Vec<u64>>, mpsc::Receiver<u64>) {
    let signal = engine.signal::<Vec<u64>>("filled").capacity(4);
    let signal = signal.recycled(Vec::new).build().expect("possible");
    let (sender, seen) = mpsc::channel();
    for _ in engine.workers() {
        let sender = sender.clone();
        signal
            .subscribe(move |event| sender.send(event[0]).expect("the row reads"))
            .detach();
    }
    (signal.emitter().expect("open"), seen)
}

fn put(n: u64) -> impl FnMut(&mut Vec<u64>) {
    move |slot| {
        slot.clear();
        slot.push(n);
    }
}

/// What has been seen so far, in order.
fn sorted(seen: &mpsc::Receiver<u64>) -> Vec<u64> {
    let mut seen: Vec<_> = seen.try_iter().collect();
    seen.sort_unstable();
    seen
}

#[test]
fn a_fill_that_panics_publishes_nothing_and_later_events_flow() {
    watched(|| {
        on_both(1, |engine| {
            let (mut emitter, seen) = broadcast(&engine);
            emitter.emit_with(put(1)).expect("room");
            let text = panic_text(|| emitter.emit_with(|_| panic!("fill")));
            assert_eq!(text, "fill");
            // Around the ring more than once, so that the slot in question is used again.
            for n in 2..12 {
                emitter.emit_with(put(n)).expect("room");
                emitter.flush(LONG).expect("delivered");
            }
            assert_eq!(sorted(&seen), (1..12).collect::<Vec<_>>());
            assert_eq!(emitter.sequence(), 11);
            let report = engine.shutdown(LONG);
            assert_eq!((report.accepted, report.delivered), (11, 11));
        });
    });
}

#[test]
fn a_fill_that_panics_at_any_of_several_lanes_publishes_at_none() {
    watched(|| {
        for bad in 1..=3 {
            on_both(3, |engine| {
                let (mut emitter, seen) = broadcast(&engine);
                emitter.emit_with(put(1)).expect("room");
                let mut filled = 0;
                let text = panic_text(|| {
                    emitter.emit_with(|slot| {
                        filled += 1;
                        assert!(filled != bad, "fill {filled}");
                        put(99)(slot);
                    })
                });
                assert_eq!(text, format!("fill {bad}"));
                for n in 2..8 {
                    emitter.emit_with(put(n)).expect("room");
                    emitter.flush(LONG).expect("delivered");
                }
                let expected: Vec<_> = (1..8).flat_map(|n| [n; 3]).collect();
                assert_eq!(sorted(&seen), expected);
                let report = engine.shutdown(LONG);
                assert_eq!((report.accepted, report.delivered), (21, 21));
            });
        }
    });
}

#[test]
fn a_fill_of_a_sharded_signal_that_panics_publishes_nothing() {
    watched(|| {
        on_both(3, |engine| {
            let signal = engine.signal::<Vec<u64>>("sharded").capacity(4);
            let signal = signal.recycled(|| vec![0]).shard_by(|event| event[0]);
            let signal = signal.build().expect("possible");
            let (sender, seen) = mpsc::channel();
            let subscription = signal.subscribe_sharded(|_| {
                let sender = sender.clone();
                move |event: &Vec<u64>| sender.send(event[0]).expect("the row reads")
            });
            let mut emitter = signal.emitter().expect("open");
            for n in 0..20 {
                emitter.emit_with(put(n)).expect("room");
                // The first leaves nothing to take a key of: that panics, too.
                assert!(panic_text(|| emitter.emit_with(Vec::clear)).contains("index"));
                let half_done = |slot: &mut Vec<u64>| {
                    put(99)(slot);
                    panic!("fill");
                };
                assert_eq!(panic_text(|| emitter.emit_with(half_done)), "fill");
                emitter.flush(LONG).expect("delivered");
            }
            assert_eq!(sorted(&seen), (0..20).collect::<Vec<_>>());
            drop(subscription);
        });
    });
}

#[test]
fn a_key_that_panics_leaves_nothing_behind() {
    watched(|| {
        on_both(2, |engine| {
            let signal = engine.signal::<u64>("keyed").shard_by(|n| 100 / (*n % 10));
            let signal = signal.build().expect("possible");
            let (sender, seen) = mpsc::channel();
            let subscription = signal.subscribe_sharded(|_| {
                let sender = sender.clone();
                move |n: &u64| sender.send(*n).expect("the row reads")
            });
            let mut emitter = signal.emitter().expect("open");
            emitter.emit(1).expect("room");
            assert!(panic_text(|| emitter.emit(10)).contains("zero"));
            assert!(panic_text(|| signal.emit(20)).contains("zero"));
            assert!(panic_text(|| emitter.emit_batch([2, 3, 30, 4])).contains("zero"));
            signal.emit(5).expect("room");
            emitter.emit(6).expect("room");
            let report = engine.shutdown(LONG);
            assert_eq!(sorted(&seen), [1, 2, 3, 5, 6]);
            assert_eq!((report.accepted, report.delivered), (5, 5));
            drop(subscription);
        });
    });
}

/// Emits a batch from an iterator that panics after `good` events.
fn break_off<R: Routing<u64> + Route<u64>>(emitter: &mut Emitter<u64, R>, start: u64, good: u64) {
    let events = (start..).inspect(|n| assert!(*n < start + good, "iterator"));
    assert_eq!(panic_text(|| emitter.emit_batch(events)), "iterator");
}

#[test]
fn an_iterator_that_panics_has_what_it_yielded_published_and_nothing_else() {
    watched(|| {
        // More than a piece, less than one, and none.
        for good in [100, 5, 0] {
            for workers in [1, 3] {
                on_both(workers, |engine| {
                    let signal = engine.signal::<u64>("batch").capacity(256).build();
                    let signal = signal.expect("possible");
                    let (sender, seen) = mpsc::channel();
                    for _ in 0..workers {
                        let sender = sender.clone();
                        signal
                            .subscribe(move |n| sender.send(*n).expect("the row reads"))
                            .detach();
                    }
                    let mut emitter = signal.emitter().expect("open");
                    break_off(&mut emitter, 0, good);
                    emitter.emit(1000).expect("room");
                    emitter.flush(LONG).expect("delivered");
                    let yielded = (0..good).chain([1000]);
                    let expected: Vec<_> = yielded.flat_map(|n| vec![n; workers]).collect();
                    assert_eq!(sorted(&seen), expected);
                    assert_eq!(emitter.sequence(), good + 1);
                });
            }
        }
    });
}

#[test]
fn a_factory_that_panics_at_any_slot_makes_no_emitter_and_drops_what_it_made() {
    watched(|| {
        // Two lanes of four slots.
        for good in 0..8 {
            on_both(2, |engine| {
                let (made, ends) = (Count::default(), Count::default());
                let (count, broken) = (made.clone(), Arc::new(AtomicBool::new(true)));
                let is_broken = Arc::clone(&broken);
                let factory = {
                    let ends = ends.clone();
                    move || {
                        let full = is_broken.load(Ordering::SeqCst) && count.get() == good;
                        assert!(!full, "factory");
                        Bomb::dud(count.next() as u64, &ends)
                    }
                };
                let signal = engine.signal::<Bomb>("made").capacity(4).recycled(factory);
                let signal = signal.build().expect("possible");
                let error = signal.emitter().expect_err("a broken factory");
                let message = "factory".to_owned();
                assert_eq!(error, EmitterError::FactoryPanicked { message });
                assert_eq!((made.get(), ends.get()), (good, good));
                // The shared lanes' first use makes them; the panic is the caller's there.
                let given = Count::default();
                let event = Bomb::dud(0, &given);
                let text = panic_text(|| signal.emit(event));
                assert_eq!(text, "factory");
                assert_eq!(given.get(), 1);
                broken.store(false, Ordering::SeqCst);
                signal.subscribe(|_| {}).detach();
                let mut emitter = signal.emitter().expect("a good factory");
                emitter.emit_with(|_| {}).expect("room");
                signal.emit(Bomb::dud(0, &given)).expect("room");
                let report = engine.shutdown(LONG);
                assert_eq!((report.accepted, report.delivered), (2, 2));
            });
        }
    });
}
