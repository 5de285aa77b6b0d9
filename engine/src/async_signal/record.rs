//! What an emitter counts, without a store of its own per event.
//!
//! The lanes' claim counters say how many events went down each. On a route to one worker their sum
//! is the number of events; on a broadcast each event is counted where it went first, at the
//! emitter's *primary* lane, which changes only with the set of workers that have a listener.

use super::core::Counts;
use super::post::accepted;
use cache_padded::CachePadded;
use corecast_ring::Monitor;
use corecast_ring::sync::{AtomicU64, Mutex, Ordering, lock};

pub(crate) struct EmitterRecord<T> {
    /// Among the emitters of its signal.
    pub(super) number: u64,
    lanes: Box<[Monitor<T>]>,
    fans_out: bool,
    ledger: Mutex<Ledger>,
    /// Written by the emitter alone, off the hot path.
    words: CachePadded<Words>,
}

#[cfg(target_arch = "x86_64")]
const _: () = assert!(
    // The ledger is locked by whoever reads the counts.
    core::mem::offset_of!(EmitterRecord<u64>, words)
        .abs_diff(core::mem::offset_of!(EmitterRecord<u64>, ledger))
        >= 128
);

#[derive(Default)]
struct Words {
    rejected: AtomicU64,
    dropped: AtomicU64,
    /// Accepted, and nobody to send them to.
    unrouted: AtomicU64,
}

#[derive(Default)]
struct Ledger {
    /// Events counted at former primary lanes.
    settled: u64,
    primary: Option<usize>,
    /// What the primary lane had accepted before it became that.
    base: u64,
}

/// Adds to a counter with one writer.
fn bump(counter: &AtomicU64, by: u64) {
    // Relaxed: nobody else writes, and readers want a number and no order.
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

impl<T> EmitterRecord<T> {
    pub(super) fn new(number: u64, lanes: Box<[Monitor<T>]>, fans_out: bool) -> Self {
        let ledger = Mutex::new(Ledger::default());
        Self {
            number,
            lanes,
            fans_out,
            ledger,
            words: CachePadded::default(),
        }
    }

    /// The record of an emitter without lanes, that nobody knows of.
    pub(crate) fn empty() -> Self {
        Self::new(u64::MAX, Box::new([]), false)
    }

    /// From now on a broadcast's events are counted at lane `primary`.
    pub(crate) fn set_primary(&self, primary: Option<usize>) {
        let mut ledger = lock(&self.ledger);
        ledger.settled += self.since_base(&ledger);
        ledger.primary = primary;
        ledger.base = primary.map_or(0, |lane| accepted(&self.lanes[lane]));
    }

    fn since_base(&self, ledger: &Ledger) -> u64 {
        ledger
            .primary
            .map_or(0, |lane| accepted(&self.lanes[lane]))
            // A claim that is abandoned just now may count on one side and not on the other.
            .saturating_sub(ledger.base)
    }

    /// Events accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        let unrouted = self.words.unrouted.load(Ordering::Relaxed);
        if self.fans_out {
            let ledger = lock(&self.ledger);
            unrouted + ledger.settled + self.since_base(&ledger)
        } else {
            unrouted + self.lanes.iter().map(accepted).sum::<u64>()
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            accepted: self.accepted(),
            rejected: self.words.rejected.load(Ordering::Relaxed),
            dropped: self.words.dropped.load(Ordering::Relaxed),
        }
    }

    #[cold]
    pub(crate) fn count_rejected(&self, events: usize) {
        bump(&self.words.rejected, events as u64);
    }

    #[cold]
    pub(crate) fn count_dropped(&self) {
        bump(&self.words.dropped, 1);
    }

    #[inline]
    pub(crate) fn count_unrouted(&self) {
        bump(&self.words.unrouted, 1);
    }

    pub(crate) fn lane(&self, index: usize) -> &Monitor<T> {
        &self.lanes[index]
    }
}
