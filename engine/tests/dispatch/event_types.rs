//! Events of every size and kind.

use crate::support::{LONG, Log, engine, manual, worker};
use corecast::{AsyncSignal, Engine, Overflow, RejectReason, Route, WorkerListener};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

#[test]
fn events_of_no_size_are_counted_and_delivered() {
    let engine = engine(2);
    let signal = engine.signal::<()>("s").capacity(8).build().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counter = || {
        let count = Arc::clone(&count);
        move |_: &()| {
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    let _kept = [signal.subscribe(counter()), signal.subscribe(counter())];
    let mut out = signal.emitter().unwrap();
    (0..500).for_each(|_| out.emit(()).unwrap());
    (0..500).for_each(|_| signal.emit(()).unwrap());
    assert_eq!(out.emit_batch([(); 100]).unwrap(), 100);
    assert_eq!(engine.shutdown(LONG).delivered, 2200);
    assert_eq!(count.load(Ordering::Relaxed), 2200);
    assert_eq!(signal.metrics().accepted, 1100);
}

#[derive(Clone)]
#[repr(align(4096))]
struct Page([u8; 4096]);

#[derive(Clone)]
#[repr(align(4096))]
struct NoPage;

#[test]
fn events_aligned_to_a_page_lie_on_one() {
    let engine = engine(2);
    let signal = engine.signal::<Page>("pages").capacity(8).build().unwrap();
    let empty = engine
        .signal::<NoPage>("empty")
        .capacity(8)
        .build()
        .unwrap();
    let log = Log::new();
    let _pages = signal.subscribe({
        let log = log.clone();
        move |page| {
            assert_eq!(std::ptr::from_ref(page) as usize % 4096, 0);
            assert!(page.0.iter().all(|byte| *byte == page.0[0]));
            log.push(page.0[0]);
        }
    });
    let _empty = empty.subscribe({
        let log = log.clone();
        move |event| {
            assert_eq!(std::ptr::from_ref(event) as usize % 4096, 0);
            log.push(255);
        }
    });
    let mut out = signal.emitter().unwrap();
    for n in 0..100 {
        out.emit(Page([n; 4096])).unwrap();
        signal.emit(Page([100 + n; 4096])).unwrap();
        empty.emit(NoPage).unwrap();
    }
    engine.shutdown(LONG);
    assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
    let mut seen = log.take();
    seen.sort_unstable();
    assert!(seen.iter().copied().eq((0..200).chain([255; 100])));
}

/// What a thread with a small stack may emit.
#[derive(Clone)]
struct Large([u64; 2048]);

const _: () = assert!(size_of::<Large>() == 16 << 10);

/// Runs `work` where the contract says that large events can be emitted.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let small = thread::Builder::new().stack_size(256 << 10);
    small.spawn(work).unwrap().join().unwrap();
}

/// A listener on the worker of that index that notes whole events.
fn noting(log: &Log<u64>, index: u32) -> WorkerListener<Large> {
    let log = log.clone();
    let listener = WorkerListener::new(move |event: &Large| {
        assert!(event.0.iter().all(|word| *word == event.0[0]));
        log.push(event.0[0]);
    });
    listener.on_worker(worker(index))
}

#[test]
fn sixteen_kilobytes_are_emitted_and_delivered_on_a_small_stack() {
    let emit_in_every_way = |engine: Engine, workers: u32| {
        let signal = engine.signal::<Large>("s").capacity(8).build().unwrap();
        let log = Log::new();
        let kept = (0..workers).map(|index| signal.add(noting(&log, index)).unwrap());
        let _kept: Vec<_> = kept.collect();
        let mut out = signal.emitter().unwrap();
        for n in 0..20 {
            out.emit(Large([n; 2048])).unwrap();
            out.try_emit(Large([n; 2048])).unwrap();
            out.emit_within(Large([n; 2048]), &corecast::Context::none())
                .unwrap();
            out.emit_batch([Large([n; 2048])]).unwrap();
            signal.emit(Large([n; 2048])).unwrap();
            out.flush(LONG).unwrap();
            let _ = engine.run_until_idle();
        }
        let all = 100 * workers;
        assert_eq!(engine.shutdown(LONG).delivered, u64::from(all));
        assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
        assert_eq!(log.len(), all as usize);
    };
    on_a_small_stack(move || {
        for workers in 1..=3 {
            // A manual engine delivers on this very thread as well.
            emit_in_every_way(manual(workers as usize), workers);
            emit_in_every_way(engine(workers as usize), workers);
        }
    });
}

#[test]
fn sixteen_kilobytes_are_refused_and_handed_back_on_a_small_stack() {
    fn until_full<R: Route<Large>>(signal: &AsyncSignal<Large, R>, room: u64) {
        let mut out = signal.emitter().unwrap();
        for n in 0..room {
            out.emit(Large([n; 2048])).unwrap();
        }
        let refused = out.try_emit(Large([room; 2048])).unwrap_err();
        assert_eq!(refused.reason, RejectReason::Full);
        assert!(refused.event.0.iter().all(|word| *word == room));
        let again = out.emit(refused.event).unwrap_err();
        assert!(again.event.0.iter().all(|word| *word == room));
    }
    on_a_small_stack(|| {
        for workers in 1..=3 {
            let engine = manual(workers as usize);
            let log = Log::new();
            let build = || engine.signal::<Large>("s").capacity(4);
            let all = build().overflow(Overflow::Reject).build().unwrap();
            let one = build().overflow(Overflow::Reject).round_robin();
            let one = one.build().unwrap();
            let to_all = (0..workers).map(|index| all.add(noting(&log, index)).unwrap());
            let _to_all: Vec<_> = to_all.collect();
            let _to_one = one.subscribe_sharded(|_| {
                let log = log.clone();
                move |event: &Large| log.push(event.0[0])
            });
            until_full(&all, 4);
            until_full(&one, 4 * u64::from(workers));
            engine.run_until_idle().unwrap();
            assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
            assert_eq!(log.len(), 8 * workers as usize);
        }
    });
}

#[test]
#[expect(clippy::borrowed_box, reason = "the event is the box")]
fn larger_events_go_in_a_box() {
    let engine = engine(1);
    let signal = engine
        .signal::<Box<[u64]>>("s")
        .capacity(8)
        .round_robin()
        .build()
        .unwrap();
    let log = Log::new();
    let _kept = signal.subscribe_sharded(|_| {
        let log = log.clone();
        move |event: &Box<[u64]>| log.push((event.len(), event[event.len() - 1]))
    });
    let work = {
        let signal = signal.clone();
        move || {
            let mut out = signal.emitter().unwrap();
            (0..20).for_each(|n| out.emit(vec![n; 1 << 17].into()).unwrap());
        }
    };
    let small = thread::Builder::new().stack_size(256 << 10);
    small.spawn(work).unwrap().join().unwrap();
    engine.shutdown(LONG);
    assert!(log.take().into_iter().eq((0..20).map(|n| (1 << 17, n))));
}

/// Neither `Sync` nor `Clone`.
struct Own(Cell<u64>);

#[test]
fn an_event_need_not_be_sync_and_on_a_route_to_one_worker_not_clone() {
    let engine = engine(2);
    let signal = engine.signal::<Own>("s").round_robin().build().unwrap();
    let log = Log::new();
    let _kept = signal.subscribe_sharded(|_| {
        let log = log.clone();
        move |event: &Own| {
            event.0.set(event.0.get() + 1);
            log.push(event.0.get());
        }
    });
    let mut out = signal.emitter().unwrap();
    (0..10).for_each(|n| out.emit(Own(Cell::new(n))).unwrap());
    engine.shutdown(LONG);
    let mut seen = log.take();
    seen.sort_unstable();
    assert_eq!(seen, (1..=10).collect::<Vec<_>>());
}

/// Counts those that are alive.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(alive))
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn every_event_is_dropped_once_however_it_ends() {
    let alive = Arc::new(AtomicUsize::new(0));
    let event = || Counted::new(&alive);
    let living = || alive.load(Ordering::Relaxed);
    let engine = manual(3);
    let builder = engine.signal::<Counted>("s").capacity(4);
    let signal = builder
        .overflow(corecast::Overflow::Reject)
        .build()
        .unwrap();
    let kept = [signal.subscribe(|_| {}), signal.subscribe(|_| {})];
    let mut out = signal.emitter().unwrap();
    (0..4).for_each(|_| out.emit(event()).unwrap());
    (0..4).for_each(|_| signal.emit(event()).unwrap());
    assert_eq!(living(), 16, "a copy for each of two workers");
    let rejected = [
        out.emit(event()).unwrap_err(),
        signal.emit(event()).unwrap_err(),
    ];
    assert_eq!(living(), 18, "they came back");
    drop(rejected);
    let rejected = out.emit_batch([event(), event()]).unwrap_err();
    assert_eq!(living(), 17, "one came back");
    drop(rejected);
    engine.run_until_idle().unwrap();
    assert_eq!(living(), 0);
    (0..3).for_each(|_| out.emit(event()).unwrap());
    drop(out);
    assert_eq!(living(), 6, "what was published is still to be delivered");
    engine.run_until_idle().unwrap();
    assert_eq!(living(), 0);
    drop(kept);
    let mut out = signal.emitter().unwrap();
    out.emit(event()).unwrap();
    signal.emit(event()).unwrap();
    assert_eq!(living(), 0, "nobody to deliver it to");
    let _last = signal.subscribe(|_| {});
    out.emit(event()).unwrap();
    signal.emit(event()).unwrap();
    // Left in the lanes when everything goes.
    drop((out, signal, engine));
    assert_eq!(living(), 0);
}

#[test]
fn events_that_are_abandoned_are_dropped_all_the_same() {
    let alive = Arc::new(AtomicUsize::new(0));
    let engine = engine(1);
    let signal = engine.signal::<Counted>("s").capacity(16).build().unwrap();
    let (door, mut stand) = crate::support::door();
    let kept = signal.subscribe(move |_| stand());
    let mut out = signal.emitter().unwrap();
    (0..10).for_each(|_| out.emit(Counted::new(&alive)).unwrap());
    door.wait();
    let report = engine.shutdown(std::time::Duration::ZERO);
    assert_eq!(
        (report.accepted, report.delivered, report.abandoned),
        (10, 0, 10)
    );
    drop(door);
    drop((kept, out, signal, engine));
    crate::support::eventually("all are dropped", || alive.load(Ordering::Relaxed) == 0);
}
