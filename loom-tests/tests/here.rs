//! What a thread takes for walks of its own (edge H1), when an emitter has moved to another thread and
//! the former one still knows its record.

use corecast::SyncSignal;
use corecast_loom_tests::model_without_light_fences;
use corecast_ring::sync::{Arc, AtomicBool, Ordering, thread};
use std::time::Duration;

#[test]
fn a_walk_of_another_thread_is_not_taken_for_ones_own() {
    model_without_light_fences(
        "here::a_walk_of_another_thread_is_not_taken_for_ones_own",
        || {
            let (signal, other) = (SyncSignal::<u64>::new(), SyncSignal::<u64>::new());
            signal.subscribe(|_| {}).detach();
            let mut emitter = signal.emitter();
            // At home here.
            assert_eq!(emitter.emit(&1).delivered, 1);
            // Orders nothing. Without a word that both touch before they walk, the checker takes the one
            // thread to its end and then the other.
            let met = Arc::new(AtomicBool::new(false));
            let meets = Arc::clone(&met);
            let walking = thread::spawn(move || {
                meets.store(true, Ordering::Relaxed);
                // At home there from here on.
                assert_eq!(emitter.emit(&2).delivered, 1);
                emitter
            });
            met.load(Ordering::Relaxed);
            // Would deadlock inside a walk of this thread.
            assert_eq!(other.quiesce(Duration::MAX), Ok(()));
            let emitter = walking.join().expect("emitting thread");
            drop(emitter);
            assert!(signal.faults().is_empty());
        },
    );
}
