//! A listener may outlive the scope it was made in.

use corecast::SyncSignal;
use std::sync::Mutex;

fn main() {
    let signal = SyncSignal::<u64>::new();
    let seen = Mutex::new(7);
    signal.subscribe(|n| *seen.lock().unwrap() = *n).detach();
}
