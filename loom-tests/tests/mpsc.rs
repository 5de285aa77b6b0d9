//! Many writers, one reader: credits, claims, and stamps in any order (edge M1 of the ring).

use corecast_loom_tests::{Ledger, model, model_without_light_fences};
use corecast_ring::sync::{Arc, thread};
use corecast_ring::{
    ClaimError, Consumer, PopError, RingOptions, SharedProducer, WaitStrategy, mpsc,
};

/// Two slots: the third claim meets the wrap.
fn smallest<T>() -> (SharedProducer<T>, Consumer<T>) {
    mpsc(2).expect("two slots")
}

fn collect(consumer: &mut Consumer<u64>, count: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < count {
        if consumer.drain(usize::MAX, |value| seen.push(*value)) == 0 {
            thread::yield_now();
        }
    }
    seen
}

/// Nobody repeats a refused push or an empty drain: three spinning threads have schedules without
/// end.
#[test]
fn two_producers() {
    model_without_light_fences("mpsc::two_producers", || {
        let (producer, mut consumer) = smallest();
        let writers =
            [(producer.clone(), [10, 11]), (producer, [20, 21])].map(|(producer, values)| {
                thread::spawn(move || values.map(|value| producer.try_push(value).is_ok()))
            });
        let mut seen = Vec::new();
        for _ in 0..2 {
            consumer.drain(usize::MAX, |value| seen.push(*value));
        }
        let accepted = writers.map(|writer| writer.join().expect("writer"));
        consumer.drain(usize::MAX, |value| seen.push(*value));
        for (first, accepted) in [10, 20].into_iter().zip(accepted) {
            let mut pushed: Vec<u64> = vec![first, first + 1];
            pushed.retain(|value| accepted[(value - first) as usize]);
            let mut came = seen.clone();
            came.retain(|value| (first..first + 2).contains(value));
            assert_eq!(came, pushed, "{seen:?}");
        }
    });
}

#[test]
fn a_push_is_refused_only_by_a_full_ring() {
    model_without_light_fences("mpsc::a_push_is_refused_only_by_a_full_ring", || {
        let (producer, mut consumer) = smallest();
        let other = producer.clone();
        // Two slots and two events in all: neither push may find the ring full, however far the
        // consumer has come in between.
        let writers = [(producer, 1), (other, 2)]
            .map(|(producer, value)| thread::spawn(move || producer.try_push(value)));
        let mut seen = collect(&mut consumer, 1);
        for writer in writers {
            assert_eq!(writer.join().expect("writer"), Ok(()));
        }
        consumer.drain(usize::MAX, |value| seen.push(*value));
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
    });
}

#[test]
fn claims_published_out_of_order_arrive_in_order() {
    model_without_light_fences(
        "mpsc::claims_published_out_of_order_arrive_in_order",
        || {
            // Sixteen slots: the consumer may take four at a time.
            let (producer, mut consumer) = mpsc(16).expect("sixteen slots");
            let writer = thread::spawn(move || {
                let mut claims = [0; 4].map(|_| Some(producer.claim().expect("room for four")));
                // The gap is closed last.
                for index in [3, 1, 0, 2] {
                    let mut claim = claims[index].take().expect("each once");
                    claim.write(index as u64);
                    claim.publish();
                }
            });
            assert_eq!(collect(&mut consumer, 4), [0, 1, 2, 3]);
            writer.join().expect("writer");
        },
    );
}

