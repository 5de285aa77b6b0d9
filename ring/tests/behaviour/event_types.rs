//! Events of every size and alignment, over several laps.

use corecast_ring::{Consumer, mpsc, spsc};
use std::fmt::Debug;

/// Sends `make(0..10)` through both kinds of ring at capacity 2 and compares what arrives.
fn survives_the_wrap<T: PartialEq + Debug>(make: impl Fn(u8) -> T) {
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    let (shared, mut shared_consumer) = mpsc(2).expect("two slots");
    for value in 0..10 {
        assert!(producer.try_push(make(value)).is_ok());
        assert!(shared.try_push(make(value)).is_ok());
        for consumer in [&mut consumer, &mut shared_consumer] {
            assert_eq!(consumer.poll(1), 1);
            assert_eq!(address_of_first(consumer) % align_of::<T>(), 0);
            assert_eq!(consumer.pop().expect("an event"), make(value));
        }
    }
}

fn address_of_first<T>(consumer: &Consumer<T>) -> usize {
    std::ptr::from_ref(consumer.get(0).expect("an event")).addr()
}

#[derive(Debug, PartialEq)]
#[repr(align(4096))]
struct PageAligned(u8);

#[derive(Debug, PartialEq)]
#[repr(align(128))]
struct TwoLines([u8; 256]);

#[test]
fn events_without_a_size() {
    survives_the_wrap(|_| ());
}

#[test]
fn events_of_one_byte() {
    survives_the_wrap(|value| value);
}

#[test]
fn events_of_256_bytes() {
    survives_the_wrap(|value| [value; 256]);
    survives_the_wrap(|value| TwoLines([value; 256]));
}

#[test]
fn events_aligned_to_a_page() {
    survives_the_wrap(PageAligned);
}

#[test]
fn events_that_own_memory() {
    survives_the_wrap(|value| vec![value; usize::from(value)]);
}

#[test]
fn events_of_16_kib_on_a_stack_of_256() {
    std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(|| survives_the_wrap(|value| [value; 16 << 10]))
        .expect("a thread")
        .join()
        .expect("no overflow");
}

#[test]
fn both_halves_can_be_sent_for_events_that_are_not_shared() {
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    let (shared, mut shared_consumer) = mpsc(4).expect("four slots");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            assert!(producer.try_push(std::cell::Cell::new(1)).is_ok());
            assert!(shared.try_push(std::cell::Cell::new(2)).is_ok());
        });
    });
    assert_eq!(consumer.pop().expect("an event").get(), 1);
    assert_eq!(shared_consumer.pop().expect("an event").get(), 2);
}
