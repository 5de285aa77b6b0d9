//! The slots: one block of memory, allocated and touched before first use, one stamp behind each
//! value.
//!
//! | edge | release side          | acquire side        | protects                       | loom model            |
//! | R1   | [`View::publish`], [`View::abort`] | [`View::state`] | the value written before the stamp | spsc::events_cross_the_wrap |
//!
//! A slot is as long as its stamp and value together, rounded up so that no slot that fits into
//! one cache line straddles two: the event and its stamp arrive with one line transfer. The value
//! comes first, so that it is as well aligned as its slot: the other way round an event of 56 bytes
//! took nearly twice as long, because stores of 16 bytes then lie across their natural borders. Where
//! the value fills its lines, so that a stamp beside it would take another, the stamps have an array
//! of their own, eight to a line.
//!
//! A writer alone may stage several values before it publishes them. The first is their *leader*; the
//! stamps of its *followers* are written beside their values, at once, and one release of the leader's
//! stamp publishes all: whoever has not seen that one does not look further. So a batch costs its
//! writer one visit to each line. What is withdrawn is undone from the end, the leader last.
//!
//! Who may touch a value: the claimant of a sequence from the moment the previous lap was released
//! until it stamps; the consumer from the stamp until it releases. The claim and release edges
//! (R2 in `ring.rs`) hand the slot over.
#![expect(
    unsafe_code,
    reason = "slots hand uninitialised memory from writer to reader"
)]

use crate::error::CapacityError;
use crate::panics::FirstPanic;
use crate::sequence::{aborted, first_in_slot, published, vacant};
use crate::sync::{AtomicU64, Ordering, UnsafeCell};
use core::any::Any;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, needs_drop, offset_of};
use core::ops::Deref;
use core::ptr::NonNull;
use std::alloc::{Layout, alloc, dealloc};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Is told what a value's drop panicked with.
pub(crate) type OnPanic = dyn Fn(Box<dyn Any + Send>) + Send + Sync;

const LINE: usize = 64;
const PAGE: usize = 4096;

/// A stamp and its value side by side, for events that fit into one line with their stamp.
#[repr(C)]
struct Slot<T> {
    value: Value<T>,
    stamp: Stamp,
}

/// Written by the claimant of the slot's sequence; read by the consumer (R1).
type Stamp = AtomicU64;

/// Written by the claimant before the stamp; read by the consumer after it.
type Value<T> = UnsafeCell<MaybeUninit<T>>;

/// What the stamp of a sequence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotState {
    Published,
    Aborted,
    Pending,
}

/// Where the slots are. Each side of a ring keeps a copy at hand, so that the way to a slot is
/// short; the ring that owns the memory outlives both sides.
pub(crate) struct View<T> {
    /// The first value, where stamps stand apart.
    values: NonNull<u8>,
    /// The first stamp.
    stamps: NonNull<u8>,
    mask: u64,
    /// Values live in their slots for the life of the ring and are reused in place.
    recycled: bool,
    slots: PhantomData<Slot<T>>,
}

impl<T> Clone for View<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<T> {}

/// The slots and their memory.
pub(crate) struct Slots<T> {
    view: View<T>,
    base: NonNull<u8>,
    layout: Layout,
}

// SAFETY: owns the memory behind the view, and is used through the view alone.
unsafe impl<T: Send> Send for Slots<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Slots<T> {}

impl<T> Deref for Slots<T> {
    type Target = View<T>;

    #[inline(always)]
    fn deref(&self) -> &View<T> {
        &self.view
    }
}

// SAFETY: a view hands values of T from one thread to another and never shares a reference to one
// between threads: a slot belongs to its claimant or to the consumer at any time (module docs).
unsafe impl<T: Send> Send for View<T> {}
// SAFETY: as for Send; through a shared reference only stamps are accessed, and values through
// the unsafe methods whose contract names the one thread that may call them.
unsafe impl<T: Send> Sync for View<T> {}

