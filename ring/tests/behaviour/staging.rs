//! Values written ahead of their publication, and taken back in every way there is.

use crate::support::{Event, Ledger, panic_of};
use corecast_ring::{Consumer, Producer, PushError, spsc, spsc_recycled};

fn ids(consumer: &mut Consumer<Event>) -> Vec<usize> {
    let mut seen = Vec::new();
    consumer.drain(usize::MAX, |event| seen.push(event.id));
    seen
}

/// A ring of four slots in which events `ids` are staged.
fn staged(ledger: &Ledger, events: std::ops::Range<usize>) -> (Producer<Event>, Consumer<Event>) {
    let (mut producer, consumer) = spsc(4).expect("four slots");
    for id in events {
        assert!(producer.stage(ledger.event(id)).is_ok());
    }
    (producer, consumer)
}

#[test]
fn staged_values_are_invisible_until_they_are_published() {
    let ledger = Ledger::new(2);
    let (mut producer, mut consumer) = staged(&ledger, 0..2);
    let monitor = producer.monitor();
    assert_eq!((producer.staged(), producer.room(u64::MAX)), (2, 2));
    assert_eq!((monitor.claimed(), consumer.is_ready()), (0, false));
    producer.announce();
    assert_eq!((monitor.claimed(), consumer.is_ready()), (2, false));
    assert_eq!(producer.room(u64::MAX), 2);
    producer.publish();
    producer.notify();
    assert_eq!(producer.staged(), 0);
    assert_eq!(ids(&mut consumer), [0, 1]);
    ledger.assert_each_dropped_once();
}

#[test]
fn publishing_claims_what_was_not_announced() {
    let ledger = Ledger::new(2);
    let (mut producer, mut consumer) = staged(&ledger, 0..2);
    producer.publish();
    assert_eq!(producer.sequence(), 2);
    assert_eq!(ids(&mut consumer), [0, 1]);
}

#[test]
fn publishing_nothing_changes_nothing() {
    let (mut producer, mut consumer) = spsc::<u8>(4).expect("four slots");
    producer.publish();
    producer.announce();
    producer.withdraw();
    producer.discard();
    assert_eq!(producer.sequence(), 0);
    producer.try_push(1).expect("room");
    assert_eq!(consumer.pop(), Ok(1));
}

#[test]
fn staging_into_a_full_ring_hands_the_value_back() {
    let ledger = Ledger::new(5);
    let (mut producer, mut consumer) = staged(&ledger, 0..4);
    let refused = producer.stage(ledger.event(4)).expect_err("no room");
    assert!(matches!(&refused, PushError::Full(event) if event.id == 4));
    producer.publish();
    assert!(producer.stage(refused.into_inner()).is_err());
    assert_eq!(ids(&mut consumer), [0, 1, 2, 3]);
    ledger.assert_each_dropped_once();
}

#[test]
fn announced_values_can_be_withdrawn_and_are_stepped_over() {
    let ledger = Ledger::new(4);
    let (mut producer, mut consumer) = staged(&ledger, 0..3);
    producer.announce();
    producer.withdraw();
    assert_eq!(ledger.drops(), [1, 1, 1, 0]);
    assert_eq!(producer.monitor().aborted(), 3);
    assert!(producer.try_push(ledger.event(3)).is_ok());
    assert_eq!(ids(&mut consumer), [3]);
    ledger.assert_each_dropped_once();
}

#[test]
fn withdrawing_before_the_announcement_takes_nothing_back() {
    let ledger = Ledger::new(2);
    let (mut producer, mut consumer) = staged(&ledger, 0..2);
    producer.withdraw();
    assert_eq!(producer.staged(), 2);
    producer.publish();
    assert_eq!(ids(&mut consumer), [0, 1]);
}

#[test]
fn discarded_values_are_dropped_and_leave_no_trace() {
    let ledger = Ledger::new(4);
    let (mut producer, mut consumer) = staged(&ledger, 0..3);
    producer.discard_to(1);
    assert_eq!(ledger.drops(), [0, 1, 1, 0]);
    producer.discard();
    assert_eq!(producer.sequence(), 0);
    assert!(producer.try_push(ledger.event(3)).is_ok());
    assert_eq!(ids(&mut consumer), [3]);
    assert_eq!(producer.monitor().aborted(), 0);
    ledger.assert_each_dropped_once();
}

