//! It may move from one to another.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let emitter = signal.emitter().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || emitter.sequence());
    });
}
