//! Its numbers may stay.

use corecast::Engine;
use std::cell::Cell;

thread_local! {
    static KEPT: Cell<Option<usize>> = const { Cell::new(None) };
}

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    signal
        .subscribe_batch(|batch| KEPT.set(Some(batch.len())))
        .detach();
}