#[test]
fn announced_values_cannot_be_discarded() {
    let ledger = Ledger::new(2);
    let (mut producer, mut consumer) = staged(&ledger, 0..2);
    producer.announce();
    producer.discard();
    assert_eq!(producer.staged(), 2);
    producer.publish();
    assert_eq!(ids(&mut consumer), [0, 1]);
}

#[test]
fn the_last_staged_value_can_be_taken_back() {
    let ledger = Ledger::new(3);
    let (mut producer, mut consumer) = staged(&ledger, 0..3);
    assert_eq!(producer.unstage(None).expect("staged").id, 2);
    assert_eq!(producer.unstage(None).expect("staged").id, 1);
    producer.announce();
    // A single announced value can still be taken back; its sequence is then abandoned.
    assert_eq!(producer.unstage(None).expect("staged").id, 0);
    assert!(producer.unstage(None).is_none());
    assert_eq!(producer.monitor().aborted(), 1);
    assert_eq!(ids(&mut consumer), [0_usize; 0]);
    ledger.assert_each_dropped_once();
}

#[test]
fn of_several_announced_values_none_can_be_taken_back_alone() {
    let ledger = Ledger::new(2);
    let (mut producer, mut consumer) = staged(&ledger, 0..2);
    producer.announce();
    assert!(producer.unstage(None).is_none());
    producer.publish();
    assert_eq!(ids(&mut consumer), [0, 1]);
}

#[test]
fn a_recycled_slot_gets_its_former_value_back_when_one_is_unstaged() {
    let (mut producer, mut consumer) = spsc_recycled(2, || 0).expect("two slots");
    let displaced = producer.stage(7).expect("room");
    assert_eq!(displaced, Some(0));
    assert_eq!(producer.unstage(None), None, "the slot would be left empty");
    assert_eq!(producer.unstage(displaced), Some(7));
    producer
        .stage_with(|value| assert_eq!(*value, 0))
        .expect("room");
    producer.publish();
    assert_eq!(consumer.drain(usize::MAX, |value| assert_eq!(*value, 0)), 1);
}

