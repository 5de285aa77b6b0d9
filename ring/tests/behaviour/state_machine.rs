//! Random sequences of operations on one thread, compared step by step with queues from the
//! standard library.

use corecast_ring::{Consumer, PopError, Producer, PushError, RingOptions};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Debug, Clone)]
enum Step {
    Push,
    PushRefused,
    PushBatch(usize),
    Stage(usize),
    Announce,
    Publish,
    Withdraw,
    Discard(u64),
    Unstage,
    Claim { publish: bool },
    Drain(usize),
    Finish { poll: usize, finish: usize },
    Pop,
    Release,
    CloseProducer,
    CloseConsumer,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Push),
        1 => Just(Step::PushRefused),
        3 => (0..12_usize).prop_map(Step::PushBatch),
        3 => (1..5_usize).prop_map(Step::Stage),
        2 => Just(Step::Announce),
        3 => Just(Step::Publish),
        1 => Just(Step::Withdraw),
        1 => (0..3_u64).prop_map(Step::Discard),
        1 => Just(Step::Unstage),
        2 => any::<bool>().prop_map(|publish| Step::Claim { publish }),
        4 => (0..10_usize).prop_map(Step::Drain),
        3 => (0..6_usize, 0..6_usize).prop_map(|(poll, finish)| Step::Finish { poll, finish }),
        4 => Just(Step::Pop),
        2 => Just(Step::Release),
    ]
}

/// A life of a ring: steps, and perhaps the departure of a side or both.
fn life() -> impl Strategy<Value = Vec<Step>> {
    let departure = prop_oneof![
        2 => Just(vec![]),
        1 => Just(vec![Step::CloseProducer]),
        1 => Just(vec![Step::CloseConsumer]),
        1 => Just(vec![Step::CloseProducer, Step::CloseConsumer]),
    ];
    (vec(step(), 0..120), departure, vec(step(), 0..20)).prop_map(|(mut steps, departure, rest)| {
        steps.extend(departure);
        steps.extend(rest);
        steps
    })
}

/// What the ring should hold. `None` stands for an abandoned sequence.
struct Model {
    capacity: usize,
    published: VecDeque<Option<Box<u64>>>,
    staged: VecDeque<Box<u64>>,
    announced: bool,
    /// Consumed and not yet reported: these slots are still taken.
    unreported: usize,
    quantum: usize,
    next: u64,
}

impl Model {
    fn value(&mut self) -> Box<u64> {
        self.next += 1;
        Box::new(self.next)
    }

    fn room(&self) -> usize {
        self.capacity - self.published.len() - self.staged.len() - self.unreported
    }

    fn consumed(&mut self) {
        self.unreported += 1;
        if self.unreported >= self.quantum {
            self.unreported = 0;
        }
    }

    fn step_over_abandoned(&mut self) {
        while self.published.front() == Some(&None) {
            self.published.pop_front();
            self.consumed();
        }
    }

    /// Events at the head, up to the first abandoned sequence.
    fn ready(&self) -> usize {
        self.published
            .iter()
            .take_while(|slot| slot.is_some())
            .count()
    }

    fn publish_staged(&mut self) {
        self.published.extend(self.staged.drain(..).map(Some));
        self.announced = false;
    }
}

struct Ring {
    producer: Option<Producer<Box<u64>>>,
    consumer: Option<Consumer<Box<u64>>>,
    model: Model,
    /// Polled and not finished: as many are ready without another look.
    polled: usize,
}

impl Ring {
    fn new(capacity: usize, first: u64) -> Self {
        let (producer, consumer) = RingOptions::new()
            .first_sequence(first)
            .spsc(capacity)
            .expect("a power of two");
        Self {
            producer: Some(producer),
            consumer: Some(consumer),
            model: Model {
                capacity,
                published: VecDeque::new(),
                staged: VecDeque::new(),
                announced: false,
                unreported: 0,
                quantum: (capacity / 4).clamp(1, 64),
                next: 0,
            },
            polled: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::CloseProducer => {
                self.producer = None;
                let model = &mut self.model;
                if model.announced {
                    model.published.extend(model.staged.iter().map(|_| None));
                }
                model.staged.clear();
            }
            Step::CloseConsumer => {
                // Leaving reports the last progress.
                self.consumer = None;
                self.model.unreported = 0;
            }
            Step::Drain(_) | Step::Finish { .. } | Step::Pop | Step::Release => self.consume(step),
            _ => self.produce(step),
        }
    }

