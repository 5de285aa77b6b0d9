//! Another thread's view of a ring: counters, closing and waiting for progress.

use crate::parker::Parker;
use crate::ring::Ring;
use crate::sync::{Arc, Ordering};
use core::fmt;

/// A shared, read-mostly view of a ring. It keeps the ring's memory alive, and neither side open.
///
/// ```
/// let (mut producer, mut consumer) = corecast_ring::spsc::<u64>(8)?;
/// let monitor = producer.monitor(); // `Clone`, for any thread
/// producer.push_batch(&mut (0..5));
/// assert_eq!((monitor.claimed(), monitor.depth()), (5, 5));
/// consumer.drain(usize::MAX, |_| {});
/// assert_eq!((monitor.released(), monitor.depth()), (5, 0));
/// # Ok::<(), corecast_ring::CapacityError>(())
/// ```
pub struct Monitor<T> {
    ring: Arc<Ring<T>>,
}

impl<T> Monitor<T> {
    pub(crate) fn new(ring: Arc<Ring<T>>) -> Self {
        Self { ring }
    }

    /// The sequence that the next claim will take. Claims are visible here before the claimant
    /// looks at its condition: see [`Producer::try_push_if`](crate::Producer::try_push_if).
    #[must_use]
    pub fn claimed(&self) -> u64 {
        self.ring.claimed()
    }

    /// Everything before this sequence has been consumed.
    ///
    /// # Memory ordering
    ///
    /// What the consumer did with those events happens before this returns.
    #[must_use]
    pub fn released(&self) -> u64 {
        self.ring.released()
    }

    /// Claims that were abandoned.
    ///
    /// # Memory ordering
    ///
    /// Each claim that is counted shows in what [`claimed`](Monitor::claimed) returns after this.
    #[must_use]
    pub fn aborted(&self) -> u64 {
        // Acquire (R3): pairs with the count in `abandon`.
        self.ring.aborted.load(Ordering::Acquire)
    }

    /// The first sequence of the ring.
    #[must_use]
    pub fn first_sequence(&self) -> u64 {
        self.ring.first
    }

    /// Whether every claim before `end` has been published, abandoned or consumed.
    #[must_use]
    pub fn settled_until(&self, end: u64) -> bool {
        self.ring.settled_until(end)
    }

    /// Claimed and not yet released.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.ring.len()
    }

    /// Whether a slot is free: for a single producer's ring, whether its next push will succeed.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.ring.free_until().wrapping_sub(self.ring.next_wanted()) as i64 > 0
    }

    /// Slots in the ring.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.slots.capacity() as usize
    }

    /// Bytes of the slots.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ring.slots.bytes()
    }

    /// Where producers wait; woken on every release.
    #[must_use]
    pub fn room(&self) -> &Parker {
        self.ring.room()
    }
}

impl<T> Clone for Monitor<T> {
    fn clone(&self) -> Self {
        Self {
            ring: Arc::clone(&self.ring),
        }
    }
}

impl<T> fmt::Debug for Monitor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("ring", &self.ring).finish()
    }
}
