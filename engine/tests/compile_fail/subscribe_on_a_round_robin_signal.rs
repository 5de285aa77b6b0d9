//! Nor here.

use corecast::{Engine, WorkerListener};

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").round_robin().build().unwrap();
    signal.add(WorkerListener::new(|_| {})).unwrap().detach();
}
