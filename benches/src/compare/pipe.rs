//! One-way rows: from producing threads to consuming ones.
//!
//! A contestant implements [`Pipe`]; the producing loop, the pinning, the warm-up, the clock and the
//! check of what arrived are here, once, for all of them.

use std::fmt;
use std::hint;
use std::ops::Range;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use corecast_affinity::CpuId;

use crate::measure::start;
use crate::measure::{CpuPair, Lap, LapError, Side};

use super::event::Event;
use super::sink::{Sink, Tally};

/// How many warm-up events a lap begins with, at least: every slot of the ring twice.
const WARM_LAPS_OF_RING: u64 = 2;

/// How long producers wait for the warm-up to arrive before they call it lost.
const WARM_UP_LIMIT: Duration = Duration::from_secs(10);

/// How a thread waits for room, or for events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It keeps its CPU: for one thread per CPU.
    Spin,
    /// It lets others run: for more threads than CPUs.
    Yield,
}

impl Waiting {
    /// Waits a moment.
    #[inline]
    pub fn pause(self) {
        match self {
            Self::Spin => hint::spin_loop(),
            Self::Yield => thread::yield_now(),
        }
    }
}

/// What a [`Pipe`] is to set up for one lap.
#[derive(Debug)]
pub struct Plan {
    /// The CPU that consuming threads are to be pinned to.
    pub worker: CpuId,
    /// The capacity of each ring in events: a power of two.
    pub capacity: usize,
    /// How producers and consumers wait.
    pub waiting: Waiting,
    /// How many producing threads there will be.
    pub producers: usize,
    /// Where events are to arrive: every event at every sink. Dropped by the consumer at its end.
    pub sinks: Vec<Sink>,
}

/// A way for events to get from producing threads to consuming ones.
pub trait Pipe<const WORDS: usize> {
    /// A producer's end.
    type Feed: Feed<WORDS> + Send;

    /// What the report calls it.
    fn name(&self) -> &str;

    /// Builds it and starts its consumers: all are pinned and running when this returns.
    ///
    /// # Errors
    ///
    /// [`LapError::Unsupported`] when it cannot do what the plan asks, and whatever kept a consumer
    /// from starting.
    fn open(&self, plan: Plan) -> Result<Opened<Self::Feed>, LapError>;
}

/// A producer's end of a [`Pipe`].
pub trait Feed<const WORDS: usize> {
    /// Sends the event of `seed`, waiting while there is no room.
    fn send(&mut self, seed: u64);

    /// Sends the events of `seeds` in as few pieces as the pipe can: singly, if it has no batches.
    #[inline]
    fn send_batch(&mut self, seeds: Range<u64>) {
        seeds.for_each(|seed| self.send(seed));
    }
}

/// What stops the consumers of a pipe once its feeds are gone and have delivered; it returns when
/// they have ended.
pub type Stop = Box<dyn FnOnce() -> Result<(), LapError> + Send>;

/// A pipe at work.
pub struct Opened<F> {
    /// The producers' ends, as many as were planned.
    pub feeds: Vec<F>,
    /// Stops the consumers; called after every feed was dropped.
    pub stop: Stop,
}

impl<F> fmt::Debug for Opened<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("feeds", &self.feeds.len())
            .finish_non_exhaustive()
    }
}

/// The shape of a one-way row: what is the same for its contestants.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Where it runs: producers share the first CPU, consumers the second.
    pub cpus: CpuPair,
    /// The capacity of each ring in events.
    pub capacity: usize,
    /// Producing threads.
    pub producers: usize,
    /// Consuming threads.
    pub consumers: usize,
    /// Events sent together; 1 sends them singly.
    pub batch: u64,
}

impl Shape {
    /// One producer and one consumer, events sent singly.
    #[must_use]
    pub fn single(cpus: CpuPair) -> Self {
        Self {
            cpus,
            capacity: 1024,
            producers: 1,
            consumers: 1,
            batch: 1,
        }
    }

    /// Spinning where every thread has a CPU of its own, yielding where not.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        if self.cpus.is_two() && self.producers == 1 && self.consumers == 1 {
            Waiting::Spin
        } else {
            Waiting::Yield
        }
    }

    /// What the number of events of a lap must be a multiple of.
    #[must_use]
    pub fn grain(&self) -> u64 {
        self.batch.max(1) * self.producers.max(1) as u64
    }

    /// The warm-up events of a lap.
    fn warm(&self) -> u64 {
        (self.capacity as u64 * WARM_LAPS_OF_RING).next_multiple_of(self.grain())
    }

    /// The sum that arrives, over all consumers, after a lap of `ops` events of `WORDS` words.
    #[must_use]
    pub fn expected<const WORDS: usize>(&self, ops: u64) -> u64 {
        Event::<WORDS>::expected(self.warm() + ops).wrapping_mul(self.consumers as u64)
    }
}

