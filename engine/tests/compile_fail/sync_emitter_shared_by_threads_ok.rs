//! Each thread makes its own.

use corecast::SyncSignal;
use std::sync::Arc;

pub(crate) fn main() {
    let signal = Arc::new(SyncSignal::<u64>::new());
    std::thread::spawn(move || drop(signal.emitter()))
        .join()
        .unwrap();
}
