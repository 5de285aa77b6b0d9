//! Random sequences of operations on a ring with many writers, recycled or not, compared step by
//! step with a list of slots.

use corecast_ring::{
    ClaimError, Consumer, Credit, PopError, PushError, RingOptions, SharedClaim, SharedProducer,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::VecDeque;

#[derive(Debug, Clone)]
enum Step {
    Push,
    PushBatch(usize),
    Reserve,
    Claim,
    /// On the guard of this number.
    Spend(Index),
    Write(Index),
    Fill(Index),
    Take(Index),
    Publish(Index),
    Drop(Index),
    Drain(usize),
    Pop,
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    let guard = any::<Index>;
    prop_oneof![
        4 => Just(Step::Push),
        2 => (0..6_usize).prop_map(Step::PushBatch),
        2 => Just(Step::Reserve),
        4 => Just(Step::Claim),
        3 => guard().prop_map(Step::Spend),
        4 => guard().prop_map(Step::Write),
        2 => guard().prop_map(Step::Fill),
        1 => guard().prop_map(Step::Take),
        6 => guard().prop_map(Step::Publish),
        3 => guard().prop_map(Step::Drop),
        4 => (0..6_usize).prop_map(Step::Drain),
        4 => Just(Step::Pop),
        2 => Just(Step::Release),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Claimed,
    Published,
    Abandoned,
}

/// What the ring should hold.
struct Model {
    capacity: usize,
    quantum: usize,
    /// Claimed and not consumed, oldest first.
    slots: VecDeque<Slot>,
    /// The sequence of the first of these, counted from the ring's first one.
    head: usize,
    /// What is in each place. Recycled values stay; others are written anew.
    values: Vec<Option<u64>>,
    recycled: bool,
    credits: usize,
    /// Consumed and not yet reported: these places are still taken.
    unreported: usize,
    next: u64,
}

impl Model {
    fn room(&self) -> usize {
        self.capacity - self.slots.len() - self.unreported - self.credits
    }

    fn value(&mut self) -> Box<u64> {
        self.next += 1;
        Box::new(self.next)
    }

    /// Claims; which sequence.
    fn claim(&mut self) -> usize {
        self.slots.push_back(Slot::Claimed);
        self.head + self.slots.len() - 1
    }

    fn set(&mut self, sequence: usize, slot: Slot) {
        self.slots[sequence - self.head] = slot;
    }

    fn place(&mut self, sequence: usize) -> &mut Option<u64> {
        &mut self.values[sequence % self.capacity]
    }

    fn push(&mut self, value: u64) {
        let sequence = self.claim();
        *self.place(sequence) = Some(value);
        self.set(sequence, Slot::Published);
    }

    /// Consumes the first slot; what was in it, if it was published.
    fn consume(&mut self) -> Option<u64> {
        let slot = self.slots.pop_front().expect("a slot");
        let sequence = self.head;
        self.head += 1;
        self.unreported += 1;
        if self.unreported >= self.quantum {
            self.unreported = 0;
        }
        (slot == Slot::Published).then(|| self.place(sequence).expect("a value"))
    }

    fn step_over_abandoned(&mut self) {
        while self.slots.front() == Some(&Slot::Abandoned) {
            self.consume();
        }
    }

    fn next_published(&mut self) -> Option<u64> {
        self.step_over_abandoned();
        if self.slots.front() == Some(&Slot::Published) {
            self.consume()
        } else {
            None
        }
    }
}

/// Something taken from a producer and not yet given up.
enum Guard<'a> {
    Credit(Credit<'a, Box<u64>>),
    /// With its sequence, and whether it holds a value of its own.
    Claim(SharedClaim<'a, Box<u64>>, usize, bool),
}

struct Ring<'a> {
    producers: &'a [SharedProducer<Box<u64>>],
    guards: Vec<Guard<'a>>,
    consumer: &'a mut Consumer<Box<u64>>,
    first: u64,
    model: Model,
}

impl<'a> Ring<'a> {
    fn take(&mut self, step: &Step, turn: usize) {
        let producer = &self.producers[turn % self.producers.len()];
        match step {
            Step::Push => {
                let value = self.model.value();
                let expected = if self.model.room() == 0 {
                    Err(PushError::Full(value.clone()))
                } else {
                    self.model.push(*value);
                    Ok(())
                };
                assert_eq!(producer.try_push(value), expected);
            }
            Step::PushBatch(count) => {
                let accepted = self.model.room().min(*count);
                let values: Vec<_> = (0..*count).map(|_| self.model.value()).collect();
                values[..accepted]
                    .iter()
                    .for_each(|value| self.model.push(**value));
                let mut rest = values.into_iter();
                assert_eq!(producer.push_batch(&mut rest), accepted);
                assert_eq!(rest.len(), count - accepted);
            }
            Step::Reserve => match producer.reserve() {
                Ok(credit) => {
                    assert!(self.model.room() > 0);
                    self.model.credits += 1;
                    self.guards.push(Guard::Credit(credit));
                }
                Err(error) => assert_eq!((error, self.model.room()), (ClaimError::Full, 0)),
            },
            Step::Claim => match producer.claim() {
                Ok(claim) => {
                    assert!(self.model.room() > 0);
                    self.hold(claim);
                }
                Err(error) => assert_eq!((error, self.model.room()), (ClaimError::Full, 0)),
            },
            Step::Drain(limit) => {
                let mut seen = Vec::new();
                self.consumer.drain(*limit, |value| seen.push(**value));
                let mut expected = Vec::new();
                while expected.len() < *limit {
                    let Some(value) = self.model.next_published() else {
                        break;
                    };
                    expected.push(value);
                }
                self.model.unreported = 0;
                assert_eq!(seen, expected);
            }
            Step::Pop if self.model.recycled => {
                assert_eq!(self.consumer.pop(), Err(PopError::Recycled));
            }
            Step::Pop => {
                let expected = self.model.next_published().map(Box::new);
                if expected.is_none() {
                    self.model.unreported = 0;
                }
                assert_eq!(self.consumer.pop(), expected.ok_or(PopError::Empty));
            }
            Step::Release => {
                self.consumer.release();
                self.model.unreported = 0;
            }
            Step::Spend(index)
            | Step::Write(index)
            | Step::Fill(index)
            | Step::Take(index)
            | Step::Publish(index)
            | Step::Drop(index) => {
                if !self.guards.is_empty() {
                    let guard = self.guards.swap_remove(index.index(self.guards.len()));
                    self.work(step, guard);
                }
            }
        }
        assert_eq!(producer.has_room(), self.model.room() > 0);
        let front = self.model.slots.front();
        assert_eq!(
            self.consumer.is_ready(),
            front.is_some_and(|slot| *slot != Slot::Claimed)
        );
    }

    fn hold(&mut self, claim: SharedClaim<'a, Box<u64>>) {
        let sequence = self.model.claim();
        assert_eq!(claim.sequence(), self.first.wrapping_add(sequence as u64));
        self.guards.push(Guard::Claim(claim, sequence, false));
    }

    fn work(&mut self, step: &Step, guard: Guard<'a>) {
        let (mut claim, sequence, written) = match guard {
            Guard::Credit(credit) => {
                match step {
                    Step::Spend(_) => {
                        self.model.credits -= 1;
                        self.hold(credit.claim());
                    }
                    Step::Drop(_) => self.model.credits -= 1,
                    _ => self.guards.push(Guard::Credit(credit)),
                }
                return;
            }
            Guard::Claim(claim, sequence, written) => (claim, sequence, written),
        };
        let recycled = self.model.recycled;
        let mut written = written;
        match step {
            Step::Write(_) => {
                let value = self.model.value();
                *self.model.place(sequence) = Some(*value);
                claim.write(value);
                written = true;
            }
            Step::Fill(_) => {
                let held = *self.model.place(sequence);
                let filled = claim.fill(|value| {
                    assert_eq!(Some(**value), held, "what was left there");
                    **value += 1000;
                });
                if recycled {
                    assert_eq!(filled, Ok(()));
                    *self.model.place(sequence) = held.map(|value| value + 1000);
                } else {
                    assert_eq!(filled, Err(ClaimError::NotRecycled));
                }
            }
            Step::Take(_) => {
                let expected = *self.model.place(sequence);
                let expected = expected.filter(|_| written && !recycled).map(Box::new);
                assert_eq!(claim.take(), expected);
                written &= recycled;
            }
            Step::Publish(_) => {
                claim.publish();
                let published = written || recycled;
                let slot = if published {
                    Slot::Published
                } else {
                    Slot::Abandoned
                };
                self.model.set(sequence, slot);
                return;
            }
            Step::Drop(_) => {
                drop(claim);
                self.model.set(sequence, Slot::Abandoned);
                return;
            }
            _ => {}
        }
        self.guards.push(Guard::Claim(claim, sequence, written));
    }
}

/// Takes the steps, then gives up what is still held; what should be left.
fn take_all<'a>(
    steps: &[Step],
    producers: &'a [SharedProducer<Box<u64>>],
    consumer: &'a mut Consumer<Box<u64>>,
    first: u64,
    model: Model,
) -> Model {
    let mut ring = Ring {
        producers,
        guards: Vec::new(),
        consumer,
        first,
        model,
    };
    for (turn, step) in steps.iter().enumerate() {
        ring.take(step, turn);
    }
    for guard in ring.guards {
        if let Guard::Claim(_, sequence, _) = guard {
            ring.model.set(sequence, Slot::Abandoned);
        }
    }
    ring.model
}

fn live(steps: &[Step], capacity: usize, recycled: bool, first: u64, consumer_first: bool) {
    let options = RingOptions::new().first_sequence(first);
    let mut made = 10_000..;
    let (producer, mut consumer) = if recycled {
        options.mpsc_recycled(capacity, || Box::new(made.next().expect("endless")))
    } else {
        options.mpsc(capacity)
    }
    .expect("a power of two");
    let producers = [producer.clone(), producer.clone(), producer];
    // Where the first sequence is not at the first place, the places are turned round.
    let turned = (first % capacity as u64) as usize;
    let initial = |place: usize| recycled.then(|| 10_000 + ((place + turned) % capacity) as u64);
    let model = Model {
        capacity,
        quantum: (capacity / 4).clamp(1, 64),
        slots: VecDeque::new(),
        head: 0,
        values: (0..capacity).map(initial).collect(),
        recycled,
        credits: 0,
        unreported: 0,
        next: 0,
    };
    let mut model = take_all(steps, &producers, &mut consumer, first, model);
    let rest: Vec<_> = std::iter::from_fn(|| model.next_published()).collect();
    if consumer_first {
        drop(consumer);
        for producer in &producers {
            let refused = producer.try_push(Box::new(1));
            assert_eq!(refused, Err(PushError::Closed(Box::new(1))));
            assert_eq!(producer.claim().map(drop), Err(ClaimError::Closed));
        }
        return;
    }
    // The last handle closes.
    for producer in producers {
        assert!(!consumer.is_closed());
        drop(producer);
    }
    let mut seen = Vec::new();
    consumer.drain(usize::MAX, |value| seen.push(**value));
    assert_eq!(seen, rest);
    assert!(consumer.is_closed());
    if !recycled {
        assert_eq!(consumer.pop(), Err(PopError::Closed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_with_many_writers_behaves_as_a_list_of_slots(
        steps in vec(step(), 0..120),
        capacity in prop::sample::select(vec![2_usize, 4, 8, 32]),
        recycled in any::<bool>(),
        near_the_end in any::<bool>(),
        consumer_first in any::<bool>(),
    ) {
        let first = if near_the_end { u64::MAX - 20 } else { 0 };
        live(&steps, capacity, recycled, first, consumer_first);
    }
}
