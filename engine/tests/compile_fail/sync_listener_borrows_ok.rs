//! So it owns what it uses.

use corecast::SyncSignal;
use std::sync::Mutex;

pub(crate) fn main() {
    let signal = SyncSignal::<u64>::new();
    let seen = Mutex::new(7);
    signal
        .subscribe(move |n| *seen.lock().unwrap() = *n)
        .detach();
}
