//! A synchronous emitter is one thread's as well.

use corecast::SyncSignal;
use std::sync::Arc;

fn main() {
    let signal = SyncSignal::<u64>::new();
    let emitter = Arc::new(signal.emitter());
    std::thread::spawn(move || drop(emitter)).join().unwrap();
}
