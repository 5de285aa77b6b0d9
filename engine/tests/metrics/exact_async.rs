use crate::{LONG, until};
use corecast::{
    AsyncSignal, Context, Cores, Engine, Fences, Overflow, Pinning, Route, SignalMetrics,
    Subscription, WaitStrategy, WorkerListener,
};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// Events that each emitter tries to emit.
const EVENTS: u64 = 1500;

/// The ways to emit an event on an asynchronous signal.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Emit,
    TryEmit,
    Within,
    Batch,
    InPlace,
    Shared,
    SharedTry,
}

const WAYS: [Way; 7] = [
    Way::Emit,
    Way::TryEmit,
    Way::Within,
    Way::Batch,
    Way::InPlace,
    Way::Shared,
    Way::SharedTry,
];

/// What an emitter was told of its events: taken (or dropped in silence), or handed back.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    ok: u64,
    refused: u64,
}

impl Told {
    fn hear<E>(&mut self, result: Result<(), E>) {
        match result {
            Ok(()) => self.ok += 1,
            Err(_) => self.refused += 1,
        }
    }
}

/// Emits `EVENTS` events.
fn emit<R: Route<u64>>(signal: &AsyncSignal<u64, R>, way: Way) -> Told {
    emit_from(signal, way, || ())
}

/// As `emit`, after saying that all is `ready`.
fn emit_from<R: Route<u64>>(signal: &AsyncSignal<u64, R>, way: Way, ready: impl FnOnce()) -> Told {
    let mut told = Told::default();
    if matches!(way, Way::Shared | Way::SharedTry) {
        ready();
        for event in 0..EVENTS {
            if way == Way::Shared {
                told.hear(signal.emit(event));
            } else {
                told.hear(signal.try_emit(event));
            }
        }
        return told;
    }
    let mut out = signal.emitter().unwrap();
    ready();
    let mut events = 0..EVENTS;
    while let Some(event) = events.next() {
        match way {
            Way::Emit => told.hear(out.emit(event)),
            Way::TryEmit => told.hear(out.try_emit(event)),
            Way::Within => {
                let context = Context::with_timeout(Duration::from_micros(20));
                told.hear(out.emit_within(event, &context));
            }
            Way::InPlace => told.hear(out.emit_with(|slot| *slot = event)),
            Way::Batch => match out.emit_batch(core::iter::once(event).chain(events.by_ref())) {
                Ok(accepted) => told.ok += accepted as u64,
                Err(rejected) => {
                    told.ok += rejected.accepted as u64;
                    told.refused += u64::from(rejected.event.is_some()) + rejected.dropped as u64;
                }
            },
            Way::Shared | Way::SharedTry => unreachable!("above"),
        }
    }
    told
}

/// Calls that went well, that returned an error, that panicked.
#[derive(Default)]
struct Seen {
    well: AtomicU64,
    errors: AtomicU64,
    panics: AtomicU64,
}

impl Seen {
    fn all(&self) -> u64 {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        read(&self.well) + read(&self.errors) + read(&self.panics)
    }
}

