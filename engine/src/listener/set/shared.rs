//! The shared way in: any thread, under an epoch pin, by way of the thread's own record of the set.
#![expect(
    unsafe_code,
    reason = "the array that a walk has found is reached through a pointer"
)]

use super::array::Array;
use super::readers::{End, Record};
use super::visitors::{Visit, Visitor};
use super::{Counting, InTrouble, ListenerSet, Spec, Walk};
use core::cell::Cell;
use core::mem::ManuallyDrop;
use corecast_ring::FreeFence;
use crossbeam_epoch::Guard;

/// A thread's standing with a set that it is not walking; see [`ListenerSet::known_here`].
#[derive(Clone, Copy)]
pub(crate) struct KnownHere<'a> {
    visitor: &'a Visitor,
    fence: FreeFence,
}

/// Ends a walk on the shared path that its thread's record has announced.
struct SharedEnd<'a, S: Spec> {
    set: &'a ListenerSet<S>,
    record: &'a Record,
    number: u64,
    end: Cell<End>,
}

impl<S: Spec> Drop for SharedEnd<'_, S> {
    fn drop(&mut self) {
        let fence = self.set.fences;
        self.set
            .leave(self.record, self.number, self.end.get(), fence);
    }
}

impl<S: Spec> ListenerSet<S> {
    /// Takes `walk` over the array of this moment, from any thread.
    ///
    /// # Panics
    ///
    /// On a set that has no shared path, which is a mistake of this crate.
    pub(crate) fn walk_shared<W: Walk<S>>(&self, walk: W) -> W::Output {
        let Some(collector) = &self.collector else {
            unreachable!("a set with one walker has no shared path");
        };
        let visit = Visit::of(&self.readers, self.place, collector);
        let record = visit.record();
        // The outermost walk of the thread on this set says so. Dropped after the pin.
        let number = record.enter_shared(self.fences);
        let end = number.map(|number| SharedEnd {
            set: self,
            record,
            number,
            end: Cell::new(End::Counted),
        });
        let _pin = visit.pin();
        let counting = Counting::new(record, end.as_ref().map(|end| &end.end));
        // SAFETY: the pin is held until the walk is over.
        walk.rest(unsafe { self.load() }, &counting, None)
    }

    /// What a hot walk needs: that this thread knows its record of the set, and is not walking it.
    #[inline(always)]
    pub(crate) fn known_here(&self, fence: FreeFence) -> Option<KnownHere<'_>> {
        let visitor = Visitor::recent(&self.readers, self.place)?;
        visitor
            .record()
            .is_idle()
            .then_some(KnownHere { visitor, fence })
    }

    /// As [`ListenerSet::walk_shared`], without a guard, as `OwnedReader::take`.
    #[inline(always)]
    pub(crate) fn walk_shared_hot<W: Walk<S>>(&self, known: KnownHere<'_>, walk: W) -> W::Output {
        let visitor = known.visitor;
        let number = visitor.record().enter(known.fence);
        let pin = ManuallyDrop::new(visitor.pin());
        let found = self.find();
        if !(found.is_one() && walk.is_quick()) {
            if found.is_none() {
                self.close_shared(visitor, pin, number, End::InVain);
                return W::all(0);
            }
            return self.walk_shared_several(visitor, pin, number, walk);
        }
        // SAFETY: the pin is held until `close_shared` below, or until the guard of the rest is
        // dropped; and the array has one entry.
        let only = unsafe { found.only() };
        match walk.one(only) {
            Ok(()) => {
                self.close_shared(visitor, pin, number, End::Counted);
                W::all(1)
            }
            Err(trouble) => {
                // SAFETY: as above.
                let array = unsafe { found.array() };
                self.walk_shared_rest_of_one(array, visitor, pin, walk, trouble)
            }
        }
    }

    #[inline(never)]
    fn walk_shared_several<W: Walk<S>>(
        &self,
        visitor: &Visitor,
        pin: ManuallyDrop<Guard>,
        number: u64,
        walk: W,
    ) -> W::Output {
        // SAFETY: the pin is held until `close_shared` below, or until the guard of the rest is
        // dropped.
        let array = unsafe { self.load() };
        match walk.several_apart(array) {
            Ok(()) => {
                let listeners = array.len();
                let end = visitor.record().count_walk(listeners);
                self.close_shared(visitor, pin, number, end);
                W::all(listeners)
            }
            Err(trouble) => self.walk_shared_rest(array, visitor, pin, number, walk, trouble),
        }
    }

    /// As `walk_shared_rest`, of a walk over one listener, which has not kept its number.
    #[cold]
    #[inline(never)]
    fn walk_shared_rest_of_one<W: Walk<S>>(
        &self,
        array: &Array<S>,
        visitor: &Visitor,
        pin: ManuallyDrop<Guard>,
        walk: W,
        trouble: W::Trouble,
    ) -> W::Output {
        let number = visitor.record().number();
        let trouble = (array.entries().first(), trouble);
        self.walk_shared_rest(array, visitor, pin, number, walk, trouble)
    }

    #[cold]
    #[inline(never)]
    fn walk_shared_rest<'w, W: Walk<S>>(
        &self,
        array: &'w Array<S>,
        visitor: &Visitor,
        pin: ManuallyDrop<Guard>,
        number: u64,
        walk: W,
        trouble: InTrouble<'w, S, W>,
    ) -> W::Output {
        let record = visitor.record();
        // Dropped after the pin.
        let end = SharedEnd {
            set: self,
            record,
            number,
            end: Cell::new(End::Counted),
        };
        let _pin = ManuallyDrop::into_inner(pin);
        walk.rest(array, &Counting::new(record, Some(&end.end)), Some(trouble))
    }

    /// Ends walk `number`, in which every listener ran and succeeded, if there was one. Its array may
    /// be gone when this returns.
    #[inline(always)]
    fn close_shared(&self, visitor: &Visitor, pin: ManuallyDrop<Guard>, number: u64, end: End) {
        drop(ManuallyDrop::into_inner(pin));
        self.leave(visitor.record(), number, end, self.fences.known_free());
    }
}
