//! Values staged in free slots, invisible to all, until one stamp publishes them.
//!
//! Slots past `claimed` belong to the producer as far as the consumer has released, so a value can be
//! written there before anything is claimed. A broadcast stages a copy on every ring first, so that
//! user code (a `clone`, a fill closure, an iterator) runs only while nothing is promised to anybody;
//! the claim, the look at the caller's condition and the leader's stamp (`slots.rs`) follow without
//! user code in between.
#![expect(
    unsafe_code,
    reason = "slots past the claim are this side's, as far as the consumer has released"
)]

use super::Producer;
use crate::error::{ClaimError, PushError};
use crate::panics::FirstPanic;
use crate::sync::Ordering;

impl<T> Producer<T> {
    /// The sequence of the first staged value, or of the next one when there is none: the leader, by
    /// whose stamp all are published (R1).
    #[inline(always)]
    fn leader(&self) -> u64 {
        let claimed = self.ring.claimed();
        if self.announced {
            claimed.wrapping_sub(self.staged)
        } else {
            claimed
        }
    }

    /// The sequence of the next value to stage.
    #[inline(always)]
    pub(super) fn next(&self) -> u64 {
        let claimed = self.ring.claimed();
        if self.announced {
            claimed
        } else {
            claimed.wrapping_add(self.staged)
        }
    }

    #[inline(always)]
    pub(super) fn assert_not_announced(&self) {
        assert!(
            !self.announced,
            "staged values are announced: publish or withdraw them first"
        );
    }

    /// The sequence of the next value to stage, if there is room for it: past `claimed`, so that only
    /// this producer may claim it, and below `limit`, so that the consumer has released its previous lap
    /// (R2); unstamped.
    #[inline(always)]
    fn free(&mut self) -> Option<u64> {
        self.assert_not_announced();
        (self.room(1) > 0).then(|| self.next())
    }

    /// Writes `value` into the next free slot, visible to nobody until [`Producer::publish`].
    /// On a recycled ring the value it displaces comes back.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`] with the value.
    ///
    /// # Panics
    ///
    /// After [`Producer::announce`], before the values are published or withdrawn.
    #[inline(always)]
    pub fn stage(&mut self, value: T) -> Result<Option<T>, PushError<T>> {
        let Some(sequence) = self.free() else {
            return Err(PushError::Full(value));
        };
        // SAFETY: as `free` says.
        let displaced = unsafe { self.slots.put(sequence, value) };
        self.staged_at(sequence);
        Ok(displaced)
    }

    /// As [`Producer::stage`], for a value that is moved once, however large it is: `held` gives its
    /// value, and on a recycled ring receives the one that was there. Whether there was room; with
    /// nothing in `held` nothing is done.
    ///
    /// # Panics
    ///
    /// As [`Producer::stage`].
    #[inline(always)]
    pub fn stage_held(&mut self, held: &mut Option<T>) -> bool {
        let Some(sequence) = self.free().filter(|_| held.is_some()) else {
            return false;
        };
        // SAFETY: as `free` says; there is a value.
        unsafe { self.slots.put_held(sequence, held) };
        self.staged_at(sequence);
        true
    }

