//! Runs of events: emitting them, and listening to them.

use crate::support::{LONG, Log, door, engine, eventually, in_time, manual, worker};
use corecast::{Batch, Overflow, RejectReason, WorkerListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

#[test]
fn a_batch_larger_than_the_lane_is_emitted_in_pieces() {
    for workers in [1, 2] {
        let engine = engine(workers);
        let signal = engine.signal::<u64>("s").capacity(32).build().unwrap();
        let logs: Vec<_> = (0..workers).map(|_| Log::new()).collect();
        let kept: Vec<_> = logs
            .iter()
            .map(|log| signal.subscribe(log.listener()))
            .collect();
        let mut out = signal.emitter().unwrap();
        assert_eq!(out.emit_batch(0..1000).unwrap(), 1000);
        assert_eq!(out.emit_batch([]).unwrap(), 0);
        assert_eq!(out.sequence(), 1000);
        out.flush(LONG).unwrap();
        for log in &logs {
            assert_eq!(log.take(), (0..1000).collect::<Vec<_>>());
        }
        drop(kept);
    }
}

#[test]
fn a_refused_batch_says_how_many_were_accepted_and_keeps_the_rest_by_ref() {
    for workers in [1, 2] {
        let engine = manual(workers);
        let builder = engine.signal::<u64>("s").capacity(16);
        let signal = builder.overflow(Overflow::Reject).build().unwrap();
        let log = Log::new();
        let kept: Vec<_> = (0..workers)
            .map(|_| signal.subscribe(log.listener()))
            .collect();
        let mut out = signal.emitter().unwrap();
        let mut events = 0..50;
        let rejected = out.emit_batch(events.by_ref()).unwrap_err();
        assert_eq!(
            (rejected.accepted, rejected.reason),
            (16, RejectReason::Full)
        );
        assert_eq!((rejected.event, rejected.dropped), (Some(16), 0));
        assert!(rejected.to_string().contains("16 events"), "{rejected}");
        assert_eq!(
            events,
            17..50,
            "what had not been looked at stays with the caller"
        );
        let metrics = signal.metrics();
        assert_eq!(
            (metrics.emitted, metrics.accepted, metrics.rejected),
            (17, 16, 1)
        );
        engine.run_until_idle().unwrap();
        let rest = rejected.event.into_iter().chain(events);
        let rejected = out.emit_batch(rest).unwrap_err();
        assert_eq!((rejected.accepted, rejected.event), (16, Some(32)));
        engine.run_until_idle().unwrap();
        assert_eq!(log.take().len(), 32 * workers);
        drop(kept);
    }
}

#[test]
fn a_batch_that_just_fits_takes_nothing_more_from_its_iterator() {
    let engine = manual(1);
    let builder = engine.signal::<u64>("s").capacity(16);
    let signal = builder.overflow(Overflow::Reject).build().unwrap();
    let _kept = signal.subscribe(|_| {});
    let mut out = signal.emitter().unwrap();
    assert_eq!(out.emit_batch(0..16).unwrap(), 16);
    // Nothing is refused when there is nothing.
    assert_eq!(out.emit_batch([]).unwrap(), 0);
    assert_eq!(signal.metrics().rejected, 0);
}

#[test]
fn under_drop_newest_a_batch_goes_on_past_what_is_dropped() {
    let engine = manual(1);
    let builder = engine.signal::<u64>("s").capacity(8);
    let signal = builder.overflow(Overflow::DropNewest).build().unwrap();
    let log = Log::new();
    let _kept = signal.subscribe(log.listener());
    let mut out = signal.emitter().unwrap();
    assert_eq!(out.emit_batch(0..20).unwrap(), 20);
    engine.run_until_idle().unwrap();
    assert_eq!(log.take(), (0..8).collect::<Vec<_>>());
    let metrics = signal.metrics();
    assert_eq!(
        (metrics.emitted, metrics.accepted, metrics.dropped),
        (20, 8, 12)
    );
}

#[test]
fn when_the_iterator_panics_what_it_had_yielded_is_published_and_nothing_else() {
    for (workers, yielded) in [(1, 5), (1, 0), (1, 70), (2, 5), (2, 70)] {
        let engine = manual(workers);
        let signal = engine.signal::<u64>("s").capacity(128).build().unwrap();
        let logs: Vec<_> = (0..workers).map(|_| Log::new()).collect();
        let kept: Vec<_> = logs
            .iter()
            .map(|log| signal.subscribe(log.listener()))
            .collect();
        let mut out = signal.emitter().unwrap();
        let events = (0..100).inspect(|n| assert!(*n < yielded, "no more"));
        let panicked = catch_unwind(AssertUnwindSafe(|| out.emit_batch(events)));
        assert!(panicked.is_err());
        assert_eq!(out.sequence(), yielded);
        out.emit(1000).unwrap();
        engine.run_until_idle().unwrap();
        for log in &logs {
            assert_eq!(log.take(), (0..yielded).chain([1000]).collect::<Vec<_>>());
        }
        drop(kept);
    }
}

#[test]
fn a_batch_on_a_route_to_one_worker_is_split_by_the_route() {
    let engine = manual(2);
    let builder = engine.signal::<u64>("s").round_robin().capacity(8);
    let signal = builder.overflow(Overflow::Reject).build().unwrap();
    let logs = [Log::new(), Log::new()];
    let _kept = signal.subscribe_sharded(|worker| logs[worker.index()].listener());
    let mut out = signal.emitter().unwrap();
    let mut events = 0..30;
    let rejected = out.emit_batch(events.by_ref()).unwrap_err();
    assert_eq!((rejected.accepted, rejected.event), (16, Some(16)));
    assert_eq!(events, 17..30);
    engine.run_until_idle().unwrap();
    assert_eq!(logs[0].take(), [0, 2, 4, 6, 8, 10, 12, 14]);
    assert_eq!(logs[1].take(), [1, 3, 5, 7, 9, 11, 13, 15]);
    // The refused event had not taken its turn.
    out.emit_batch([16, 17]).unwrap();
    engine.run_until_idle().unwrap();
    assert_eq!((logs[0].take(), logs[1].take()), (vec![16], vec![17]));
}

#[test]
fn a_run_shows_its_events_in_every_way_that_a_batch_has() {
    let engine = manual(1);
    let signal = engine.signal::<String>("s").capacity(32).build().unwrap();
    let log = Log::new();
    let _kept = signal.subscribe_batch({
        let log = log.clone();
        move |batch: Batch<'_, String>| {
            let len = batch.len();
            assert!(!batch.is_empty());
            let by_get: Vec<_> = (0..len)
                .map(|index| batch.get(index).unwrap().clone())
                .collect();
            let by_index: Vec<_> = (0..len).map(|index| batch[index].clone()).collect();
            let by_iter: Vec<_> = batch.iter().cloned().collect();
            let by_loop: Vec<_> = (&batch).into_iter().cloned().collect();
            assert_eq!((batch.iter().len(), batch.get(len)), (len, None));
            assert_eq!(batch.get(usize::MAX), None);
            let sequences: Vec<_> = (0..len).map(|index| batch.sequence(index)).collect();
            let last = batch.is_last();
            assert!(format!("{batch:?}").contains(&format!("len: {len}")));
            let by_value: Vec<_> = batch.into_iter().cloned().collect();
            assert!(
                [by_index, by_iter, by_loop, by_value]
                    .iter()
                    .all(|other| *other == by_get)
            );
            log.push((by_get, sequences, last));
        }
    });
    let mut out = signal.emitter().unwrap();
    out.emit_batch((0..10).map(|n| n.to_string())).unwrap();
    engine.run_until_idle().unwrap();
    // Thirty-two slots: a run has eight events at most.
    let texts = |range: std::ops::Range<u64>| range.map(|n| n.to_string()).collect::<Vec<_>>();
    let expected = [
        (texts(0..8), (0..8).collect::<Vec<_>>(), false),
        (texts(8..10), vec![8, 9], true),
    ];
    assert_eq!(log.take(), expected);
}

