//! Made first.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine
        .signal::<u64>("numbers")
        .recycled(|| 0)
        .build()
        .unwrap();
    let mut emitter = signal.emitter().unwrap();
    emitter.emit(7).unwrap();
    emitter.emit_with(|slot| *slot = 7).unwrap();
}
