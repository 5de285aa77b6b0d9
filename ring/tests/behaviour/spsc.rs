//! One writer and one reader: pushing, claiming, batches, draining, popping.

use crate::support::{Ledger, panic_of};
use corecast_ring::{ClaimError, PopError, PushError, RingOptions, WaitStrategy, spsc};

#[test]
fn events_arrive_in_order_over_many_laps_of_the_smallest_ring() {
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    for value in 0..1000 {
        producer.try_push(value).expect("an empty ring");
        assert_eq!(consumer.pop(), Ok(value));
    }
    assert_eq!(consumer.pop(), Err(PopError::Empty));
}

#[test]
fn a_full_ring_hands_the_value_back() {
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    producer.try_push("a").expect("room");
    producer.try_push("b").expect("room");
    assert_eq!(producer.try_push("c"), Err(PushError::Full("c")));
    assert_eq!(producer.claim().err(), Some(ClaimError::Full));
    assert_eq!(producer.room(1), 0);
    assert_eq!(consumer.pop(), Ok("a"));
    assert_eq!(producer.try_push("c"), Ok(()));
    assert_eq!(consumer.pop(), Ok("b"));
    assert_eq!(consumer.pop(), Ok("c"));
}

#[test]
fn room_is_a_whole_ring_again_once_everything_is_drained() {
    let (mut producer, mut consumer) = spsc(8).expect("eight slots");
    assert_eq!(producer.push_batch(&mut (0..5)), 5);
    assert_eq!(producer.room(u64::MAX), 3);
    assert_eq!(producer.len(), 5);
    assert_eq!(consumer.len(), 5);
    assert_eq!(consumer.drain(usize::MAX, |_| {}), 5);
    assert_eq!(producer.room(u64::MAX), 8);
    assert!(producer.is_empty() && consumer.is_empty());
}

#[test]
fn a_drain_stops_at_its_limit() {
    let (mut producer, mut consumer) = spsc(8).expect("eight slots");
    producer.push_batch(&mut (0..8));
    let mut seen = Vec::new();
    assert_eq!(consumer.drain(0, |_| panic!("nothing was asked for")), 0);
    assert_eq!(consumer.drain(3, |value| seen.push(*value)), 3);
    assert_eq!(consumer.drain(usize::MAX, |value| seen.push(*value)), 5);
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(consumer.sequence(), 8);
}

#[test]
fn a_drain_stops_at_its_limit_also_when_more_have_been_polled() {
    let (mut producer, mut consumer) = spsc(16).expect("sixteen slots");
    producer.push_batch(&mut (0..4));
    assert_eq!(consumer.poll(usize::MAX), 4);
    assert_eq!(consumer.drain(0, |_| panic!("nothing was asked for")), 0);
    assert_eq!(consumer.drain(1, |value| assert_eq!(*value, 0)), 1);
    assert_eq!(consumer.get(0), Some(&1));
    assert_eq!(consumer.drain(usize::MAX, |_| {}), 3);
}

#[test]
fn polled_events_stay_until_they_are_finished() {
    let (mut producer, mut consumer) = spsc(16).expect("sixteen slots");
    producer.push_batch(&mut (0..16));
    // A quarter of the ring may be taken before progress must be reported.
    assert_eq!(consumer.poll(usize::MAX), 4);
    assert_eq!(consumer.poll(2), 2);
    assert_eq!(consumer.get(0), Some(&0));
    assert_eq!(consumer.get(3), Some(&3));
    assert_eq!(consumer.get(4), None);
    consumer.finish_one();
    assert_eq!(consumer.get(0), Some(&1));
    assert_eq!(consumer.sequence(), 1);
    consumer.finish(usize::MAX);
    assert_eq!(consumer.sequence(), 4);
    consumer.finish_one();
    assert_eq!(consumer.sequence(), 4, "nothing was ready");
}

#[test]
fn progress_is_reported_every_quarter_of_a_small_ring_and_on_release() {
    let (mut producer, mut consumer) = spsc(16).expect("sixteen slots");
    producer.push_batch(&mut (0..16));
    let monitor = producer.monitor();
    for popped in 1..=7 {
        consumer.pop().expect("an event");
        assert_eq!(monitor.released(), popped / 4 * 4, "after {popped}");
    }
    consumer.release();
    assert_eq!(monitor.released(), 7);
}

