//! On a broadcast every listener would see every event once for each worker.

use corecast::Engine;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    signal.subscribe_sharded(|_| |_: &u64| {}).detach();
}
