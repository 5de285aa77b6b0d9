//! The slots of a lane are touched before its emitter is handed out: not even on the first lap does an
//! emission meet a page fault. Counted by the kernel, so on Linux only.
#![cfg(target_os = "linux")]

use corecast::{Cores, Emitter, Engine, Overflow};
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
            stat: File::open("/proc/thread-self/stat").unwrap(),
            text: [0; 1024],
        };
        faults.count();
        faults
    }

    fn count(&mut self) -> u64 {
        self.stat.rewind().unwrap();
        let length = self.stat.read(&mut self.text).unwrap();
        let text = std::str::from_utf8(&self.text[..length]).unwrap();
        // The name in parentheses may hold spaces; minflt is the eighth field behind it.
        let (_, fields) = text.rsplit_once(')').unwrap();
        fields
            .split_ascii_whitespace()
            .nth(7)
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// Faults of the first lap but for its first event, which touches the code and the stack.
fn faults_of_a_lap(
    capacity: usize,
    recycled: bool,
    mut emit: impl FnMut(&mut Emitter<[u64; 8]>),
) -> u64 {
    // Nobody drains, so that the lap is the emitter's alone.
    let builder = Engine::builder().cores(Cores::count(1)).workers_per_core(2);
    let engine = builder.manual().build().unwrap();
    let mut builder = engine
        .signal("s")
        .capacity(capacity)
        .overflow(Overflow::Reject);
    if recycled {
        builder = builder.recycled(|| [0; 8]);
    }
    let signal = builder.build().unwrap();
    (0..2).for_each(|_| signal.subscribe(|_| {}).detach());
    let mut faults = Faults::new();
    let mut out = signal.emitter().unwrap();
    emit(&mut out);
    let before = faults.count();
    (1..capacity).for_each(|_| emit(&mut out));
    let met = faults.count() - before;
    assert!(out.try_emit([1; 8]).is_err(), "the lap is complete");
    met
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
fn the_first_lap_of_an_emitters_lanes_meets_no_page_fault() {
    for capacity in [1 << 8, 1 << 14] {
        let met = faults_of_a_lap(capacity, false, |out| out.emit([1; 8]).unwrap());
        assert_eq!(met, 0, "capacity {capacity}");
        let met = faults_of_a_lap(capacity, true, |out| {
            out.emit_with(|slot| slot.fill(2)).unwrap()
        });
        assert_eq!(met, 0, "in place, capacity {capacity}");
    }
}