#[test]
fn a_published_claim_is_an_event_and_a_dropped_one_is_nothing() {
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    drop(producer.claim().expect("room"));
    assert_eq!(producer.sequence(), 0);
    let claim = producer.claim().expect("room");
    assert_eq!(claim.sequence(), 0);
    claim.publish(7);
    assert_eq!(consumer.pop(), Ok(7));
    assert_eq!(producer.monitor().aborted(), 0);
}

#[test]
fn only_recycled_slots_are_filled_in_place() {
    let (mut producer, _consumer) = spsc::<u32>(2).expect("two slots");
    let refused = producer.claim().expect("room").publish_with(|_| {});
    assert_eq!(refused, Err(ClaimError::NotRecycled));
    assert_eq!(producer.stage_with(|_| {}), Err(ClaimError::NotRecycled));
    assert_eq!(producer.sequence(), 0);
}

#[test]
fn a_push_that_is_not_admitted_comes_back_and_is_stepped_over() {
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    assert_eq!(
        producer.try_push_if(1, || false),
        Err(PushError::NotAdmitted(1))
    );
    assert_eq!(producer.try_push_if(2, || true), Ok(()));
    assert_eq!(producer.sequence(), 2);
    assert_eq!(consumer.pop(), Ok(2));
    assert_eq!(producer.monitor().aborted(), 1);
}

#[test]
fn the_condition_runs_after_the_claim_is_visible() {
    let (mut producer, _consumer) = spsc(4).expect("four slots");
    let monitor = producer.monitor();
    producer
        .try_push_if(1, || {
            assert_eq!(monitor.claimed(), 1);
            assert!(!monitor.settled_until(1));
            true
        })
        .expect("admitted");
    assert!(monitor.settled_until(1));
}

