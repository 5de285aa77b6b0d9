//! Slots that are made once and filled in place.

use crate::support::{LONG, Log, engine, manual, worker};
use corecast::{EmitterError, FaultKind, Overflow, RejectReason, WorkerListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone, Default, Debug, PartialEq)]
struct Quote {
    symbol: String,
    levels: Vec<u64>,
}

fn fill(quote: &mut Quote, n: u64) {
    use std::fmt::Write;
    quote.symbol.clear();
    write!(quote.symbol, "S{n}").unwrap();
    quote.levels.clear();
    quote.levels.extend(n..n + n % 5);
}

fn filled(n: u64) -> Quote {
    let mut quote = Quote::default();
    fill(&mut quote, n);
    quote
}

#[test]
fn an_event_filled_in_place_reaches_every_listener_whole() {
    let engine = engine(2);
    let builder = engine.signal::<Quote>("quotes").capacity(8);
    let signal = builder.recycled(Quote::default).build().unwrap();
    let logs = [Log::new(), Log::new()];
    let _kept = [0, 1].map(|index| {
        let listener = WorkerListener::new(logs[index as usize].listener());
        signal.add(listener.on_worker(worker(index))).unwrap()
    });
    let mut out = signal.emitter().unwrap();
    for n in 0..500 {
        out.emit_with(|quote| fill(quote, n)).unwrap();
    }
    out.flush(LONG).unwrap();
    let expected: Vec<_> = (0..500).map(filled).collect();
    for log in &logs {
        assert_eq!(log.take(), expected);
    }
}

#[test]
fn a_slot_holds_what_an_earlier_event_left_in_it() {
    let engine = manual(1);
    let builder = engine.signal::<Vec<u64>>("s").capacity(2);
    let signal = builder.recycled(|| Vec::with_capacity(4)).build().unwrap();
    let log = Log::new();
    let _kept = signal.subscribe(log.listener());
    let mut out = signal.emitter().unwrap();
    for n in 0..6 {
        out.emit_with(|slot| {
            assert!(slot.capacity() >= 4, "made by the factory");
            slot.push(n);
        })
        .unwrap();
        engine.run_until_idle().unwrap();
    }
    let expected: [&[u64]; 6] = [&[0], &[1], &[0, 2], &[1, 3], &[0, 2, 4], &[1, 3, 5]];
    assert_eq!(log.take(), expected);
    // An event that is moved in takes the slot's place.
    out.emit(vec![9]).unwrap();
    engine.run_until_idle().unwrap();
    assert_eq!(log.take(), [[9]]);
}

#[test]
fn on_a_broadcast_the_closure_runs_once_for_each_lane_and_only_for_those_with_a_listener() {
    let engine = manual(4);
    let signal = engine.signal::<u64>("s").recycled(|| 0).build().unwrap();
    let log = Log::new();
    let kept: Vec<_> = [0, 1, 3]
        .into_iter()
        .map(|index| {
            let listener = WorkerListener::new(log.listener());
            signal.add(listener.on_worker(worker(index))).unwrap()
        })
        .collect();
    let mut out = signal.emitter().unwrap();
    let mut runs = 0;
    out.emit_with(|slot| {
        runs += 1;
        *slot = runs;
    })
    .unwrap();
    assert_eq!(runs, 3);
    engine.run_until_idle().unwrap();
    assert_eq!(log.take(), [1, 2, 3]);
    drop(kept);
    out.emit_with(|_| runs += 1).unwrap();
    assert_eq!((runs, out.sequence()), (3, 2), "nobody to fill a slot for");
}

#[test]
fn a_fill_that_panics_publishes_nothing_on_any_lane_and_later_events_flow() {
    let engine = manual(3);
    let builder = engine.signal::<u64>("s").capacity(4);
    let signal = builder
        .overflow(Overflow::Reject)
        .recycled(|| 0)
        .build()
        .unwrap();
    let log = Log::new();
    let kept: Vec<_> = (0..3)
        .map(|index| {
            let listener = WorkerListener::new(log.listener());
            signal.add(listener.on_worker(worker(index))).unwrap()
        })
        .collect();
    let mut out = signal.emitter().unwrap();
    for n in 0..20 {
        let mut left = n % 3;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            out.emit_with(|slot| {
                assert!(left > 0, "not this one");
                left -= 1;
                *slot = 1000;
            })
        }));
        let payload = panicked.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"not this one"));
        out.emit_with(|slot| *slot = n).unwrap();
        engine.run_until_idle().unwrap();
        assert_eq!(log.take(), [n, n, n]);
    }
    let report = engine.shutdown(LONG);
    assert_eq!((report.accepted, report.delivered), (60, 60));
    drop(kept);
}

