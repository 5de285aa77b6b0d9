//! After warm-up no emission and no delivery allocates or frees, on any thread and on any path.
#![expect(unsafe_code, reason = "counting takes a global allocator")]

use corecast::{
    AsyncSignal, Batch, Context, Cores, Emitter, Engine, Overflow, Routing, WaitStrategy,
    WorkerListener,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

struct Counting;

/// Calls of either kind from any thread.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static FREES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// This thread's calls of either kind. Without a destructor, so that it is always there.
    static HERE: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        HERE.set(HERE.get() + 1);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        FREES.fetch_add(1, Ordering::Relaxed);
        HERE.set(HERE.get() + 1);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LONG: Duration = Duration::from_secs(120);
/// Counted emissions on each path.
const EVENTS: u64 = 20_000;
/// Slots of a lane: few, so that emitters wait and lanes wrap.
const CAPACITY: usize = 64;

/// Allocations and frees of all threads while `body` runs.
fn calls(body: impl FnOnce()) -> (u64, u64) {
    let read = || {
        (
            ALLOCATIONS.load(Ordering::Relaxed),
            FREES.load(Ordering::Relaxed),
        )
    };
    let before = read();
    body();
    let after = read();
    (after.0 - before.0, after.1 - before.1)
}

/// Emits for a while to warm up, then counts; everything is delivered within the count.
fn expect_none<T: Send + 'static, R: Routing<T>>(
    path: &str,
    out: &mut Emitter<T, R>,
    events: u64,
    mut emit: impl FnMut(&mut Emitter<T, R>, u64),
) {
    let mut run = |events: u64| {
        (0..events).for_each(|n| emit(out, n));
        out.flush(LONG).unwrap();
    };
    run(4 * CAPACITY as u64);
    assert_eq!(calls(|| run(events)), (0, 0), "{path}");
}

fn engine(workers: usize, wait: WaitStrategy) -> Engine {
    let builder = Engine::builder()
        .cores(Cores::count(1))
        .workers_per_core(workers);
    builder.wait(wait).build().unwrap()
}

/// Adds what its listeners see, so that there is something to have been delivered.
#[derive(Clone, Default)]
struct Sum(Arc<AtomicU64>);

impl Sum {
    fn each(&self) -> impl FnMut(&u64) + Send + 'static {
        let sum = Arc::clone(&self.0);
        move |n| {
            sum.fetch_add(*n, Ordering::Relaxed);
        }
    }

    fn runs(&self) -> impl FnMut(Batch<'_, u64>) + Send + 'static {
        let sum = Arc::clone(&self.0);
        move |run| {
            sum.fetch_add(run.iter().sum(), Ordering::Relaxed);
        }
    }
}

fn broadcast(signal: &AsyncSignal<u64>, workers: usize, sum: &Sum) {
    for index in 0..workers {
        let at = corecast::WorkerId::new(index as u32);
        for listener in [
            WorkerListener::new(sum.each()),
            WorkerListener::batch(sum.runs()),
        ] {
            signal.add(listener.on_worker(at)).unwrap().detach();
        }
        let fallible = |_: &u64| Ok::<_, std::fmt::Error>(());
        signal
            .add(WorkerListener::fallible(fallible).on_worker(at))
            .unwrap()
            .detach();
    }
}