    /// Stages values as long as there is room, `limit` of them at most, and returns how many.
    /// Values are taken only when there is room for them. Should the iterator panic, the values it
    /// had yielded stay staged.
    ///
    /// # Panics
    ///
    /// As [`Producer::stage`].
    #[inline(always)]
    pub fn stage_from(&mut self, values: &mut impl Iterator<Item = T>, limit: u64) -> u64 {
        /// Keeps what was staged, also when the iterator panics.
        struct Count<'a> {
            total: &'a mut u64,
            staged: u64,
        }
        impl Drop for Count<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                *self.total += self.staged;
            }
        }
        self.assert_not_announced();
        let room = self.room(limit).min(limit);
        self.short = false;
        let (leader, first) = (self.leader(), self.next());
        let slots = self.slots;
        let mut count = Count {
            total: &mut self.staged,
            staged: 0,
        };
        while count.staged < room {
            let Some(value) = values.next() else { break };
            let sequence = first.wrapping_add(count.staged);
            // SAFETY: past `claimed` and below `limit`: ours, released by the consumer (R2),
            // unstamped.
            let displaced = unsafe { slots.put(sequence, value) };
            // SAFETY: written just now; the leader is pending, and those between follow it.
            unsafe { slots.follow(sequence, leader) };
            count.staged += 1;
            drop(displaced);
        }
        count.staged
    }

    /// Stages the next recycled slot after `fill` has changed it in place. Should `fill` panic,
    /// nothing is staged; the slot keeps what it was given.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Full`] or [`ClaimError::NotRecycled`].
    ///
    /// # Panics
    ///
    /// As [`Producer::stage`].
    #[inline(always)]
    pub fn stage_with(&mut self, fill: impl FnOnce(&mut T)) -> Result<(), ClaimError> {
        let free = self.free();
        if !self.slots.is_recycled() {
            return Err(ClaimError::NotRecycled);
        }
        let sequence = free.ok_or(ClaimError::Full)?;
        // SAFETY: ours, as `free` says; recycled, so it holds a value; the reference ends with the
        // closure.
        fill(unsafe { self.slots.value_mut(sequence) });
        self.staged_at(sequence);
        Ok(())
    }

    /// Counts the value that stands at `sequence`, the next one; nothing is announced.
    #[inline(always)]
    fn staged_at(&mut self, sequence: u64) {
        let leader = self.ring.claimed();
        // SAFETY: written; the leader is pending, and those between follow it.
        unsafe { self.slots.follow(sequence, leader) };
        self.staged += 1;
        self.short = false;
    }

    /// Counts the last staged value no longer, and returns where it stands: a slot that is this side's,
    /// unstamped, and holds a value.
    fn step_back(&mut self) -> u64 {
        let leader = self.leader();
        self.staged -= 1;
        self.short = self.plain && self.staged == 0;
        let sequence = leader.wrapping_add(self.staged);
        // SAFETY: staged, and the last one; the leader is pending.
        unsafe { self.slots.unfollow(sequence, leader) };
        sequence
    }

    /// Values staged and not yet published.
    #[must_use]
    #[inline(always)]
    pub fn staged(&self) -> u64 {
        self.staged
    }

    /// Takes the last staged value back, also when it is the only one and already announced (its
    /// sequence is then abandoned). On a recycled ring it must be replaced by `displaced` (what
    /// staging returned); without that, and with nothing to take, the answer is `None`.
    pub fn unstage(&mut self, displaced: Option<T>) -> Option<T> {
        let mut held = displaced;
        if self.unstage_held(&mut held) {
            held
        } else {
            None
        }
    }

    /// As [`Producer::unstage`], back into what [`Producer::stage_held`] took the value from; whether
    /// there was one to take.
    pub fn unstage_held(&mut self, held: &mut Option<T>) -> bool {
        if self.staged == 0
            || (self.announced && self.staged > 1)
            || (self.slots.is_recycled() && held.is_none())
        {
            return false;
        }
        let sequence = self.step_back();
        // SAFETY: as `step_back` says; recycled slots get a value back.
        unsafe { self.slots.take_held(sequence, held) };
        if core::mem::take(&mut self.announced) {
            self.abandon(sequence);
        }
        true
    }

    /// Claims every staged value (R3). The caller issues the light fence, looks at its condition,
    /// and calls [`Producer::publish`] or [`Producer::withdraw`].
    #[inline(always)]
    pub fn announce(&mut self) {
        if !self.announced {
            let end = self.ring.claimed().wrapping_add(self.staged);
            // Relaxed (R3): the caller's light fence orders it before the caller's look.
            self.ring.producers.claimed.store(end, Ordering::Relaxed);
            self.announced = true;
        }
    }

    /// Publishes every staged value, claiming it first if that has not been done: with one stamp,
    /// whatever their number. The consumer is not woken: see [`Producer::notify`].
    #[inline(always)]
    pub fn publish(&mut self) {
        self.announce();
        let leader = self.leader();
        self.announced = false;
        self.short = self.plain;
        if core::mem::take(&mut self.staged) > 0 {
            // SAFETY: claimed by the only producer and written by `stage`, as are its followers;
            // all are given up here.
            unsafe { self.slots.publish(leader) };
        }
    }

    /// Abandons the claims of announced values: the values are dropped and the consumer steps
    /// over their sequences.
    ///
    /// # Panics
    ///
    /// With the first panic of a value's drop, when all are dropped.
    #[cold]
    pub fn withdraw(&mut self) {
        if !self.announced {
            return;
        }
        let leader = self.leader();
        self.announced = false;
        let staged = core::mem::take(&mut self.staged);
        self.short = self.plain;
        let mut panic = FirstPanic::default();
        for ahead in 0..staged {
            // SAFETY: staged, so ours and holding a value; nobody looks at it, for the leader is
            // pending, and it is abandoned below.
            panic.during(|| unsafe { self.slots.dispose(leader.wrapping_add(ahead)) });
        }
        // The leader last: while it is pending nobody looks at the stamps of its followers.
        for ahead in (0..staged).rev() {
            self.abandon(leader.wrapping_add(ahead));
        }
        panic.resume();
    }

    /// Drops the staged values past the first `keep`, the last one first, unless they are
    /// announced.
    ///
    /// # Panics
    ///
    /// With the first panic of a value's drop, when all are dropped.
    pub fn discard_to(&mut self, keep: u64) {
        let mut panic = FirstPanic::default();
        while !self.announced && self.staged > keep {
            let sequence = self.step_back();
            // SAFETY: as `step_back` says; past `staged` from here on, so nobody reads it before it
            // is written again.
            panic.during(|| unsafe { self.slots.dispose(sequence) });
        }
        panic.resume();
    }

    /// Drops every staged value that is not announced.
    ///
    /// # Panics
    ///
    /// As [`Producer::discard_to`].
    pub fn discard(&mut self) {
        self.discard_to(0);
    }
}
