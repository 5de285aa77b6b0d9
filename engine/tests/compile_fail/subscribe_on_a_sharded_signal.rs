//! One listener cannot be on every worker.

use corecast::Engine;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").shard_by(|n| *n).build().unwrap();
    signal.subscribe(|_| {}).detach();
}
