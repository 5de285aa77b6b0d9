//! Random sequences of operations on a ring whose values stay in their slots, compared step by step
//! with an array.

use corecast_ring::{ClaimError, PopError, PushError, RingOptions};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Debug, Clone)]
enum Step {
    /// Changes the next slot in place and publishes it, or gives the claim back.
    Fill {
        publish: bool,
    },
    /// The same, of several at once: published, announced and withdrawn, or discarded but for some.
    Stage(usize, End),
    /// Puts another value into the next slot.
    Push,
    /// Drains, and changes what it sees.
    Drain(usize),
    Pop,
    Release,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Publish,
    Withdraw,
    Discard(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        3 => Just(End::Publish),
        1 => Just(End::Withdraw),
        1 => (0..3_u64).prop_map(End::Discard),
    ];
    prop_oneof![
        4 => any::<bool>().prop_map(|publish| Step::Fill { publish }),
        3 => (0..5_usize, end).prop_map(|(count, end)| Step::Stage(count, end)),
        2 => Just(Step::Push),
        4 => (0..6_usize).prop_map(Step::Drain),
        1 => Just(Step::Pop),
        1 => Just(Step::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_stay_where_they_are_whatever_is_done_with_their_slots(
        steps in vec(step(), 0..100),
        bits in 1..5_u32,
        near_the_end in any::<bool>(),
    ) {
        let capacity = 1_usize << bits;
        // A multiple of the capacity, so that it is at the first place.
        let first = if near_the_end { 0_u64.wrapping_sub(32) } else { 0 };
        let mut made = 10_000_u64..;
        let options = RingOptions::new().first_sequence(first);
        let (mut producer, mut consumer) = options
            .spsc_recycled(capacity, || Box::new(made.next().expect("endless")))
            .expect("a power of two");
        let mut values: Vec<u64> = (0..capacity as u64).map(|place| 10_000 + place).collect();
        // Claimed and not consumed: published, or abandoned.
        let mut slots = VecDeque::<bool>::new();
        let (mut head, mut next) = (0_usize, 0_u64);
        for step in &steps {
            let room = capacity - slots.len();
            let claimed = head + slots.len();
            match step {
                Step::Fill { publish } => match producer.claim() {
                    Ok(claim) => {
                        prop_assert!(room > 0);
                        if *publish {
                            let held = values[claimed % capacity];
                            let fill = |value: &mut Box<u64>| {
                                assert_eq!(**value, held, "what was left there");
                                **value += 1;
                            };
                            claim.publish_with(fill).expect("recycled");
                            values[claimed % capacity] += 1;
                            slots.push_back(true);
                        }
                    }
                    Err(error) => prop_assert_eq!((error, room), (ClaimError::Full, 0)),
                },
                Step::Stage(count, end) => {
                    let staged = room.min(*count);
                    for index in 0..*count {
                        let place = (claimed + index) % capacity;
                        let fill = |value: &mut Box<u64>| **value += 1;
                        let expected = if index < staged { Ok(()) } else { Err(ClaimError::Full) };
                        prop_assert_eq!(producer.stage_with(fill), expected);
                        if index < staged {
                            values[place] += 1;
                        }
                    }
                    match end {
                        End::Publish => {
                            producer.publish();
                            slots.extend(vec![true; staged]);
                        }
                        End::Withdraw => {
                            producer.announce();
                            producer.withdraw();
                            slots.extend(vec![false; staged]);
                        }
                        End::Discard(keep) => {
                            producer.discard_to(*keep);
                            producer.publish();
                            slots.extend(vec![true; staged.min(*keep as usize)]);
                        }
                    }
                }
                Step::Push => {
                    next += 1;
                    let pushed = producer.try_push(Box::new(next));
                    if room == 0 {
                        prop_assert_eq!(pushed, Err(PushError::Full(Box::new(next))));
                    } else {
                        prop_assert_eq!(pushed, Ok(()));
                        values[claimed % capacity] = next;
                        slots.push_back(true);
                    }
                }
                Step::Drain(limit) => {
                    let mut seen = Vec::new();
                    consumer.drain(*limit, |value| {
                        seen.push(**value);
                        **value += 1;
                    });
                    let mut expected = Vec::new();
                    while expected.len() < *limit {
                        let Some(published) = slots.pop_front() else { break };
                        if published {
                            let value = &mut values[head % capacity];
                            expected.push(*value);
                            *value += 1;
                        }
                        head += 1;
                    }
                    prop_assert_eq!(seen, expected);
                }
                Step::Pop => prop_assert_eq!(consumer.pop(), Err(PopError::Recycled)),
                // A drain has reported all that there was.
                Step::Release => consumer.release(),
            }
        }
    }
}
