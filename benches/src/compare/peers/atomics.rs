//! Atomics and nothing else: what no hand-over between two threads can beat.

use crate::compare::event::Event;
use crate::compare::trip::WARM_TRIPS;
use crate::measure::drift::{Lines, raw_round_trips};
use crate::measure::{CpuPair, Lap, LapError, Side};

/// The raw round trip of a cache line. It carries a seed only; the checksum is that of the events of
/// `WORDS` words that the seeds stand for, so that it can be compared with those that carry more.
#[derive(Debug)]
pub struct RawTrip<const WORDS: usize> {
    cpus: CpuPair,
    lines: Lines,
}

impl<const WORDS: usize> RawTrip<WORDS> {
    /// Between these CPUs, through one line or two.
    #[must_use]
    pub fn new(cpus: CpuPair, lines: Lines) -> Self {
        Self { cpus, lines }
    }
}

impl<const WORDS: usize> Side for RawTrip<WORDS> {
    fn name(&self) -> &str {
        match self.lines {
            Lines::One => "raw, one line",
            Lines::Two => "raw, two lines",
        }
    }

    fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
        let trips = raw_round_trips(self.cpus, self.lines, WARM_TRIPS, ops)?;
        let checksum = Event::<WORDS>::sum_of(2 * (WARM_TRIPS + ops), trips.received);
        Ok(Lap {
            elapsed: trips.elapsed,
            checksum,
            latency: Some(trips.latency),
        })
    }
}
