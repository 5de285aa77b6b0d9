//! The raw round trip of a cache line between two CPUs.
//!
//! Two threads hand a number back and forth through atomics and do nothing else. No inter-thread
//! hand-over can be faster on the machine at that moment, so it is both the yardstick of latency
//! rows and, taken again and again during a run, the gauge of how far the machine drifted: a virtual
//! CPU's distance to its neighbour changes whenever the host moves it.
//!
//! Both threads give one spin hint between two looks at the line. Without it they take the line from
//! the writer so often that the round trip lasts half as long again.

use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::cpus::{CpuPair, Pinned};
use super::latency::Latency;
use super::side::LapError;
use super::start;

/// How many round trips are timed together, so that reading the clock (tens of nanoseconds) does
/// not show in the time of one.
pub const TRIPS_PER_READING: u64 = 32;

/// Round trips of one [`drift`](self) reading: a few milliseconds.
const TRIPS_OF_A_GAUGE: u64 = 16 * 1024;

/// A number alone in its pair of cache lines; adjacent-line prefetch fetches them in pairs.
#[repr(align(128))]
#[derive(Default)]
struct Line(AtomicU64);

/// Where the number goes there and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// Through one cache line: the answer overwrites the question. The floor of the machine.
    One,
    /// Through a line for each direction, as in any two one-way channels: the floor of those.
    Two,
}

/// What a series of raw round trips took.
#[derive(Debug, Clone)]
pub struct RawTrips {
    /// The whole series.
    pub elapsed: Duration,
    /// The sum of every number that either thread received.
    pub received: u64,
    /// The mean round trip of each [`TRIPS_PER_READING`].
    pub latency: Latency,
}

/// Times `trips` round trips after `warm` untimed ones; the thread on `cpus.worker` answers each
/// number with the next.
///
/// So the numbers received are 1 to 2 × (`warm` + `trips`), each once.
///
/// # Errors
///
/// [`LapError::Unsupported`] when the pair is one CPU, where two spinning threads would wait for
/// each other's time slices; [`LapError::Pin`] and [`LapError::Spawn`].
pub fn raw_round_trips(
    cpus: CpuPair,
    lines: Lines,
    warm: u64,
    trips: u64,
) -> Result<RawTrips, LapError> {
    if !cpus.is_two() {
        let what = format!(
            "a round trip between two CPUs, with CPU {} alone",
            cpus.emitter
        );
        return Err(LapError::Unsupported(what));
    }
    let (there, back) = (Line::default(), Line::default());
    let (there, back) = match lines {
        Lines::One => (&there.0, &there.0),
        Lines::Two => (&there.0, &back.0),
    };
    let _pinned = Pinned::to(cpus.emitter)?;
    thread::scope(|scope| {
        let echo = move || answer(there, back, warm + trips);
        let echo = start::scoped(scope, cpus.worker, echo)?;
        let (elapsed, latency, mine) = call(there, back, warm, trips);
        let theirs = start::finished(echo.join())?;
        Ok(RawTrips {
            elapsed,
            received: mine.wrapping_add(theirs),
            latency,
        })
    })
}

/// The far end: answers `trips` numbers, and returns their sum.
fn answer(there: &AtomicU64, back: &AtomicU64, trips: u64) -> u64 {
    let mut sum = 0_u64;
    let mut expected = 1;
    for _ in 0..trips {
        // Acquire and Release pair up so that the two ends alternate; no other data rides along.
        while there.load(Ordering::Acquire) != expected {
            hint::spin_loop();
        }
        sum = sum.wrapping_add(expected);
        back.store(expected + 1, Ordering::Release);
        expected += 2;
    }
    sum
}

/// The near end: returns the time of the counted trips, their readings and the sum received.
fn call(there: &AtomicU64, back: &AtomicU64, warm: u64, trips: u64) -> (Duration, Latency, u64) {
    let (mut number, mut sum) = (1, 0_u64);
    let mut trip = || {
        there.store(number, Ordering::Release);
        while back.load(Ordering::Acquire) != number + 1 {
            hint::spin_loop();
        }
        sum = sum.wrapping_add(number + 1);
        number += 2;
    };
    (0..warm).for_each(|_| trip());
    let mut clock = TripClock::start();
    for _ in 0..trips {
        trip();
        clock.tick();
    }
    let (elapsed, latency) = clock.stop();
    (elapsed, latency, sum)
}

/// Times round trips in groups of [`TRIPS_PER_READING`].
#[derive(Debug)]
pub struct TripClock {
    start: Instant,
    last: Instant,
    /// Trips until the next reading.
    left: u64,
    latency: Latency,
}

impl TripClock {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Self {
        let latency = Latency::new();
        let start = Instant::now();
        Self {
            start,
            last: start,
            left: TRIPS_PER_READING,
            latency,
        }
    }

    /// Counts one trip: a decrement, and a clock reading every [`TRIPS_PER_READING`] trips.
    #[inline]
    pub fn tick(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.read();
        }
    }

    /// The time from the start to now, and the mean trip of each group.
    #[must_use]
    pub fn stop(self) -> (Duration, Latency) {
        (self.start.elapsed(), self.latency)
    }

    #[cold]
    fn read(&mut self) {
        let now = Instant::now();
        self.latency
            .record((now - self.last) / TRIPS_PER_READING as u32);
        self.last = now;
        self.left = TRIPS_PER_READING;
    }
}

/// One reading of the gauge: the median raw round trip in nanoseconds.
///
/// # Errors
///
/// As [`raw_round_trips`].
pub fn gauge(cpus: CpuPair) -> Result<u64, LapError> {
    let trips = raw_round_trips(cpus, Lines::One, TRIPS_OF_A_GAUGE / 16, TRIPS_OF_A_GAUGE)?;
    Ok(trips.latency.percentile(50.0))
}
