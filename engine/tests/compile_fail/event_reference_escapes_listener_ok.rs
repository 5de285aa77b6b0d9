//! A copy may stay.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let mut kept: Vec<u64> = Vec::new();
    signal.subscribe(move |n| kept.push(*n)).detach();
}
