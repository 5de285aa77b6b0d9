//! Clone is all that is asked for.

use corecast::Engine;

#[derive(Clone)]
struct Order;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<Order>("orders").build().unwrap();
    let mut emitter = signal.emitter().unwrap();
    emitter.emit_batch([Order, Order]).unwrap();
}