#[test]
fn an_index_past_the_end_of_a_batch_panics_and_names_it() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let _kept = signal.subscribe_batch(|batch| {
        let _ = batch[3];
    });
    let mut out = signal.emitter().unwrap();
    out.emit_batch(0..3).unwrap();
    engine.run_until_idle().unwrap();
    let fault = engine.faults().pop().unwrap();
    assert_eq!(
        fault.message,
        "index 3 is past the end of a batch of 3 events"
    );
}

#[test]
fn a_run_never_crosses_a_wrap_and_never_skips_an_event() {
    const CAPACITY: u64 = 64;
    let engine = manual(1);
    let builder = engine.signal::<u64>("s").capacity(CAPACITY as usize);
    let signal = builder.build().unwrap();
    let runs = Log::new();
    let _kept = signal.subscribe_batch({
        let runs = runs.clone();
        move |batch: Batch<'_, u64>| runs.push((batch.sequence(0), batch.len() as u64, batch[0]))
    });
    let mut out = signal.emitter().unwrap();
    let mut n = 0;
    // Strides that meet the wrap at every distance.
    for stride in [1, 5, 7, 63, 3, 64, 31, 17, 2, 60, 11, 13].repeat(8) {
        out.emit_batch(n..n + stride).unwrap();
        n += stride;
        engine.run_until_idle().unwrap();
    }
    let runs = runs.take();
    let mut next = 0;
    let mut at_the_wrap = 0;
    for &(sequence, len, first) in &runs {
        assert_eq!((sequence, first), (next, next));
        assert!(
            sequence % CAPACITY + len <= CAPACITY,
            "{sequence} and {len} more"
        );
        at_the_wrap += u64::from((sequence + len) % CAPACITY == 0);
        next += len;
    }
    assert_eq!(next, n);
    assert!(at_the_wrap >= n / CAPACITY);
}

