//! An asynchronous listener goes to its worker's thread.

use corecast::Engine;
use std::rc::Rc;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("numbers").build().unwrap();
    let seen = Rc::new(7);
    signal.subscribe(move |_| drop(Rc::clone(&seen))).detach();
}
