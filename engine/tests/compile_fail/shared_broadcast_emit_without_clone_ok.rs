//! Recycled slots are filled for each worker, and not copied.

use corecast::Engine;

struct Order;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine
        .signal::<Order>("orders")
        .recycled(|| Order)
        .build()
        .unwrap();
    signal.emitter().unwrap().emit_with(|_| {}).unwrap();
}
