//! The single producer: claims with a plain store, publishes with a stamp.
//!
//! Edges R1–R4 are in `ring.rs` and `slots.rs`. What is special here: nobody else claims, so that slots
//! past `claimed` belong to this producer as far as the consumer has released.
#![expect(
    unsafe_code,
    reason = "the claim makes this side the owner of unstamped slots"
)]

use crate::claim::Claim;
use crate::consumer::Consumer;
use crate::error::{CapacityError, ClaimError, PushError};
use crate::panics::FirstPanic;
use crate::parker::Parker;
use crate::ring::{Ring, RingOptions};
use crate::slots::View;
use crate::sync::{Arc, Ordering, compiler_fence};
use crate::wait::WaitStrategy;
pub use claimed::{ClaimRefused, ClaimedSlot, ShortSlot, WrittenSlot};
use core::fmt;
use std::sync::Arc as StdArc;
use std::time::Instant;

mod claimed;
mod staging;

/// The writing half of a ring with one writer.
///
/// `Send` but neither `Sync` nor `Clone`: one thread at a time writes, which is what makes a push
/// a store and a stamp. Dropping it closes the ring; what was published is still delivered.
///
/// ```
/// use corecast_ring::{PushError, spsc};
///
/// let (mut producer, mut consumer) = spsc::<u64>(4)?;
/// producer.try_push(1).expect("there is room");
/// producer.claim()?.publish(2); // in two steps; dropped instead, nothing would have happened
/// assert_eq!(producer.push_batch(&mut (3..10)), 2); // as many as there was room for
/// assert!(matches!(producer.try_push(9), Err(PushError::Full(9))));
///
/// let mut seen = Vec::new();
/// consumer.drain(usize::MAX, |value| seen.push(*value));
/// assert_eq!(seen, [1, 2, 3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Producer<T> {
    ring: Arc<Ring<T>>,
    /// Where the ring's slots are.
    slots: View<T>,
    /// Where the consumer sleeps.
    ready: StdArc<Parker>,
    /// Slots are not recycled, and light fences are compiler fences, both the ring's own and those
    /// of the place where the reader sleeps.
    plain: bool,
    /// As `plain`, and nothing is staged: a push may take the short way.
    short: bool,
    /// The last known first sequence still in use (R2), so that the consumer's line is read once
    /// per lap or less.
    limit: u64,
    /// Values written past `claimed` and not yet published.
    staged: u64,
    /// The staged values are claimed.
    announced: bool,
    /// Keeps the type from being `Sync`.
    single_writer: core::marker::PhantomData<core::cell::Cell<()>>,
}

pub(crate) fn pair<T>(
    options: &RingOptions,
    capacity: usize,
    factory: Option<&mut dyn FnMut() -> T>,
) -> Result<(Producer<T>, Consumer<T>), CapacityError> {
    let ring = Arc::new(Ring::new(options, capacity, factory)?);
    // The reader's place counts too: it may have been made with fences of another kind.
    let plain = !ring.slots.is_recycled()
        && ring.fences().is_light_free()
        && ring.ready().fences().is_light_free();
    let producer = Producer {
        limit: ring.free_until(),
        slots: *ring.slots,
        ready: StdArc::clone(ring.ready()),
        plain,
        short: plain,
        ring: Arc::clone(&ring),
        staged: 0,
        announced: false,
        single_writer: core::marker::PhantomData,
    };
    Ok((producer, Consumer::new(ring)))
}

impl<T> Producer<T> {
    /// Pushes `value` if there is room.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`] or [`PushError::Closed`], with the value.
    ///
    /// # Panics
    ///
    /// While staged values are neither published nor taken back.
    ///
    /// # Complexity
    ///
    /// Wait-free: no read-modify-write, no allocation; at most one load of the consumer's line.
    ///
    /// # Memory ordering
    ///
    /// What the caller did before happens before whatever the consumer does with the value.
    #[inline]
    pub fn try_push(&mut self, value: T) -> Result<(), PushError<T>> {
        if self.ring.is_closed() {
            return Err(PushError::Closed(value));
        }
        self.push_claimed(value, || true)
    }

    /// Pushes `value` if there is room and `admit` says so once the claim is visible.
    ///
    /// The claim is announced (R3), a light fence follows, then `admit` runs: whoever changes what
    /// `admit` looks at, issues the heavy fence and then reads [`Producer::sequence`] from
    /// elsewhere ([`Monitor::claimed`]) either was seen by `admit` or sees the claim. A push that
    /// is not admitted leaves an abandoned sequence behind, which the consumer steps over. Closing
    /// is not looked at: that is one of the conditions `admit` may have.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`], or [`PushError::NotAdmitted`]; the value comes back.
    ///
    /// # Panics
    ///
    /// As [`Producer::try_push`], and when `admit` does; the sequence is then abandoned.
    ///
    /// [`Monitor::claimed`]: crate::Monitor::claimed
    #[inline(always)]
    pub fn try_push_if(&mut self, value: T, admit: impl Fn() -> bool) -> Result<(), PushError<T>> {
        self.push_claimed(value, admit)
    }

