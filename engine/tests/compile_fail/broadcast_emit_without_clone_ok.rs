//! A route to one worker moves them.

use corecast::Engine;

struct Order;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine
        .signal::<Order>("orders")
        .round_robin()
        .build()
        .unwrap();
    let mut emitter = signal.emitter().unwrap();
    emitter.emit(Order).unwrap();
}
