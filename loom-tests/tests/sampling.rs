//! Sampling events while they are drained (edge K1): the moment of a sampled event is there when its
//! worker has come to the event.

use corecast_loom_tests::{engine_model, manual};
use corecast_ring::sync::thread;
use std::time::Duration;

#[test]
fn a_sample_is_there_when_its_event_is() {
    engine_model("sampling::a_sample_is_there_when_its_event_is", || {
        let engine = manual(1);
        let signal = engine.signal("sampled").capacity(2).sample_latency(1);
        let signal = signal.build().expect("a signal");
        signal.subscribe(|_: &u64| {}).detach();
        let mut emitter = signal.emitter().expect("a lane");
        let worker = engine.clone();
        let draining = thread::spawn(move || worker.run_until_idle());
        emitter.emit(1).expect("room for two");
        assert!(draining.join().expect("draining thread").is_ok());
        assert!(engine.run_until_idle().is_ok());
        let latency = signal.metrics().latency.expect("a signal that samples");
        assert_eq!(latency.count, 1);
        drop(emitter);
        engine.shutdown(Duration::MAX);
        assert!(engine.faults().is_empty());
    });
}
