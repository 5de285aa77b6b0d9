//! An event is the listener's for the length of its call.

use corecast::Engine;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let mut kept: Vec<&'static u64> = Vec::new();
    signal.subscribe(move |n| kept.push(n)).detach();
}
