//! The run: ticks from a feed, timed, to whoever dispatches them.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::pace::wait_until;
use super::{Clock, Desk, Progress, Refusals, Speed, Timetable, WorkerReport};
use crate::cli::Error;
use crate::market::{Tick, TickFeed};

/// The ticks that are read before they are dispatched, so that reading is not measured.
const CHUNK: usize = 1 << 16;

/// As fast as possible, one tick in so many is timed: reading the clock costs as much as a listener.
const SAMPLE_ONE_IN: u32 = 16;

/// A wait long enough to redraw the progress bar in.
const IDLE_NS: u64 = 5_000_000;

/// What hands ticks to the listeners.
pub trait Dispatch {
    /// Checks a tick and, unless it is refused, hands it on. A refusal is no error: it is counted.
    ///
    /// # Errors
    ///
    /// The tick could not be handed on, so the run cannot be complete.
    fn dispatch(&mut self, tick: Tick) -> Result<(), Error>;

    /// Returns when every listener has finished every tick handed on.
    ///
    /// # Errors
    ///
    /// That will not happen.
    fn settle(&mut self) -> Result<(), Error>;
}

/// How much of a feed is replayed, and when each tick is due.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The ticks to read, at most; `None`: all.
    pub events: Option<u64>,
    /// The pace.
    pub speed: Speed,
    /// Whether anything is timed. If not, a run depends on its feed alone, and `speed` is moot.
    pub timed: bool,
}

/// What a run came to, whoever dispatched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// The ticks that were read.
    pub records: u64,
    /// From handing on the first tick to the last listener's end, without the time spent reading.
    pub busy: Duration,
    /// The recorded time from the first tick to the last.
    pub recorded_ns: u64,
}

/// By which path a listener is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// By the loop that reads the feed, without any signal.
    Direct,
    /// Within a synchronous emission.
    Sync,
    /// On a worker, behind an asynchronous signal.
    Async,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Direct => "direct",
            Self::Sync => "sync",
            Self::Async => "async",
        })
    }
}

/// How many ticks one listener was called with and finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Delivered {
    /// The listener.
    pub name: &'static str,
    /// How it was called.
    pub path: Path,
    /// The ticks.
    pub delivered: u64,
}

/// What there is to report about a run.
#[derive(Debug)]
pub struct Outcome {
    /// The run as a whole.
    pub totals: Totals,
    /// The ticks that the checks refused.
    pub refusals: Refusals,
    /// The ticks that were handed on and lost.
    pub dropped: u64,
    /// Each listener's share.
    pub listeners: Vec<Delivered>,
    /// The asynchronous listeners, with what they learnt.
    pub desk: Desk,
    /// The workers that they were on; none where they were called directly.
    pub workers: Vec<WorkerReport>,
}

/// Replays `feed` as `plan` says.
///
/// Ticks are read in chunks, and a chunk is read when everybody has finished the one before: so
/// reading takes nothing from the dispatch, any length of feed fits, and at a given speed the
/// schedule stands still meanwhile.
///
/// # Errors
///
/// The feed or the dispatch failed.
pub fn drive(
    feed: &mut dyn TickFeed,
    plan: &Plan,
    clock: Clock,
    dispatch: &mut impl Dispatch,
    progress: &Progress,
) -> Result<Totals, Error> {
    let mut timing = Timing::new(plan, clock);
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut left = plan.events.unwrap_or(u64::MAX);
    let mut totals = Totals::default();
    let mut first_ns = None;
    loop {
        chunk.clear();
        let limit = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        let paused = Instant::now();
        progress.show(totals.records);
        if limit == 0 || feed.fill(&mut chunk, limit)? == 0 {
            return Ok(totals);
        }
        timing.put_off(paused.elapsed());
        let began = Instant::now();
        for (index, tick) in chunk.iter_mut().enumerate() {
            tick.due_ns = timing.due_ns(tick, || progress.show(totals.records + index as u64));
            dispatch.dispatch(*tick)?;
        }
        dispatch.settle()?;
        totals.busy += began.elapsed();
        totals.records += chunk.len() as u64;
        left -= chunk.len() as u64;
        let (first, last) = (chunk[0].recorded_ns, chunk[chunk.len() - 1].recorded_ns);
        totals.recorded_ns = last.saturating_sub(*first_ns.get_or_insert(first));
    }
}

/// When ticks are due.
enum Timing {
    Untimed,
    Sampled { clock: Clock, countdown: u32 },
    Paced { clock: Clock, timetable: Timetable },
}

impl Timing {
    fn new(plan: &Plan, clock: Clock) -> Self {
        match plan.speed {
            _ if !plan.timed => Self::Untimed,
            Speed::Max => Self::Sampled {
                clock,
                countdown: 0,
            },
            Speed::Times(times) => Self::Paced {
                clock,
                timetable: Timetable::new(times),
            },
        }
    }

    /// Waits until the tick is due and says when that was; 0 if it is not timed. Calls `idle` when
    /// there is time to spare.
    fn due_ns(&mut self, tick: &Tick, idle: impl FnOnce()) -> u64 {
        match self {
            Self::Untimed => 0,
            Self::Sampled {
                countdown: countdown @ 1..,
                ..
            } => {
                *countdown -= 1;
                0
            }
            Self::Sampled { clock, countdown } => {
                *countdown = SAMPLE_ONE_IN - 1;
                clock.now_ns()
            }
            Self::Paced { clock, timetable } => {
                let now_ns = clock.now_ns();
                let due_ns = timetable.due_ns(tick.recorded_ns, now_ns);
                if due_ns.saturating_sub(now_ns) > IDLE_NS {
                    idle();
                }
                wait_until(clock, due_ns);
                due_ns
            }
        }
    }

    /// Leaves out a time in which ticks were read and none was dispatched.
    fn put_off(&mut self, pause: Duration) {
        if let Self::Paced { timetable, .. } = self {
            timetable.put_off(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX));
        }
    }
}
