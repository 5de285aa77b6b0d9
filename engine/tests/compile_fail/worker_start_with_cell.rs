//! Several workers may start at once.

use corecast::Engine;
use std::cell::Cell;

fn main() {
    let started = Cell::new(0);
    let _engine = Engine::builder().on_worker_start(move |_| started.set(1));
}
