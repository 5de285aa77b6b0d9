//! They need not be `Sync`: one thread at a time has them.

use corecast::Engine;
use std::cell::Cell;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<Cell<u64>>("cell").build().unwrap();
    signal.subscribe(|cell| cell.set(cell.get() + 1)).detach();
    signal.emitter().unwrap().emit(Cell::new(7)).unwrap();
}
