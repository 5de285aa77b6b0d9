//! An asynchronous signal's events go to other threads.

use corecast::Engine;
use std::rc::Rc;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let _signal = engine.signal::<Rc<u64>>("rc").build();
}
