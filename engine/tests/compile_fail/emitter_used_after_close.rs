//! `close` takes the emitter.

use corecast::Engine;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let mut emitter = signal.emitter().unwrap();
    emitter.close();
    emitter.emit(7).unwrap();
}
