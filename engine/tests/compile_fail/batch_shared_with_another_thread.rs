//! Events need not be `Sync`, so a batch stays on its worker's thread.

use corecast::{Batch, Engine};
use std::cell::Cell;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<Cell<u64>>("cells").build().unwrap();
    let sum = |batch: &Batch<'_, Cell<u64>>| batch.iter().map(Cell::get).sum::<u64>();
    let elsewhere = move |batch: Batch<'_, _>| {
        std::thread::scope(|scope| drop(scope.spawn(|| sum(&batch))));
    };
    signal.subscribe_batch(elsewhere).detach();
}
