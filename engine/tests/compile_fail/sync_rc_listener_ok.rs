//! So it may hold what may be anywhere.

use corecast::SyncSignal;
use std::sync::Arc;

pub(crate) fn main() {
    let signal = SyncSignal::<u64>::new();
    let seen = Arc::new(7);
    signal.subscribe(move |_| drop(Arc::clone(&seen))).detach();
}
