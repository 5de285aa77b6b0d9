//! The shared lanes copy as well.

use corecast::Engine;

struct Order;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<Order>("orders").build().unwrap();
    signal.emit(Order).unwrap();
}
