//! Full lanes: what each policy does, and that every event is accounted for.

use crate::support::{LONG, Log, door, engine, eventually, in_time, manual, worker};
use corecast::{
    AsyncSignal, Context, Engine, Overflow, RejectReason, SignalMetrics, WorkerListener,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CAPACITY: usize = 8;
const FULL: u64 = CAPACITY as u64;

fn signal(engine: &Engine, overflow: Overflow) -> AsyncSignal<u64> {
    let builder = engine.signal("s").capacity(CAPACITY);
    builder.overflow(overflow).build().unwrap()
}

/// Events emitted, accepted, rejected, dropped.
fn counts(metrics: &SignalMetrics) -> [u64; 4] {
    [
        metrics.emitted,
        metrics.accepted,
        metrics.rejected,
        metrics.dropped,
    ]
}

#[test]
fn reject_hands_the_event_back_at_once() {
    let engine = manual(1);
    let signal = signal(&engine, Overflow::Reject);
    let log = Log::new();
    let _kept = signal.subscribe(log.listener());
    let mut out = signal.emitter().unwrap();
    (0..FULL).for_each(|n| out.emit(n).unwrap());
    for n in FULL..FULL + 3 {
        let rejected = out.emit(n).unwrap_err();
        assert_eq!((rejected.event, rejected.reason), (n, RejectReason::Full));
        assert!(rejected.to_string().contains("full"), "{rejected}");
    }
    assert_eq!(counts(&signal.metrics()), [FULL + 3, FULL, 3, 0]);
    engine.run_until_idle().unwrap();
    assert_eq!(log.take(), (0..FULL).collect::<Vec<_>>());
    out.emit(99).unwrap();
    engine.run_until_idle().unwrap();
    assert_eq!(log.take(), [99]);
}

#[test]
fn drop_newest_drops_and_counts_and_is_ok() {
    let engine = manual(1);
    let signal = signal(&engine, Overflow::DropNewest);
    let log = Log::new();
    let _kept = signal.subscribe(log.listener());
    let mut out = signal.emitter().unwrap();
    (0..FULL + 5).for_each(|n| out.emit(n).unwrap());
    assert_eq!(out.sequence(), FULL, "what was dropped was not accepted");
    // Shared lanes are as large again.
    (0..FULL + 2).for_each(|n| signal.emit(100 + n).unwrap());
    assert_eq!(counts(&signal.metrics()), [2 * FULL + 7, 2 * FULL, 0, 7]);
    engine.run_until_idle().unwrap();
    let mut seen = log.take();
    seen.sort_unstable();
    assert_eq!(seen, (0..FULL).chain(100..100 + FULL).collect::<Vec<_>>());
}

#[test]
fn try_emit_never_waits_whatever_the_policy() {
    for overflow in [
        Overflow::Wait,
        Overflow::WaitFor(LONG),
        Overflow::DropNewest,
        Overflow::Reject,
    ] {
        let engine = engine(1);
        let signal = signal(&engine, overflow);
        let (door, mut stand) = door();
        let _kept = signal.subscribe(move |_| stand());
        let mut out = signal.emitter().unwrap();
        out.emit(0).unwrap();
        door.wait();
        let mut n = 1;
        let rejected = loop {
            match out.try_emit(n) {
                Ok(()) => n += 1,
                Err(rejected) => break rejected,
            }
        };
        assert_eq!((rejected.event, rejected.reason), (n, RejectReason::Full));
        assert_eq!(n, FULL, "one is in the listener's hands and keeps its slot");
        while signal.try_emit(n).is_ok() {
            n += 1;
        }
        let rejected = signal.try_emit(n).unwrap_err();
        assert_eq!((rejected.event, rejected.reason), (n, RejectReason::Full));
        assert_eq!(counts(&signal.metrics())[2..], [3, 0], "all handed back");
        drop(door);
    }
}

#[test]
fn wait_for_gives_up_when_its_time_is_up_and_not_before() {
    for limit in [Duration::ZERO, Duration::from_millis(30)] {
        let engine = engine(1);
        let signal = signal(&engine, Overflow::WaitFor(limit));
        let (door, mut stand) = door();
        let _kept = signal.subscribe(move |_| stand());
        let mut out = signal.emitter().unwrap();
        out.emit(0).unwrap();
        door.wait();
        (1..FULL).for_each(|n| out.emit(n).unwrap());
        let begun = Instant::now();
        let rejected = out.emit(77).unwrap_err();
        assert!(begun.elapsed() >= limit);
        assert_eq!(
            (rejected.event, rejected.reason),
            (77, RejectReason::Timeout)
        );
        (0..FULL).for_each(|n| signal.emit(n).unwrap());
        let rejected = signal.emit(78).unwrap_err();
        assert_eq!(
            (rejected.event, rejected.reason),
            (78, RejectReason::Timeout)
        );
        assert_eq!(counts(&signal.metrics()), [2 * FULL + 2, 2 * FULL, 2, 0]);
        drop(door);
    }
}

#[test]
fn an_emitter_that_waits_goes_on_when_there_is_room() {
    for overflow in [
        Overflow::Wait,
        Overflow::WaitFor(Duration::MAX),
        Overflow::WaitFor(LONG),
    ] {
        let engine = engine(1);
        let signal = signal(&engine, overflow);
        let (door, mut stand) = door();
        let log = Log::new();
        let _kept = signal.subscribe({
            let log = log.clone();
            move |n| {
                if *n == 0 {
                    stand();
                }
                log.push(*n);
            }
        });
        let mut out = signal.emitter().unwrap();
        out.emit(0).unwrap();
        door.wait();
        let (told, emitted) = (Log::new(), Log::new());
        let waiting = thread::spawn({
            let (told, emitted) = (told.clone(), emitted.clone());
            move || {
                for n in 1..100 {
                    told.push(n);
                    out.emit(n).unwrap();
                    emitted.push(n);
                }
                out.flush(LONG).unwrap();
            }
        });
        // It has begun with the one that does not fit, and cannot have come to an end with it.
        eventually("the lane is full", || told.len() == CAPACITY);
        assert_eq!(emitted.len(), CAPACITY - 1);
        drop(door);
        in_time(move || waiting.join().unwrap());
        assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn emit_within_waits_as_long_as_its_context_says_whatever_the_policy() {
    for overflow in [Overflow::Wait, Overflow::Reject, Overflow::DropNewest] {
        let engine = engine(1);
        let signal = signal(&engine, overflow);
        let (door, mut stand) = door();
        let log = Log::new();
        let _kept = signal.subscribe({
            let log = log.clone();
            move |n| {
                if *n == 0 {
                    stand();
                }
                log.push(*n);
            }
        });
        let mut out = signal.emitter().unwrap();
        out.emit(0).unwrap();
        door.wait();
        (1..FULL).for_each(|n| out.emit(n).unwrap());

        let limit = Duration::from_millis(20);
        for context in [
            Context::with_timeout(limit),
            Context::with_deadline(Instant::now() + limit),
            Context::with_timeout(Duration::ZERO),
        ] {
            let rejected = out.emit_within(50, &context).unwrap_err();
            assert_eq!(
                (rejected.event, rejected.reason),
                (50, RejectReason::Timeout)
            );
            assert!(context.deadline().unwrap() <= Instant::now());
        }
        let cancelled = Context::none();
        cancelled.cancel_token().cancel();
        let rejected = out.emit_within(51, &cancelled).unwrap_err();
        assert_eq!(
            (rejected.event, rejected.reason),
            (51, RejectReason::Cancelled)
        );

        // Cancelled by another thread, in the middle of it.
        let context = Context::with_timeout(LONG);
        let token = context.cancel_token();
        let begun = Log::new();
        let waiting = thread::spawn({
            let begun = begun.clone();
            move || {
                begun.push(());
                let rejected = out.emit_within(52, &context).unwrap_err();
                (out, rejected)
            }
        });
        eventually("it has begun", || begun.len() == 1);
        token.cancel();
        let (mut out, rejected) = in_time(move || waiting.join().unwrap());
        assert_eq!(
            (rejected.event, rejected.reason),
            (52, RejectReason::Cancelled)
        );

        // With room there is nothing to wait for: a context that has ended does not matter.
        drop(door);
        out.flush(LONG).unwrap();
        out.emit_within(53, &Context::with_timeout(Duration::ZERO))
            .unwrap();
        out.emit_within(54, &cancelled).unwrap();
        out.emit_within(55, &Context::with_timeout(Duration::MAX))
            .unwrap();
        out.flush(LONG).unwrap();
        assert_eq!(log.take(), [0, 1, 2, 3, 4, 5, 6, 7, 53, 54, 55]);
        assert_eq!(counts(&signal.metrics()), [16, 11, 5, 0]);
    }
}

#[test]
fn a_slow_listener_stops_only_those_who_feed_its_lane() {
    let engine = engine(2);
    let slow = signal(&engine, Overflow::Wait);
    let quick = signal(&engine, Overflow::Wait);
    let (door, mut stand) = door();
    let stuck = WorkerListener::new(move |_: &u64| stand()).on_worker(worker(0));
    let _stuck = slow.add(stuck).unwrap();
    let sum = Arc::new(AtomicU64::new(0));
    let adder = |sum: &Arc<AtomicU64>| {
        let sum = Arc::clone(sum);
        WorkerListener::new(move |n: &u64| {
            sum.fetch_add(*n, Ordering::Relaxed);
        })
    };
    let _quick = quick.add(adder(&sum).on_worker(worker(1))).unwrap();
    let mut blocked = slow.emitter().unwrap();
    blocked.emit(0).unwrap();
    door.wait();
    while blocked.try_emit(0).is_ok() {}
    let mut out = quick.emitter().unwrap();
    in_time(move || {
        (0..5000).for_each(|n| out.emit(n).unwrap());
        out.flush(LONG).unwrap();
    });
    assert_eq!(sum.load(Ordering::Relaxed), 4999 * 2500);
    assert_eq!(blocked.try_emit(0).unwrap_err().reason, RejectReason::Full);
    drop(door);
}

#[test]
fn a_broadcast_goes_to_all_workers_or_to_none() {
    let engine = manual(3);
    let signal = signal(&engine, Overflow::Reject);
    let (log, narrow) = (Log::new(), Log::new());
    let mut kept = Vec::new();
    for index in [0, 2] {
        let listener = WorkerListener::new(log.listener());
        kept.push(signal.add(listener.on_worker(worker(index))).unwrap());
    }
    let mut out = signal.emitter().unwrap();
    (0..5).for_each(|n| out.emit(n).unwrap());
    (0..5).for_each(|n| signal.emit(100 + n).unwrap());
    // A third worker, whose lanes have room when those of the others are full.
    let third = WorkerListener::new(narrow.listener()).on_worker(worker(1));
    kept.push(signal.add(third).unwrap());
    (5..8).for_each(|n| out.emit(n).unwrap());
    (5..8).for_each(|n| signal.emit(100 + n).unwrap());
    for n in 8..12 {
        assert_eq!(out.emit(n).unwrap_err().event, n);
        assert_eq!(signal.emit(100 + n).unwrap_err().event, 100 + n);
        let left = &mut (n..n + 3);
        let rejected = out.emit_batch(left.by_ref()).unwrap_err();
        assert_eq!((rejected.accepted, rejected.event), (0, Some(n)));
        assert_eq!(left.count(), 2);
    }
    engine.run_until_idle().unwrap();
    let mut seen = log.take();
    seen.sort_unstable();
    let twice = |n: u64| [n, n];
    let expected: Vec<_> = (0..8).chain(100..108).flat_map(twice).collect();
    assert_eq!(seen, expected);
    let mut seen = narrow.take();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [5, 6, 7, 105, 106, 107],
        "nothing that another worker refused"
    );
    assert_eq!(counts(&signal.metrics()), [28, 16, 12, 0]);
}

#[test]
fn while_one_lane_is_full_a_broadcast_that_waits_gives_nothing_to_the_others() {
    for shared in [false, true] {
        let engine = engine(2);
        let signal = signal(&engine, Overflow::Wait);
        let (door, mut stand) = door();
        let free = Log::new();
        let stuck = WorkerListener::new(move |n: &u64| {
            if *n == 0 {
                stand();
            }
        });
        let _stuck = signal.add(stuck.on_worker(worker(1))).unwrap();
        let listener = WorkerListener::new(free.listener());
        let _free = signal.add(listener.on_worker(worker(0))).unwrap();
        let begun = Arc::new(AtomicU64::new(0));
        let waiting = thread::spawn({
            let (signal, begun) = (signal.clone(), Arc::clone(&begun));
            move || {
                let mut out = signal.emitter().unwrap();
                for n in 0..20 {
                    begun.store(n + 1, Ordering::Release);
                    if shared {
                        signal.emit(n).unwrap()
                    } else {
                        out.emit(n).unwrap()
                    }
                }
            }
        });
        door.wait();
        eventually("the lane is full", || {
            begun.load(Ordering::Acquire) == FULL + 1
        });
        eventually("the other worker has all there is", || {
            free.len() == CAPACITY
        });
        assert_eq!(signal.metrics().accepted, FULL, "the ninth waits, for both");
        drop(door);
        in_time(move || waiting.join().unwrap());
        assert_eq!(engine.shutdown(LONG).abandoned, 0);
        assert_eq!(free.take(), (0..20).collect::<Vec<_>>(), "shared: {shared}");
    }
}

/// Panics when the copy for the second worker, or a later one, is made.
#[derive(Debug)]
struct Fragile {
    n: u64,
    copies: Option<Arc<AtomicU64>>,
}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        if let Some(copies) = &self.copies {
            assert!(
                copies.fetch_add(1, Ordering::Relaxed) == 0,
                "no second copy"
            );
        }
        Self {
            n: self.n,
            copies: self.copies.clone(),
        }
    }
}

