//! And the batch itself.

use corecast::{Batch, Engine};
use std::cell::Cell;

thread_local! {
    static KEPT: Cell<Option<Batch<'static, u64>>> = const { Cell::new(None) };
}

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    signal.subscribe_batch(|batch| KEPT.set(Some(batch))).detach();
}
