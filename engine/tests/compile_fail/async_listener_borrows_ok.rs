//! Moved, it belongs to the worker.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let mut sum = 0;
    signal.subscribe(move |n| sum += n).detach();
}