#[test]
fn an_abandoned_claim_is_stepped_over() {
    model_without_light_fences("mpsc::an_abandoned_claim_is_stepped_over", || {
        let ledger = Ledger::new(2);
        let (producer, mut consumer) = smallest();
        let (other, events) = (producer.clone(), ledger.clone());
        let abandoning = thread::spawn(move || {
            let mut claim = producer.claim().expect("room for two");
            claim.write(events.event(0));
            drop(claim);
        });
        let event = ledger.event(1);
        let pushing = thread::spawn(move || assert!(other.try_push(event).is_ok()));
        let mut seen = Vec::new();
        while seen.is_empty() {
            consumer.drain(usize::MAX, |event| seen.push(event.id()));
            thread::yield_now();
        }
        abandoning.join().expect("writer");
        pushing.join().expect("writer");
        assert_eq!(seen, [1]);
        assert_eq!(consumer.monitor().aborted(), 1);
        drop(consumer);
        ledger.assert_each_dropped_once();
    });
}

#[test]
fn a_credit_handed_back_wakes_whoever_waits_for_it() {
    model(
        "mpsc::a_credit_handed_back_wakes_whoever_waits_for_it",
        || {
            let (producer, consumer) = smallest();
            producer.try_push(1).expect("an empty ring");
            let other = producer.clone();
            let holder = thread::spawn(move || match other.reserve() {
                Ok(credit) => drop(credit),
                Err(error) => assert_eq!(error, ClaimError::Full),
            });
            let monitor = producer.monitor();
            while producer.try_push(2).is_err() {
                WaitStrategy::park()
                    .idle()
                    .park(monitor.room(), None, || producer.has_room());
            }
            holder.join().expect("holder");
            assert_eq!(consumer.len(), 2);
        },
    );
}

#[test]
fn credits_never_exceed_the_free_slots() {
    model_without_light_fences("mpsc::credits_never_exceed_the_free_slots", || {
        let (producer, mut consumer) = smallest();
        producer.try_push(0).expect("an empty ring");
        let producer = Arc::new(producer);
        // One slot is left: of two claims that nobody consumes, one succeeds.
        let claims = [1, 2].map(|value| {
            let producer = Arc::clone(&producer);
            thread::spawn(move || producer.try_push(value).is_ok())
        });
        let granted = claims.map(|claim| claim.join().expect("writer"));
        assert_eq!(granted.iter().filter(|granted| **granted).count(), 1);
        let mut seen = Vec::new();
        consumer.drain(usize::MAX, |value| seen.push(*value));
        assert_eq!(seen, [0, if granted[0] { 1 } else { 2 }]);
    });
}

#[test]
fn the_last_producer_closes_after_everything_is_published() {
    model_without_light_fences(
        "mpsc::the_last_producer_closes_after_everything_is_published",
        || {
            let (producer, mut consumer) = smallest();
            let other = producer.clone();
            let writers = [(producer, 1), (other, 2)].map(|(producer, value)| {
                thread::spawn(move || producer.try_push(value).expect("room for two"))
            });
            let mut sum = 0;
            loop {
                match consumer.pop() {
                    Ok(value) => sum += value,
                    Err(PopError::Closed) => break,
                    Err(_) => thread::yield_now(),
                }
            }
            assert_eq!(sum, 3);
            for writer in writers {
                writer.join().expect("writer");
            }
        },
    );
}

#[test]
fn a_slot_abandoned_by_one_producer_is_reused_by_another() {
    model_without_light_fences(
        "mpsc::a_slot_abandoned_by_one_producer_is_reused_by_another",
        || {
            let (producer, mut consumer) = RingOptions::new()
                .mpsc_recycled(2, || 0)
                .expect("two slots");
            let other = producer.clone();
            let abandoning = thread::spawn(move || {
                let mut claim = producer.claim().expect("an empty ring");
                claim.fill(|value| *value = 1).expect("recycled");
                drop(claim);
            });
            let monitor = consumer.monitor();
            while monitor.released() == 0 {
                consumer.drain(usize::MAX, |_| panic!("nothing was published"));
                thread::yield_now();
            }
            for value in [2, 3] {
                assert_eq!(other.try_push(value), Ok(()));
            }
            abandoning.join().expect("writer");
            let mut seen = Vec::new();
            consumer.drain(usize::MAX, |value| seen.push(*value));
            assert_eq!(seen, [2, 3]);
        },
    );
}
