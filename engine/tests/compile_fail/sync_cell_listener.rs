//! Several threads may be in a synchronous listener at once.

use corecast::SyncSignal;
use std::cell::Cell;

fn main() {
    let signal = SyncSignal::<u64>::new();
    let seen = Cell::new(7);
    signal.subscribe(move |n| seen.set(*n)).detach();
}
