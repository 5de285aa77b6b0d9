//! Emitters, lanes, workers and listeners, under faults: what most configurations run.
//!
//! A round builds an engine and a signal as its [`Setup`] says. On each worker two listeners stay
//! from before the first event until after the last; between them others come and go. Emitting
//! threads emit numbered events, drop their emitters and make new ones; then the engine is shut
//! down, and the books must balance.

mod churn;
mod emit;
mod route;
mod run;
mod verify;

pub use run::run;

use std::time::Duration;

use corecast::{FaultPolicy, Fences, Overflow, WaitStrategy};

use super::dice::Dice;
use super::part::Rates;

/// Where events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To every worker.
    Broadcast,
    /// To the worker of their key.
    Sharded,
    /// To each worker in turn.
    RoundRobin,
}

/// How they are emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// One by one, through emitters: `emit`, now and then `try_emit` and `emit_within`.
    Single,
    /// `emit_batch`.
    Batch,
    /// `emit_with`, in recycled slots.
    Fill,
    /// Through the signal's shared lanes.
    Shared,
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its stamp alone.
    Plain,
    /// Several cache lines.
    Wide,
    /// With a drop that is counted.
    Tracked,
    /// With heap memory.
    Owned,
}

/// How a round ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything is emitted, then the engine is shut down.
    Complete,
    /// The engine is shut down while everybody emits; what was accepted is delivered.
    Early,
    /// The same, with so little time that events are abandoned.
    Abrupt(Duration),
    /// The last handle is dropped while everybody emits.
    Dropped,
}

/// The parameters of a round.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where events go.
    pub way: Way,
    /// How they are emitted.
    pub path: Path,
    /// What they are.
    pub kind: Kind,
    /// CPUs with workers.
    pub cpus: usize,
    /// Workers on each.
    pub per_core: usize,
    /// What workers do while there is nothing to do.
    pub wait: WaitStrategy,
    /// Which fences.
    pub fences: Fences,
    /// Slots of a lane.
    pub capacity: usize,
    /// Events in a run.
    pub batch: usize,
    /// What a full lane does.
    pub overflow: Overflow,
    /// What a fault does.
    pub policy: FaultPolicy,
    /// Emitting threads.
    pub emitters: usize,
    /// Emitters that each of them has, one after the other.
    pub lives: usize,
    /// Threads that subscribe and leave.
    pub churners: usize,
    /// How often listeners fail.
    pub rates: Rates,
    /// How often an event is brittle, or a fill closure or an iterator panics; 0 for never.
    pub brittle: u64,
    /// How often an emitter flushes; 0 for never.
    pub flush: u64,
    /// Faults are read by a handler, which panics now and then; else from the queue.
    pub handler: bool,
    /// Every how many events latency is sampled.
    pub sample: u32,
    /// How the round ends.
    pub ending: Ending,
}

impl Setup {
    /// A bit of everything, as the dice fall, on one or two workers.
    #[must_use]
    pub fn any(dice: &mut Dice) -> Self {
        let capacity = 1 << (1 + dice.below(10));
        Self {
            way: Way::Broadcast,
            path: Path::Single,
            kind: dice.pick(&[
                Kind::Plain,
                Kind::Wide,
                Kind::Tracked,
                Kind::Tracked,
                Kind::Owned,
            ]),
            cpus: 2,
            per_core: 1,
            wait: WaitStrategy::park(),
            fences: Fences::default(),
            capacity,
            batch: (1 + dice.below(64) as usize).min(capacity),
            overflow: Overflow::Wait,
            policy: FaultPolicy::Isolate,
            emitters: 1 + dice.below(3) as usize,
            lives: 1 + dice.below(4) as usize,
            churners: 1 + dice.below(2) as usize,
            rates: Rates {
                panic: dice.pick(&[0, 50, 1000, 20_000]),
                error: dice.pick(&[0, 50, 1000, 20_000]),
                slow: dice.pick(&[0, 64, 1024]),
                drop: dice.pick(&[0, 2, 16]),
            },
            brittle: dice.pick(&[0, 100, 5000]),
            flush: dice.pick(&[0, 200, 5000]),
            handler: dice.once_in(2),
            sample: dice.pick(&[0, 0, 0, 7]),
            ending: dice.pick(&[Ending::Complete, Ending::Complete, Ending::Early]),
        }
    }

    /// As it is, but with room in the lanes and fewer things that take time.
    pub fn hurry(&mut self) {
        self.capacity = self.capacity.max(1024);
        self.ending = Ending::Complete;
        self.rates.slow = 0;
        for often in [
            &mut self.rates.panic,
            &mut self.rates.error,
            &mut self.brittle,
            &mut self.flush,
        ] {
            *often = if *often == 0 { 0 } else { (*often).max(20_000) };
        }
    }

    /// Emitters in all.
    fn streams(&self) -> usize {
        self.emitters * self.lives
    }

    /// Whether the end may come while a worker is inside a listener.
    fn may_leave_behind(&self) -> bool {
        matches!(self.ending, Ending::Abrupt(_) | Ending::Dropped)
    }
}