impl<T> Slots<T> {
    const ALIGN: usize = if align_of::<Slot<T>>() > 2 * LINE {
        align_of::<Slot<T>>()
    } else {
        2 * LINE
    };

    /// Allocates `capacity` slots, the first of which will hold sequence `first`, and touches
    /// every page. With a `factory` each slot starts with a value and keeps one.
    pub(crate) fn new(
        capacity: usize,
        first: u64,
        factory: Option<&mut dyn FnMut() -> T>,
    ) -> Result<Self, CapacityError> {
        let layout = Self::layout(capacity)?;
        // SAFETY: the layout has a non-zero size: at least two slots of at least a stamp each.
        let base = unsafe { alloc(layout) };
        let Some(base) = NonNull::new(base) else {
            return Err(CapacityError::Refused {
                capacity,
                bytes: layout.size(),
            });
        };
        touch(base, layout.size());
        let stamps = if View::<T>::APART {
            // SAFETY: the layout has room for the stamps behind the values.
            unsafe { base.add(capacity * View::<T>::STRIDE) }
        } else {
            base
        };
        let mut slots = Self {
            view: View {
                values: base,
                stamps,
                mask: (capacity - 1) as u64,
                recycled: false,
                slots: PhantomData,
            },
            base,
            layout,
        };
        for index in 0..capacity as u64 {
            let stamp = vacant(first_in_slot(first, index, slots.mask), capacity as u64);
            // SAFETY: `index` is below the capacity, so the pointer is inside the block and
            // aligned; nobody else knows the block yet.
            unsafe { slots.stamp_at(index).write(Stamp::new(stamp)) };
            // SAFETY: as above.
            unsafe {
                slots
                    .value_at(index)
                    .write(Value::new(MaybeUninit::uninit()))
            };
        }
        if let Some(factory) = factory {
            slots.fill(factory);
        }
        Ok(slots)
    }

    /// Gives each slot its value. Should the factory panic, the values made so far are dropped.
    fn fill(&mut self, factory: &mut dyn FnMut() -> T) {
        struct Unwind<'a, T> {
            slots: &'a Slots<T>,
            filled: u64,
        }
        impl<T> Drop for Unwind<'_, T> {
            fn drop(&mut self) {
                for index in 0..self.filled {
                    // SAFETY: slots below `filled` hold values, and nobody else knows the ring.
                    unsafe { self.slots.drop_value(index) };
                }
            }
        }
        let mut unwind = Unwind {
            slots: self,
            filled: 0,
        };
        while unwind.filled < unwind.slots.capacity() {
            let value = factory();
            // SAFETY: the ring is still being built, so this thread owns every slot.
            unsafe { unwind.slots.init_value(unwind.filled, value) };
            unwind.filled += 1;
        }
        core::mem::forget(unwind);
        self.view.recycled = true;
    }

    pub(crate) fn layout(capacity: usize) -> Result<Layout, CapacityError> {
        if capacity < 2 {
            return Err(CapacityError::TooSmall { capacity });
        }
        let largest = Self::largest_capacity();
        if capacity > largest {
            return Err(CapacityError::TooLarge { capacity, largest });
        }
        if !capacity.is_power_of_two() {
            return Err(CapacityError::NotPowerOfTwo {
                capacity,
                suggestion: capacity.next_power_of_two(),
            });
        }
        let bytes = capacity * View::<T>::BYTES;
        Layout::from_size_align(bytes, Self::ALIGN)
            .map_err(|_| CapacityError::TooLarge { capacity, largest })
    }

    /// The largest power of two whose slots an allocation may hold.
    fn largest_capacity() -> usize {
        let slots = (isize::MAX as usize - Self::ALIGN) / View::<T>::BYTES;
        slots.checked_ilog2().map_or(0, |log| 1 << log)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.layout.size()
    }
}

/// Bytes from one thing of `size` to the next, so that none that fits into a line straddles two.
const fn stride(size: usize) -> usize {
    if size <= LINE {
        size.next_power_of_two()
    } else {
        size.div_ceil(LINE) * LINE
    }
}

