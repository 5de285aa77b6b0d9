//! The reading half, the same for one writer and for many: it polls stamps, takes runs of
//! published events, and reports its progress lazily.
//!
//! Edges R1, R2 and R4 are in `ring.rs` and `slots.rs`. The consumer's own cursor always moves
//! *before* user code drops an event, so that a panic in that drop can never drop it again; the
//! cursor is published after.
#![expect(
    unsafe_code,
    reason = "a stamp makes this side the owner of a slot until it releases it"
)]

use crate::error::PopError;
use crate::parker::Parker;
use crate::ring::Ring;
use crate::slots::{SlotState, View};
use crate::sync::Arc;
use crate::wait::WaitStrategy;
use core::fmt;
use core::marker::PhantomData;
use core::mem::needs_drop;
use std::sync::Arc as StdArc;
use std::time::Instant;

/// The reading half of a ring. Dropping it closes the ring; what it did not consume is dropped
/// with the ring.
///
/// [`drain`](Self::drain) and [`pop`](Self::pop) are what most callers want;
/// [`poll`](Self::poll), [`get`](Self::get), [`finish`](Self::finish) and [`release`](Self::release)
/// are the same in single steps, for one that looks at events before it is done with them.
///
/// ```
/// use corecast_ring::{WaitStrategy, spsc};
///
/// let (mut producer, mut consumer) = spsc::<u64>(8)?;
/// let writer = std::thread::spawn(move || {
///     for value in 1..=100 {
///         producer.push(value, WaitStrategy::park(), None).expect("the reader is there");
///     }
/// });
/// let mut sum = 0;
/// while consumer.wait(WaitStrategy::park(), None) {
///     consumer.drain(usize::MAX, |value| sum += *value);
/// }
/// // The writer is gone and nothing is left.
/// writer.join().expect("it had room");
/// assert_eq!(sum, 5050);
/// # Ok::<(), corecast_ring::CapacityError>(())
/// ```
pub struct Consumer<T> {
    ring: Arc<Ring<T>>,
    /// Where the ring's slots are.
    slots: View<T>,
    /// Events after which progress must be reported.
    quantum: u64,
    /// Abandoned claims that this side has stepped over.
    aborted: u64,
    /// The next sequence to consume. This thread's alone.
    head: u64,
    /// What the ring's `released` word says. Kept here so that it is never read back.
    released: u64,
    /// Events at the head that [`Consumer::poll`] has seen published and nobody has finished.
    ready: u64,
    /// Keeps the type from being `Sync`: events need not be.
    single_reader: PhantomData<core::cell::Cell<()>>,
}

impl<T> Consumer<T> {
    pub(crate) fn new(ring: Arc<Ring<T>>) -> Self {
        let head = ring.first;
        Self {
            slots: *ring.slots,
            quantum: ring.quantum(),
            aborted: 0,
            ring,
            head,
            released: head,
            ready: 0,
            single_reader: PhantomData,
        }
    }

    /// Looks for published events and returns how many are ready at the head: at most `limit`, and
    /// never more than may be consumed before progress must be reported. They stay in the ring
    /// until they are [finished](Consumer::finish_one).
    ///
    /// # Memory ordering
    ///
    /// Everything the producers did before publishing these events happens before this returns.
    #[inline(always)]
    pub fn poll(&mut self, limit: usize) -> usize {
        let wanted = (limit as u64).min(self.quantum);
        if self.ready < wanted {
            self.find_ready(wanted);
        }
        self.ready.min(limit as u64) as usize
    }

    /// Looks at one stamp after the other, as far as `wanted`; steps over abandoned ones at the head
    /// and stops at others.
    #[inline(always)]
    fn find_ready(&mut self, wanted: u64) {
        while self.ready < wanted {
            let next = self.head.wrapping_add(self.ready);
            let run = self.slots.published_from(next, wanted - self.ready);
            self.ready += run;
            if run == 0 {
                if self.ready > 0 || self.slots.state(next) != SlotState::Aborted {
                    return;
                }
                self.step_over();
            }
        }
    }

    /// Steps over an abandoned claim at the head.
    #[cold]
    fn step_over(&mut self) {
        self.aborted += 1;
        self.head = self.head.wrapping_add(1);
        self.report();
    }

