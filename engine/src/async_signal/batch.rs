//! A run of events, as batch listeners see it.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Index;
use corecast_ring::Consumer;

/// Consecutive events of one lane. Never across a wrap of the ring, and not necessarily contiguous
/// in memory.
///
/// A listener gets its events in as many batches as its worker happens to find them in: what it
/// computes must not depend on where they are cut. It is worth it where something is dear once for
/// many events (a lock, a write, a flush); where the work is per event a plain listener is as quick.
///
/// ```
/// use corecast::{Batch, Engine};
///
/// let engine = Engine::builder().manual().build()?;
/// let lines = engine.signal::<u64>("lines").build()?;
/// let mut file = Vec::new(); // stands for something that is flushed now and then
/// let mut flushed = 0;
/// let _subscription = lines.subscribe_batch(move |batch: Batch<'_, u64>| {
///     assert_eq!(batch[0], batch.sequence(0)); // as they were emitted below
///     file.extend(batch.iter().copied());
///     if batch.is_last() {
///         flushed = file.len(); // nothing waits behind: a good moment
///         assert!(flushed > 0);
///     }
/// });
/// let mut emitter = lines.emitter()?;
/// emitter.emit_batch(0..100)?;
/// engine.run_until_idle()?;
/// assert_eq!(lines.metrics().delivered, 100);
/// assert!(engine.faults().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Batch<'a, T> {
    lane: &'a Consumer<T>,
    start: usize,
    end: usize,
}

impl<'a, T> Batch<'a, T> {
    pub(crate) fn new(lane: &'a Consumer<T>, start: usize, end: usize) -> Self {
        Self { lane, start, end }
    }

    /// Events in the batch; at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is no event, which does not happen to listeners.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Event `index` of the batch.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a T> {
        if index < self.len() {
            self.lane.get(self.start + index)
        } else {
            None
        }
    }

    /// The events in order.
    #[must_use]
    pub fn iter(&self) -> BatchIter<'a, T> {
        BatchIter {
            lane: self.lane,
            next: self.start,
            end: self.end,
        }
    }

    /// The lane's sequence of event `index`: counts the events of one emitter at this worker, from 0.
    #[must_use]
    pub fn sequence(&self, index: usize) -> u64 {
        self.lane
            .sequence()
            .wrapping_add((self.start + index) as u64)
    }

    /// Whether nothing was waiting in the lane behind this batch when asked: a good moment to
    /// flush what one has gathered.
    #[must_use]
    pub fn is_last(&self) -> bool {
        !self.lane.is_published(self.end)
    }
}

impl<T> Index<usize> for Batch<'_, T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        let len = self.len();
        match self.get(index) {
            Some(event) => event,
            None => panic!("index {index} is past the end of a batch of {len} events"),
        }
    }
}

impl<'a, T> IntoIterator for &Batch<'a, T> {
    type Item = &'a T;
    type IntoIter = BatchIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> IntoIterator for Batch<'a, T> {
    type Item = &'a T;
    type IntoIter = BatchIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> fmt::Debug for Batch<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("len", &self.len())
            .field("sequence", &self.sequence(0))
            .finish()
    }
}

/// The events of a [`Batch`] in order.
pub struct BatchIter<'a, T> {
    lane: &'a Consumer<T>,
    next: usize,
    end: usize,
}

impl<'a, T> Iterator for BatchIter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        if self.next == self.end {
            return None;
        }
        let event = self.lane.get(self.next)?;
        self.next += 1;
        Some(event)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.next, Some(self.end - self.next))
    }
}

impl<T> ExactSizeIterator for BatchIter<'_, T> {}
impl<T> FusedIterator for BatchIter<'_, T> {}

impl<T> fmt::Debug for BatchIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchIter")
            .field("left", &(self.end - self.next))
            .finish()
    }
}
