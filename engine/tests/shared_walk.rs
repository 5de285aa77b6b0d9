//! An emission through a signal's handle uses nothing of its walk when that has ended.

use corecast::SyncSignal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Emissions while arrays are retired and freed without pause.
const EMISSIONS: u64 = 300_000;

#[test]
fn what_an_emission_returns_is_read_before_its_array_may_be_freed() {
    let signal = SyncSignal::<u64>::new();
    signal.subscribe(|_| {}).detach();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                drop(signal.subscribe(|_| {}));
            }
        });
        let strange = (0..EMISSIONS)
            .map(|event| signal.emit(&event))
            .find(|delivery| !(1..=2).contains(&delivery.delivered) || delivery.failed > 0);
        over.store(true, Ordering::Relaxed);
        assert_eq!(strange, None);
    });
}
