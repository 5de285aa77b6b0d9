//! A copy may go.

use corecast::{Batch, Engine};
use std::cell::Cell;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<Cell<u64>>("cells").build().unwrap();
    let elsewhere = move |batch: Batch<'_, Cell<u64>>| {
        let copies: Vec<u64> = batch.iter().map(Cell::get).collect();
        std::thread::scope(|scope| drop(scope.spawn(|| copies.iter().sum::<u64>())));
    };
    signal.subscribe_batch(elsewhere).detach();
}