#[test]
fn a_sharded_event_goes_where_what_was_filled_in_says() {
    let engine = manual(3);
    let signal = engine
        .signal::<Quote>("quotes")
        .shard_by(|quote| quote.symbol.clone())
        .recycled(Quote::default)
        .build()
        .unwrap();
    let log = Log::new();
    let _kept = signal.subscribe_sharded(|worker| {
        let log = log.clone();
        move |quote: &Quote| log.push((worker, quote.clone()))
    });
    let mut out = signal.emitter().unwrap();
    for n in 0..60 {
        out.emit_with(|quote| fill(quote, n % 20)).unwrap();
    }
    engine.run_until_idle().unwrap();
    let by_fill = log.take();
    assert_eq!(by_fill.len(), 60);
    (0..20).for_each(|n| out.emit(filled(n)).unwrap());
    engine.run_until_idle().unwrap();
    for (worker, quote) in log.take() {
        let same: Vec<_> = by_fill
            .iter()
            .filter(|(_, other)| *other == quote)
            .collect();
        assert_eq!(same.len(), 3);
        assert!(same.iter().all(|(other, _)| *other == worker));
    }
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        out.emit_with(|_| panic!("not this one"))
    }));
    assert!(panicked.is_err());
    out.emit_with(|quote| fill(quote, 7)).unwrap();
    engine.run_until_idle().unwrap();
    assert_eq!(log.take()[0].1, filled(7));
}

#[test]
fn filling_in_place_needs_recycled_slots_and_room() {
    let engine = manual(1);
    let plain = engine.signal::<u64>("plain").build().unwrap();
    let _plain = plain.subscribe(|_| {});
    let mut out = plain.emitter().unwrap();
    let refused = out.emit_with(|_| panic!("there is no slot to fill"));
    assert_eq!(refused, Err(RejectReason::NotRecycled));
    assert!(RejectReason::NotRecycled.to_string().contains("recycled"));
    assert_eq!(plain.metrics().rejected, 1);

    for (overflow, reason) in [
        (Overflow::Reject, Err(RejectReason::Full)),
        (Overflow::Wait, Err(RejectReason::WouldDeadlock)),
        (Overflow::DropNewest, Ok(())),
    ] {
        let builder = engine.signal::<u64>("s").capacity(2).overflow(overflow);
        let signal = builder.recycled(|| 0).build().unwrap();
        let _kept = signal.subscribe(|_| {});
        let mut out = signal.emitter().unwrap();
        out.emit_with(|slot| *slot = 1).unwrap();
        out.emit_with(|slot| *slot = 2).unwrap();
        assert_eq!(out.emit_with(|_| panic!("there is no room")), reason);
        let metrics = signal.metrics();
        assert_eq!(metrics.emitted, 3);
        assert_eq!(
            (metrics.accepted, metrics.rejected + metrics.dropped),
            (2, 1)
        );
    }
}

#[test]
fn a_factory_that_panics_makes_no_emitter_and_says_what_it_said() {
    let engine = manual(1);
    let made = Arc::new(AtomicUsize::new(0));
    let signal = {
        let made = Arc::clone(&made);
        let factory = move || {
            assert!(made.fetch_add(1, Ordering::Relaxed) != 5, "out of quotes");
            Arc::clone(&made)
        };
        let builder = engine.signal::<Arc<AtomicUsize>>("s").capacity(8);
        builder.recycled(factory).build().unwrap()
    };
    let error = signal.emitter().unwrap_err();
    let message = "out of quotes".to_owned();
    assert_eq!(error, EmitterError::FactoryPanicked { message });
    assert!(error.to_string().contains("out of quotes"), "{error}");
    // Here, in the factory, and nowhere else: what had been made is gone.
    assert_eq!(Arc::strong_count(&made), 2);
    let emitter = signal.emitter().unwrap();
    assert_eq!(Arc::strong_count(&made), 2 + 8);
    drop(emitter);
    engine.run_until_idle().unwrap();
    assert_eq!(
        Arc::strong_count(&made),
        2,
        "the values go with their lanes"
    );
}

#[test]
fn a_recycled_value_whose_drop_panics_is_a_fault_and_nothing_worse() {
    struct Bomb(Arc<AtomicUsize>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("a value does not go quietly");
        }
    }
    let engine = engine(1);
    let dropped = Arc::new(AtomicUsize::new(0));
    let signal = {
        let dropped = Arc::clone(&dropped);
        let builder = engine.signal::<Bomb>("bombs").capacity(4).round_robin();
        builder
            .recycled(move || Bomb(Arc::clone(&dropped)))
            .build()
            .unwrap()
    };
    let _kept = signal.subscribe_sharded(|_| |_: &Bomb| {});
    let mut out = signal.emitter().unwrap();
    (0..10).for_each(|_| out.emit_with(|_| {}).unwrap());
    out.flush(LONG).unwrap();
    drop(out);
    let report = engine.shutdown(LONG);
    assert_eq!(
        (report.delivered, report.dead, report.stuck),
        (10, vec![], vec![])
    );
    assert!(dropped.load(Ordering::Relaxed) >= 1);
    let fault = engine.faults().pop().unwrap();
    assert_eq!(fault.kind, FaultKind::EventDrop);
    assert_eq!(fault.message, "a value does not go quietly");
    assert_eq!(fault.signal.as_deref(), Some("bombs"));
}