#[test]
fn a_worker_takes_no_more_from_a_lane_at_once_than_its_signals_batch() {
    for batch in [1, 3, 16] {
        let engine = manual(1);
        let builder = engine.signal::<u64>("s").capacity(64).batch(batch);
        let signal = builder.build().unwrap();
        let log = Log::new();
        let _kept = signal.subscribe_batch({
            let log = log.clone();
            move |run: Batch<'_, u64>| log.push(run.len())
        });
        let mut out = signal.emitter().unwrap();
        out.emit_batch(0..48).unwrap();
        engine.run_until_idle().unwrap();
        let runs = log.take();
        assert_eq!(runs.iter().sum::<usize>(), 48);
        assert_eq!(runs.iter().max(), Some(&batch));
    }
}

#[test]
fn a_batch_that_waits_is_refused_with_its_rest_when_the_engine_shuts_down() {
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").capacity(8).build().unwrap();
    let (door, mut stand) = door();
    let listener = WorkerListener::new(move |n: &u64| {
        if *n == 0 {
            stand();
        }
    });
    let _kept = signal.add(listener.on_worker(worker(0))).unwrap();
    let mut out = signal.emitter().unwrap();
    let emitting = thread::spawn(move || {
        let mut events = 0..100;
        let rejected = out.emit_batch(events.by_ref()).unwrap_err();
        (rejected, events)
    });
    door.wait();
    eventually("the lane is full", || signal.metrics().accepted == 8);
    let report = engine.shutdown(Duration::ZERO);
    let (rejected, rest) = in_time(move || emitting.join().unwrap());
    assert_eq!(
        (rejected.accepted, rejected.reason),
        (8, RejectReason::Closed)
    );
    assert_eq!(
        (rejected.event, rejected.dropped, rest),
        (Some(8), 0, 9..100)
    );
    assert_eq!(report.accepted, report.delivered + report.abandoned);
    let metrics = signal.metrics();
    assert_eq!(
        (metrics.emitted, metrics.accepted, metrics.rejected),
        (9, 8, 1)
    );
    drop(door);
}
