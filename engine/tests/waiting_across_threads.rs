//! Waiting for a removal in a thread that did not subscribe.

use corecast::SyncSignal;
use std::sync::Arc;
use std::time::Duration;

/// More than a busy machine needs.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_listener_that_one_thread_subscribed_is_waited_for_by_another() {
    let signal = SyncSignal::<u64>::new();
    let state = Arc::new(());
    let captured = Arc::clone(&state);
    let subscription = signal.subscribe(move |_| {
        let _held = &captured;
    });
    // The subscribing thread lives on, and does nothing more with the signal.
    let waiting = std::thread::spawn(move || subscription.unsubscribe_and_wait(LONG));
    assert_eq!(waiting.join().expect("waiting thread"), Ok(()));
    assert_eq!(Arc::strong_count(&state), 1);
}

#[test]
fn what_one_thread_retired_another_waits_for() {
    let signal = SyncSignal::<u64>::new();
    let subscription = signal.subscribe(|_| {});
    assert!(subscription.unsubscribe());
    let other = signal.clone();
    let waiting = std::thread::spawn(move || other.quiesce(LONG));
    assert_eq!(waiting.join().expect("waiting thread"), Ok(()));
    assert_eq!(signal.metrics().retired_arrays, 0);
}
