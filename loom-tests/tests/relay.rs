//! From a worker to a network, by way of a thread that may wait (edges Z1 and Z2).

use corecast::model::relay::relay;
use corecast_loom_tests::{Log, long_model, model_without_light_fences};
use corecast_ring::sync::thread;
use std::time::Duration;

/// A log of the sequences that were handed over.
fn log() -> (Log, impl Fn(u64, u64) + Send + 'static) {
    let log = Log::default();
    let seen = log.clone();
    let put = move |first, count| (first..first + count).for_each(|sequence| seen.push(sequence));
    (log, put)
}

#[test]
fn what_is_found_flushed_was_handed_over_and_counted() {
    // A light fence between the events and their number would do for the edges' Release.
    model_without_light_fences(
        "relay::what_is_found_flushed_was_handed_over_and_counted",
        || {
            let (log, put) = log();
            let (handle, mut taker, sender) = relay(2, &[7], put);
            let sending = thread::spawn(move || sender.run());
            taker.take(1);
            if handle.flush(Duration::ZERO).is_ok() {
                assert_eq!(log.events(), [0]);
                assert_eq!(handle.published(), 1);
            }
            // Ends the thread.
            drop(taker);
            sending.join().expect("the sending thread");
            assert_eq!(log.events(), [0]);
            assert_eq!(handle.published(), 1);
        },
    );
}

#[test]
fn what_finds_no_room_is_counted_and_not_waited_for() {
    model_without_light_fences(
        "relay::what_finds_no_room_is_counted_and_not_waited_for",
        || {
            let (log, put) = log();
            let (handle, mut taker, sender) = relay(2, &[7, 8, 9], put);
            let sending = thread::spawn(move || sender.run());
            taker.take(3);
            let dealt_with = || handle.published() + handle.dropped();
            if handle.flush(Duration::ZERO).is_ok() {
                assert_eq!(dealt_with(), 3);
            }
            drop(taker);
            sending.join().expect("the sending thread");
            assert_eq!(dealt_with(), 3);
            assert_eq!(log.events().len() as u64, handle.published());
        },
    );
}

#[test]
fn a_flush_and_the_end_are_waited_for() {
    long_model("relay::a_flush_and_the_end_are_waited_for", || {
        let (log, put) = log();
        let (handle, mut taker, sender) = relay(2, &[7], put);
        let sending = thread::spawn(move || sender.run());
        taker.take(1);
        assert_eq!(handle.flush(Duration::MAX), Ok(()));
        assert_eq!(log.events(), [0]);
        assert!(handle.finish(Duration::MAX));
        sending.join().expect("the sending thread");
    });
}
