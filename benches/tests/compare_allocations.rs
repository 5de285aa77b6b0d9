//! Counting allocations, with the counting allocator installed.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;

use corecast_lab::measure::alloc::{self, CountingAllocator, Counts};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn boxes_and_reallocations_are_counted_on_both_sides() {
    let (_, counts) =
        alloc::on_this_thread(|| drop(black_box(Box::new(1_u64)))).expect("installed");
    assert_eq!(
        counts,
        Counts {
            allocations: 1,
            frees: 1
        }
    );
    let mut bytes: Vec<u8> = Vec::with_capacity(8);
    let (_, counts) =
        alloc::on_this_thread(|| black_box(&mut bytes).reserve(4096)).expect("installed");
    assert_eq!(
        counts,
        Counts {
            allocations: 1,
            frees: 1
        }
    );
    let (_, counts) = alloc::on_this_thread(|| black_box(3 + 4)).expect("installed");
    assert_eq!(counts, Counts::default());
}

#[test]
fn another_thread_is_counted_everywhere_but_not_here() {
    let (begin, end) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            begin.wait();
            (0..100).for_each(|byte| drop(black_box(Box::new(byte))));
            end.wait();
        });
        let both = || {
            begin.wait();
            end.wait();
        };
        let counted = alloc::everywhere(|| alloc::on_this_thread(both).expect("installed"));
        let ((_, here), everywhere) = counted.expect("installed");
        assert_eq!(here, Counts::default());
        // Tests on other threads may add to what that thread did.
        assert!(
            everywhere.allocations >= 100 && everywhere.frees >= 100,
            "{everywhere:?}"
        );
    });
}

#[test]
fn nothing_is_counted_while_nobody_asks() {
    let (_, before) = alloc::on_this_thread(|| ()).expect("installed");
    drop(black_box(Box::new(2_u64)));
    let (_, after) = alloc::on_this_thread(|| ()).expect("installed");
    assert_eq!(before, after);
}
