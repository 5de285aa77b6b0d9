//! A listener array and the walk that finds it (edge L1), and a listener that is called once.

use corecast::{Delivery, Listener, SyncSignal};
use corecast_loom_tests::{Captured, long_model, model, model_without_light_fences};
use corecast_ring::sync::thread;

/// What an emission that runs against a subscription came to, and one that follows it.
fn whoever_finds_a_listener_finds_it_whole(
    signal: &SyncSignal<u64>,
    emit: impl FnOnce() -> Delivery + Send + 'static,
) {
    let emitting = thread::spawn(emit);
    let (captured, watch) = Captured::new();
    let subscription = signal.subscribe(move |_| captured.touch());
    let during = emitting.join().expect("emitting thread");
    assert!(during.delivered <= 1 && during.failed == 0, "{during:?}");
    let after = signal.emit(&2);
    assert_eq!((after.delivered, after.failed), (1, 0));
    assert_eq!(
        subscription.unsubscribe_and_wait(std::time::Duration::MAX),
        Ok(())
    );
    assert!(watch.is_dropped());
    assert!(signal.faults().is_empty());
}

#[test]
fn emit_against_subscribe() {
    // Long by the epoch's own steps.
    long_model("listener_set::emit_against_subscribe", || {
        let signal = SyncSignal::new();
        let emitting = signal.clone();
        whoever_finds_a_listener_finds_it_whole(&signal, move || emitting.emit(&1));
    });
}

#[test]
fn an_owned_emit_against_subscribe() {
    model_without_light_fences("listener_set::an_owned_emit_against_subscribe", || {
        let signal = SyncSignal::new();
        let mut emitter = signal.emitter();
        whoever_finds_a_listener_finds_it_whole(&signal, move || emitter.emit(&1));
    });
}

#[test]
fn a_quick_owned_emit_against_subscribe() {
    model_without_light_fences("listener_set::a_quick_owned_emit_against_subscribe", || {
        let signal = SyncSignal::<u64>::new();
        let _first = signal.subscribe(|_| {});
        let mut emitter = signal.emitter();
        let emitting = thread::spawn(move || {
            // At home there from the first one on.
            [1, 2].map(|event| emitter.emit(&event))
        });
        let (captured, watch) = Captured::new();
        let subscription = signal.subscribe(move |_| captured.touch());
        let [first, second] = emitting.join().expect("emitting thread");
        assert_eq!((first.failed, second.failed), (0, 0));
        assert!(1 <= first.delivered && first.delivered <= second.delivered);
        assert_eq!(signal.emit(&3).delivered, 2);
        assert!(subscription.unsubscribe() && watch.is_dropped());
        assert!(signal.faults().is_empty());
    });
}

#[test]
fn a_once_listener_is_called_by_one_of_two_emitters() {
    model(
        "listener_set::a_once_listener_is_called_by_one_of_two_emitters",
        || {
            let signal = SyncSignal::<u64>::new();
            let once = Listener::new(|_| {}).key("once").once();
            let _subscription = signal.add(once).expect("the first of its key");
            let emitters = [1, 2].map(|event| {
                let mut emitter = signal.emitter();
                thread::spawn(move || emitter.emit(&event).delivered)
            });
            let delivered = emitters.map(|emitter| emitter.join().expect("emitting thread"));
            assert_eq!(delivered[0] + delivered[1], 1);
            assert!(!signal.contains_key("once"));
        },
    );
}
