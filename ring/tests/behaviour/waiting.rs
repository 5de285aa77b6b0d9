//! Waiting for room and for events, with every strategy and with deadlines.

use corecast_ring::{PushError, WaitStrategy, mpsc, spsc};
use std::time::{Duration, Instant};

const STRATEGIES: [WaitStrategy; 4] = [
    WaitStrategy::busy_spin(),
    WaitStrategy::spin_then_yield(),
    WaitStrategy::backoff(),
    WaitStrategy::park(),
];

#[test]
fn a_push_into_a_full_ring_gives_up_at_its_deadline_and_not_before() {
    let patience = Duration::from_millis(5);
    for strategy in STRATEGIES {
        let (mut producer, _consumer) = spsc(2).expect("two slots");
        producer.push_batch(&mut (0..2));
        let started = Instant::now();
        let refused = producer.push(7, strategy, Some(started + patience));
        assert_eq!(refused, Err(PushError::Full(7)), "{strategy}");
        assert!(started.elapsed() >= patience, "{strategy}");

        let (producer, _consumer) = mpsc(2).expect("two slots");
        producer.push_batch(&mut (0..2));
        let started = Instant::now();
        let refused = producer.push(7, strategy, Some(started + patience));
        assert_eq!(refused, Err(PushError::Full(7)), "{strategy}");
        assert!(started.elapsed() >= patience, "{strategy}");
    }
}

#[test]
fn a_deadline_that_has_passed_is_a_single_try() {
    let past = Instant::now();
    for strategy in STRATEGIES {
        let (mut producer, mut consumer) = spsc(2).expect("two slots");
        assert!(!consumer.wait(strategy, Some(past)));
        assert_eq!(producer.push(1, strategy, Some(past)), Ok(()));
        assert!(consumer.wait(strategy, Some(past)));
        assert_eq!(producer.push(2, strategy, Some(past)), Ok(()));
        assert_eq!(
            producer.push(3, strategy, Some(past)),
            Err(PushError::Full(3))
        );
    }
}

#[test]
fn a_consumer_waits_until_its_deadline_and_not_shorter() {
    let patience = Duration::from_millis(5);
    for strategy in STRATEGIES {
        let (_producer, mut consumer) = spsc::<u8>(2).expect("two slots");
        let started = Instant::now();
        assert!(!consumer.wait(strategy, Some(started + patience)));
        assert!(started.elapsed() >= patience, "{strategy}");
    }
}

#[test]
fn every_pairing_of_strategies_hands_every_event_over() {
    const EVENTS: u64 = 300;
    for pushing in STRATEGIES {
        for draining in STRATEGIES {
            let (mut producer, mut consumer) = spsc(4).expect("four slots");
            let writer = std::thread::spawn(move || {
                for value in 0..EVENTS {
                    producer
                        .push(value, pushing, None)
                        .expect("the reader is there");
                }
            });
            let mut next = 0;
            while consumer.wait(draining, None) {
                consumer.drain(usize::MAX, |value| {
                    assert_eq!(*value, next, "{pushing} to {draining}");
                    next += 1;
                });
            }
            assert_eq!(next, EVENTS, "{pushing} to {draining}");
            writer.join().expect("writer");
        }
    }
}

#[test]
fn a_waiting_producer_learns_that_the_consumer_is_gone() {
    for strategy in STRATEGIES {
        let (mut producer, consumer) = spsc(2).expect("two slots");
        producer.push_batch(&mut (0..2));
        let writer = std::thread::spawn(move || producer.push(2, strategy, None));
        drop(consumer);
        let refused = writer.join().expect("writer");
        assert_eq!(refused, Err(PushError::Closed(2)), "{strategy}");
    }
}

#[test]
fn a_waiting_consumer_learns_that_the_producers_are_gone() {
    for strategy in STRATEGIES {
        let (producer, mut consumer) = mpsc::<u8>(2).expect("two slots");
        let reader = std::thread::spawn(move || consumer.wait(strategy, None));
        drop(producer);
        assert!(!reader.join().expect("reader"), "{strategy}");
    }
}