/// A contestant of a one-way row.
#[derive(Debug)]
pub struct PipeSide<P, const WORDS: usize> {
    pipe: P,
    shape: Shape,
}

impl<P: Pipe<WORDS>, const WORDS: usize> PipeSide<P, WORDS> {
    /// `pipe`, in rows of this `shape`.
    #[must_use]
    pub fn new(pipe: P, shape: Shape) -> Self {
        Self { pipe, shape }
    }
}

impl<P: Pipe<WORDS>, const WORDS: usize> Side for PipeSide<P, WORDS> {
    fn name(&self) -> &str {
        self.pipe.name()
    }

    fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
        let shape = self.shape;
        let warm = shape.warm();
        let (sinks, tallies): (Vec<Sink>, Vec<Arc<Tally>>) =
            (0..shape.consumers).map(|_| Sink::new(warm, ops)).unzip();
        let opened = self.pipe.open(Plan {
            worker: shape.cpus.worker,
            capacity: shape.capacity,
            waiting: shape.waiting(),
            producers: shape.producers,
            sinks,
        })?;
        let started = produce_all(opened.feeds, &shape, warm, ops, &tallies);
        (opened.stop)()?;
        result(started?, warm + ops, &tallies)
    }
}

/// What the lap came to, after all of its threads have ended.
fn result(started: Instant, sent: u64, tallies: &[Arc<Tally>]) -> Result<Lap, LapError> {
    let mut ended = started;
    let mut checksum = 0_u64;
    for tally in tallies {
        let arrived = tally.arrived();
        let done = tally.done().ok_or(LapError::Lost { arrived, sent })?;
        ended = ended.max(done);
        checksum = checksum.wrapping_add(tally.sum());
    }
    Ok(Lap {
        elapsed: ended - started,
        checksum,
        latency: None,
    })
}

/// Runs every producer on a thread of its own; returns when the counted events began to be sent.
fn produce_all<F: Feed<WORDS> + Send, const WORDS: usize>(
    feeds: Vec<F>,
    shape: &Shape,
    warm: u64,
    ops: u64,
    tallies: &[Arc<Tally>],
) -> Result<Instant, LapError> {
    let producers = feeds.len() as u64;
    // Each producer has its share of the warm-up seeds, and then of the counted ones.
    let share = |first: u64, of: u64, index: u64| {
        first + of / producers * index..first + of / producers * (index + 1)
    };
    let together = Barrier::new(feeds.len());
    let waiting = shape.waiting();
    thread::scope(|scope| {
        let mut threads = Vec::with_capacity(feeds.len());
        let mut signals = Vec::with_capacity(feeds.len());
        for (index, mut feed) in (0..).zip(feeds) {
            let (warm_up, counted) = (share(0, warm, index), share(warm, ops, index));
            let (together, batch) = (&together, shape.batch);
            let (signal, signalled) = mpsc::channel();
            let produce = move || {
                // A signal that never comes means that another producer could not be started.
                signalled.recv().ok()?;
                send_all(&mut feed, warm_up, batch);
                let warmed = await_warm_up(tallies, waiting);
                // The last to arrive here starts the clock: it is released at once.
                let started = Instant::now();
                together.wait();
                if warmed {
                    send_all(&mut feed, counted, batch);
                }
                warmed.then_some(started)
            };
            threads.push(start::scoped(scope, shape.cpus.emitter, produce)?);
            signals.push(signal);
        }
        for signal in signals {
            // A thread that is gone already shows when it is joined.
            let _gone = signal.send(());
        }
        let mut started = None;
        for thread in threads {
            let began = start::finished(thread.join())?;
            let lost = || LapError::Lost {
                arrived: 0,
                sent: warm,
            };
            started = started.max(Some(began.ok_or_else(lost)?));
        }
        started.ok_or_else(|| LapError::Unsupported("a lap without producers".to_owned()))
    })
}

/// The producing loop.
fn send_all<F: Feed<WORDS>, const WORDS: usize>(feed: &mut F, seeds: Range<u64>, batch: u64) {
    if batch <= 1 {
        for seed in seeds {
            feed.send(seed);
        }
        return;
    }
    let mut first = seeds.start;
    while first < seeds.end {
        let next = (first + batch).min(seeds.end);
        feed.send_batch(first..next);
        first = next;
    }
}

/// Whether the warm-up has arrived at every sink in good time.
fn await_warm_up(tallies: &[Arc<Tally>], waiting: Waiting) -> bool {
    let limit = Instant::now() + WARM_UP_LIMIT;
    while !tallies.iter().all(|tally| tally.is_warm()) {
        if Instant::now() > limit {
            return false;
        }
        waiting.pause();
    }
    true
}
