//! The owned way in: one reader, one walk at a time, no read-modify-write.
//!
//! A walk over one listener is the smallest thing that is emitted, and what surrounds the call is then
//! most of its cost, by the loads and stores that it takes. So it asks two questions, of words that it
//! wants anyway: whether the reader is at home here, of the one that is to say that it is walking
//! (`readers.rs`), and whether there is one listener, of the pointer to the array (`array.rs`).
#![expect(
    unsafe_code,
    reason = "the array that a walk has found is reached through a pointer"
)]

use super::array::Array;
use super::here::{self, Home};
use super::readers::{End, Record};
use super::{Counting, InTrouble, ListenerSet, Spec, Walk};
use core::cell::Cell;
use core::ops::Deref;
use std::sync::Arc;

/// One walk: an array that stays while this lives.
pub(crate) struct OwnedWalk<'a, S: Spec> {
    set: &'a ListenerSet<S>,
    record: &'a Record,
    array: &'a Array<S>,
    number: u64,
    end: Cell<End>,
}

impl<S: Spec> OwnedWalk<'_, S> {
    #[inline(always)]
    pub(crate) fn record(&self) -> &Record {
        self.record
    }
}

impl<S: Spec> Deref for OwnedWalk<'_, S> {
    type Target = Array<S>;

    #[inline(always)]
    fn deref(&self) -> &Array<S> {
        self.array
    }
}

impl<S: Spec> Drop for OwnedWalk<'_, S> {
    #[inline(always)]
    fn drop(&mut self) {
        let fence = self.set.fences;
        self.set
            .leave(self.record, self.number, self.end.get(), fence);
    }
}

/// A reader of a set, of which one thread at a time makes use.
pub(crate) struct OwnedReader<S: Spec> {
    set: Arc<ListenerSet<S>>,
    record: Arc<Record>,
}

impl<S: Spec> OwnedReader<S> {
    pub(crate) fn new(set: Arc<ListenerSet<S>>) -> Self {
        let record = set.readers.register(true);
        Self { set, record }
    }

    /// Begins a walk over the array of this moment, under a guard, for a reader that is at home
    /// nowhere.
    #[inline(always)]
    pub(crate) fn walk(&mut self) -> OwnedWalk<'_, S> {
        let number = self.record.enter(self.set.fences);
        // SAFETY: the record says that this reader is walking until the guard is dropped, and the
        // exclusive borrow allows one walk at a time.
        let array = unsafe { self.set.load() };
        self.set.guard(&self.record, array, number)
    }

    /// Takes `walk` over the array of this moment; without a guard where the reader is at home, for what
    /// a guard would keep at hand for an unwinding costs as much as the call.
    ///
    /// Nothing unwinds between the beginning and the end: the common part of a walk catches what
    /// panics, and the rest of one has a guard. Should it happen all the same, the walk would never be
    /// over, and what it may see never be freed.
    #[inline(always)]
    pub(crate) fn take<W: Walk<S>>(&mut self, walk: W) -> W::Output {
        // The reader itself is lent to nobody, so that a loop of emissions may keep both at hand.
        let (set, record) = (&*self.set, &*self.record);
        let Some(idle) = record.idle_at_home(Home::here()) else {
            return set.take_elsewhere(record, walk);
        };
        // Whoever is at home has a light half that is free (`take_elsewhere`).
        let number = record.begin(idle, set.fences.known_free());
        let found = set.find();
        if !(found.is_one() && walk.is_quick()) {
            if found.is_none() {
                set.close(record, number, End::InVain);
                return W::all(0);
            }
            return set.take_at_home(record, number, walk);
        }
        // SAFETY: the record says that its reader is walking until `close` below, or until the guard of
        // the rest is dropped, and the exclusive borrow allows one walk at a time; and there is one entry.
        let only = unsafe { found.only() };
        match walk.one(only) {
            Ok(()) => {
                set.close(record, number, End::Counted);
                W::all(1)
            }
            Err(trouble) => {
                // SAFETY: as above.
                let array = unsafe { found.array() };
                set.take_rest_of_one(record, array, walk, trouble)
            }
        }
    }
}

impl<S: Spec> Drop for OwnedReader<S> {
    fn drop(&mut self) {
        self.set.readers.deregister(&self.record);
    }
}

/// Walks of owned readers that have begun.
impl<S: Spec> ListenerSet<S> {
    #[inline(always)]
    fn guard<'a>(
        &'a self,
        record: &'a Record,
        array: &'a Array<S>,
        number: u64,
    ) -> OwnedWalk<'a, S> {
        OwnedWalk {
            set: self,
            record,
            array,
            number,
            end: Cell::new(End::Counted),
        }
    }

    /// Goes on with walk `number` of `record`, whose reader is at home here, without a guard.
    #[inline(never)]
    fn take_at_home<W: Walk<S>>(&self, record: &Record, number: u64, walk: W) -> W::Output {
        // SAFETY: as in `OwnedReader::take`.
        let array = unsafe { self.load() };
        match walk.several(array) {
            Ok(()) => {
                let listeners = array.len();
                let end = record.count_walk(listeners);
                self.close(record, number, end);
                W::all(listeners)
            }
            Err(trouble) => self.take_rest(record, array, number, walk, trouble),
        }
    }

    /// Takes `walk` under a guard: on a thread that does not know the record. It will from the next one
    /// on, if the signal has walks without a guard, and the thread does not know too many.
    #[cold]
    #[inline(never)]
    fn take_elsewhere<W: Walk<S>>(&self, record: &Record, walk: W) -> W::Output {
        if !(walk.may_be_hot() && here::move_in(record)) {
            record.move_to(Home::NOWHERE);
        }
        let number = record.enter(self.fences);
        // SAFETY: the record says that its reader is walking until the guard is dropped.
        let array = unsafe { self.load() };
        let guard = self.guard(record, array, number);
        walk.rest(array, &Counting::new(record, Some(&guard.end)), None)
    }

    /// As `take_rest`, of a walk over one listener, which has not kept its number.
    #[cold]
    #[inline(never)]
    fn take_rest_of_one<W: Walk<S>>(
        &self,
        record: &Record,
        array: &Array<S>,
        walk: W,
        trouble: W::Trouble,
    ) -> W::Output {
        let trouble = (array.entries().first(), trouble);
        self.take_rest(record, array, record.number(), walk, trouble)
    }

    #[cold]
    #[inline(never)]
    fn take_rest<'w, W: Walk<S>>(
        &self,
        record: &Record,
        array: &'w Array<S>,
        number: u64,
        walk: W,
        trouble: InTrouble<'w, S, W>,
    ) -> W::Output {
        let guard = self.guard(record, array, number);
        let counting = Counting::new(record, Some(&guard.end));
        walk.rest(array, &counting, Some(trouble))
    }

    /// Ends walk `number`, in which every listener ran and succeeded, if there was one. Its array may
    /// be gone when this returns.
    #[inline(always)]
    fn close(&self, record: &Record, number: u64, end: End) {
        self.leave(record, number, end, self.fences.known_free());
    }
}
