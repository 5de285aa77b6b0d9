//! Kept, or detached.

#![deny(unused_must_use)]

use corecast::SyncSignal;

pub(crate) fn main() {
    let signal = SyncSignal::<u64>::new();
    signal.subscribe(|_| {}).detach();
    let _kept = signal.subscribe(|_| {});
}