fn every_way_of_a_broadcast(workers: usize, wait: WaitStrategy) {
    let engine = engine(workers, wait);
    let builder = engine.signal::<u64>("s").capacity(CAPACITY);
    let signal = builder.build().unwrap();
    let sum = Sum::default();
    broadcast(&signal, workers, &sum);
    let mut out = signal.emitter().unwrap();
    let name = |path: &str| format!("{path}, {workers} workers, {wait}");
    expect_none(&name("emit"), &mut out, EVENTS, |out, n| {
        out.emit(n).unwrap()
    });
    expect_none(&name("try_emit"), &mut out, EVENTS, |out, n| {
        // Refused events come back, and cost nothing either.
        let _ = out.try_emit(n);
    });
    let context = Context::none();
    let token = context.cancel_token();
    expect_none(&name("emit_within"), &mut out, EVENTS, |out, n| {
        out.emit_within(n, &context).unwrap();
    });
    assert!(!token.is_cancelled());
    expect_none(&name("emit_batch"), &mut out, EVENTS / 100, |out, n| {
        assert_eq!(out.emit_batch(n..n + 100).unwrap(), 100);
    });
    expect_none(&name("shared emit"), &mut out, EVENTS, |out, n| {
        signal.emit(n).unwrap();
        if n % 1000 == 0 {
            out.flush(LONG).unwrap();
        }
    });
    expect_none(&name("shared try_emit"), &mut out, EVENTS, |_, n| {
        let _ = signal.try_emit(n);
    });
    let metrics = signal.metrics();
    assert_eq!(metrics.failed, 0);
    assert_eq!(engine.shutdown(LONG).abandoned, 0);
    assert_eq!(
        signal.metrics().delivered,
        metrics.accepted * 3 * workers as u64
    );
    assert!(sum.0.load(Ordering::Relaxed) > 0);
}

fn every_way_of_a_route_to_one_worker(workers: usize) {
    let engine = engine(workers, WaitStrategy::park());
    let sum = Sum::default();
    let sharded = engine
        .signal::<u64>("s")
        .capacity(CAPACITY)
        .shard_by(|n| *n);
    let sharded = sharded.build().unwrap();
    let in_turn = engine.signal::<u64>("t").capacity(CAPACITY).round_robin();
    let in_turn = in_turn.build().unwrap();
    sharded.subscribe_sharded(|_| sum.each()).detach();
    sharded.subscribe_sharded_batch(|_| sum.runs()).detach();
    in_turn.subscribe_sharded(|_| sum.each()).detach();
    let mut out = sharded.emitter().unwrap();
    expect_none("sharded emit", &mut out, EVENTS, |out, n| {
        out.emit(n).unwrap()
    });
    expect_none("sharded emit_batch", &mut out, EVENTS / 100, |out, n| {
        assert_eq!(out.emit_batch(n..n + 100).unwrap(), 100);
    });
    expect_none("sharded, shared", &mut out, EVENTS, |_, n| {
        sharded.emit(n).unwrap()
    });
    let mut out = in_turn.emitter().unwrap();
    expect_none("round robin emit", &mut out, EVENTS, |out, n| {
        out.emit(n).unwrap()
    });
    expect_none("round robin, shared", &mut out, EVENTS, |_, n| {
        in_turn.emit(n).unwrap()
    });
}

#[derive(Clone)]
struct Quote {
    symbol: String,
    levels: Vec<u64>,
}

impl Quote {
    fn new() -> Self {
        Self {
            symbol: String::with_capacity(32),
            levels: Vec::with_capacity(16),
        }
    }

    fn fill(&mut self, n: u64) {
        self.symbol.clear();
        write!(self.symbol, "symbol {n}").unwrap();
        self.levels.clear();
        self.levels.extend(n..n + n % 16);
    }
}

/// An event that owns a `Vec` and a `String`, a million times.
fn recycled_slots() {
    const MILLION: u64 = 1_000_000;
    let engine = engine(1, WaitStrategy::park());
    let builder = engine.signal::<Quote>("quotes").capacity(1024);
    let signal = builder.recycled(Quote::new).build().unwrap();
    let sum = Sum::default();
    let total = Arc::clone(&sum.0);
    signal
        .subscribe(move |quote| {
            let seen = quote.symbol.len() + quote.levels.len();
            total.fetch_add(seen as u64, Ordering::Relaxed);
        })
        .detach();
    let mut out = signal.emitter().unwrap();
    expect_none("recycled emit_with", &mut out, MILLION, |out, n| {
        out.emit_with(|quote| quote.fill(n)).unwrap();
    });
    assert!(out.sequence() >= MILLION && sum.0.load(Ordering::Relaxed) > MILLION);

    let engine = self::engine(2, WaitStrategy::park());
    let builder = engine.signal::<Quote>("quotes").capacity(CAPACITY);
    let signal = builder.recycled(Quote::new).build().unwrap();
    (0..2).for_each(|_| signal.subscribe(|_| {}).detach());
    let mut out = signal.emitter().unwrap();
    expect_none(
        "recycled emit_with, two workers",
        &mut out,
        EVENTS,
        |out, n| {
            out.emit_with(|quote| quote.fill(n)).unwrap();
        },
    );
    let builder = engine.signal::<Quote>("quotes").capacity(CAPACITY);
    let builder = builder.shard_by(|quote| quote.levels.len());
    let signal = builder.recycled(Quote::new).build().unwrap();
    signal.subscribe_sharded(|_| |_: &Quote| {}).detach();
    let mut out = signal.emitter().unwrap();
    expect_none("recycled emit_with, sharded", &mut out, EVENTS, |out, n| {
        out.emit_with(|quote| quote.fill(n)).unwrap();
    });
}

