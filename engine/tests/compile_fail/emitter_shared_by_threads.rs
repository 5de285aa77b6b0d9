//! Not even looked at from two threads.

use corecast::Engine;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let emitter = signal.emitter().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| emitter.sequence());
    });
}
