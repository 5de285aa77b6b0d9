//! Before it is closed it emits.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let mut emitter = signal.emitter().unwrap();
    emitter.emit(7).unwrap();
    emitter.close();
}