#[test]
fn an_event_whose_clone_panics_reaches_nobody_and_later_ones_flow() {
    let engine = manual(3);
    let signal = engine
        .signal::<Fragile>("s")
        .capacity(4)
        .overflow(Overflow::Reject)
        .build()
        .unwrap();
    let log = Log::new();
    let kept: Vec<_> = (0..3)
        .map(|index| {
            let log = log.clone();
            let listener = WorkerListener::new(move |event: &Fragile| log.push(event.n));
            signal.add(listener.on_worker(worker(index))).unwrap()
        })
        .collect();
    let mut out = signal.emitter().unwrap();
    let sound = |n| Fragile { n, copies: None };
    let copies = Arc::new(AtomicU64::new(0));
    let fragile = |n| {
        copies.store(0, Ordering::Relaxed);
        Fragile {
            n,
            copies: Some(Arc::clone(&copies)),
        }
    };
    // Many times, so that a slot or a credit that is not given back would show.
    for round in 0..20 {
        let panicked = catch_unwind(AssertUnwindSafe(|| out.emit(fragile(1))));
        assert!(panicked.is_err());
        let panicked = catch_unwind(AssertUnwindSafe(|| signal.emit(fragile(2))));
        assert!(panicked.is_err());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            out.emit_batch([sound(10), fragile(11), sound(12)])
        }));
        assert!(panicked.is_err());
        out.emit(sound(20)).unwrap();
        signal.emit(sound(21)).unwrap();
        engine.run_until_idle().unwrap();
        let mut seen = log.take();
        seen.sort_unstable();
        assert_eq!(seen, [10, 10, 10, 20, 20, 20, 21, 21, 21], "round {round}");
        assert_eq!(Arc::strong_count(&copies), 1, "no copy is left over");
    }
    assert_eq!(counts(&signal.metrics())[1..], [60, 0, 0]);
    let report = engine.shutdown(LONG);
    assert_eq!(
        (report.accepted, report.delivered, report.abandoned),
        (180, 180, 0)
    );
    drop(kept);
}

