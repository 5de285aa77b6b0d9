//! What is counted of a lane beside its ring, and where its worker gave it up.

use cache_padded::CachePadded;
use corecast_ring::sync::{AtomicU64, Ordering};
use std::sync::OnceLock;

/// What is counted of a lane beside its ring.
#[derive(Default)]
pub(crate) struct LaneCounters {
    /// Written by the worker alone.
    words: CachePadded<CounterWords>,
    /// Written by the threads that emit into a shared lane.
    shared: CachePadded<SharedWords>,
    /// Where the worker gave the lane up: from there on it delivered nothing. Written by the worker,
    /// before it drops what is left, and so before its release of that says otherwise (R2).
    given_up: OnceLock<GivenUp>,
}

/// Where a worker gave a lane up.
#[derive(Debug, Clone, Copy)]
struct GivenUp {
    /// The first sequence that it did not deliver.
    sequence: u64,
    /// Abandoned claims before that.
    abandoned: u64,
}

#[derive(Default)]
struct SharedWords {
    accepted: AtomicU64,
}

#[cfg(target_arch = "x86_64")]
const _: () = assert!(
    core::mem::offset_of!(LaneCounters, words)
        .abs_diff(core::mem::offset_of!(LaneCounters, shared))
        >= 128
);

#[derive(Default)]
struct CounterWords {
    delivered: AtomicU64,
    high_water: AtomicU64,
}

impl LaneCounters {
    #[inline(always)]
    pub(crate) fn count_delivered(&self, events: usize) {
        // Relaxed: a counter with one writer.
        let delivered = self.words.delivered.load(Ordering::Relaxed) + events as u64;
        self.words.delivered.store(delivered, Ordering::Relaxed);
    }

    /// The most events that have been found waiting.
    #[inline(always)]
    pub(crate) fn high_water(&self) -> usize {
        // Relaxed: a number with one writer.
        self.words.high_water.load(Ordering::Relaxed) as usize
    }

    #[inline(always)]
    pub(crate) fn saw_depth(&self, depth: usize) {
        if depth > self.high_water() {
            self.words.high_water.store(depth as u64, Ordering::Relaxed);
        }
    }

    /// A shared emission has published here. Before it says that it is done (S3), so that the count
    /// is complete when the signal has settled.
    pub(crate) fn count_shared(&self) {
        // Relaxed: a counter.
        self.shared.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// The worker delivers nothing from `sequence` on, and has stepped over `abandoned` claims.
    pub(crate) fn give_up(&self, sequence: u64, abandoned: u64) {
        // Once: a lane has one life.
        let _ = self.given_up.set(GivenUp {
            sequence,
            abandoned,
        });
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.get().is_some()
    }

    /// Whether a lane that was given up lost nothing before `target`, with `abandoned` claims before
    /// that: what lies behind the place was never published.
    pub(crate) fn lost_nothing_before(&self, target: u64, abandoned: u64) -> bool {
        self.given_up.get().is_some_and(|place| {
            let behind = target.wrapping_sub(place.sequence) as i64;
            behind <= 0 || behind as u64 == abandoned.wrapping_sub(place.abandoned)
        })
    }

    /// Events that shared emissions have published here.
    pub(crate) fn shared_accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.words.delivered.load(Ordering::Relaxed)
    }
}