impl<T> View<T> {
    /// Stamps have an array of their own: beside its stamp the value would take another line.
    const APART: bool = size_of::<Value<T>>() + size_of::<Stamp>() > LINE
        && stride(size_of::<Value<T>>()) < stride(size_of::<Slot<T>>());

    /// Bytes from one value to the next.
    const STRIDE: usize = if Self::APART {
        stride(size_of::<Value<T>>())
    } else {
        stride(size_of::<Slot<T>>())
    };

    /// Bytes from one stamp to the next.
    const STAMP_STRIDE: usize = if Self::APART {
        size_of::<Stamp>()
    } else {
        Self::STRIDE
    };

    /// Bytes from the beginning of a slot to its stamp.
    const STAMP_OFFSET: usize = if Self::APART {
        0
    } else {
        offset_of!(Slot<T>, stamp)
    };

    /// Bytes that each slot takes.
    const BYTES: usize = Self::STRIDE + if Self::APART { size_of::<Stamp>() } else { 0 };

    #[inline(always)]
    pub(crate) fn capacity(&self) -> u64 {
        self.mask + 1
    }

    #[inline(always)]
    pub(crate) fn is_recycled(&self) -> bool {
        self.recycled
    }

    #[inline(always)]
    fn stamp_at(&self, sequence: u64) -> NonNull<Stamp> {
        let offset = (sequence & self.mask) as usize * Self::STAMP_STRIDE + Self::STAMP_OFFSET;
        // SAFETY: the masked index is below the capacity, so the offset stays among the stamps.
        unsafe { self.stamps.byte_add(offset) }.cast()
    }

    #[inline(always)]
    fn value_at(&self, sequence: u64) -> NonNull<Value<T>> {
        let offset = (sequence & self.mask) as usize * Self::STRIDE;
        // SAFETY: the masked index is below the capacity, so the offset stays among the values,
        // which begin where the stamps do unless they stand apart.
        unsafe {
            if Self::APART {
                self.values
            } else {
                self.stamps
            }
            .byte_add(offset)
        }
        .cast()
    }

    #[inline(always)]
    fn stamp(&self, sequence: u64) -> &Stamp {
        // SAFETY: `new` wrote a stamp at every index before anybody could call this, and the block
        // lives as long as the ring that every user of a view keeps alive.
        unsafe { self.stamp_at(sequence).as_ref() }
    }

    #[inline(always)]
    fn cell(&self, sequence: u64) -> &Value<T> {
        // SAFETY: as for `stamp`; what is inside the cell is another matter, see its users.
        unsafe { self.value_at(sequence).as_ref() }
    }

    /// What the slot of `sequence` holds.
    #[inline(always)]
    pub(crate) fn state(&self, sequence: u64) -> SlotState {
        // Acquire (R1): the value read afterwards is the one written before this stamp.
        let stamp = self.stamp(sequence).load(Ordering::Acquire);
        if stamp == published(sequence) {
            SlotState::Published
        } else if stamp == aborted(sequence) {
            SlotState::Aborted
        } else {
            SlotState::Pending
        }
    }

    /// How many sequences from `first` on have been published, without a gap: `limit` at most, and none
    /// behind the end of the memory.
    #[inline(always)]
    pub(crate) fn published_from(&self, first: u64, limit: u64) -> u64 {
        let until_wrap = self.capacity() - (first & self.mask);
        let limit = limit.min(until_wrap);
        let first_stamp = self.stamp_at(first);
        let mut count = 0;
        while count < limit {
            // SAFETY: `first + count` lies before the end of the memory, as the limit says.
            let stamp = unsafe { first_stamp.byte_add(count as usize * Self::STAMP_STRIDE) };
            // SAFETY: as in `stamp`. Acquire (R1): as in `state`.
            let stamp = unsafe { stamp.as_ref() }.load(Ordering::Acquire);
            if stamp != published(first.wrapping_add(count)) {
                break;
            }
            count += 1;
        }
        count
    }

