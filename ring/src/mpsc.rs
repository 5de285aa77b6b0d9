//! Many producers: the same slots and stamps, claimed with a read-modify-write.
//!
//! | edge | release side           | acquire side           | protects                              | loom model |
//! | M1   | credit taken by CAS    | credit taken by CAS    | no more claims than free slots        | mpsc::credits_never_exceed_the_free_slots |
//! | R1–R4 | as in `ring.rs`       |                        |                                       |            |
//!
//! A *credit* is the promise of a slot, and unlike a claim it can be handed back. Whoever must
//! claim on several rings or on none (a broadcast) takes a credit on each first, never waits while
//! holding one, and then claims, which cannot fail. `released ≤ claimed ≤ reserved ≤ released +
//! capacity` holds at all times: a credit is granted only below the last bound, and each claim
//! spends one.
//!
//! Claims are stamped in any order; the consumer stops at the first one that is not. A claim that
//! is leaked (`mem::forget`) therefore stalls its ring: producers see it full, dropping the two
//! halves still works.
#![expect(
    unsafe_code,
    reason = "the claim makes its holder the owner of one unstamped slot"
)]

use crate::consumer::Consumer;
use crate::error::{CapacityError, ClaimError, PushError};
use crate::ring::{Ring, RingOptions};
use crate::sync::{Arc, Ordering, spin_loop};
use crate::wait::WaitStrategy;
use core::fmt;
use core::mem::ManuallyDrop;
use std::sync::Arc as StdArc;
use std::time::Instant;

/// The writing half of a ring with many writers.
///
/// `Send` and `Sync`: threads share one or clone it. The ring closes when the last clone is
/// dropped; what was published is still delivered. Each thread's own events stay in order; between
/// threads the order is that of the claims.
///
/// ```
/// let (producer, mut consumer) = corecast_ring::mpsc::<u64>(64)?;
/// std::thread::scope(|scope| {
///     for id in 1..=3 {
///         let producer = &producer;
///         scope.spawn(move || producer.try_push(id).expect("room for three"));
///     }
/// });
/// let mut sum = 0;
/// consumer.drain(usize::MAX, |value| sum += *value);
/// assert_eq!(sum, 6);
/// # Ok::<(), corecast_ring::CapacityError>(())
/// ```
///
/// Not for writers that may be stopped for long between claiming and publishing: the reader waits
/// for them.
pub struct SharedProducer<T> {
    ring: Arc<Ring<T>>,
    /// Counts the handles; the last one closes the ring.
    handles: Option<StdArc<()>>,
}

pub(crate) fn pair<T>(
    options: &RingOptions,
    capacity: usize,
    factory: Option<&mut dyn FnMut() -> T>,
) -> Result<(SharedProducer<T>, Consumer<T>), CapacityError> {
    let ring = Arc::new(Ring::new(options, capacity, factory)?);
    let producer = SharedProducer {
        ring: Arc::clone(&ring),
        handles: Some(StdArc::new(())),
    };
    Ok((producer, Consumer::new(ring)))
}

/// The promise of one slot, from [`SharedProducer::reserve`]; dropped, it is handed back.
///
/// Whoever must claim on several rings or on none takes a credit on each before claiming on any,
/// and never waits while holding one.
#[derive(Debug)]
#[must_use = "a credit that is not spent is handed back"]
pub struct Credit<'a, T> {
    producer: &'a SharedProducer<T>,
}

impl<'a, T> Credit<'a, T> {
    /// Claims a slot. Never fails: the credit stands for one.
    #[inline]
    pub fn claim(self) -> SharedClaim<'a, T> {
        let producer = ManuallyDrop::new(self).producer;
        producer.claim_reserved()
    }
}

impl<T> Drop for Credit<'_, T> {
    fn drop(&mut self) {
        self.producer.hand_back();
    }
}

/// One claimed slot of a ring with many writers; dropped, it is abandoned and the consumer steps
/// over it.
///
/// Leaked, it stalls its ring: producers see it full, and dropping the two halves still works.
#[must_use = "a claim that is not published is abandoned"]
pub struct SharedClaim<'a, T> {
    producer: &'a SharedProducer<T>,
    sequence: u64,
    /// The slot holds a value of ours that nobody else will drop.
    written: bool,
}

