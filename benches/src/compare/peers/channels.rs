//! Bounded channels: crossbeam-channel and crossfire.
//!
//! Where a thread has a CPU of its own they send with the blocking `send`, which tries first and
//! backs off by itself when the channel is full; where threads share CPUs, crossbeam-channel sends
//! with `try_send` and yields, since its `send` soon parks the thread, which costs more. Both
//! receive with `try_recv` in a loop that pauses when it finds nothing: in these rows the blocking
//! `recv` takes two to three times as long, because it yields and parks while the next event is a
//! few nanoseconds away. Neither has an operation for batches.

use crossbeam_channel::TrySendError;

use crate::compare::event::Event;
use crate::compare::link::{Drain, Link, one_producer};
use crate::compare::pipe::{Feed, Waiting};
use crate::measure::LapError;

/// How many spin hints a consumer of a channel best waits before it polls again.
pub const IDLE: u32 = 100;

/// How many events one drain takes at most, so that it ends.
const RUN: usize = 1024;

/// crossbeam-channel, array flavour.
#[derive(Debug)]
pub struct Crossbeam;

/// crossfire, bounded, blocking, for one producer and one consumer: its flavour with the fewest
/// atomic operations.
#[derive(Debug)]
pub struct Crossfire;

/// A producer's end of crossbeam-channel.
#[derive(Debug)]
pub struct CrossbeamSender<const WORDS: usize> {
    sender: crossbeam_channel::Sender<Event<WORDS>>,
    waiting: Waiting,
}

impl<const WORDS: usize> Link<WORDS> for Crossbeam {
    type Sender = CrossbeamSender<WORDS>;
    type Receiver = crossbeam_channel::Receiver<Event<WORDS>>;

    fn name(&self) -> &str {
        "crossbeam-channel"
    }

    fn connect(
        &self,
        capacity: usize,
        producers: usize,
        waiting: Waiting,
    ) -> Result<(Vec<Self::Sender>, Self::Receiver), LapError> {
        let (sender, receiver) = crossbeam_channel::bounded(capacity);
        let another = |_| CrossbeamSender {
            sender: sender.clone(),
            waiting,
        };
        Ok(((0..producers).map(another).collect(), receiver))
    }
}

impl<const WORDS: usize> Feed<WORDS> for CrossbeamSender<WORDS> {
    #[inline]
    fn send(&mut self, seed: u64) {
        let mut event = Event::new(seed);
        match self.waiting {
            Waiting::Spin => {
                // Disconnected only if the consumer died, which its join reports.
                let _gone = self.sender.send(event);
            }
            Waiting::Yield => {
                while let Err(TrySendError::Full(refused)) = self.sender.try_send(event) {
                    event = refused;
                    Waiting::Yield.pause();
                }
            }
        }
    }
}

impl<const WORDS: usize> Drain<WORDS> for crossbeam_channel::Receiver<Event<WORDS>> {
    #[inline]
    fn drain(&mut self, take: impl FnMut(&Event<WORDS>)) -> usize {
        drain_by(|| self.try_recv().ok(), take)
    }
}

impl<const WORDS: usize> Link<WORDS> for Crossfire {
    type Sender = crossfire::Tx<crossfire::spsc::Array<Event<WORDS>>>;
    type Receiver = crossfire::Rx<crossfire::spsc::Array<Event<WORDS>>>;

    fn name(&self) -> &str {
        "crossfire"
    }

    fn connect(
        &self,
        capacity: usize,
        producers: usize,
        _waiting: Waiting,
    ) -> Result<(Vec<Self::Sender>, Self::Receiver), LapError> {
        one_producer(producers)?;
        let (sender, receiver) = crossfire::spsc::bounded_blocking(capacity);
        Ok((vec![sender], receiver))
    }
}

impl<const WORDS: usize> Feed<WORDS> for crossfire::Tx<crossfire::spsc::Array<Event<WORDS>>> {
    #[inline]
    fn send(&mut self, seed: u64) {
        // Disconnected only if the consumer died, which its join reports.
        let _gone = Self::send(self, Event::new(seed));
    }
}

impl<const WORDS: usize> Drain<WORDS> for crossfire::Rx<crossfire::spsc::Array<Event<WORDS>>> {
    #[inline]
    fn drain(&mut self, take: impl FnMut(&Event<WORDS>)) -> usize {
        drain_by(|| self.try_recv().ok(), take)
    }
}

/// Takes events one by one until there is none.
#[inline]
fn drain_by<const WORDS: usize>(
    mut receive: impl FnMut() -> Option<Event<WORDS>>,
    mut take: impl FnMut(&Event<WORDS>),
) -> usize {
    for count in 0..RUN {
        match receive() {
            Some(event) => take(&event),
            None => return count,
        }
    }
    RUN
}
