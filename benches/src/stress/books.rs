//! What a round keeps count of while it runs: events, faults, and what was found wrong.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::event::Stamp;
use super::fault::Faults;

/// Findings that are kept in words; the rest is counted.
const KEPT: usize = 16;

thread_local! {
    /// The worker that this thread is.
    static WORKER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The worker that the calling thread is, if it is one.
#[must_use]
pub fn worker() -> Option<usize> {
    // A thread that is coming to its end is nobody's worker.
    WORKER.try_with(Cell::get).ok().flatten()
}

/// The calling thread is this worker from now on.
pub fn i_am(worker: usize) {
    WORKER.set(Some(worker));
}

/// The books of one round.
#[derive(Debug)]
pub struct Books {
    /// Events made and dropped.
    pub events: Lives,
    /// Faults put in and reported.
    pub faults: Faults,
    /// What was found wrong.
    pub findings: Findings,
    /// Calls of listeners that went well, as the listeners counted them.
    pub calls: AtomicU64,
    /// The engine has been shut down, or is about to be.
    pub over: AtomicBool,
}

impl Books {
    /// Empty books for `streams` emitters.
    #[must_use]
    pub fn new(streams: usize) -> Arc<Self> {
        Arc::new(Self {
            events: Lives::new(streams),
            faults: Faults::default(),
            findings: Findings::default(),
            calls: AtomicU64::new(0),
            over: AtomicBool::new(false),
        })
    }

    /// Notes something wrong.
    pub fn wrong(&self, what: fmt::Arguments<'_>) {
        self.findings.add(what);
    }

    /// Notes it if the two differ.
    pub fn equal(&self, what: &str, expected: u64, found: u64) {
        if expected != found {
            self.wrong(format_args!("{what}: {expected} expected, {found} found"));
        }
    }

    /// Whether the engine is being shut down.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

/// Events made and dropped, by emitter so that threads seldom meet, each with the sum of the seals:
/// a copy that is dropped twice does not make up for one that never is.
#[derive(Debug)]
pub struct Lives(Box<[Life]>);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Life {
    made: AtomicU64,
    made_sum: AtomicU64,
    dropped: AtomicU64,
    dropped_sum: AtomicU64,
}

impl Lives {
    fn new(streams: usize) -> Self {
        Self((0..streams.max(1)).map(|_| Life::default()).collect())
    }

    fn of(&self, stamp: Stamp) -> &Life {
        &self.0[stamp.stream as usize % self.0.len()]
    }

    /// A copy has been made.
    pub fn made(&self, stamp: Stamp) {
        let life = self.of(stamp);
        life.made.fetch_add(1, Ordering::Relaxed);
        life.made_sum.fetch_add(stamp.seal, Ordering::Relaxed);
    }

    /// A copy has been dropped.
    pub fn dropped(&self, stamp: Stamp) {
        let life = self.of(stamp);
        life.dropped.fetch_add(1, Ordering::Relaxed);
        life.dropped_sum.fetch_add(stamp.seal, Ordering::Relaxed);
    }

    /// What is wrong, if not each copy has been dropped exactly once.
    #[must_use]
    pub fn difference(&self) -> Option<String> {
        self.0.iter().enumerate().find_map(|(stream, life)| {
            let load = |counter: &AtomicU64| counter.load(Ordering::Acquire);
            let (made, dropped) = (load(&life.made), load(&life.dropped));
            let sums = load(&life.made_sum) == load(&life.dropped_sum);
            (made != dropped || !sums).then(|| {
                format!(
                    "emitter {stream}: {made} copies made, {dropped} dropped, sums equal: {sums}"
                )
            })
        })
    }
}

/// What was found wrong.
#[derive(Debug, Default)]
pub struct Findings {
    count: AtomicU64,
    words: Mutex<Vec<String>>,
}

impl Findings {
    fn add(&self, what: fmt::Arguments<'_>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() < KEPT {
            words.push(what.to_string());
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The first of them in words.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.clone()
    }
}
