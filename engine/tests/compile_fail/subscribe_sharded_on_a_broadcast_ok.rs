//! A broadcast listener is placed on one.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    signal.subscribe(|_| {}).detach();
}
