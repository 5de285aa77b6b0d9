//! A key is what one may choose.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let _signal = engine
        .signal::<u64>("numbers")
        .shard_by(|n| n % 2)
        .build()
        .unwrap();
}
