//! An emitter is the single writer of its lanes.

use corecast::Engine;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let emitter = signal.emitter().unwrap();
    let _second = emitter.clone();
}