/// A listener's body that counts its calls by how they end.
fn eventful(seen: &Arc<Seen>) -> impl FnMut(&u64) -> Result<(), &'static str> + Send + 'static {
    let seen = Arc::clone(seen);
    move |event| match event % 11 {
        3 => {
            seen.errors.fetch_add(1, Ordering::Relaxed);
            Err("an error")
        }
        7 => {
            seen.panics.fetch_add(1, Ordering::Relaxed);
            // Without the hook's message.
            resume_unwind(Box::new("a panic"))
        }
        _ => {
            seen.well.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }
}

fn two_workers() -> Engine {
    workers(2, Fences::Asymmetric)
}

fn workers(number: usize, fences: Fences) -> Engine {
    Engine::builder()
        .cores(Cores::count(1))
        .workers_per_core(number)
        .fences(fences)
        .pinning(Pinning::Off)
        .wait(WaitStrategy::park())
        .build()
        .unwrap()
}

/// All ways at once on one signal, while somebody keeps reading the metrics; returns what the
/// emitters were told. Listeners are held up at the gate until something was refused and, where the
/// policy is to drop, something was dropped.
fn emit_all_ways<R: Route<u64>>(
    signal: &AsyncSignal<u64, R>,
    policy: Overflow,
    is_recycled: bool,
    gate: &AtomicBool,
) -> Told {
    let ways = WAYS
        .iter()
        .filter(|way| is_recycled || **way != Way::InPlace);
    let running = AtomicU64::new(ways.clone().count() as u64);
    std::thread::scope(|scope| {
        let threads: Vec<_> = ways
            .map(|way| {
                let (signal, running) = (signal.clone(), &running);
                scope.spawn(move || {
                    let told = emit(&signal, *way);
                    running.fetch_sub(1, Ordering::Relaxed);
                    told
                })
            })
            .collect();
        let mut before = signal.metrics();
        until("the emitters come to their end", || {
            let now = signal.metrics();
            only_grows(&before, &now);
            // `Way::Within` and the two that never wait are refused under any policy.
            if now.rejected > 0 && (now.dropped > 0 || policy != Overflow::DropNewest) {
                gate.store(true, Ordering::Release);
            }
            before = now;
            running.load(Ordering::Relaxed) == 0
        });
        let mut sum = Told::default();
        for thread in threads {
            let told = thread.join().unwrap();
            sum.ok += told.ok;
            sum.refused += told.refused;
        }
        sum
    })
}

fn only_grows(before: &SignalMetrics, now: &SignalMetrics) {
    assert_eq!(now.emitted, now.accepted + now.rejected + now.dropped);
    for (before, now) in [
        (before.accepted, now.accepted),
        (before.rejected, now.rejected),
        (before.dropped, now.dropped),
        (before.delivered, now.delivered),
        (before.failed, now.failed),
        (before.panicked, now.panicked),
    ] {
        assert!(before <= now, "{before} before, {now} now");
    }
    for lane in &now.lanes {
        assert!(lane.high_water <= lane.capacity && lane.depth <= lane.capacity);
    }
}

/// Holds its worker up until the gate is open.
fn gatekeeper(gate: &Arc<AtomicBool>) -> impl FnMut(&u64) + Send + 'static {
    let gate = Arc::clone(gate);
    move |_| until("the gate opens", || gate.load(Ordering::Acquire))
}

/// The sums when all is over: what emitters were told, what listeners saw, what the metrics say.
fn check(
    policy: Overflow,
    told: Told,
    metrics: &SignalMetrics,
    listeners: &[Arc<Seen>],
    calls_per_event: u64,
) {
    let ways = (told.ok + told.refused) / EVENTS;
    assert_eq!(
        told.ok + told.refused,
        ways * EVENTS,
        "no event is unaccounted for"
    );
    assert_eq!(metrics.emitted, ways * EVENTS);
    assert_eq!(metrics.rejected, told.refused);
    assert_eq!(metrics.accepted + metrics.dropped, told.ok);
    assert_eq!(
        metrics.dropped > 0,
        policy == Overflow::DropNewest,
        "{metrics:?}"
    );
    assert!(metrics.rejected > 0, "{metrics:?}");
    let sum = |count: fn(&Seen) -> &AtomicU64| -> u64 {
        let counts = listeners
            .iter()
            .map(|seen| count(seen).load(Ordering::Relaxed));
        counts.sum()
    };
    let (errors, panics) = (sum(|seen| &seen.errors), sum(|seen| &seen.panics));
    assert!(errors > 0 && panics > 0);
    assert_eq!(metrics.failed, errors + panics);
    assert_eq!(metrics.panicked, panics);
    // The gatekeepers' calls went well, once for each event at each worker.
    let calls: u64 = listeners.iter().map(|seen| seen.all()).sum();
    let gatekeepers = metrics.delivered + metrics.failed - calls;
    assert_eq!(calls, calls_per_event * metrics.accepted);
    assert_eq!(gatekeepers % metrics.accepted, 0);
    assert!(metrics.lanes.iter().all(|lane| lane.depth == 0));
}

