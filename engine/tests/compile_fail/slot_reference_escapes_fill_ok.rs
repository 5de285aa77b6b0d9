//! What was read from it may leave.

use corecast::Engine;

pub(crate) fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine
        .signal::<String>("texts")
        .recycled(String::new)
        .build()
        .unwrap();
    let mut emitter = signal.emitter().unwrap();
    let mut kept: Option<usize> = None;
    emitter.emit_with(|slot| kept = Some(slot.len())).unwrap();
    assert_eq!(kept, None, "nobody listens, so no slot was filled");
}