    /// Puts `value` into the slot; on a recycled ring the value that was there comes back.
    ///
    /// # Safety
    ///
    /// The caller has the claim on `sequence`, the slot's previous lap was released to it (R2),
    /// and it has not stamped the slot.
    #[inline(always)]
    pub(crate) unsafe fn put(&self, sequence: u64, value: T) -> Option<T> {
        if self.recycled {
            // SAFETY: exclusive by the caller's contract; recycled slots always hold a value.
            Some(
                self.cell(sequence)
                    .with_mut(|slot| unsafe { core::ptr::replace(slot.cast::<T>(), value) }),
            )
        } else {
            // SAFETY: the caller's contract is this one's.
            unsafe { self.init_value(sequence, value) };
            None
        }
    }

    /// As [`View::put`], for a value that is moved once, however large it is: `held` gives its value, and
    /// on a recycled ring receives the one that was there.
    ///
    /// # Safety
    ///
    /// As [`View::put`]; `held` is `Some`.
    #[inline(always)]
    pub(crate) unsafe fn put_held(&self, sequence: u64, held: &mut Option<T>) {
        let Some(value) = held else { return };
        if self.recycled {
            // SAFETY: exclusive by the caller's contract; recycled slots always hold a value.
            self.cell(sequence)
                .with_mut(|slot| unsafe { slot.cast::<T>().swap(value) });
            return;
        }
        let value: *const T = value;
        // SAFETY: exclusive by the caller's contract, and no part of `held`.
        self.cell(sequence)
            .with_mut(|slot| unsafe { slot.cast::<T>().copy_from_nonoverlapping(value, 1) });
        // SAFETY: the value is the slot's now; `held` gives it up without dropping it.
        unsafe { core::ptr::write(held, None) };
    }

    /// Takes the value of an unstamped slot back into `held`, which on a recycled ring gives the one that
    /// stays there.
    ///
    /// # Safety
    ///
    /// The caller is the claimant and has not stamped the slot; the slot holds a value; on a recycled
    /// ring `held` is `Some`.
    pub(crate) unsafe fn take_held(&self, sequence: u64, held: &mut Option<T>) {
        match held {
            // SAFETY: exclusive and initialised by the caller's contract.
            Some(value) if self.recycled => self
                .cell(sequence)
                .with_mut(|slot| unsafe { slot.cast::<T>().swap(value) }),
            // SAFETY: the same.
            _ => *held = Some(unsafe { self.take(sequence) }),
        }
    }

    /// Takes the value of an unstamped or consumed slot out, on a ring whose slots are not recycled.
    ///
    /// # Safety
    ///
    /// The caller owns the slot (as claimant before the stamp, or as consumer after it), and the slot
    /// holds a value. It counts as empty from here on.
    #[inline(always)]
    pub(crate) unsafe fn take(&self, sequence: u64) -> T {
        // SAFETY: exclusive and initialised by the caller's contract.
        self.cell(sequence)
            .with_mut(|slot| unsafe { slot.cast::<T>().read() })
    }

    /// # Safety
    ///
    /// The caller owns the slot, and the slot holds no value that must be dropped.
    #[inline(always)]
    pub(crate) unsafe fn init_value(&self, sequence: u64, value: T) {
        // SAFETY: exclusive by the caller's contract, and inside the block.
        self.cell(sequence)
            .with_mut(|slot| unsafe { slot.cast::<T>().write(value) });
    }

