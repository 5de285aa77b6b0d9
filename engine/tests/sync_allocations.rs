//! No synchronous emission allocates, frees, or runs a stranger's destructor; and what signals hold.
#![expect(unsafe_code, reason = "counting takes a global allocator")]

use corecast::{
    Context, Delivery, EmitError, Listener, Subscription, SyncEmitter, SyncSignal, WaitError,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

struct Counting;

thread_local! {
    /// Calls to the allocator, of either kind, from this thread.
    static CALLS: Cell<u64> = const { Cell::new(0) };
    /// Bytes that this thread has asked for and not given back.
    static HELD: Cell<i64> = const { Cell::new(0) };
    /// Sizes that somebody wants to know about: of a block asked for, negative of one given back.
    static WATCHED: Cell<[i64; 2]> = const { Cell::new([0; 2]) };
    /// How often they came.
    static SEEN: Cell<[u32; 2]> = const { Cell::new([0; 2]) };
}

fn count(bytes: i64) {
    CALLS.set(CALLS.get() + 1);
    HELD.set(HELD.get() + bytes);
    let (watched, mut seen) = (WATCHED.get(), SEEN.get());
    for (watched, seen) in watched.iter().zip(&mut seen) {
        *seen += u32::from(*watched == bytes);
    }
    SEEN.set(seen);
}

// SAFETY: every call goes to the system's allocator unchanged; the counters have no destructor and
// do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `body` called the allocator.
fn calls<R>(body: impl FnOnce() -> R) -> u64 {
    let before = CALLS.get();
    drop(std::hint::black_box(Box::new(1_u8)));
    assert_eq!(CALLS.get() - before, 2, "the allocator does not count");
    let before = CALLS.get();
    std::hint::black_box(body());
    CALLS.get() - before
}

/// How many bytes `body` keeps.
fn bytes_kept<R>(body: impl FnOnce() -> R) -> (R, i64) {
    let before = HELD.get();
    let result = body();
    (result, HELD.get() - before)
}

/// Either handle.
enum Handle {
    Shared(SyncSignal<u64>),
    Owned(SyncEmitter<u64>),
}

impl Handle {
    fn both(signal: &SyncSignal<u64>) -> [Self; 2] {
        [Self::Shared(signal.clone()), Self::Owned(signal.emitter())]
    }

    fn emit(&mut self, event: &u64) -> Delivery {
        match self {
            Self::Shared(signal) => signal.emit(event),
            Self::Owned(emitter) => emitter.emit(event),
        }
    }

    fn try_emit(&mut self, event: &u64, context: &Context) -> Result<Delivery, EmitError> {
        match self {
            Self::Shared(signal) => signal.try_emit(event, context),
            Self::Owned(emitter) => emitter.try_emit(event, context),
        }
    }
}

/// Emits in every way, from both handles, and expects so many deliveries and no allocation.
#[track_caller]
fn nothing_allocates(signal: &SyncSignal<u64>, delivered: usize) {
    let later = Context::with_deadline(Instant::now() + Duration::from_secs(3600));
    let tokened = Context::none();
    let _token = tokened.cancel_token();
    for mut handle in Handle::both(signal) {
        // The handle knows this thread from here on.
        handle.emit(&0);
        let used = calls(|| {
            for n in 0..20 {
                assert_eq!(handle.emit(&n).delivered, delivered);
                for context in [&Context::none(), &later, &tokened] {
                    let delivery = handle.try_emit(&n, context).expect("no refusal");
                    assert_eq!(delivery.delivered, delivered);
                }
            }
        });
        assert_eq!(used, 0, "{delivered} listeners");
    }
}

#[test]
fn with_0_1_10_and_1000_listeners_of_every_kind_no_emission_allocates() {
    for n in [0, 1, 10, 1000] {
        let make: [fn(usize) -> Listener<u64>; 6] = [
            |_| Listener::new(|_| {}),
            |n| Listener::new(|_| {}).key(format!("key {n}")),
            |n| Listener::new(|_| {}).priority(n as i32 % 7 - 3),
            |_| Listener::fallible(|_: &u64| Ok::<_, String>(())),
            |_| Listener::with_context(|_: &u64, _: &Context| Ok::<_, String>(())),
            |n| {
                Listener::new(|_| {})
                    .key(format!("{n}"))
                    .priority(n as i32)
                    .name("named")
            },
        ];
        for make in make {
            let signal = SyncSignal::new();
            let _subscriptions = signal
                .add_many((0..n).map(make))
                .expect("keys of their own");
            nothing_allocates(&signal, n);
        }
        let mixed = SyncSignal::new();
        let _subscriptions = mixed
            .add_many((0..n).map(|n| make[n % make.len()](n)))
            .expect("keys of their own");
        nothing_allocates(&mixed, n);
    }
}

#[test]
fn spent_and_removed_listeners_are_skipped_without_an_allocation() {
    let signal = SyncSignal::new();
    let _subscriptions = signal
        .add_many((0..10).map(|n| {
            let listener = Listener::new(|_| {});
            if n % 2 == 0 {
                listener.once()
            } else {
                listener
            }
        }))
        .expect("no keys");
    signal.emit(&0);
    nothing_allocates(&signal, 5);
}

#[test]
fn nested_emissions_do_not_allocate() {
    let (signal, other) = (SyncSignal::<u64>::new(), SyncSignal::<u64>::new());
    let (inside, across) = (signal.clone(), other.clone());
    let _subscriptions = (
        signal.subscribe(move |n| {
            if *n > 0 {
                inside.emit(&(n - 1));
                across.try_emit(n, &Context::none()).expect("no refusal");
            }
        }),
        other.subscribe(|_| {}),
    );
    for mut handle in Handle::both(&signal) {
        handle.emit(&1);
        let used = calls(|| {
            for _ in 0..100 {
                assert_eq!(handle.emit(&8).delivered, 1);
                handle.try_emit(&8, &Context::none()).expect("no refusal");
            }
        });
        assert_eq!(used, 0);
    }
    signal.clear();
}

#[test]
fn a_refusal_by_the_context_does_not_allocate() {
    let signal = SyncSignal::<u64>::new();
    let _subscription = signal.subscribe(|_| {});
    let (cancelled, passed) = (Context::none(), Context::with_timeout(Duration::ZERO));
    cancelled.cancel_token().cancel();
    for mut handle in Handle::both(&signal) {
        handle.emit(&0);
        let used = calls(|| {
            for context in [&cancelled, &passed] {
                let error = handle.try_emit(&0, context).expect_err("a refusal");
                assert_eq!(error.delivered(), 0);
            }
        });
        assert_eq!(used, 0);
    }
}

#[test]
fn an_owned_emitter_does_not_allocate_after_its_first_emission_in_a_thread() {
    let signal = SyncSignal::<u64>::new();
    let _subscription = signal.subscribe(|_| {});
    let mut emitter = signal.emitter();
    for _ in 0..3 {
        let moved = thread::spawn(move || {
            emitter.emit(&0);
            let used = calls(|| {
                (0..10_000)
                    .map(|n| emitter.emit(&n).delivered)
                    .sum::<usize>()
            });
            (emitter, used)
        });
        let used;
        (emitter, used) = moved.join().expect("no panic");
        assert_eq!(used, 0);
    }
}

#[test]
fn a_shared_handle_s_first_emission_in_a_thread_registers_it_and_later_ones_do_not_allocate() {
    let signal = SyncSignal::<u64>::new();
    let _subscription = signal.subscribe(|_| {});
    let clone = signal.clone();
    let (first, later) = thread::spawn(move || {
        let first = calls(|| clone.emit(&0));
        // Beyond any period of the epoch's own housekeeping.
        (
            first,
            calls(|| (0..10_000).map(|n| clone.emit(&n).delivered).sum::<usize>()),
        )
    })
    .join()
    .expect("no panic");
    assert!(first > 0, "the claim would be too modest");
    assert_eq!(later, 0);
}

/// Signals that one thread uses in turn, more of them than its cache has places.
#[test]
fn a_thread_that_emits_on_a_hundred_signals_does_not_allocate() {
    let signals: Vec<_> = (0..100).map(|_| SyncSignal::<u64>::new()).collect();
    let _subscriptions: Vec<_> = signals
        .iter()
        .map(|signal| signal.subscribe(|_| {}))
        .collect();
    let round = || {
        let delivered = signals.iter().map(|signal| signal.emit(&0).delivered);
        assert_eq!(delivered.sum::<usize>(), 100);
    };
    round();
    assert_eq!(calls(|| (0..50).for_each(|_| round())), 0);
}

/// The number of the emission under way, or of the last one, in the emitting thread.
struct Progress {
    begun: AtomicU64,
    /// Emissions in which the emitting thread called the allocator, and in which it ran a drop.
    allocated: Mutex<Vec<u64>>,
    dropped: Mutex<Vec<u64>>,
}

thread_local! {
    /// Drops of captured states in this thread.
    static DROPS: Cell<u64> = const { Cell::new(0) };
}

struct State(Arc<AtomicBool>);

impl Drop for State {
    fn drop(&mut self) {
        DROPS.set(DROPS.get() + 1);
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The emissions, first and last, during which a removal went on that did not drop the state
/// itself: it left that to the walk that was in its way.
type HandedOver = (u64, u64);

/// Emits without pause in one thread while another subscribes and removes without pause.
fn emit_under_churn(owned: bool, removals: usize) -> (Progress, Vec<HandedOver>) {
    let signal = SyncSignal::<u64>::new();
    let _stays = signal.subscribe(|_| {});
    let progress = Progress {
        begun: AtomicU64::new(0),
        allocated: Mutex::new(Vec::with_capacity(1 << 16)),
        dropped: Mutex::new(Vec::with_capacity(1 << 16)),
    };
    let churning = AtomicBool::new(true);
    let [shared, own] = Handle::both(&signal);
    let mut handle = if owned { own } else { shared };
    let mut handed_over = Vec::new();
    thread::scope(|scope| {
        let (progress, churning) = (&progress, &churning);
        scope.spawn(move || {
            let (mut allocated, mut dropped) =
                (Vec::with_capacity(1 << 16), Vec::with_capacity(1 << 16));
            handle.emit(&0);
            for n in 1.. {
                progress.begun.store(n, Ordering::SeqCst);
                let (calls, drops) = (CALLS.get(), DROPS.get());
                assert!(handle.emit(&n).delivered >= 1);
                let (calls, drops) = (CALLS.get() - calls, DROPS.get() - drops);
                if calls > 0 {
                    allocated.push(n);
                }
                if drops > 0 {
                    dropped.push(n);
                }
                if n >= 1000 && !churning.load(Ordering::Relaxed) {
                    break;
                }
            }
            *progress.allocated.lock().expect("alone") = allocated;
            *progress.dropped.lock().expect("alone") = dropped;
        });
        while progress.begun.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        for _ in 0..removals {
            let dropped = Arc::new(AtomicBool::new(false));
            let state = State(Arc::clone(&dropped));
            let subscription = signal.subscribe(move |_| {
                std::hint::black_box(&state.0);
            });
            let from = progress.begun.load(Ordering::SeqCst);
            assert!(subscription.unsubscribe());
            let was_dropped = dropped.load(Ordering::SeqCst);
            let to = progress.begun.load(Ordering::SeqCst);
            // Dropped in time, but perhaps by the walk.
            let here = DROPS.replace(0) > 0;
            if !(was_dropped && here) {
                handed_over.push((from, to));
            }
        }
        churning.store(false, Ordering::Relaxed);
    });
    (progress, handed_over)
}

#[track_caller]
fn all_handed_over(emissions: &[u64], windows: &[HandedOver]) {
    for emission in emissions {
        let is_excused = |(from, to): &HandedOver| (*from..=*to).contains(emission);
        assert!(
            windows.iter().any(is_excused),
            "emission {emission} was in no remover's way: {windows:?}"
        );
    }
}

#[test]
fn an_owned_emitter_does_not_allocate_while_another_thread_subscribes_and_removes() {
    // Only a walk that kept a remover waiting for longer than a moment, as when its thread lost the
    // processor in the middle, reclaims what it was in the way of.
    let (progress, handed_over) = emit_under_churn(true, 5_000);
    let allocated = progress.allocated.into_inner().expect("no panic");
    all_handed_over(&allocated, &handed_over);
    assert!(allocated.len() <= handed_over.len(), "{allocated:?}");
    assert!(handed_over.len() < 5_000, "no removal found a gap");
}

#[test]
fn no_emission_of_either_handle_runs_a_drop_unless_it_was_in_the_remover_s_way() {
    for owned in [true, false] {
        let (progress, handed_over) = emit_under_churn(owned, 5_000);
        let dropped = progress.dropped.into_inner().expect("no panic");
        all_handed_over(&dropped, &handed_over);
        assert!(dropped.len() <= handed_over.len(), "{dropped:?}");
        assert!(handed_over.len() < 5_000, "no removal found a gap");
    }
}

#[test]
fn an_owned_walk_that_came_after_the_removal_does_not_allocate_for_it() {
    let signal = SyncSignal::<u64>::new();
    // Where event 1 is held, inside the listener that is removed, and where event 2 is.
    let places: Arc<[Barrier; 4]> = Arc::new([(); 4].map(|()| Barrier::new(2)));
    let hold = |event: u64, entered: usize, leave: usize| {
        let places = Arc::clone(&places);
        move |n: &u64| {
            if *n == event {
                places[entered].wait();
                places[leave].wait();
            }
        }
    };
    let removed = signal.subscribe(hold(1, 0, 1));
    let (mut in_the_way, mut unrelated) = (signal.emitter(), signal.emitter());
    thread::scope(|scope| {
        let first = scope.spawn(move || in_the_way.emit(&1));
        places[0].wait();
        assert!(removed.unsubscribe());
        let _second = signal.subscribe(hold(2, 2, 3));
        let second = scope.spawn(move || {
            unrelated.emit(&0);
            calls(|| unrelated.emit(&2))
        });
        places[2].wait();
        // Somebody looks while both are walking, and marks the one in the way.
        assert_eq!(signal.quiesce(Duration::ZERO), Err(WaitError::Timeout));
        places[3].wait();
        assert_eq!(second.join().expect("no panic"), 0);
        places[1].wait();
        first.join().expect("no panic");
    });
}

/// The bytes that the documentation of `SyncSignal` names.
#[cfg(target_pointer_width = "64")]
mod documented {
    pub(super) const EMPTY_SIGNAL_AT_MOST: i64 = 5 * 1024;
    pub(super) const EMITTER_AT_MOST: i64 = 512;
    pub(super) const THREAD_AT_MOST: i64 = 3 * 1024;
    pub(super) const ARRAY: i64 = 24;
    pub(super) const ENTRY: i64 = 16;
    pub(super) const LISTENER_BLOCK: i64 = 128;
}

/// Adds `n` listeners that capture nothing, for good.
fn settle(signal: &SyncSignal<u64>, n: usize) {
    let many = (0..n).map(|_| Listener::new(|_| {}));
    let subscriptions = signal.add_many(many).expect("no keys");
    subscriptions.into_iter().for_each(Subscription::detach);
    signal.quiesce(Duration::MAX).expect("nobody walks");
}

#[test]
fn a_listener_holds_the_bytes_that_the_documentation_says() {
    use documented::{ENTRY, LISTENER_BLOCK};
    let signal = SyncSignal::<u64>::new();
    // The first changes leave the signal's own lists with room that is kept.
    settle(&signal, 4);
    let metrics = signal.metrics().bytes as i64;
    let ((), bytes) = bytes_kept(|| settle(&signal, 1000));
    assert_eq!(bytes, 1000 * (ENTRY + LISTENER_BLOCK));
    assert_eq!(signal.metrics().bytes as i64 - metrics, 1000 * ENTRY);

    let captured = [0_u64; 5];
    let ((), bytes) = bytes_kept(|| {
        let holds = move |_: &u64| {
            std::hint::black_box(&captured);
        };
        signal.subscribe(holds).detach();
        signal.quiesce(Duration::MAX).expect("nobody walks");
    });
    assert_eq!(bytes, ENTRY + LISTENER_BLOCK + 40);
}

#[test]
fn an_empty_signal_an_emitter_and_a_thread_hold_no_more_than_the_documentation_says() {
    use documented::{EMITTER_AT_MOST, EMPTY_SIGNAL_AT_MOST, THREAD_AT_MOST};
    let (signal, bytes) = bytes_kept(SyncSignal::<u64>::new);
    println!("an empty signal: {bytes} bytes");
    assert!((1..=EMPTY_SIGNAL_AT_MOST).contains(&bytes), "{bytes}");
    assert!((1..=bytes).contains(&(signal.metrics().bytes as i64)));
    // The list of readers has room for a few from the first one on.
    let first = signal.emitter();
    let (second, bytes) = bytes_kept(|| signal.emitter());
    println!("an emitter: {bytes} bytes");
    assert!((1..=EMITTER_AT_MOST).contains(&bytes), "{bytes}");
    drop((first, second));
    let emits = signal.clone();
    let thread = thread::spawn(move || {
        // The thread's own map is there from the first signal on.
        SyncSignal::<u64>::new().emit(&0);
        let other = SyncSignal::<u64>::new();
        other.emit(&0);
        bytes_kept(|| emits.emit(&0)).1
    });
    let bytes = thread.join().expect("no panic");
    println!("a thread: {bytes} bytes");
    assert!((1..=THREAD_AT_MOST).contains(&bytes), "{bytes}");
}

#[test]
fn after_a_removal_the_array_is_exact_in_size() {
    use documented::{ARRAY, ENTRY};
    let signal = SyncSignal::<u64>::new();
    let many = (0..200).map(|_| Listener::new(|_| {}));
    let mut subscriptions = signal.add_many(many).expect("no keys");
    signal.quiesce(Duration::MAX).expect("nobody walks");
    while let Some(subscription) = subscriptions.pop() {
        let (left, metrics) = (subscriptions.len() as i64, signal.metrics().bytes as i64);
        // The new array, and the one before, which was exact as well. A listener that is alone has its
        // array in itself.
        let of = |listeners| ARRAY + listeners * ENTRY;
        WATCHED.set([of(left), -of(left + 1)]);
        SEEN.set([0; 2]);
        drop(subscription);
        let seen = SEEN.replace([0; 2]);
        WATCHED.set([0; 2]);
        assert_eq!(
            seen[0] >= 1,
            left != 1,
            "an array for {left} listeners was asked for"
        );
        assert_eq!(
            seen[1] >= 1,
            left + 1 != 1,
            "the array before was not one for {} listeners",
            left + 1
        );
        assert_eq!(signal.metrics().bytes as i64, metrics - ENTRY);
    }
    assert_eq!(signal.metrics().retired_arrays, 0);
}

#[test]
fn what_a_thread_keeps_of_signals_and_emitters_that_are_gone_does_not_grow() {
    let life = || {
        let signal = SyncSignal::<u64>::new();
        let mut emitter = signal.emitter();
        let keyed = |n: u32| Listener::new(|_| {}).key(n.to_string()).name("n");
        let subscriptions = signal.add_many((0..50).map(keyed)).expect("free keys");
        emitter.emit(&0);
        signal.emit(&0);
        drop(subscriptions);
        signal.add(keyed(0).once()).expect("a free key").detach();
        emitter.emit(&0);
    };
    // A thread forgets those that are gone when it meets others, a few at a time.
    let kept_by = |lives| {
        let kept = thread::spawn(move || bytes_kept(|| (0..lives).for_each(|_| life())).1);
        kept.join().expect("no panic")
    };
    let few: i64 = (8..24).map(kept_by).max().expect("some");
    assert!((1..16 * 1024).contains(&few), "{few}");
    for lives in [200, 201, 202, 203, 205, 207] {
        let kept = kept_by(lives);
        assert!(kept <= few, "{kept} after {lives} lives, {few} after a few");
    }
}
