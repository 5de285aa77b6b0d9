//! The event to emit is made before the emitter is taken.

use corecast::Engine;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").recycled(|| 0).build().unwrap();
    let mut emitter = signal.emitter().unwrap();
    emitter.emit_with(|slot| emitter.emit(*slot).unwrap()).unwrap();
}
