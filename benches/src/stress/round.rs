//! One round of a configuration: how much of it, by whose dice, and what came of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use corecast::{Cores, Engine, EngineBuilder, WorkerId};
use corecast_affinity::allowed_cpus;

use super::books::{Books, i_am};
use super::dice::Dice;
use super::watch::Watch;
use crate::cli::Error;

/// Longer than anything takes: the watchdog is quicker.
pub const LONG: Duration = Duration::from_secs(3600);

/// What a round is given.
#[derive(Debug)]
pub struct Round<'a> {
    /// Chooses its parameters.
    pub dice: Dice,
    /// Events, or cycles, at most.
    pub events: u64,
    /// When to come to an end, however few there were.
    pub until: Option<Instant>,
    /// Nothing else is run: what is a matter of time may take it.
    pub alone: bool,
    /// Is told of every progress.
    pub watch: &'a Watch,
}

impl Round<'_> {
    /// Whether the time is up. Says as well that there is somebody alive.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.watch.beat();
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// What came of a round, or of several.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Events that somebody tried to emit.
    pub events: u64,
    /// Events by worker that they went to.
    pub lane_events: u64,
    /// Calls of listeners that went well.
    pub calls: u64,
    /// Faults put in.
    pub injected: u64,
    /// Faults that came out, those counted as lost among them.
    pub seen: u64,
    /// Faults that the queue had no room for.
    pub lost: u64,
    /// What was wrong, counted and (some of it) in words.
    pub mismatches: u64,
    /// What was wrong, in words.
    pub findings: Vec<String>,
    /// What else is of interest, added up.
    pub notes: BTreeMap<&'static str, u64>,
}

impl Outcome {
    /// The outcome as far as the books tell it.
    #[must_use]
    pub fn of(books: &Books) -> Self {
        Self {
            calls: books.calls.load(std::sync::atomic::Ordering::Relaxed),
            injected: books.faults.total_injected(),
            seen: books.faults.total_seen(),
            lost: books.faults.lost(),
            mismatches: books.findings.count(),
            findings: books.findings.words(),
            ..Self::default()
        }
    }

    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.events += other.events;
        self.lane_events += other.lane_events;
        self.calls += other.calls;
        self.injected += other.injected;
        self.seen += other.seen;
        self.lost += other.lost;
        self.mismatches += other.mismatches;
        self.findings.extend(other.findings);
        for (name, value) in other.notes {
            *self.notes.entry(name).or_default() += value;
        }
    }

    /// Adds to a note.
    pub fn note(&mut self, name: &'static str, value: u64) {
        *self.notes.entry(name).or_default() += value;
    }
}

/// What a round returns.
pub type Played = Result<Outcome, Error>;

/// An engine of `workers` workers, each on a CPU of its own as far as there are any, whose threads
/// know which worker they are.
pub fn engine(workers: usize) -> EngineBuilder {
    let cpus = allowed_cpus().len().max(1);
    if workers <= cpus {
        crowded(workers, 1)
    } else {
        crowded(1, workers)
    }
}

/// An engine of `per_core` workers on each of `cpus` CPUs, or of as many as there are.
pub fn crowded(cpus: usize, per_core: usize) -> EngineBuilder {
    Engine::builder()
        .cores(Cores::count(cpus.min(allowed_cpus().len().max(1))))
        .workers_per_core(per_core)
        .on_worker_start(|info| i_am(WorkerId::index(info.id)))
}
