//! So the hook takes atomics, or a lock.

use corecast::Engine;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) fn main() {
    let started = AtomicU64::new(0);
    let _engine = Engine::builder().on_worker_start(move |_| started.store(1, Relaxed));
}
