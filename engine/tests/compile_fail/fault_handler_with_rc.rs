//! A fault handler runs on the reporter's thread.

use corecast::Engine;
use std::rc::Rc;

fn main() {
    let seen = Rc::new(7);
    let _engine = Engine::builder().manual().on_fault(move |_| drop(Rc::clone(&seen))).build();
}
