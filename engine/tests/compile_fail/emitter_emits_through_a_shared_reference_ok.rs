//! A signal emits from anywhere, slower.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let shared = &signal;
    shared.emit(7).unwrap();
}
