//! Round-trip rows: an event goes to the other CPU, and its answer comes back.
//!
//! One event is under way at a time. The caller sends an odd number, the other thread answers with
//! the next even one, the caller sends the next odd one after that. Both ends add up what they
//! receive, so that every number from 1 on arrives exactly once, at one end or the other.

use std::hint;
use std::thread;

use crate::measure::drift::TripClock;
use crate::measure::start;
use crate::measure::{CpuPair, Lap, LapError, Pinned, Side};

use super::event::Event;
use super::link::{Drain, Link};
use super::pipe::{Feed, Waiting};

/// Round trips before the clock starts.
pub const WARM_TRIPS: u64 = 1024;

/// The capacity of the two queues: one event is under way, so the smallest that every contestant
/// accepts, all of whose slots stay in the nearest cache.
pub const CAPACITY: usize = 64;

/// The sum that both ends of `ops` counted trips receive.
#[must_use]
pub fn expected<const WORDS: usize>(ops: u64) -> u64 {
    let received = 2 * (WARM_TRIPS + ops);
    // The numbers 1 to `received`.
    Event::<WORDS>::sum_of(received, super::event::sum_below(received + 1))
}

/// Round trips over two queues that are polled without pause.
#[derive(Debug)]
pub struct TripSide<L, const WORDS: usize> {
    link: L,
    cpus: CpuPair,
}

impl<L: Link<WORDS>, const WORDS: usize> TripSide<L, WORDS> {
    /// Over two of `link`.
    #[must_use]
    pub fn new(link: L, cpus: CpuPair) -> Self {
        Self { link, cpus }
    }

    /// One of the two queues.
    fn queue(&self) -> Result<(L::Sender, L::Receiver), LapError> {
        let (mut senders, receiver) = self.link.connect(CAPACITY, 1, Waiting::Spin)?;
        let sender = senders.pop();
        let sender =
            sender.ok_or_else(|| LapError::Unsupported("a queue with no sender".into()))?;
        Ok((sender, receiver))
    }
}

impl<L: Link<WORDS>, const WORDS: usize> Side for TripSide<L, WORDS> {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
        if !self.cpus.is_two() {
            return Err(LapError::Unsupported(
                "a spinning round trip on one CPU".to_owned(),
            ));
        }
        let (mut there, mut arrivals) = self.queue()?;
        let (mut back, mut answers) = self.queue()?;
        let trips = WARM_TRIPS + ops;
        let _pinned = Pinned::to(self.cpus.emitter)?;
        thread::scope(|scope| {
            let echo = move || {
                let mut sum = 0;
                for _ in 0..trips {
                    let seed = receive(&mut arrivals, &mut sum);
                    back.send(seed + 1);
                }
                sum
            };
            let echo = start::scoped(scope, self.cpus.worker, echo)?;
            let (mut seed, mut sum) = (0, 0);
            let mut trip = || {
                there.send(seed + 1);
                seed = receive(&mut answers, &mut sum);
            };
            (0..WARM_TRIPS).for_each(|_| trip());
            let mut clock = TripClock::start();
            for _ in 0..ops {
                trip();
                clock.tick();
            }
            let (elapsed, latency) = clock.stop();
            let checksum = sum.wrapping_add(start::finished(echo.join())?);
            Ok(Lap {
                elapsed,
                checksum,
                latency: Some(latency),
            })
        })
    }
}

/// Waits for one event, adds it to `sum` and returns its seed.
#[inline]
fn receive<const WORDS: usize>(queue: &mut impl Drain<WORDS>, sum: &mut u64) -> u64 {
    let mut seed = 0;
    let mut take = |event: &Event<WORDS>| {
        seed = event.seed();
        *sum = sum.wrapping_add(event.sum());
    };
    while queue.drain(&mut take) == 0 {
        // One hint between two looks: see `measure::drift`.
        hint::spin_loop();
    }
    seed
}
