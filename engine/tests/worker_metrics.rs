//! What a worker counts is what it delivered, also from lanes that were idle when it came by.

use corecast::{Cores, Engine};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(120);
/// Enough that most are looked at in slices, a few in each sweep.
const LANES: usize = 64;
const ROUNDS: u64 = 1000;

#[test]
fn workers_count_events_that_reach_a_lane_while_they_look_at_it() {
    let engine = Engine::builder().cores(Cores::count(1)).build().unwrap();
    let signal = engine.signal::<u64>("counted").build().unwrap();
    let heard = Arc::new(AtomicU64::new(0));
    let hear = Arc::clone(&heard);
    let listener = move |_: &u64| {
        hear.fetch_add(1, Ordering::Release);
    };
    signal.subscribe(listener).detach();
    let mut emitters: Vec<_> = (0..LANES).map(|_| signal.emitter().unwrap()).collect();
    for round in 0..ROUNDS {
        // Asleep, it takes every lane for idle.
        while engine.metrics().parked_workers() == 0 {
            thread::yield_now();
        }
        for (index, emitter) in emitters.iter_mut().enumerate() {
            emitter.emit(round).unwrap();
            // Awake, it looks at idle lanes in turn, and the next event comes at any moment of that.
            while index == 0 && heard.load(Ordering::Acquire) < round * LANES as u64 + 1 {
                thread::yield_now();
            }
            (0..(7 * round + index as u64) % 61).for_each(|_| std::hint::spin_loop());
        }
    }
    let report = engine.shutdown(LONG);
    let counted: u64 = engine
        .metrics()
        .workers
        .iter()
        .map(|worker| worker.delivered)
        .sum();
    assert_eq!(report.delivered, ROUNDS * LANES as u64);
    assert_eq!(counted, report.delivered);
}
