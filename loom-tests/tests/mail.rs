//! What reaches a worker that drains or sleeps beside events (edge B1): new lanes, and captured state
//! to be dropped. And lanes whose emitter is gone (G1).

use corecast_loom_tests::{Captured, Log, Threaded, long_model};
use corecast_ring::sync::thread;
use std::time::Duration;

#[test]
fn a_lane_that_comes_to_a_draining_worker_is_drained() {
    long_model(
        "mail::a_lane_that_comes_to_a_draining_worker_is_drained",
        || {
            let mut threaded = Threaded::new();
            let signal = threaded.engine().signal("two").capacity(2);
            let signal = signal.build().expect("a signal");
            let log = Log::default();
            let seen = log.clone();
            signal.subscribe(move |event| seen.push(*event)).detach();
            let mut first = signal.emitter().expect("a lane");
            first.emit(1).expect("room for two");
            threaded.start();
            let mut second = signal.emitter().expect("a lane");
            second.emit(2).expect("room for two");
            let report = threaded.shut_down();
            assert_eq!((report.accepted, report.delivered), (2, 2));
            assert_eq!(log.events().len(), 2);
        },
    );
}

#[test]
fn a_sleeping_worker_drops_what_was_captured() {
    long_model("mail::a_sleeping_worker_drops_what_was_captured", || {
        let mut threaded = Threaded::new();
        let signal = threaded.engine().signal("one").capacity(2);
        let signal = signal.build().expect("a signal");
        let (captured, watch) = Captured::new();
        let subscription = signal.subscribe(move |_: &u64| captured.touch());
        threaded.start();
        assert_eq!(subscription.unsubscribe_and_wait(Duration::MAX), Ok(()));
        assert!(watch.is_dropped());
        threaded.shut_down();
    });
}

#[test]
fn a_worker_that_goes_to_sleep_gives_up_a_finished_lane() {
    long_model(
        "mail::a_worker_that_goes_to_sleep_gives_up_a_finished_lane",
        || {
            let mut threaded = Threaded::new();
            let signal = threaded.engine().signal::<u64>("one").capacity(2);
            let signal = signal.build().expect("a signal");
            let emitter = signal.emitter().expect("a lane");
            threaded.start();
            drop(emitter);
            // Nothing wakes the worker any more.
            while !signal.metrics().lanes.is_empty() {
                thread::yield_now();
            }
            threaded.shut_down();
        },
    );
}