#[test]
fn broadcast_events_are_all_accounted_for_whatever_the_overflow() {
    const SHORT: Overflow = Overflow::WaitFor(Duration::from_micros(20));
    // One worker, not recycled, not sampled, asymmetric fences: the short way of an emission. Each
    // of the others leads round it by another door.
    for (number, policy, is_recycled, sample, fences) in [
        (1, Overflow::Reject, false, 0, Fences::Asymmetric),
        (1, Overflow::DropNewest, false, 0, Fences::Asymmetric),
        (1, SHORT, false, 0, Fences::Full),
        (1, Overflow::Reject, false, 3, Fences::Asymmetric),
        (2, Overflow::Reject, false, 0, Fences::Asymmetric),
        (2, Overflow::Reject, true, 0, Fences::Full),
        (2, Overflow::DropNewest, true, 5, Fences::Asymmetric),
        (2, SHORT, false, 0, Fences::Asymmetric),
        (2, Overflow::Wait, true, 0, Fences::Asymmetric),
    ] {
        let engine = workers(number, fences);
        let builder = engine.signal::<u64>("s").capacity(8).overflow(policy);
        let mut builder = builder.sample_latency(sample);
        if is_recycled {
            builder = builder.recycled(|| 0);
        }
        let signal = builder.build().unwrap();
        let gate = Arc::new(AtomicBool::new(false));
        let seen = [(); 3].map(|()| Arc::new(Seen::default()));
        let workers = engine.workers();
        let mut subscriptions: Vec<Subscription> = Vec::new();
        for (index, seen) in seen.iter().enumerate() {
            let worker = workers[index % number].id;
            let listener = WorkerListener::fallible(eventful(seen)).on_worker(worker);
            subscriptions.push(signal.add(listener).unwrap());
        }
        for worker in &workers {
            let listener = WorkerListener::new(gatekeeper(&gate)).on_worker(worker.id);
            subscriptions.push(signal.add(listener.priority(1)).unwrap());
        }
        let told = emit_all_ways(&signal, policy, is_recycled, &gate);
        let report = engine.shutdown(LONG);
        let metrics = signal.metrics();
        check(policy, told, &metrics, &seen, 3);
        for seen in &seen {
            assert_eq!(seen.all(), metrics.accepted, "each listener saw each event");
        }
        // Lane-events: one for each event at each worker.
        assert_eq!(report.accepted, number as u64 * metrics.accepted);
        assert_eq!((report.delivered, report.abandoned), (report.accepted, 0));
        let delivered: u64 = engine
            .metrics()
            .workers
            .iter()
            .map(|one| one.delivered)
            .sum();
        assert_eq!(delivered, report.delivered);
    }
}

/// As above, on a route to one worker.
fn one_worker_sums<R: Route<u64> + corecast::OneWorker>(
    engine: &Engine,
    signal: &AsyncSignal<u64, R>,
    policy: Overflow,
    is_recycled: bool,
) {
    let gate = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(Seen::default());
    let _gatekeepers = signal.subscribe_sharded(|_| gatekeeper(&gate));
    let _listeners = signal.subscribe_sharded(|_| {
        let mut body = eventful(&seen);
        // `subscribe_sharded` takes listeners that cannot fail: their errors are panics here.
        let seen = Arc::clone(&seen);
        move |event: &u64| {
            if body(event).is_err() {
                seen.errors.fetch_sub(1, Ordering::Relaxed);
                seen.panics.fetch_add(1, Ordering::Relaxed);
                resume_unwind(Box::new("an error"));
            }
        }
    });
    let told = emit_all_ways(signal, policy, is_recycled, &gate);
    let report = engine.shutdown(LONG);
    let metrics = signal.metrics();
    assert_eq!(told.ok + told.refused, metrics.emitted);
    assert_eq!(metrics.rejected, told.refused);
    assert_eq!(metrics.accepted + metrics.dropped, told.ok);
    assert_eq!(
        metrics.dropped > 0,
        policy == Overflow::DropNewest,
        "{metrics:?}"
    );
    assert!(metrics.rejected > 0, "{metrics:?}");
    let panics = seen.panics.load(Ordering::Relaxed);
    assert_eq!(
        seen.all(),
        metrics.accepted,
        "each event was seen by one listener"
    );
    assert_eq!((metrics.failed, metrics.panicked), (panics, panics));
    assert_eq!(metrics.delivered + metrics.failed, 2 * metrics.accepted);
    assert_eq!(report.accepted, metrics.accepted);
    assert_eq!((report.delivered, report.abandoned), (report.accepted, 0));
}

#[test]
fn sharded_events_are_all_accounted_for() {
    for policy in [Overflow::Reject, Overflow::DropNewest] {
        let engine = two_workers();
        let builder = engine.signal::<u64>("s").capacity(8).overflow(policy);
        let signal = builder
            .shard_by(|event| *event)
            .recycled(|| 0)
            .build()
            .unwrap();
        one_worker_sums(&engine, &signal, policy, true);
    }
}

#[test]
fn round_robin_events_are_all_accounted_for() {
    let engine = two_workers();
    let builder = engine.signal::<u64>("s").capacity(8);
    let signal = builder.round_robin().build().unwrap();
    one_worker_sums(&engine, &signal, Overflow::Wait, false);
}

