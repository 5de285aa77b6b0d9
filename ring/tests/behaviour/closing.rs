//! Either side may leave at any moment; nothing is lost, nothing comes twice.

use crate::support::{Ledger, panic_of};
use corecast_ring::{ClaimError, PopError, PushError, RingOptions, WaitStrategy, mpsc, spsc};
use std::sync::{Arc, Barrier, Mutex};

#[test]
fn what_was_published_is_delivered_after_the_producer_is_gone() {
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    producer.push_batch(&mut (0..3));
    drop(producer);
    assert!(!consumer.is_closed(), "three events are left");
    for value in 0..3 {
        assert_eq!(consumer.pop(), Ok(value));
    }
    assert_eq!(consumer.pop(), Err(PopError::Closed));
    assert!(consumer.is_closed());
}

#[test]
fn the_ring_closes_with_the_last_of_its_producers() {
    let (producer, mut consumer) = mpsc(4).expect("four slots");
    let other = producer.clone();
    producer.try_push(1).expect("room");
    drop(producer);
    assert_eq!(consumer.pop(), Ok(1));
    assert_eq!(consumer.pop(), Err(PopError::Empty));
    other.try_push(2).expect("room");
    drop(other);
    assert_eq!(consumer.pop(), Ok(2));
    assert_eq!(consumer.pop(), Err(PopError::Closed));
}

#[test]
fn every_way_to_push_into_a_closed_ring_is_refused_and_hands_back() {
    let (mut producer, consumer) = spsc(4).expect("four slots");
    assert!(!producer.is_closed());
    drop(consumer);
    assert!(producer.is_closed());
    assert_eq!(producer.try_push(1), Err(PushError::Closed(1)));
    assert_eq!(
        producer.push(1, WaitStrategy::park(), None),
        Err(PushError::Closed(1))
    );
    assert_eq!(producer.claim().err(), Some(ClaimError::Closed));
    let mut values = 0..3;
    assert_eq!(producer.push_batch(&mut values), 0);
    assert_eq!(values, 0..3);

    let (producer, consumer) = mpsc(4).expect("four slots");
    drop(consumer);
    assert!(producer.is_closed());
    assert_eq!(producer.try_push(1), Err(PushError::Closed(1)));
    assert_eq!(
        producer.push(1, WaitStrategy::park(), None),
        Err(PushError::Closed(1))
    );
    assert_eq!(producer.claim().err(), Some(ClaimError::Closed));
    assert_eq!(producer.reserve().err(), Some(ClaimError::Closed));
    assert_eq!(producer.push_batch(&mut values), 0);
    assert_eq!(values, 0..3);
}

