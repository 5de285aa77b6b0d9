//! After a ring has been made, nothing that is done with it allocates or frees.
#![expect(unsafe_code, reason = "counting takes a global allocator")]

use corecast_ring::{Fences, Parked, Parker, RingOptions, WaitStrategy, mpsc, spsc, spsc_recycled};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

/// Calls to the allocator, of either kind, from any thread.
static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `body` called the allocator.
fn calls(body: impl FnOnce()) -> usize {
    let before = CALLS.load(Ordering::Relaxed);
    body();
    CALLS.load(Ordering::Relaxed) - before
}

/// One test, since the count is the whole process's.
#[test]
fn nothing_allocates_once_a_ring_is_made() {
    assert!(
        calls(|| drop(std::hint::black_box(Box::new(1)))) == 2,
        "the allocator does not count"
    );

    let (mut producer, mut consumer) = spsc(8).expect("eight slots");
    let used = calls(|| {
        for value in 0..100_u64 {
            producer.try_push(value).expect("room");
            producer.claim().expect("room").publish(value);
            assert_eq!(producer.push_batch(&mut (0..2)), 2);
            assert!(producer.try_push_if(value, || false).is_err());
            producer.stage(value).expect("room");
            producer.announce();
            producer.withdraw();
            producer.stage(value).expect("room");
            producer.discard();
            assert_eq!(consumer.drain(usize::MAX, |_| {}), 4);
            assert!(consumer.pop().is_err());
        }
    });
    assert_eq!(used, 0, "one writer");

    let (shared, mut consumer) = mpsc(8).expect("eight slots");
    let used = calls(|| {
        for value in 0..100_u64 {
            shared.try_push(value).expect("room");
            drop(shared.claim().expect("room"));
            drop(shared.reserve().expect("room"));
            assert_eq!(shared.push_batch(&mut (0..2)), 2);
            assert_eq!(consumer.drain(usize::MAX, |_| {}), 3);
        }
    });
    assert_eq!(used, 0, "many writers");

    let (mut producer, mut consumer) =
        spsc_recycled(8, || String::with_capacity(16)).expect("eight slots");
    let used = calls(|| {
        for _ in 0..100 {
            let claim = producer.claim().expect("room");
            claim
                .publish_with(|text| {
                    text.clear();
                    text.push_str("sixteen bytes ok");
                })
                .expect("recycled");
            consumer.drain(1, |text| assert_eq!(text.len(), 16));
        }
    });
    assert_eq!(used, 0, "recycled strings");

    let place = Parker::new(Fences::default().resolve());
    let used = calls(|| {
        for _ in 0..100 {
            let ticket = place.announce().expect("the fence was granted");
            place.wake();
            assert_eq!(place.park(ticket, None), Parked::Woken);
        }
    });
    assert_eq!(used, 0, "parking");

    // Between two threads that sleep in turn. The other one is started and ended outside.
    let (mut there, mut from_here) = RingOptions::new().spsc::<u64>(2).expect("two slots");
    let (mut back, mut from_there) = RingOptions::new().spsc::<u64>(2).expect("two slots");
    let other = std::thread::spawn(move || {
        while from_here.wait(WaitStrategy::park(), None) {
            let value = from_here.pop().expect("an event");
            back.push(value, WaitStrategy::park(), None).expect("open");
        }
    });
    let mut there_and_back = |value| {
        there.push(value, WaitStrategy::park(), None).expect("open");
        assert!(from_there.wait(WaitStrategy::park(), None));
        assert_eq!(from_there.pop(), Ok(value));
    };
    // The first round waits until the other thread has been set up.
    there_and_back(0);
    let used = calls(|| (1..1000).for_each(&mut there_and_back));
    assert_eq!(used, 0, "a round trip");
    drop(there);
    other.join().expect("the other thread");
}
