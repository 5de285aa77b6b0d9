//! rtrb, a wait-free ring for one producer and one consumer.
//!
//! The consumer reads whatever is there as one chunk, in place, and publishes its progress once per
//! chunk; popping event by event publishes it per event and is never faster in these rows. Events
//! sent singly are pushed by value, or written in place through a chunk of one, which spares large
//! events a copy and costs small ones a little: rows take whichever of the two is faster. Batches
//! are written in place as one chunk.

use std::iter;
use std::ops::Range;

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use crate::compare::event::Event;
use crate::compare::link::{Drain, Link, one_producer};
use crate::compare::pipe::{Feed, Waiting};
use crate::measure::LapError;

/// How many spin hints a consumer best waits before it polls again, on the machines seen so far:
/// fewer leave the producer's line contended, more let the ring run full.
pub const IDLE: u32 = 32;

/// The same where events come in batches.
pub const IDLE_IN_BATCHES: u32 = 16;

/// How events are sent singly.
#[derive(Debug, Clone, Copy)]
pub enum Rtrb {
    /// Pushed by value.
    ByValue,
    /// Written in place, as a chunk of one.
    InPlace,
}

/// The producer's end.
#[derive(Debug)]
pub struct Pusher<const WORDS: usize> {
    producer: Producer<Event<WORDS>>,
    waiting: Waiting,
    how: Rtrb,
}

impl<const WORDS: usize> Link<WORDS> for Rtrb {
    type Sender = Pusher<WORDS>;
    type Receiver = Consumer<Event<WORDS>>;

    fn name(&self) -> &str {
        match self {
            Self::ByValue => "rtrb",
            Self::InPlace => "rtrb, in place",
        }
    }

    fn connect(
        &self,
        capacity: usize,
        producers: usize,
        waiting: Waiting,
    ) -> Result<(Vec<Self::Sender>, Self::Receiver), LapError> {
        one_producer(producers)?;
        let (producer, consumer) = RingBuffer::new(capacity);
        Ok((
            vec![Pusher {
                producer,
                waiting,
                how: *self,
            }],
            consumer,
        ))
    }
}

impl<const WORDS: usize> Pusher<WORDS> {
    /// Writes the events in place, as one chunk.
    #[inline]
    fn write(&mut self, count: usize, events: impl Iterator<Item = Event<WORDS>>) {
        loop {
            if let Ok(chunk) = self.producer.write_chunk_uninit(count) {
                chunk.fill_from_iter(events);
                return;
            }
            self.waiting.pause();
        }
    }
}

impl<const WORDS: usize> Feed<WORDS> for Pusher<WORDS> {
    #[inline]
    fn send(&mut self, seed: u64) {
        match self.how {
            Rtrb::ByValue => {
                let mut event = Event::new(seed);
                while let Err(PushError::Full(refused)) = self.producer.push(event) {
                    event = refused;
                    self.waiting.pause();
                }
            }
            Rtrb::InPlace => self.write(1, iter::once(Event::new(seed))),
        }
    }

    #[inline]
    fn send_batch(&mut self, seeds: Range<u64>) {
        self.write(seeds.clone().count(), seeds.map(Event::new));
    }
}

impl<const WORDS: usize> Drain<WORDS> for Consumer<Event<WORDS>> {
    #[inline]
    fn drain(&mut self, mut take: impl FnMut(&Event<WORDS>)) -> usize {
        let count = self.slots();
        let Ok(chunk) = self.read_chunk(count) else {
            // Only this end takes events away, so those counted are there.
            return 0;
        };
        let (older, newer) = chunk.as_slices();
        older.iter().chain(newer).for_each(&mut take);
        chunk.commit_all();
        count
    }
}
