//! A subscription that is not kept removes the listener at once.

#![deny(unused_must_use)]

use corecast::SyncSignal;

fn main() {
    let signal = SyncSignal::<u64>::new();
    signal.subscribe(|_| {});
}