    /// The value in place.
    ///
    /// # Safety
    ///
    /// The caller owns the slot (claimant before the stamp on a recycled ring, or consumer after
    /// the stamp), the slot holds a value, and the reference is not used past that ownership.
    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "ownership of a slot is by protocol, not by borrow"
    )]
    pub(crate) unsafe fn value_mut(&self, sequence: u64) -> &mut T {
        // SAFETY: exclusive and initialised by the caller's contract.
        self.cell(sequence)
            .with_mut(|slot| unsafe { &mut *slot.cast::<T>() })
    }

    /// As [`View::value_mut`], shared.
    ///
    /// # Safety
    ///
    /// The caller owns the slot as consumer, and the reference is not used past that ownership.
    #[inline(always)]
    pub(crate) unsafe fn value(&self, sequence: u64) -> &T {
        // SAFETY: nobody writes while the consumer owns it; initialised since it was stamped.
        self.cell(sequence)
            .with(|slot| unsafe { &*slot.cast::<T>() })
    }

    /// Drops the value in place; recycled slots keep theirs, see [`View::dispose`].
    ///
    /// # Safety
    ///
    /// The caller owns the slot, the slot holds a value, and nobody uses it again before it is
    /// written.
    unsafe fn drop_value(&self, sequence: u64) {
        // SAFETY: exclusive and initialised by the caller's contract.
        self.cell(sequence)
            .with_mut(|slot| unsafe { slot.cast::<T>().drop_in_place() });
    }

    /// Ends the life of a consumed event, unless slots are recycled.
    ///
    /// # Safety
    ///
    /// The caller owns the slot as consumer, and has already moved its own cursor past it, so that
    /// a panic in the value's drop cannot make anybody drop it again.
    #[inline(always)]
    pub(crate) unsafe fn dispose(&self, sequence: u64) {
        if needs_drop::<T>() && !self.recycled {
            // SAFETY: the caller's contract is this one's.
            unsafe { self.drop_value(sequence) };
        }
    }

    /// Stamps `sequence` as published.
    ///
    /// # Safety
    ///
    /// The caller has the claim on `sequence`, has written the value, and gives up the slot.
    #[inline(always)]
    pub(crate) unsafe fn publish(&self, sequence: u64) {
        // Release (R1): the value above happens before any read that follows the stamp. Relaxed
        // would let a half-written event out.
        self.stamp(sequence)
            .store(published(sequence), Ordering::Release);
    }

    /// Stamps `sequence` as published with `leader`, an earlier sequence that is pending: until that is
    /// published nobody takes this stamp for more than a hint. The leader itself stays pending.
    ///
    /// # Safety
    ///
    /// Nobody but the caller may claim either sequence, the value has been written, and all sequences
    /// between the two are followers as well.
    #[inline(always)]
    pub(crate) unsafe fn follow(&self, sequence: u64, leader: u64) {
        if sequence != leader {
            // Relaxed: the leader's stamp (R1) releases this one with the values.
            self.stamp(sequence)
                .store(published(sequence), Ordering::Relaxed);
        }
    }

    /// Takes the stamp of a follower back.
    ///
    /// # Safety
    ///
    /// As [`View::follow`], and nobody follows behind it.
    #[inline(always)]
    pub(crate) unsafe fn unfollow(&self, sequence: u64, leader: u64) {
        if sequence != leader {
            // Relaxed: the leader's stamp releases it, whatever comes of that.
            self.stamp(sequence)
                .store(vacant(sequence, self.capacity()), Ordering::Relaxed);
        }
    }

    /// Stamps `sequence` as abandoned.
    ///
    /// # Safety
    ///
    /// The caller has the claim on `sequence`, the slot holds no value that must be dropped, and
    /// the caller gives up the slot.
    #[inline(always)]
    pub(crate) unsafe fn abort(&self, sequence: u64) {
        // Release (R1): on a recycled ring the slot's value may have been changed by the claimant.
        self.stamp(sequence)
            .store(aborted(sequence), Ordering::Release);
    }
}