    #[inline(always)]
    fn push_claimed(&mut self, value: T, admit: impl FnOnce() -> bool) -> Result<(), PushError<T>> {
        if self.short {
            let before = self.sequence();
            if let Some(slot) = self.claim_short(admit) {
                slot.publish(value);
                return Ok(());
            }
            // A claim that was not admitted has left its mark.
            let full = self.sequence() == before;
            return Err(if full {
                PushError::Full(value)
            } else {
                PushError::NotAdmitted(value)
            });
        }
        match self.claim_if(admit) {
            Ok(slot) => {
                slot.publish(value);
                Ok(())
            }
            Err(ClaimRefused::Full) => Err(PushError::Full(value)),
            Err(ClaimRefused::NotAdmitted) => Err(PushError::NotAdmitted(value)),
        }
    }

    /// Claims the next slot if there is room and `admit` says so once the claim is visible; as
    /// [`Producer::try_push_if`], for a value that is to be moved once. The slot must be published:
    /// dropped, its sequence is abandoned and the consumer steps over it.
    ///
    /// # Errors
    ///
    /// [`ClaimRefused`].
    ///
    /// # Panics
    ///
    /// As [`Producer::try_push`], and when `admit` does; the sequence is then abandoned.
    #[inline(always)]
    pub fn claim_if(
        &mut self,
        admit: impl FnOnce() -> bool,
    ) -> Result<ClaimedSlot<'_, T>, ClaimRefused> {
        let sequence = self.ring.claimed();
        if sequence == self.limit && !self.refresh(sequence) {
            return Err(ClaimRefused::Full);
        }
        self.assert_nothing_staged();
        self.claim_to(sequence.wrapping_add(1));
        self.ring.fences().light();
        let slot = ClaimedSlot::new(self, sequence);
        // Refused, or a panic in `admit`: dropping the slot abandons it.
        if admit() {
            Ok(slot)
        } else {
            Err(ClaimRefused::NotAdmitted)
        }
    }

    /// Whether [`Producer::claim_short`] will find a short way, and room for one value.
    #[inline(always)]
    pub fn has_short_way(&mut self) -> bool {
        let sequence = self.ring.claimed();
        self.short && (sequence != self.limit || self.refresh(sequence))
    }

    /// The short way of [`Producer::claim_if`]: `None` when there is no room, when `admit` says no
    /// (a sequence is abandoned then), and on rings with recycled slots or full fences, where there
    /// is no short way. Whatever the reason, `claim_if` will tell.
    ///
    /// # Panics
    ///
    /// When `admit` does; the sequence is then abandoned.
    #[inline(always)]
    pub fn claim_short(&mut self, admit: impl FnOnce() -> bool) -> Option<ShortSlot<'_, T>> {
        if !self.has_short_way() {
            return None;
        }
        let sequence = self.ring.claimed();
        self.claim_to(sequence.wrapping_add(1));
        // F1, which is known to be a compiler fence.
        compiler_fence(Ordering::SeqCst);
        let slot = ShortSlot::new(self, sequence);
        // Refused, or a panic in `admit`: dropping the slot abandons it.
        if admit() { Some(slot) } else { None }
    }

    /// Pushes `value` if there is room without a look at the consumer's line, and wakes nobody: for a
    /// consumer that looks for itself. A few stores and not one call, where even the registers saved
    /// around one would show. Closing is not looked at.
    ///
    /// # Errors
    ///
    /// The value, where there is no room at hand, and where there is no [short way](Self::claim_short).
    ///
    /// # Complexity
    ///
    /// Wait-free: no read-modify-write, no allocation, no fence, nothing of the consumer's read.
    #[inline(always)]
    pub fn push_at_hand(&mut self, value: T) -> Result<(), T> {
        let sequence = self.ring.claimed();
        if !self.short || sequence == self.limit {
            return Err(value);
        }
        // Without a light fence (R3): nobody looks at anything behind this claim.
        self.claim_to(sequence.wrapping_add(1));
        let slots = self.slots;
        // SAFETY: claimed by the only producer; it is below `limit`, so the consumer has released its
        // previous lap (R2). Nothing is staged there and slots are not recycled, or `short` would not be.
        unsafe { slots.init_value(sequence, value) };
        // SAFETY: the same, and written just now.
        unsafe { slots.publish(sequence) };
        Ok(())
    }

    fn assert_nothing_staged(&self) {
        // The slot at `claimed` would be a staged value's.
        assert!(
            self.staged == 0,
            "values are staged: publish them or take them back first"
        );
    }

    /// Makes everything before `end` claimed.
    #[inline(always)]
    fn claim_to(&self, end: u64) {
        // Relaxed (R3): the light fence that follows orders the claim before the look; stamps
        // carry the data.
        self.ring.producers.claimed.store(end, Ordering::Relaxed);
    }

    /// Looks at the consumer's progress again; whether `sequence` is free now.
    #[cold]
    #[inline(never)]
    fn refresh(&mut self, sequence: u64) -> bool {
        self.limit = self.ring.free_until();
        sequence != self.limit
    }

    #[cold]
    #[inline(never)]
    fn abandon(&self, sequence: u64) {
        let aborted = &self.ring.aborted;
        // One writer. Release (R3): the claim happens before its count, for whoever compares the two.
        aborted.store(
            aborted.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Release,
        );
        // SAFETY: claimed by the only producer, unstamped, and holding no value to drop.
        unsafe { self.slots.abort(sequence) };
        self.ring.notify_consumer();
    }

    /// Free slots, counting staged ones as taken. Reads the consumer's line only when fewer than
    /// `wanted` are known to be free.
    #[inline(always)]
    pub fn room(&mut self, wanted: u64) -> u64 {
        let next = self.next();
        let known = self.limit.wrapping_sub(next);
        if known >= wanted {
            return known;
        }
        self.refresh(next);
        self.limit.wrapping_sub(next)
    }

    /// Tells the consumer that something was published (one light fence and one load while it is
    /// awake).
    #[inline(always)]
    pub fn notify(&self) {
        self.ring.notify_consumer();
    }

    /// As [`Producer::notify`], for a caller that has issued the light fence of the consumer's
    /// [place](Consumer::parker) since the last stamp.
    #[inline(always)]
    pub fn notify_fenced(&self) {
        self.ring.ready().wake_announced();
    }

    /// Pushes as many values as there is room for, payloads first and stamps after, and returns
    /// how many. Should the iterator panic, the values it had yielded are published.
    ///
    /// Values are taken from `values` only when there is room for them. Values that were staged
    /// before go out first.
    ///
    /// # Panics
    ///
    /// When the iterator does, and after [`Producer::announce`], before the values are published
    /// or withdrawn.
    pub fn push_batch(&mut self, values: &mut impl Iterator<Item = T>) -> usize {
        struct PublishOnExit<'a, T>(&'a mut Producer<T>);
        impl<T> Drop for PublishOnExit<'_, T> {
            #[inline(always)]
            fn drop(&mut self) {
                self.0.publish();
                self.0.notify();
            }
        }
        self.assert_not_announced();
        if self.ring.is_closed() {
            return 0;
        }
        let run = PublishOnExit(self);
        let mut pushed = 0;
        loop {
            let staged = run.0.stage_from(values, u64::MAX);
            pushed += staged as usize;
            if staged == 0 || run.0.room(1) == 0 {
                return pushed;
            }
        }
    }

    /// Claims the next slot; the guard publishes it or, dropped, leaves everything as it was.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Full`] or [`ClaimError::Closed`].
    pub fn claim(&mut self) -> Result<Claim<'_, T>, ClaimError> {
        if self.ring.is_closed() {
            Err(ClaimError::Closed)
        } else if self.room(1) == 0 {
            Err(ClaimError::Full)
        } else {
            Ok(Claim::new(self))
        }
    }

    /// Pushes `value`, waiting for room as `strategy` says until `deadline`.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`] when the deadline passed first, [`PushError::Closed`] when the consumer
    /// is gone.
    pub fn push(
        &mut self,
        value: T,
        strategy: WaitStrategy,
        deadline: Option<Instant>,
    ) -> Result<(), PushError<T>> {
        let mut value = match self.try_push(value) {
            Err(PushError::Full(value)) => value,
            done => return done,
        };
        let mut idle = strategy.idle();
        loop {
            let ring = Arc::clone(&self.ring);
            let limit = self.limit;
            let ready = || ring.free_until() != limit || ring.is_closed();
            if !idle.wait_until(ring.room(), deadline, ready) {
                return Err(PushError::Full(value));
            }
            value = match self.try_push(value) {
                Err(PushError::Full(value)) => value,
                done => return done,
            };
        }
    }

    /// The sequence of the next value: how many were claimed, from the ring's first sequence on.
    #[must_use]
    #[inline(always)]
    pub fn sequence(&self) -> u64 {
        self.ring.claimed()
    }

    /// Slots in the ring.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.capacity() as usize
    }

    /// Values published and not yet reported as consumed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether everything published has been consumed and reported.
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

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        let mut panic = FirstPanic::default();
        panic.during(|| self.withdraw());
        panic.during(|| self.discard());
        self.ring.close_producers();
        panic.resume();
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("ring", &self.ring)
            .field("staged", &self.staged)
            .finish()
    }
}
