//! So it takes atomics, or a lock.

use corecast::SyncSignal;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) fn main() {
    let signal = SyncSignal::<u64>::new();
    let seen = AtomicU64::new(7);
    signal.subscribe(move |n| seen.store(*n, Relaxed)).detach();
}