#[test]
fn progress_is_released_at_least_every_quarter_of_a_lane_and_every_64_events() {
    for (capacity, quantum) in [(64, 16), (512, 64), (8, 2)] {
        let engine = engine(1);
        let builder = engine.signal::<usize>("s").capacity(capacity);
        let signal = builder.overflow(Overflow::Reject).build().unwrap();
        let stop_at = capacity - capacity / 4 + 1;
        let (door, mut stand) = door();
        let _kept = signal.subscribe(move |n| {
            if *n == stop_at {
                stand();
            }
        });
        let mut out = signal.emitter().unwrap();
        (0..capacity).for_each(|n| out.emit(n).unwrap());
        door.wait();
        let mut more = 0;
        while out.emit(capacity + more).is_ok() {
            more += 1;
        }
        assert!(
            more + quantum >= stop_at,
            "{more} of {stop_at} were released"
        );
        assert!(more <= stop_at, "the one in hand keeps its slot");
        drop(door);
    }
}

/// Everything at once, and every event accounted for: what callers were told, what listeners got, what
/// the metrics and the report say.
#[test]
fn the_sums_hold_to_the_last_event_whatever_the_policy() {
    const EVENTS: u64 = 5000;
    let policies = [
        Overflow::Wait,
        Overflow::WaitFor(Duration::from_micros(50)),
        Overflow::Reject,
        Overflow::DropNewest,
    ];
    let engine = engine(3);
    let calls = Arc::new(AtomicU64::new(0));
    let mut signals = Vec::new();
    for overflow in policies {
        let signal = signal(&engine, overflow);
        for index in 0..2 {
            let calls = Arc::clone(&calls);
            let listener = WorkerListener::new(move |n: &u64| {
                calls.fetch_add(1, Ordering::Relaxed);
                // Now and then it is slow, so that lanes fill.
                if n.is_multiple_of(64) {
                    thread::yield_now();
                }
            });
            signal
                .add(listener.on_worker(worker(index)))
                .unwrap()
                .detach();
        }
        signals.push(signal);
    }
    // Handed back and accepted, as the callers were told.
    let told: Vec<_> = thread::scope(|scope| {
        let emitting: Vec<_> = signals
            .iter()
            .map(|signal| {
                let own = scope.spawn(move || {
                    let mut out = signal.emitter().unwrap();
                    let refused = (0..EVENTS).filter(|n| out.emit(*n).is_err()).count() as u64;
                    (refused, out.sequence())
                });
                let shared = scope
                    .spawn(move || (0..EVENTS).filter(|n| signal.emit(*n).is_err()).count() as u64);
                (own, shared)
            })
            .collect();
        emitting
            .into_iter()
            .map(|(own, shared)| (own.join().unwrap(), shared.join().unwrap()))
            .collect()
    });
    let report = engine.shutdown(LONG);
    assert_eq!(report.accepted, report.delivered + report.abandoned);
    assert_eq!(report.abandoned, 0);
    let mut accepted = 0;
    for ((signal, ((refused, own), refused_shared)), overflow) in
        signals.iter().zip(told).zip(policies)
    {
        let metrics = signal.metrics();
        assert_eq!(metrics.emitted, 2 * EVENTS);
        assert_eq!(
            metrics.emitted,
            metrics.accepted + metrics.rejected + metrics.dropped
        );
        assert_eq!(metrics.rejected, refused + refused_shared, "{overflow:?}");
        assert!(metrics.accepted >= own);
        assert_eq!(
            metrics.delivered,
            2 * metrics.accepted,
            "each to two listeners"
        );
        match overflow {
            Overflow::Wait => assert_eq!(metrics.accepted, 2 * EVENTS),
            Overflow::DropNewest => assert_eq!(metrics.rejected, 0),
            _ => assert_eq!(metrics.dropped, 0),
        }
        accepted += metrics.accepted;
    }
    assert_eq!(report.accepted, 2 * accepted);
    assert_eq!(calls.load(Ordering::Relaxed), 2 * accepted);
}

#[test]
fn a_change_of_listeners_takes_no_room() {
    // One worker, and two: both have a short way, which is taken until the listeners change.
    for workers in [1, 2] {
        let engine = manual(3);
        let signal = engine.signal::<u64>("narrow").capacity(2);
        let signal = signal.overflow(Overflow::Reject).build().unwrap();
        let listen = |index| {
            let listener = WorkerListener::new(|_: &u64| {}).on_worker(worker(index));
            signal.add(listener).unwrap()
        };
        let _kept: Vec<_> = (0..workers).map(listen).collect();
        let mut out = signal.emitter().unwrap();
        out.emit(1).unwrap();
        let another = listen(2);
        // The second of two slots.
        out.emit(2).unwrap();
        assert_eq!(out.emit(3).unwrap_err().reason, RejectReason::Full);
        drop(another);
        engine.run_until_idle().unwrap();
        assert_eq!(counts(&signal.metrics()), [3, 2, 1, 0]);
    }
}
