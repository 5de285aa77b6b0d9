//! Either side may leave while the other works: each event is delivered or dropped, once (edge R4
//! of the ring).

use corecast_loom_tests::{Counted, Ledger, model_without_light_fences};
use corecast_ring::sync::thread;
use corecast_ring::{Consumer, PopError, PushError, mpsc, spsc};

fn refused_by_closing<T>(result: Result<(), PushError<T>>) {
    assert!(matches!(result, Ok(()) | Err(PushError::Closed(_))));
}

/// Pops until the ring is closed.
fn pop_to_the_end(consumer: &mut Consumer<Counted>) -> Vec<usize> {
    let mut seen = Vec::new();
    loop {
        match consumer.pop() {
            Ok(event) => seen.push(event.id()),
            Err(PopError::Closed) => return seen,
            Err(_) => thread::yield_now(),
        }
    }
}

#[test]
fn accepted_events_are_delivered_or_dropped_once() {
    model_without_light_fences(
        "closing::accepted_events_are_delivered_or_dropped_once",
        || {
            let ledger = Ledger::new(2);
            let events = ledger.clone();
            // Eight slots: the consumer may leave with progress that it has not reported.
            let (mut producer, mut consumer) = spsc(8).expect("eight slots");
            let writer = thread::spawn(move || {
                for id in 0..2 {
                    refused_by_closing(producer.try_push(events.event(id)));
                }
            });
            if let Ok(event) = consumer.pop() {
                assert_eq!(event.id(), 0);
            }
            drop(consumer);
            writer.join().expect("writer");
            ledger.assert_each_dropped_once();
        },
    );
}

#[test]
fn a_closing_consumer_drops_what_many_producers_push_once() {
    model_without_light_fences(
        "closing::a_closing_consumer_drops_what_many_producers_push_once",
        || {
            let ledger = Ledger::new(2);
            let (producer, consumer) = mpsc(2).expect("two slots");
            let writers = [0, 1].map(|id| {
                let (producer, event) = (producer.clone(), ledger.event(id));
                thread::spawn(move || refused_by_closing(producer.try_push(event)))
            });
            drop(consumer);
            drop(producer);
            for writer in writers {
                writer.join().expect("writer");
            }
            ledger.assert_each_dropped_once();
        },
    );
}

#[test]
fn everything_published_before_closing_is_delivered() {
    model_without_light_fences(
        "closing::everything_published_before_closing_is_delivered",
        || {
            let ledger = Ledger::new(2);
            let events = ledger.clone();
            let (mut producer, mut consumer) = spsc(2).expect("two slots");
            let writer = thread::spawn(move || {
                // Published and not notified: nothing but the closing tells of them.
                for id in 0..2 {
                    assert!(producer.stage(events.event(id)).is_ok());
                }
                producer.publish();
            });
            assert_eq!(pop_to_the_end(&mut consumer), [0, 1]);
            writer.join().expect("writer");
            drop(consumer);
            ledger.assert_each_dropped_once();
        },
    );
}

#[test]
fn staged_events_of_a_dropped_producer_are_dropped_and_not_delivered() {
    model_without_light_fences(
        "closing::staged_events_of_a_dropped_producer_are_dropped_and_not_delivered",
        || {
            let ledger = Ledger::new(2);
            let events = ledger.clone();
            let (mut producer, mut consumer) = spsc(2).expect("two slots");
            let writer = thread::spawn(move || {
                assert!(producer.try_push(events.event(0)).is_ok());
                assert!(matches!(producer.stage(events.event(1)), Ok(None)));
            });
            assert_eq!(pop_to_the_end(&mut consumer), [0]);
            writer.join().expect("writer");
            drop(consumer);
            ledger.assert_each_dropped_once();
        },
    );
}