impl<T> Slots<T> {
    /// Drops what the ring still holds: every value of a recycled ring, else the published events
    /// of `pending`. Each is dropped once, also when some of the drops panic. `on_panic` is told of
    /// each panic; without it, the first goes on when all are done.
    pub(crate) fn clear(&mut self, pending: impl Iterator<Item = u64>, on_panic: Option<&OnPanic>) {
        if !needs_drop::<T>() {
            return;
        }
        let mut panic = FirstPanic::default();
        let mut drop_one = |slots: &Self, sequence| {
            // SAFETY: `&mut self` says that neither side is left; the sequence holds a value (see
            // the two callers below) and each is visited once.
            let drop_value = || unsafe { slots.drop_value(sequence) };
            match on_panic {
                None => panic.during(drop_value),
                Some(on_panic) => {
                    if let Err(payload) = catch_unwind(AssertUnwindSafe(drop_value)) {
                        // It is user code as well.
                        panic.during(|| on_panic(payload));
                    }
                }
            }
        };
        if self.recycled {
            (0..self.capacity()).for_each(|index| drop_one(self, index));
        } else {
            pending
                .filter(|&sequence| self.state(sequence) == SlotState::Published)
                .for_each(|sequence| drop_one(self, sequence));
        }
        panic.resume();
    }
}

impl<T> Drop for Slots<T> {
    fn drop(&mut self) {
        // Stamps and loom's cells have destructors under the model checker only; values were
        // dropped by `clear`.
        #[cfg(loom)]
        for index in 0..self.capacity() {
            // SAFETY: `new` wrote a Slot at every index and nothing uses them after this.
            unsafe { self.stamp_at(index).drop_in_place() };
            // SAFETY: as above.
            #[cfg(loom)]
            unsafe {
                self.value_at(index).drop_in_place()
            };
        }
        // SAFETY: allocated by `new` with this layout, freed once.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

/// Writes to every page, so that no emission meets a page fault.
fn touch(base: NonNull<u8>, bytes: usize) {
    // The block need not start with a page, so its last byte may lie one page further.
    for offset in (0..bytes).step_by(PAGE).chain([bytes - 1]) {
        // SAFETY: the offset is below the block's size.
        let byte = unsafe { base.add(offset) };
        // SAFETY: inside the block, which nobody else knows yet; volatile so that the write stays.
        unsafe { byte.write_volatile(0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_fits_into_a_line_with_its_stamp_never_straddles_two() {
        let layout = |stride, apart| (stride, apart);
        fn of<T>() -> (usize, bool) {
            (View::<T>::STRIDE, View::<T>::APART)
        }
        assert_eq!(of::<()>(), layout(8, false));
        assert_eq!(of::<u64>(), layout(16, false));
        assert_eq!(of::<[u64; 2]>(), layout(32, false));
        assert_eq!(of::<[u64; 4]>(), layout(64, false));
        assert_eq!(of::<[u64; 7]>(), layout(64, false));
    }

    #[test]
    fn a_value_begins_where_its_slot_does_and_the_stamp_follows() {
        let slots = Slots::<[u64; 7]>::new(4, 0, None).expect("four slots");
        let value = slots.value_at(1).addr().get();
        assert_eq!(value % LINE, 0);
        assert_eq!(slots.stamp_at(1).addr().get(), value + 56);
    }

    #[test]
    fn stamps_stand_apart_where_they_would_take_another_line() {
        assert_eq!(
            (View::<[u64; 8]>::STRIDE, View::<[u64; 8]>::APART),
            (64, true)
        );
        assert_eq!(
            (View::<[u64; 9]>::STRIDE, View::<[u64; 9]>::APART),
            (128, false)
        );
        assert_eq!(
            (View::<[u64; 32]>::STRIDE, View::<[u64; 32]>::APART),
            (256, true)
        );
        assert_eq!(View::<[u64; 32]>::BYTES, 264);
    }

    #[test]
    fn the_largest_capacity_is_refused_by_arithmetic_or_by_the_allocator() {
        let largest = Slots::<u64>::largest_capacity();
        assert!(largest.is_power_of_two());
        assert!(Slots::<u64>::layout(largest).is_ok());
        assert!(matches!(
            Slots::<u64>::layout(largest * 2),
            Err(CapacityError::TooLarge { .. })
        ));
    }
}
