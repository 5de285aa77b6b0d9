//! Any thread may call, and drop, a synchronous listener.

use corecast::SyncSignal;
use std::rc::Rc;

fn main() {
    let signal = SyncSignal::<u64>::new();
    let seen = Rc::new(7);
    signal.subscribe(move |_| drop(Rc::clone(&seen))).detach();
}