#[test]
fn a_panic_in_the_condition_abandons_the_claim_and_later_events_flow() {
    let ledger = Ledger::new(2);
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    let event = ledger.event(0);
    let message = panic_of(|| producer.try_push_if(event, || panic!("no idea")));
    assert_eq!(message, "no idea");
    assert!(producer.try_push(ledger.event(1)).is_ok());
    assert_eq!(consumer.pop().expect("the second event").id, 1);
    assert_eq!(producer.monitor().aborted(), 1);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_batch_goes_in_as_far_as_there_is_room_and_the_rest_stays_with_the_caller() {
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    let mut values = 0..6;
    assert_eq!(producer.push_batch(&mut values), 4);
    assert_eq!(values, 4..6);
    assert_eq!(producer.push_batch(&mut values), 0);
    assert_eq!(values, 4..6);
    let mut seen = Vec::new();
    consumer.drain(usize::MAX, |value| seen.push(*value));
    assert_eq!(producer.push_batch(&mut values), 2);
    consumer.drain(usize::MAX, |value| seen.push(*value));
    assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
    assert_eq!(producer.push_batch(&mut std::iter::empty()), 0);
}

#[test]
fn a_panicking_iterator_leaves_the_values_it_had_yielded_published() {
    let ledger = Ledger::new(3);
    let (mut producer, mut consumer) = spsc(8).expect("eight slots");
    let mut values = (0..).map(|id| {
        assert!(id < 2, "out of values");
        ledger.event(id)
    });
    let message = panic_of(|| producer.push_batch(&mut values));
    assert_eq!(message, "out of values");
    assert!(producer.try_push(ledger.event(2)).is_ok());
    let mut seen = Vec::new();
    consumer.drain(usize::MAX, |event| seen.push(event.id));
    assert_eq!(seen, [0, 1, 2]);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_panic_in_a_drain_ends_that_event_and_no_other() {
    let ledger = Ledger::new(3);
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    producer.push_batch(&mut (0..3).map(|id| ledger.event(id)));
    let message = panic_of(|| consumer.drain(usize::MAX, |event| assert!(event.id != 1, "one")));
    assert_eq!(message, "one");
    assert_eq!(ledger.drops(), [1, 1, 0]);
    assert_eq!(producer.monitor().released(), 2, "progress is reported");
    assert_eq!(
        consumer.drain(usize::MAX, |event| assert_eq!(event.id, 2)),
        1
    );
    ledger.assert_each_dropped_once();
}

#[test]
fn an_event_whose_drop_panics_is_gone_and_the_next_one_comes() {
    let ledger = Ledger::new(4);
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    for id in 0..4 {
        let event = if id % 2 == 0 {
            ledger.event_with_a_panicking_drop(id)
        } else {
            ledger.event(id)
        };
        assert!(producer.try_push(event).is_ok());
    }
    let message = panic_of(|| consumer.drain(usize::MAX, |_| {}));
    assert_eq!(message, "event 0 panics when dropped");
    assert_eq!(consumer.poll(1), 1);
    consumer.finish(1);
    assert_eq!(consumer.poll(1), 1);
    let message = panic_of(|| consumer.finish(1));
    assert_eq!(message, "event 2 panics when dropped");
    assert_eq!(consumer.pop().expect("the last").id, 3);
    assert_eq!(producer.room(u64::MAX), 4);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_drain_may_change_the_event_in_place() {
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    producer.try_push(vec![1]).expect("room");
    consumer.drain(1, |values| {
        values.push(2);
        assert_eq!(*values, [1, 2]);
    });
}

#[test]
fn pop_steps_over_abandoned_sequences_and_reports_them() {
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    for _ in 0..10 {
        assert!(producer.try_push_if(0, || false).is_err());
        assert_eq!(consumer.pop(), Err(PopError::Empty));
    }
    assert_eq!(producer.room(u64::MAX), 2);
}

#[test]
fn waiting_is_not_satisfied_by_an_abandoned_sequence() {
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    assert!(producer.try_push_if(1, || false).is_err());
    assert!(!consumer.wait(WaitStrategy::busy_spin(), Some(std::time::Instant::now())));
    assert!(producer.try_push_if(2, || false).is_err());
    producer.try_push(3).expect("room");
    assert!(consumer.wait(WaitStrategy::park(), None));
    assert_eq!(consumer.pop(), Ok(3));
    assert!(producer.try_push_if(4, || false).is_err());
    drop(producer);
    assert!(!consumer.wait(WaitStrategy::park(), None));
    assert!(consumer.is_closed());
}

#[test]
fn sequences_run_across_the_end_of_their_range() {
    let first = u64::MAX - 5;
    let (mut producer, mut consumer) = RingOptions::new()
        .first_sequence(first)
        .spsc(4)
        .expect("four slots");
    let monitor = consumer.monitor();
    assert_eq!(monitor.first_sequence(), first);
    for value in 0..20_u64 {
        assert_eq!(producer.sequence(), first.wrapping_add(value));
        producer.try_push(value).expect("an empty ring");
        assert_eq!((producer.len(), monitor.depth()), (1, 1));
        assert!(monitor.settled_until(first.wrapping_add(value + 1)));
        assert_eq!(consumer.sequence(), first.wrapping_add(value));
        assert_eq!(consumer.pop(), Ok(value));
    }
    let mut batch = 0..9;
    let mut seen = Vec::new();
    while producer.push_batch(&mut batch) > 0 {
        consumer.drain(usize::MAX, |value| seen.push(*value));
    }
    assert_eq!(seen, (0..9).collect::<Vec<_>>());
}

#[test]
fn the_sum_and_the_order_hold_between_two_threads() {
    const EVENTS: u64 = 200_000;
    for first in [0, u64::MAX - EVENTS / 2] {
        let (mut producer, mut consumer) = RingOptions::new()
            .first_sequence(first)
            .spsc(64)
            .expect("64 slots");
        let writer = std::thread::spawn(move || {
            for value in 0..EVENTS {
                producer
                    .push(value, WaitStrategy::spin_then_yield(), None)
                    .expect("the reader is there");
            }
        });
        let mut next = 0;
        while consumer.wait(WaitStrategy::spin_then_yield(), None) {
            consumer.drain(usize::MAX, |value| {
                assert_eq!(*value, next);
                next += 1;
            });
        }
        assert_eq!(next, EVENTS);
        writer.join().expect("writer");
    }
}

#[test]
fn batches_between_two_threads_lose_and_repeat_nothing() {
    const EVENTS: u64 = 200_000;
    let (mut producer, mut consumer) = spsc(64).expect("64 slots");
    let writer = std::thread::spawn(move || {
        let mut values = 0..EVENTS;
        let mut run = 1;
        while values.start < values.end {
            if producer.push_batch(&mut values.by_ref().take(run)) == 0 {
                std::thread::yield_now();
            }
            run = run % 40 + 1;
        }
    });
    let mut next = 0;
    while consumer.wait(WaitStrategy::spin_then_yield(), None) {
        let ready = consumer.poll(usize::MAX);
        for index in 0..ready {
            assert_eq!(consumer.get(index), Some(&next));
            next += 1;
        }
        consumer.finish(ready);
    }
    assert_eq!(next, EVENTS);
    writer.join().expect("writer");
}
