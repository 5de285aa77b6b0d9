//! A slot is the emitter's until it is published.

use corecast::Engine;

fn main() {
    let engine = Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<String>("texts").recycled(String::new).build().unwrap();
    let mut emitter = signal.emitter().unwrap();
    let mut kept: Option<&mut String> = None;
    emitter.emit_with(|slot| kept = Some(slot)).unwrap();
    assert!(kept.is_some());
}
