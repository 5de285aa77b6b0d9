//! A slot whose claim is visible to all, while its value is not there yet.
#![expect(
    unsafe_code,
    reason = "the claim makes this side the owner of an unstamped slot"
)]

use super::Producer;
use crate::slots::View;
use crate::sync::{Ordering, compiler_fence};
use core::fmt;
use core::mem::ManuallyDrop;

/// Why [`Producer::claim_if`] claimed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimRefused {
    /// No free slot.
    Full,
    /// The caller's condition did not hold; a sequence was abandoned.
    NotAdmitted,
}

/// A slot whose claim is visible to all and whose value is not there yet. Dropped, it is abandoned.
#[must_use = "a claimed slot that is not published is abandoned"]
pub struct ClaimedSlot<'a, T> {
    producer: &'a mut Producer<T>,
    sequence: u64,
}

impl<'a, T> ClaimedSlot<'a, T> {
    /// The slot of `sequence`, which is claimed.
    #[inline(always)]
    pub(super) fn new(producer: &'a mut Producer<T>, sequence: u64) -> Self {
        Self { producer, sequence }
    }

    /// Writes the value, publishes it and tells the consumer.
    #[inline(always)]
    pub fn publish(self, value: T) {
        // On a recycled ring the former value dies here, after the event is out.
        self.publish_held(&mut Some(value));
    }

    /// As [`ClaimedSlot::publish`], for a value that is moved once, however large it is: `held` gives its
    /// value, and on a recycled ring receives the one that was there. With nothing in `held` the slot
    /// is abandoned.
    #[inline(always)]
    pub fn publish_held(self, held: &mut Option<T>) {
        if held.is_none() {
            return;
        }
        let slot = ManuallyDrop::new(self);
        let (producer, sequence) = (&*slot.producer, slot.sequence);
        // SAFETY: claimed by the only producer; it is below `limit`, so the consumer has released
        // its previous lap (R2); it is unstamped; and there is a value.
        unsafe { producer.slots.put_held(sequence, held) };
        // SAFETY: ours and written; not touched by this side again.
        unsafe { producer.slots.publish(sequence) };
        producer.ring.notify_consumer();
    }

    /// The sequence of the slot.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl<T> Drop for ClaimedSlot<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.producer.abandon(self.sequence);
    }
}

impl<T> fmt::Debug for ClaimedSlot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimedSlot")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// A [`ClaimedSlot`] of a ring without recycled slots and full fences.
#[derive(Debug)]
#[must_use = "a claimed slot that is not published is abandoned"]
pub struct ShortSlot<'a, T>(ClaimedSlot<'a, T>);

impl<'a, T> ShortSlot<'a, T> {
    /// As [`ClaimedSlot::new`], where there is a short way.
    #[inline(always)]
    pub(super) fn new(producer: &'a mut Producer<T>, sequence: u64) -> Self {
        Self(ClaimedSlot::new(producer, sequence))
    }

    /// Writes the value, publishes it and tells the consumer.
    #[inline(always)]
    pub fn publish(self, value: T) {
        self.write(value).publish();
    }

    /// Writes the value, for which whoever has made it needs no register any more, and leaves it to
    /// [`WrittenSlot::publish`] to show it to anybody.
    #[inline(always)]
    pub fn write(self, value: T) -> WrittenSlot<'a, T> {
        let (slots, sequence) = (self.0.producer.slots, self.0.sequence);
        // SAFETY: as in `ClaimedSlot::publish_held`. Not recycled: `claim_short` has looked, so the slot
        // holds no value.
        unsafe { slots.init_value(sequence, value) };
        let claimed = self.0;
        WrittenSlot { claimed, slots }
    }
}

/// A [`ShortSlot`] with its value, which nobody sees yet. Dropped, the value is dropped and the sequence
/// abandoned.
#[must_use = "a written slot that is not published is abandoned"]
pub struct WrittenSlot<'a, T> {
    claimed: ClaimedSlot<'a, T>,
    /// At hand: for all that a compiler knows, writing the value may have changed the producer's.
    slots: View<T>,
}

impl<T> WrittenSlot<'_, T> {
    /// Publishes the value and tells the consumer.
    #[inline(always)]
    pub fn publish(self) {
        let slot = ManuallyDrop::new(self);
        // SAFETY: claimed by the only producer and written; not touched by this side again.
        unsafe { slot.slots.publish(slot.claimed.sequence) };
        // F1 (P1), which is known to be a compiler fence: the stamp before the look at the
        // consumer's sleep.
        compiler_fence(Ordering::SeqCst);
        slot.claimed.producer.ready.wake_announced();
    }

    /// The sequence of the slot.
    #[must_use]
    #[inline(always)]
    pub fn sequence(&self) -> u64 {
        self.claimed.sequence
    }
}

impl<T> Drop for WrittenSlot<'_, T> {
    fn drop(&mut self) {
        // SAFETY: written, and not published: ours. The claim goes with it, so nobody looks at the value
        // after this.
        unsafe { self.slots.dispose(self.claimed.sequence) };
    }
}

impl<T> fmt::Debug for WrittenSlot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WrittenSlot").field(&self.claimed).finish()
    }
}
