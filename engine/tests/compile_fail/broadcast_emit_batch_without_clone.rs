//! Nor can it copy many.

use corecast::Engine;

struct Order;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<Order>("orders").build().unwrap();
    let mut emitter = signal.emitter().unwrap();
    emitter.emit_batch([Order, Order]).unwrap();
}
