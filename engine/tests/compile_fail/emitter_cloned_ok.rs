//! Another emitter has lanes of its own.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let _emitter = signal.emitter().unwrap();
    let _second = signal.clone().emitter().unwrap();
}