fn refusals_samples_and_manual_engines() {
    for overflow in [
        Overflow::Reject,
        Overflow::DropNewest,
        Overflow::WaitFor(Duration::ZERO),
    ] {
        let engine = engine(2, WaitStrategy::park());
        let builder = engine.signal::<u64>("s").capacity(8).overflow(overflow);
        let signal = builder.build().unwrap();
        broadcast(&signal, 2, &Sum::default());
        let mut out = signal.emitter().unwrap();
        expect_none(&format!("{overflow:?}"), &mut out, EVENTS, |out, n| {
            let _ = out.emit(n);
            let _ = signal.emit(n);
            let _ = out.emit_batch(n..n + 3);
        });
    }
    let engine = engine(2, WaitStrategy::park());
    let builder = engine
        .signal::<u64>("s")
        .capacity(CAPACITY)
        .sample_latency(3);
    let signal = builder.build().unwrap();
    broadcast(&signal, 2, &Sum::default());
    let mut out = signal.emitter().unwrap();
    expect_none("sampled latency", &mut out, EVENTS, |out, n| {
        out.emit(n).unwrap()
    });

    let builder = Engine::builder().cores(Cores::count(1)).workers_per_core(2);
    let engine = builder.manual().build().unwrap();
    let signal = engine
        .signal::<u64>("s")
        .capacity(CAPACITY)
        .build()
        .unwrap();
    broadcast(&signal, 2, &Sum::default());
    let mut out = signal.emitter().unwrap();
    expect_none("manual", &mut out, EVENTS, |out, n| {
        out.emit(n).unwrap();
        signal.emit(n).unwrap();
        if n % 32 == 31 {
            engine.run_until_idle().unwrap();
        }
    });
}

/// While others subscribe and remove, what they need is theirs: the emitter's thread still asks for
/// nothing.
fn an_emitter_while_others_subscribe() {
    let engine = engine(2, WaitStrategy::park());
    let signal = engine
        .signal::<u64>("s")
        .capacity(CAPACITY)
        .build()
        .unwrap();
    broadcast(&signal, 1, &Sum::default());
    let mut out = signal.emitter().unwrap();
    let (done, changes) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                drop(signal.subscribe(|_| {}));
                changes.fetch_add(1, Ordering::Release);
            }
        });
        let before = HERE.get();
        let mut n = 0;
        while n < EVENTS || changes.load(Ordering::Acquire) < 1000 {
            out.emit(n).unwrap();
            n += 1;
        }
        assert_eq!(HERE.get(), before, "an emitter's thread under churn");
        done.store(true, Ordering::Release);
    });
}

/// One test, since the counts are the whole process's.
#[test]
fn nothing_allocates_or_frees_after_warm_up() {
    let counted = calls(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(counted, (1, 1), "the allocator counts");
    for workers in [1, 2] {
        for wait in [WaitStrategy::park(), WaitStrategy::spin_then_yield()] {
            every_way_of_a_broadcast(workers, wait);
        }
        every_way_of_a_route_to_one_worker(workers);
    }
    recycled_slots();
    refusals_samples_and_manual_engines();
    an_emitter_while_others_subscribe();
}
