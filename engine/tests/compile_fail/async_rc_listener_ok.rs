//! It need not be `Sync`: one worker owns it.

use corecast::Engine;
use std::cell::Cell;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let seen = Cell::new(7);
    signal.subscribe(move |n| seen.set(*n)).detach();
}
