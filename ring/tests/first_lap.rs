//! The slots are touched before a ring is handed out: no event meets a page fault, not even on the
//! first lap. Counted by the kernel, so on Linux only.
#![cfg(target_os = "linux")]

use corecast_ring::{Consumer, Producer, mpsc, spsc};
use std::fs::File;
use std::io::{Read, Seek};

/// Reads this thread's minor page faults from the kernel, without allocating.
struct Faults {
    stat: File,
    text: [u8; 1024],
}

impl Faults {
    fn new() -> Self {
        let mut faults = Self {
            stat: File::open("/proc/thread-self/stat").expect("a mounted /proc"),
            text: [0; 1024],
        };
        faults.count();
        faults
    }

    fn count(&mut self) -> u64 {
        self.stat.rewind().expect("seekable");
        let length = self.stat.read(&mut self.text).expect("readable");
        let text = std::str::from_utf8(&self.text[..length]).expect("text");
        // The name in parentheses may hold spaces; minflt is the eighth field behind it.
        let (_, fields) = text.rsplit_once(')').expect("a name");
        let field = fields.split_ascii_whitespace().nth(7).expect("minflt");
        field.parse().expect("a number")
    }
}

fn faults_of_a_lap<T>(
    (mut producer, mut consumer): (Producer<T>, Consumer<T>),
    make: impl Fn() -> T,
    see: impl Fn(&T) -> bool,
) -> u64 {
    let mut faults = Faults::new();
    // The code and the stack of a lap are touched by one event; the slots behind it are not.
    assert!(producer.try_push(make()).is_ok());
    consumer.drain(1, |event| assert!(see(event)));
    let before = faults.count();
    for _ in 1..producer.capacity() {
        assert!(producer.try_push(make()).is_ok());
        consumer.drain(1, |event| assert!(see(event)));
    }
    faults.count() - before
}

#[test]
fn the_counter_counts() {
    let mut faults = Faults::new();
    let before = faults.count();
    let untouched = vec![0_u8; 64 << 20];
    assert!(untouched.iter().step_by(4096).all(|byte| *byte == 0));
    assert!(faults.count() - before > 0);
}

#[test]
fn the_first_lap_of_small_events_meets_no_page_fault() {
    let ring = spsc::<u64>(1 << 16).expect("65536 slots");
    assert_eq!(faults_of_a_lap(ring, || 1, |event| *event == 1), 0);
}

#[test]
fn the_first_lap_of_large_events_meets_no_page_fault_either() {
    // Several blocks, since only one in some straddles a page with nothing but its last bytes.
    for capacity in [2, 4, 8, 64, 256, 1024] {
        let ring = spsc::<[u8; 16 << 10]>(capacity).expect("a power of two");
        let faults = faults_of_a_lap(ring, || [1; 16 << 10], |event| event[16_383] == 1);
        assert_eq!(faults, 0, "capacity {capacity}");
    }
}

#[test]
fn the_first_lap_of_a_shared_ring_meets_no_page_fault() {
    let (producer, mut consumer) = mpsc::<[u64; 8]>(1 << 14).expect("16384 slots");
    let mut faults = Faults::new();
    assert_eq!(producer.try_push([1; 8]), Ok(()));
    assert_eq!(consumer.drain(1, |_| {}), 1);
    let before = faults.count();
    for _ in 1..producer.capacity() {
        assert_eq!(producer.try_push([1; 8]), Ok(()));
        assert_eq!(consumer.drain(1, |_| {}), 1);
    }
    assert_eq!(faults.count() - before, 0);
}