#[test]
fn pushing_over_staged_values_is_refused_loudly() {
    let ledger = Ledger::new(4);
    let (mut producer, mut consumer) = staged(&ledger, 0..1);
    let event = ledger.event(1);
    let message = panic_of(|| producer.try_push(event));
    assert_eq!(
        message,
        "values are staged: publish them or take them back first"
    );
    producer.announce();
    let event = ledger.event(2);
    let message = panic_of(|| producer.push_batch(&mut std::iter::once(event)));
    assert!(
        message.starts_with("staged values are announced"),
        "{message}"
    );
    let event = ledger.event(3);
    let message = panic_of(|| producer.stage(event));
    assert!(
        message.starts_with("staged values are announced"),
        "{message}"
    );
    producer.publish();
    assert_eq!(ids(&mut consumer), [0]);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_batch_and_a_claim_publish_what_was_staged_before_them() {
    let ledger = Ledger::new(4);
    let (mut producer, mut consumer) = staged(&ledger, 0..1);
    assert_eq!(
        producer.push_batch(&mut std::iter::once(ledger.event(1))),
        1
    );
    assert!(producer.stage(ledger.event(2)).is_ok());
    producer.claim().expect("room").publish(ledger.event(3));
    assert_eq!(ids(&mut consumer), [0, 1, 2, 3]);
}

#[test]
fn panicking_drops_of_withdrawn_values_stop_nothing() {
    let ledger = Ledger::new(4);
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    for id in 0..3 {
        assert!(
            producer
                .stage(ledger.event_with_a_panicking_drop(id))
                .is_ok()
        );
    }
    producer.announce();
    let message = panic_of(|| producer.withdraw());
    assert_eq!(message, "event 0 panics when dropped");
    assert!(producer.try_push(ledger.event(3)).is_ok());
    assert_eq!(ids(&mut consumer), [3]);
    ledger.assert_each_dropped_once();
}

#[test]
fn panicking_drops_of_discarded_values_stop_nothing() {
    let ledger = Ledger::new(4);
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    for id in 0..3 {
        assert!(
            producer
                .stage(ledger.event_with_a_panicking_drop(id))
                .is_ok()
        );
    }
    let message = panic_of(|| producer.discard());
    assert_eq!(message, "event 2 panics when dropped");
    assert_eq!(producer.staged(), 0);
    assert!(producer.try_push(ledger.event(3)).is_ok());
    assert_eq!(ids(&mut consumer), [3]);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_producer_whose_staged_values_panic_when_dropped_closes_the_ring_all_the_same() {
    for announced in [false, true] {
        let ledger = Ledger::new(2);
        let (mut producer, consumer) = spsc(4).expect("four slots");
        for id in 0..2 {
            assert!(
                producer
                    .stage(ledger.event_with_a_panicking_drop(id))
                    .is_ok()
            );
        }
        if announced {
            producer.announce();
        }
        let message = panic_of(|| drop(producer));
        assert!(message.ends_with("panics when dropped"), "{message}");
        ledger.assert_each_dropped_once();
        let mut consumer = consumer;
        assert_eq!(ids(&mut consumer), [0_usize; 0]);
        assert!(consumer.is_closed());
    }
}

#[test]
fn a_panicking_fill_stages_nothing() {
    let (mut producer, mut consumer) = spsc_recycled(4, || 0).expect("four slots");
    producer.stage_with(|value| *value = 1).expect("room");
    let message = panic_of(|| {
        producer.stage_with(|value| {
            *value = 2;
            panic!("half way")
        })
    });
    assert_eq!(message, "half way");
    assert_eq!(producer.staged(), 1);
    producer.publish();
    assert_eq!(consumer.drain(usize::MAX, |value| assert_eq!(*value, 1)), 1);
}

#[test]
fn a_held_value_moves_into_its_slot_and_comes_back() {
    let ledger = Ledger::new(4);
    let (mut producer, mut consumer) = staged(&ledger, 0..1);
    let mut held = Some(ledger.event(1));
    assert!(producer.stage_held(&mut held));
    assert!(held.is_none());
    assert!(!producer.stage_held(&mut held), "nothing is held");
    assert_eq!(producer.staged(), 2);
    assert!(producer.unstage_held(&mut held));
    assert_eq!(held.as_ref().expect("taken back").id, 1);
    assert!(producer.stage_held(&mut held));
    for id in 2..4 {
        assert!(producer.stage_held(&mut Some(ledger.event(id))));
    }
    producer.publish();
    assert_eq!(ids(&mut consumer), [0, 1, 2, 3]);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_held_value_stays_where_there_is_no_room_for_it() {
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    let mut held = Some(7);
    assert!(producer.stage_held(&mut Some(1)) && producer.stage_held(&mut Some(2)));
    assert!(!producer.stage_held(&mut held));
    assert_eq!(held, Some(7));
    producer.announce();
    assert!(
        !producer.unstage_held(&mut held),
        "one of two that are announced"
    );
    assert_eq!(held, Some(7));
    producer.publish();
    assert_eq!(consumer.pop().ok(), Some(1));
}

#[test]
fn a_held_value_changes_places_with_that_of_a_recycled_slot() {
    let (mut producer, mut consumer) = spsc_recycled(2, || 0).expect("two slots");
    let mut held = Some(7);
    assert!(producer.stage_held(&mut held));
    assert_eq!(held, Some(0));
    assert!(
        !producer.unstage_held(&mut None),
        "the slot would be left empty"
    );
    assert!(producer.unstage_held(&mut held));
    assert_eq!(held, Some(7));
    producer
        .claim_if(|| true)
        .expect("room")
        .publish_held(&mut held);
    assert_eq!(held, Some(0));
    let mut seen = Vec::new();
    consumer.drain(9, |value| seen.push(*value));
    assert_eq!(seen, [7]);
}

#[test]
fn a_claimed_slot_takes_a_held_value_or_is_abandoned_without_one() {
    let ledger = Ledger::new(2);
    let (mut producer, mut consumer) = staged(&ledger, 0..0);
    let mut held = Some(ledger.event(0));
    producer
        .claim_if(|| true)
        .expect("room")
        .publish_held(&mut held);
    assert!(held.is_none());
    producer
        .claim_if(|| true)
        .expect("room")
        .publish_held(&mut held);
    assert_eq!(producer.monitor().aborted(), 1);
    assert!(producer.try_push(ledger.event(1)).is_ok());
    assert_eq!(ids(&mut consumer), [0, 1]);
    ledger.assert_each_dropped_once();
}