#[test]
fn accepted_stays_exact_while_workers_gain_and_lose_their_listeners() {
    let engine = two_workers();
    let signal = engine.signal::<u64>("s").capacity(64).build().unwrap();
    let workers = engine.workers();
    let (first, second) = (workers[0].id, workers[1].id);
    let seen = Arc::new(AtomicU64::new(0));
    let counting = {
        let seen = Arc::clone(&seen);
        WorkerListener::new(move |_: &u64| {
            seen.fetch_add(1, Ordering::Relaxed);
        })
    };
    // The one that stays is behind the one that comes and goes, so that the lane at which an
    // emitter counts its events changes with each of its comings and goings.
    let _stays = signal.add(counting.on_worker(second)).unwrap();
    let accepted: u64 = std::thread::scope(|scope| {
        let emitters: Vec<_> = [Way::Emit, Way::TryEmit, Way::Batch, Way::Shared]
            .into_iter()
            .map(|way| {
                let signal = signal.clone();
                scope.spawn(move || {
                    let mut ok = 0;
                    for _ in 0..4 {
                        ok += emit(&signal, way).ok;
                    }
                    ok
                })
            })
            .collect();
        let mut changes = 0;
        while emitters.iter().any(|one| !one.is_finished()) || changes < 10 {
            let comes = WorkerListener::new(|_: &u64| {}).on_worker(first);
            drop(signal.add(comes).unwrap());
            changes += 1;
        }
        emitters.into_iter().map(|one| one.join().unwrap()).sum()
    });
    let report = engine.shutdown(LONG);
    let metrics = signal.metrics();
    assert_eq!(metrics.emitted, 4 * 4 * EVENTS);
    assert_eq!(metrics.accepted, accepted);
    assert_eq!(seen.load(Ordering::Relaxed), accepted);
    assert_eq!(report.accepted, report.delivered);
}

#[test]
fn events_without_a_listener_are_accepted_and_delivered_to_nobody() {
    let engine = two_workers();
    let signal = engine.signal::<u64>("s").capacity(8).build().unwrap();
    for way in [Way::Emit, Way::Batch, Way::Shared] {
        assert_eq!(emit(&signal, way).ok, EVENTS);
    }
    let metrics = signal.metrics();
    assert_eq!(
        (metrics.emitted, metrics.accepted),
        (3 * EVENTS, 3 * EVENTS)
    );
    assert_eq!((metrics.delivered, metrics.failed), (0, 0));
    assert_eq!(engine.shutdown(LONG).accepted, 0, "no lane took any");
}

#[test]
fn sums_hold_when_the_engine_is_shut_down_in_the_middle() {
    for is_recycled in [false, true] {
        let engine = two_workers();
        let mut builder = engine.signal::<u64>("s").capacity(64);
        if is_recycled {
            builder = builder.recycled(|| 0);
        }
        let signal = builder.build().unwrap();
        let seen = [(); 2].map(|()| Arc::new(Seen::default()));
        let mut subscriptions = Vec::new();
        for (seen, worker) in seen.iter().zip(engine.workers()) {
            let listener = WorkerListener::fallible(eventful(seen)).on_worker(worker.id);
            subscriptions.push(signal.add(listener).unwrap());
        }
        let ways: Vec<_> = WAYS
            .into_iter()
            .filter(|way| is_recycled || *way != Way::InPlace)
            .collect();
        let start = Barrier::new(ways.len() + 1);
        let (told, report) = std::thread::scope(|scope| {
            let threads: Vec<_> = ways
                .iter()
                .map(|way| {
                    let (signal, start) = (&signal, &start);
                    let ready = move || {
                        start.wait();
                    };
                    scope.spawn(move || emit_from(signal, *way, ready))
                })
                .collect();
            start.wait();
            until("events flow", || signal.metrics().accepted > EVENTS / 2);
            let report = engine.shutdown(LONG);
            let mut sum = Told::default();
            for thread in threads {
                let told = thread.join().unwrap();
                sum.ok += told.ok;
                sum.refused += told.refused;
            }
            (sum, report)
        });
        let metrics = signal.metrics();
        assert_eq!(told.ok + told.refused, ways.len() as u64 * EVENTS);
        assert_eq!(
            (metrics.accepted, metrics.rejected),
            (told.ok, told.refused)
        );
        assert_eq!(metrics.dropped, 0);
        for seen in &seen {
            assert_eq!(
                seen.all(),
                metrics.accepted,
                "what was accepted is delivered"
            );
        }
        assert_eq!(report.accepted, 2 * metrics.accepted);
        assert_eq!((report.delivered, report.abandoned), (report.accepted, 0));
    }
}