    fn produce(&mut self, step: &Step) {
        let open = self.consumer.is_some();
        let (Some(producer), model) = (&mut self.producer, &mut self.model) else {
            return;
        };
        let (room, idle) = (model.room(), model.staged.is_empty() && !model.announced);
        match step {
            Step::Push if idle => {
                let value = model.value();
                let expected = if !open {
                    Err(PushError::Closed(value.clone()))
                } else if room == 0 {
                    Err(PushError::Full(value.clone()))
                } else {
                    model.published.push_back(Some(value.clone()));
                    Ok(())
                };
                assert_eq!(producer.try_push(value), expected);
            }
            Step::PushRefused if idle => {
                let value = model.value();
                let expected = if room == 0 {
                    PushError::Full(value.clone())
                } else {
                    model.published.push_back(None);
                    PushError::NotAdmitted(value.clone())
                };
                assert_eq!(producer.try_push_if(value, || false), Err(expected));
            }
            Step::PushBatch(count) if !model.announced => {
                let accepted = if open { room.min(*count) } else { 0 };
                let values: Vec<_> = (0..*count).map(|_| model.value()).collect();
                if open {
                    model.publish_staged();
                    let accepted = values[..accepted].iter().cloned().map(Some);
                    model.published.extend(accepted);
                }
                let mut rest = values.into_iter();
                assert_eq!(producer.push_batch(&mut rest), accepted);
                assert_eq!(rest.len(), count - accepted);
            }
            Step::Stage(count) if !model.announced => {
                for _ in 0..*count {
                    let value = model.value();
                    let expected = if model.room() == 0 {
                        Err(PushError::Full(value.clone()))
                    } else {
                        model.staged.push_back(value.clone());
                        Ok(None)
                    };
                    assert_eq!(producer.stage(value), expected);
                }
            }
            Step::Announce if !model.staged.is_empty() => {
                producer.announce();
                model.announced = true;
            }
            Step::Publish => {
                producer.publish();
                model.publish_staged();
            }
            Step::Withdraw => {
                producer.withdraw();
                if std::mem::take(&mut model.announced) {
                    model.published.extend(model.staged.drain(..).map(|_| None));
                }
            }
            Step::Discard(keep) => {
                producer.discard_to(*keep);
                if !model.announced {
                    model.staged.truncate(*keep as usize);
                }
            }
            Step::Unstage => {
                let expected = if model.announced && model.staged.len() > 1 {
                    None
                } else {
                    model.staged.pop_back()
                };
                if model.announced && expected.is_some() {
                    model.announced = false;
                    model.published.push_back(None);
                }
                assert_eq!(producer.unstage(None), expected);
            }
            Step::Claim { publish } if !model.announced => match producer.claim() {
                Ok(claim) => {
                    assert!(open && room > 0);
                    if *publish {
                        let value = model.value();
                        model.staged.push_back(value.clone());
                        model.publish_staged();
                        claim.publish(value);
                    }
                }
                Err(_) => assert!(!open || room == 0),
            },
            // Not to be done while values are staged or announced; `staging` shows what then.
            _ => {}
        }
        assert_eq!(producer.staged(), self.model.staged.len() as u64);
        assert_eq!(producer.room(u64::MAX), self.model.room() as u64);
    }

    fn consume(&mut self, step: &Step) {
        let closed = self.producer.is_none();
        let (Some(consumer), model) = (&mut self.consumer, &mut self.model) else {
            return;
        };
        match step {
            Step::Drain(limit) => {
                let mut seen = Vec::new();
                consumer.drain(*limit, |value| seen.push(value.clone()));
                let mut expected = Vec::new();
                while expected.len() < *limit {
                    model.step_over_abandoned();
                    let Some(value) = model.published.pop_front() else {
                        break;
                    };
                    expected.extend(value);
                }
                assert_eq!(seen, expected);
                self.polled = self.polled.saturating_sub(seen.len());
                model.unreported = 0;
            }
            Step::Finish { poll, finish } => {
                let ready = consumer.poll(*poll);
                if *poll > 0 && self.polled == 0 {
                    model.step_over_abandoned();
                }
                let window = model.quantum.min(*poll);
                assert_eq!(ready, model.ready().min(window));
                self.polled = self.polled.max(ready);
                for (index, value) in model.published.iter().take(ready).enumerate() {
                    assert_eq!(consumer.get(index), value.as_ref());
                }
                consumer.finish(ready.min(*finish));
                for _ in 0..ready.min(*finish) {
                    model.published.pop_front();
                    model.consumed();
                    self.polled -= 1;
                }
            }
            Step::Pop => {
                if self.polled == 0 {
                    model.step_over_abandoned();
                }
                let expected = match model.published.pop_front() {
                    Some(value) => {
                        model.consumed();
                        Ok(value.expect("no abandoned sequence at the head"))
                    }
                    None => {
                        model.unreported = 0;
                        Err(if closed {
                            PopError::Closed
                        } else {
                            PopError::Empty
                        })
                    }
                };
                assert_eq!(consumer.pop(), expected);
                self.polled = self.polled.saturating_sub(1);
            }
            _ => {
                consumer.release();
                model.unreported = 0;
            }
        }
        assert_eq!(consumer.is_ready(), !model.published.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_behaves_as_a_queue(
        steps in life(),
        capacity in prop::sample::select(vec![2_usize, 4, 8, 32]),
        near_the_end in any::<bool>(),
    ) {
        let first = if near_the_end { u64::MAX - 20 } else { 0 };
        let mut ring = Ring::new(capacity, first);
        for step in &steps {
            ring.take(step);
        }
    }
}