impl<T> SharedClaim<'_, T> {
    /// The sequence of the slot.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Writes `value` into the slot, visible to nobody until [`SharedClaim::publish`]. On a recycled
    /// ring the former value is dropped here.
    #[inline]
    pub fn write(&mut self, value: T) {
        if self.written {
            // SAFETY: claimed by this guard, unstamped, and holding the value written before.
            *unsafe { self.producer.ring.slots.value_mut(self.sequence) } = value;
        } else {
            // SAFETY: claimed by this guard; the credit says that the previous lap was released
            // (R2 through M1); unstamped.
            let displaced = unsafe { self.producer.ring.slots.put(self.sequence, value) };
            self.written = true;
            drop(displaced);
        }
    }

    /// Takes the written value back; the claim stays. On a recycled ring the value stays in its
    /// slot, and the answer is `None`.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        if self.producer.ring.slots.is_recycled() || !core::mem::take(&mut self.written) {
            return None;
        }
        // SAFETY: claimed by this guard, unstamped, and holding the value written before.
        Some(unsafe { self.producer.ring.slots.take(self.sequence) })
    }

    /// Changes the recycled value in place.
    ///
    /// # Errors
    ///
    /// [`ClaimError::NotRecycled`].
    pub fn fill(&mut self, fill: impl FnOnce(&mut T)) -> Result<(), ClaimError> {
        if !self.producer.ring.slots.is_recycled() {
            return Err(ClaimError::NotRecycled);
        }
        // SAFETY: claimed by this guard, unstamped; recycled slots always hold a value; the
        // reference ends with the closure.
        fill(unsafe { self.producer.ring.slots.value_mut(self.sequence) });
        Ok(())
    }

    /// Publishes the slot. A claim that was neither written nor recycled is abandoned instead.
    ///
    /// # Memory ordering
    ///
    /// What the caller did before happens before whatever the consumer does with the value.
    #[inline]
    pub fn publish(self) {
        if self.written || self.producer.ring.slots.is_recycled() {
            let claim = ManuallyDrop::new(self);
            let ring = &claim.producer.ring;
            // SAFETY: claimed by this guard and holding a value; given up here.
            unsafe { ring.slots.publish(claim.sequence) };
            ring.notify_consumer();
        }
    }
}

impl<T> Drop for SharedClaim<'_, T> {
    fn drop(&mut self) {
        let value = self.take();
        let ring = &self.producer.ring;
        // Relaxed: a counter.
        ring.aborted.fetch_add(1, Ordering::Relaxed);
        // SAFETY: claimed by this guard, unstamped; the value, if any, was taken out above.
        unsafe { ring.slots.abort(self.sequence) };
        ring.notify_consumer();
        drop(value);
    }
}

impl<T> fmt::Debug for SharedClaim<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedClaim")
            .field("sequence", &self.sequence)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

