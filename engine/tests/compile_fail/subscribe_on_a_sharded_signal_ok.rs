//! One is made for each.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine
        .signal::<u64>("numbers")
        .shard_by(|n| *n)
        .build()
        .unwrap();
    signal.subscribe_sharded(|_| |_: &u64| {}).detach();
}