    /// Ready event `index`, counted from the head.
    #[must_use]
    #[inline(always)]
    pub fn get(&self, index: usize) -> Option<&T> {
        if index as u64 >= self.ready {
            return None;
        }
        let sequence = self.head.wrapping_add(index as u64);
        // SAFETY: seen published and not finished; finishing it takes this consumer mutably.
        Some(unsafe { self.slots.value(sequence) })
    }

    /// Drops the first ready event in place and steps past it; on a recycled ring the value stays.
    /// The cursor moves first: should the drop panic, the event is gone all the same. Nothing
    /// happens when nothing is ready.
    #[inline(always)]
    pub fn finish_one(&mut self) {
        drop(self.take_first());
    }

    /// Finishes the first `count` ready events: one step where there is nothing to drop.
    ///
    /// # Panics
    ///
    /// When an event's drop panics; that event is finished, and later ones are still ready.
    #[inline(always)]
    pub fn finish(&mut self, count: usize) {
        if needs_drop::<T>() {
            (0..count).for_each(|_| self.finish_one());
        } else {
            let count = self.ready.min(count as u64);
            self.ready -= count;
            self.head = self.head.wrapping_add(count);
            self.report();
        }
    }

    /// Steps past the first ready event, which stays this side's until the guard is dropped.
    #[inline(always)]
    fn take_first(&mut self) -> Option<Consumed<'_, T>> {
        self.ready = self.ready.checked_sub(1)?;
        let sequence = self.head;
        self.head = sequence.wrapping_add(1);
        Some(Consumed {
            consumer: self,
            sequence,
        })
    }

    /// Reports progress when enough has come together.
    #[inline(always)]
    fn report(&mut self) {
        if self.head.wrapping_sub(self.released) >= self.quantum {
            self.release();
        }
    }

    /// Slots from the head to the end of the ring's memory.
    #[must_use]
    pub fn until_wrap(&self) -> usize {
        let capacity = self.slots.capacity();
        (capacity - (self.head & (capacity - 1))) as usize
    }

    /// Whether the event `ahead` places past the head has been published, and all before it that were not
    /// abandoned.
    ///
    /// # Complexity
    ///
    /// A look at each stamp past the events that [`Consumer::poll`] has seen.
    #[must_use]
    pub fn is_published(&self, ahead: usize) -> bool {
        let state = |ahead: u64| self.slots.state(self.head.wrapping_add(ahead));
        let ahead = ahead as u64;
        // One after the other: behind one that is pending there may be values that are only staged.
        ahead < self.slots.capacity()
            && (self.ready..ahead).all(|before| state(before) != SlotState::Pending)
            && state(ahead) == SlotState::Published
    }

    /// Whether the slot `ahead` places past the head bears this lap's stamp: a hint that the ring may be
    /// filled that far, for one look. The value may be only staged, or its claim abandoned.
    #[must_use]
    #[inline(always)]
    pub fn is_stamped(&self, ahead: usize) -> bool {
        let ahead = ahead as u64;
        ahead < self.slots.capacity()
            && self.slots.state(self.head.wrapping_add(ahead)) != SlotState::Pending
    }

    /// Whether an event is waiting at the head, or an abandoned sequence that the next
    /// [`Consumer::poll`] steps over.
    #[inline(always)]
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.slots.state(self.head) != SlotState::Pending
    }

    /// Reports progress, so that producers may reuse the slots. [`Consumer::drain`] does so at its
    /// end; whoever polls does so when nothing is left.
    #[inline(always)]
    pub fn release(&mut self) {
        if self.released != self.head {
            self.released = self.head;
            self.ring.release(self.head);
        }
    }

    /// Calls `f` with each published event, at most `limit` of them, and reports progress. Returns
    /// how many. Should `f` panic, the event it was given counts as consumed and is dropped.
    pub fn drain(&mut self, limit: usize, mut f: impl FnMut(&mut T)) -> usize {
        struct Release<'a, T>(&'a mut Consumer<T>);
        impl<T> Drop for Release<'_, T> {
            fn drop(&mut self) {
                self.0.release();
            }
        }
        let guard = Release(self);
        let mut drained = 0;
        while drained < limit {
            // An earlier poll may have seen more than are wanted now.
            let run = guard.0.poll(limit - drained);
            if run == 0 {
                break;
            }
            for _ in 0..run {
                let Some(mut event) = guard.0.take_first() else {
                    break;
                };
                drained += 1;
                f(event.value_mut());
            }
        }
        drop(guard);
        drained
    }

    /// Takes the next event out.
    ///
    /// # Errors
    ///
    /// [`PopError::Empty`], [`PopError::Closed`] when nothing can come any more, or
    /// [`PopError::Recycled`].
    pub fn pop(&mut self) -> Result<T, PopError> {
        if self.slots.is_recycled() {
            return Err(PopError::Recycled);
        }
        let gone = self.ring.producers_gone();
        if self.poll(1) == 0 {
            self.release();
            return Err(if gone {
                PopError::Closed
            } else {
                PopError::Empty
            });
        }
        let sequence = self.head;
        self.ready -= 1;
        self.head = sequence.wrapping_add(1);
        // SAFETY: seen published, and this is the only consumer; the cursor is past it, so it is
        // taken once, and it is not released before the next line.
        let value = unsafe { self.slots.take(sequence) };
        self.report();
        Ok(value)
    }

    /// Waits as `strategy` says until an event is there, all producers are gone, or `deadline`
    /// passes; whether an event is there. Abandoned sequences are stepped over.
    pub fn wait(&mut self, strategy: WaitStrategy, deadline: Option<Instant>) -> bool {
        let parker = StdArc::clone(self.ring.ready());
        let mut idle = strategy.idle();
        loop {
            // In this order (R4): a producer publishes before it closes.
            let gone = self.ring.producers_gone();
            let there = self.poll(1) > 0;
            self.release();
            if there || gone {
                return there;
            }
            let ready = || self.is_ready() || self.ring.producers_gone();
            if !idle.wait_until(&parker, deadline, ready) {
                return false;
            }
        }
    }

    /// The most events that one [`Consumer::poll`] reports.
    #[must_use]
    pub fn longest_run(&self) -> usize {
        self.quantum as usize
    }

    /// The sequence of the next event to consume.
    #[must_use]
    #[inline(always)]
    pub fn sequence(&self) -> u64 {
        self.head
    }

    /// Abandoned claims before [`Consumer::sequence`].
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.aborted
    }

    /// Slots in the ring.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.capacity() as usize
    }

    /// Events claimed and not yet consumed. Reads the producers' line: exact, and a cache miss.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring
            .claimed()
            .wrapping_sub(self.head)
            .min(self.slots.capacity()) as usize
    }

    /// Whether nothing is waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_ready()
    }

    /// Whether nothing is waiting and nothing can come any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // In this order (R4): a producer publishes before it closes.
        self.ring.producers_gone() && self.is_empty()
    }

    /// Where this side sleeps.
    #[must_use]
    pub fn parker(&self) -> &StdArc<Parker> {
        self.ring.ready()
    }

    /// A view of the ring's counters for other threads.
    #[must_use]
    pub fn monitor(&self) -> crate::Monitor<T> {
        crate::Monitor::new(Arc::clone(&self.ring))
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.release();
        self.ring.close_consumer();
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("ring", &self.ring)
            .field("head", &self.head)
            .finish()
    }
}

/// An event behind the cursor and not yet released: still ours, disposed of when this is dropped.
struct Consumed<'a, T> {
    consumer: &'a mut Consumer<T>,
    sequence: u64,
}

impl<T> Consumed<'_, T> {
    fn value_mut(&mut self) -> &mut T {
        // SAFETY: published, consumed by this guard alone, and not released before it is dropped.
        unsafe { self.consumer.slots.value_mut(self.sequence) }
    }
}

impl<T> Drop for Consumed<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        /// Reports progress after the value is gone, also when its drop panics.
        struct Progress<'a, T>(&'a mut Consumer<T>);
        impl<T> Drop for Progress<'_, T> {
            #[inline(always)]
            fn drop(&mut self) {
                self.0.report();
            }
        }
        let progress = Progress(self.consumer);
        // SAFETY: the cursor is past it, so this is the last use, and it happens once.
        unsafe { progress.0.slots.dispose(self.sequence) };
    }
}