#[test]
fn a_consumer_that_leaves_early_leaves_nothing_undropped() {
    let ledger = Ledger::new(4);
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    producer.push_batch(&mut (0..4).map(|id| ledger.event(id)));
    assert_eq!(consumer.pop().expect("an event").id, 0);
    assert_eq!(consumer.poll(1), 1);
    drop(consumer);
    assert_eq!(
        ledger.drops(),
        [1, 0, 0, 0],
        "the ring still holds the rest"
    );
    drop(producer);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_monitor_keeps_the_memory_and_neither_side_open() {
    let ledger = Ledger::new(1);
    let (mut producer, consumer) = spsc(4).expect("four slots");
    let monitor = consumer.monitor();
    assert!(producer.try_push(ledger.event(0)).is_ok());
    drop(producer);
    assert!(!consumer.is_closed(), "an event is left");
    drop(consumer);
    assert_eq!(monitor.depth(), 1);
    assert_eq!(ledger.drops(), [0]);
    drop(monitor.clone());
    drop(monitor);
    ledger.assert_each_dropped_once();
}

#[test]
fn left_events_whose_drops_panic_are_all_dropped() {
    let ledger = Ledger::new(4);
    let (mut producer, consumer) = spsc(4).expect("four slots");
    producer.push_batch(&mut (0..4).map(|id| ledger.event_with_a_panicking_drop(id)));
    drop(producer);
    assert_eq!(panic_of(|| drop(consumer)), "event 0 panics when dropped");
    ledger.assert_each_dropped_once();
}

#[test]
fn whoever_asks_is_told_of_each_drop_that_panics_when_the_ring_goes() {
    for recycled in [false, true] {
        let ledger = Ledger::new(4);
        let told = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&told);
        let options = RingOptions::new().on_drop_panic(move |payload| {
            let text = payload.downcast_ref::<String>().expect("a message").clone();
            record.lock().expect("no panic").push(text);
        });
        let mut events = (0..4).map(|id| ledger.event_with_a_panicking_drop(id));
        if recycled {
            let make = || events.next().expect("four slots");
            drop(options.spsc_recycled(4, make).expect("four slots"));
        } else {
            let (mut producer, consumer) = options.spsc(4).expect("four slots");
            producer.push_batch(&mut events);
            drop((consumer, producer));
        }
        ledger.assert_each_dropped_once();
        let expected = (0..4).map(|id| format!("event {id} panics when dropped"));
        assert_eq!(
            *told.lock().expect("no panic"),
            expected.collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_handler_of_drop_panics_that_panics_does_not_keep_the_other_values() {
    let ledger = Ledger::new(3);
    let options = RingOptions::new().on_drop_panic(|_| panic!("the handler"));
    let (mut producer, consumer) = options.spsc(4).expect("four slots");
    producer.push_batch(&mut (0..3).map(|id| ledger.event_with_a_panicking_drop(id)));
    drop(producer);
    assert_eq!(panic_of(|| drop(consumer)), "the handler");
    ledger.assert_each_dropped_once();
}

#[test]
fn abandoned_sequences_left_in_the_ring_are_not_dropped_as_events() {
    let ledger = Ledger::new(3);
    let (mut producer, consumer) = spsc(4).expect("four slots");
    assert!(producer.try_push(ledger.event(0)).is_ok());
    drop(producer.try_push_if(ledger.event(1), || false));
    assert!(producer.try_push(ledger.event(2)).is_ok());
    drop((producer, consumer));
    ledger.assert_each_dropped_once();
}

#[test]
fn a_consumer_leaving_while_the_producer_pushes_loses_no_event_and_drops_none_twice() {
    const EVENTS: usize = 200;
    for round in 0..200 {
        let ledger = Ledger::new(EVENTS);
        let (mut producer, mut consumer) = spsc(16).expect("sixteen slots");
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                for id in 0..EVENTS {
                    let event = ledger.event(id);
                    drop(producer.push(event, WaitStrategy::spin_then_yield(), None));
                }
                drop(producer);
            });
            scope.spawn(|| {
                start.wait();
                let mut next = 0;
                while next < round && consumer.wait(WaitStrategy::spin_then_yield(), None) {
                    consumer.drain(round - next, |event| {
                        assert_eq!(event.id, next);
                        next += 1;
                    });
                }
                drop(consumer);
            });
        });
        ledger.assert_each_dropped_once();
    }
}

#[test]
fn producers_leaving_while_the_consumer_drains_lose_no_event() {
    const EVENTS: usize = 100;
    for _ in 0..100 {
        let ledger = Ledger::new(2 * EVENTS);
        let (producer, mut consumer) = mpsc(16).expect("sixteen slots");
        let mut delivered = 0;
        std::thread::scope(|scope| {
            for half in [0, EVENTS] {
                let (producer, ledger) = (producer.clone(), &ledger);
                scope.spawn(move || {
                    for id in half..half + EVENTS {
                        let event = ledger.event(id);
                        assert!(producer.push(event, WaitStrategy::park(), None).is_ok());
                    }
                });
            }
            drop(producer);
            while consumer.wait(WaitStrategy::park(), None) {
                delivered += consumer.drain(usize::MAX, |_| {});
            }
        });
        assert_eq!(delivered, 2 * EVENTS);
        ledger.assert_each_dropped_once();
    }
}
