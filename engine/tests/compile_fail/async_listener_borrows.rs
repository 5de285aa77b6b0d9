//! As synchronous listeners, so asynchronous ones.

use corecast::Engine;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let mut sum = 0;
    signal.subscribe(|n| sum += n).detach();
}