impl<T> SharedProducer<T> {
    /// Takes a credit: the promise of one slot.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Full`] or [`ClaimError::Closed`].
    ///
    /// # Complexity
    ///
    /// Lock-free: one compare-and-swap, repeated when another producer came first.
    #[inline]
    pub fn reserve(&self) -> Result<Credit<'_, T>, ClaimError> {
        if self.ring.is_closed() {
            return Err(ClaimError::Closed);
        }
        let reserved = &self.ring.producers.reserved;
        let mut current = reserved.load(Ordering::Relaxed);
        loop {
            // The bound is read after `current`: it only grows, so a stale one refuses too much
            // and never too little. Acquire (R2) is in `free_until`. A `current` that is stale
            // lies more than a ring behind the bound; the exchange below fails and corrects it.
            if self.ring.free_until().wrapping_sub(current) as i64 <= 0 {
                return Err(ClaimError::Full);
            }
            // Relaxed (M1): atomicity alone keeps the number of credits below the bound; R2 is
            // taken by the claim.
            match reserved.compare_exchange_weak(
                current,
                current.wrapping_add(1),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(Credit { producer: self }),
                Err(actual) => current = actual,
            }
        }
    }

    fn hand_back(&self) {
        // Relaxed (M1): a credit protects nothing but its own number.
        self.ring.producers.reserved.fetch_sub(1, Ordering::Relaxed);
        // A producer may be waiting for this room.
        self.ring.room().wake();
    }

    #[inline]
    fn claim_reserved(&self) -> SharedClaim<'_, T> {
        // Relaxed (R3): the caller's light fence orders the claim before the look that follows;
        // slots are handed over by R2 just below.
        let sequence = self.ring.producers.claimed.fetch_add(1, Ordering::Relaxed);
        // Acquire (R2): somebody saw the room for this sequence when he was granted a credit, but
        // it need not have been this thread. The room is there; see it before writing.
        while self
            .ring
            .free_until()
            .wrapping_sub(sequence)
            .wrapping_sub(1)
            >= self.ring.slots.capacity()
        {
            spin_loop();
        }
        SharedClaim {
            producer: self,
            sequence,
            written: false,
        }
    }

    /// Claims the next slot.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Full`] or [`ClaimError::Closed`].
    pub fn claim(&self) -> Result<SharedClaim<'_, T>, ClaimError> {
        self.reserve().map(Credit::claim)
    }

    /// Pushes `value` if there is room.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`] or [`PushError::Closed`], with the value.
    ///
    /// # Complexity
    ///
    /// Lock-free: two read-modify-writes, the first repeated when another producer came first;
    /// allocates nothing.
    ///
    /// # Memory ordering
    ///
    /// As [`SharedClaim::publish`].
    #[inline]
    pub fn try_push(&self, value: T) -> Result<(), PushError<T>> {
        match self.claim() {
            Ok(mut claim) => {
                claim.write(value);
                claim.publish();
                Ok(())
            }
            Err(ClaimError::Closed) => Err(PushError::Closed(value)),
            Err(_) => Err(PushError::Full(value)),
        }
    }

    /// Pushes values while there is room and returns how many; each is published on its own, since
    /// other producers' values may come in between. Values are taken only when there is room.
    ///
    /// # Panics
    ///
    /// When the iterator does; the values it had yielded are published.
    pub fn push_batch(&self, values: &mut impl Iterator<Item = T>) -> usize {
        let mut pushed = 0;
        while let Ok(credit) = self.reserve() {
            let Some(value) = values.next() else { break };
            let mut claim = credit.claim();
            claim.write(value);
            claim.publish();
            pushed += 1;
        }
        pushed
    }

    /// Pushes `value`, waiting for room as `strategy` says until `deadline`.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`] when the deadline passed first, [`PushError::Closed`] when the consumer
    /// is gone.
    pub fn push(
        &self,
        value: T,
        strategy: WaitStrategy,
        deadline: Option<Instant>,
    ) -> Result<(), PushError<T>> {
        let mut idle = strategy.idle();
        let mut value = value;
        loop {
            value = match self.try_push(value) {
                Err(PushError::Full(value)) => value,
                done => return done,
            };
            let ready = || self.has_room() || self.ring.is_closed();
            if !idle.wait_until(self.ring.room(), deadline, ready) {
                return Err(PushError::Full(value));
            }
        }
    }

    /// Whether a credit could be had at this moment. By the time the caller acts on it another
    /// producer may have taken it.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let reserved = self.ring.producers.reserved.load(Ordering::Relaxed);
        self.ring.free_until().wrapping_sub(reserved) as i64 > 0
    }

    /// Slots in the ring.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.slots.capacity() as usize
    }

    /// Values claimed and not yet reported as consumed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether everything claimed has been consumed and reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the consumer is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.ring.consumer_gone()
    }

    /// A view of the ring's counters for other threads.
    #[must_use]
    pub fn monitor(&self) -> crate::Monitor<T> {
        crate::Monitor::new(Arc::clone(&self.ring))
    }
}

impl<T> Clone for SharedProducer<T> {
    fn clone(&self) -> Self {
        Self {
            ring: Arc::clone(&self.ring),
            handles: self.handles.clone(),
        }
    }
}

impl<T> Drop for SharedProducer<T> {
    fn drop(&mut self) {
        // The last handle closes; `into_inner` is `Some` for exactly one of them.
        if self.handles.take().and_then(StdArc::into_inner).is_some() {
            self.ring.close_producers();
        }
    }
}

impl<T> fmt::Debug for SharedProducer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedProducer")
            .field("ring", &self.ring)
            .finish()
    }
}
