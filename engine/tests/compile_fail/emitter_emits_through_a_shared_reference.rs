//! To emit takes the emitter for oneself.

use corecast::Engine;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let emitter = signal.emitter().unwrap();
    let shared = &emitter;
    shared.emit(7).unwrap();
}
