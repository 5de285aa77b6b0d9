//! How far a listener has come, for those that are called after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::event::Stamp;

/// How far a listener has come that is called before another.
#[derive(Debug)]
pub struct Progress {
    reached: Box<[AtomicU64]>,
    count: Box<[AtomicU64]>,
}

impl Progress {
    /// Nowhere yet.
    #[must_use]
    pub fn new(streams: usize) -> Arc<Self> {
        let words = || (0..streams).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            reached: words(),
            count: words(),
        })
    }

    /// Its events of an emitter so far.
    #[must_use]
    pub fn count(&self, stream: usize) -> u64 {
        self.count[stream].load(Ordering::Acquire)
    }

    pub(super) fn note(&self, stamp: Stamp) {
        let stream = stamp.stream as usize;
        let (Some(reached), Some(count)) = (self.reached.get(stream), self.count.get(stream))
        else {
            return;
        };
        reached.store(stamp.number + 1, Ordering::Release);
        // One listener on one worker writes.
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    pub(super) fn has_seen(&self, stamp: Stamp) -> bool {
        let reached = self.reached.get(stamp.stream as usize);
        reached.is_some_and(|reached| reached.load(Ordering::Acquire) > stamp.number)
    }
}
