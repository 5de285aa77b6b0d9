//! The listener set: an immutable array behind one pointer, replaced on every change.
//!
//! Emissions walk the array they find; subscribers and removers, one at a time, put another in its
//! place and retire the old one.
//!
//! - `entry.rs`: listeners in memory, entries, removal switches
//! - `array.rs`: the array, which a listener that is alone has in itself, and a pointer to it that says
//!   whether it has one listener, or none
//! - `readers.rs`: who may be walking
//! - `visitors.rs`: the shared path's per-thread state
//! - `here.rs`: the records that this thread walks with
//! - `reclaim.rs`: when and by whom retired arrays are dropped
//! - `owned.rs`, `shared.rs`: the two ways in, each quick or under a guard
//! - here: membership, and what the two ways have in common
//!
//! | edge | one remover                                  | another     | loom model |
//! | L4   | under the lock: finds it, takes it out       | finds nothing | unsubscribe::two_removals_of_one_listener_are_one |
#![expect(
    unsafe_code,
    reason = "the current array is reached through an atomic pointer"
)]

mod array;
mod entry;
mod here;
mod owned;
mod readers;
mod reclaim;
mod shared;
mod visitors;

pub(crate) use array::Array;
pub(crate) use entry::{Entry, Only, Outcome, OwnedListener, Token, is_skipped};
pub(crate) use here::{BESIDE, close_hot, open_hot, surroundings};
pub(crate) use owned::OwnedReader;
pub(crate) use readers::{Readers, Record, Totals};

use crate::error::{SubscribeError, WaitError};
use crate::fault::{ListenerInfo, Payload};
use crate::listener::{ListenerId, Meta};
use array::{Header, Made, Thin};
use cache_padded::CachePadded;
use core::cell::Cell;
use core::ptr::NonNull;
use corecast_ring::sync::{AtomicBool, AtomicPtr, Mutex, Ordering, lock};
use corecast_ring::{FencePair, LightFence, Parker};
use crossbeam_epoch::Collector;
use entry::Head;
use readers::End;
use reclaim::{Patience, Retirement};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use visitors::Place;

/// How deep walks on the hot path are nested, at most (`here.rs`): a set that allows less has none.
pub(crate) const HOT_DEPTH: u32 = 64;

/// What the listeners of a set are called with.
pub(crate) trait Spec: Sized + 'static {
    /// What a call is about.
    type Arg: ?Sized;
    /// What else a call is given.
    type Ctx<'a>: Copy;
    /// What `describe` renders.
    type Item: ?Sized;
    /// The set has one walker, and it never calls a listener from within itself; so listeners may
    /// be called mutably, and there is no shared path.
    const EXCLUSIVE: bool;
}

/// Where a listener is, for whoever wants to remove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle {
    token: Token,
    pub(crate) id: ListenerId,
}

/// Who drops retired arrays.
pub(crate) enum Reclaimer {
    /// Whoever removes, waits or was in the way.
    Anyone,
    /// One thread, which is woken for it and calls `collect_as_owner`.
    Owner(Box<dyn Fn() + Send + Sync>),
}

type OnDropPanic = Box<dyn Fn(ListenerInfo, Payload) + Send + Sync>;

pub(crate) struct ListenerSet<S: Spec> {
    /// The array that the next walk follows (L1). Written under the lock.
    current: CachePadded<AtomicPtr<Header>>,
    fences: FencePair,
    readers: Arc<Readers>,
    /// Corecast's own collector, one for each set: nobody else's pin can delay it.
    collector: Option<Collector>,
    /// Where threads on the shared path look first for their standing with this set.
    place: Place,
    book: Mutex<Book<S>>,
    /// Where threads wait for retired arrays to be dropped.
    done: Parker,
    /// The kernel took the heavy fence away: nothing is dropped any more.
    broken: AtomicBool,
    reclaimer: Reclaimer,
    /// The owner is gone for good; anyone may reclaim.
    orphaned: AtomicBool,
    on_drop_panic: OnDropPanic,
}

#[cfg(target_arch = "x86_64")]
const _: () = {
    use core::mem::offset_of;
    // Every walk reads the pointer; what changes beside it is two lines away.
    type Set = ListenerSet<crate::sync_signal::Sync<u64>>;
    const CURRENT: usize = offset_of!(Set, current);
    assert!(CURRENT.abs_diff(offset_of!(Set, book)) >= 128);
    assert!(CURRENT.abs_diff(offset_of!(Set, done)) >= 128);
    assert!(CURRENT.abs_diff(offset_of!(Set, orphaned)) >= 128);
    assert!(CURRENT.abs_diff(offset_of!(Set, broken)) >= 128);
};

/// What subscribers and removers share.
struct Book<S: Spec> {
    keys: HashMap<Arc<str>, NonNull<Head<S>>>,
    retirement: Retirement<S>,
}

// SAFETY: the pointers are to listeners of the current array, which are Send (OwnedListener), and
// are followed only under the lock.
unsafe impl<S: Spec> Send for Book<S> {}

impl<S: Spec> ListenerSet<S> {
    pub(crate) fn new(
        fences: FencePair,
        reclaimer: Reclaimer,
        on_drop_panic: impl Fn(ListenerInfo, Payload) + Send + Sync + 'static,
    ) -> Self {
        let empty = Thin::of(Array::<S>::empty()).word();
        Self {
            current: CachePadded::new(AtomicPtr::new(empty)),
            fences,
            // Where listeners are called run by run, runs are counted by themselves.
            readers: Arc::new(Readers::new(fences, u64::from(!S::EXCLUSIVE))),
            collector: (!S::EXCLUSIVE).then(Collector::new),
            place: Place::next(),
            book: Mutex::new(Book {
                keys: HashMap::new(),
                retirement: Retirement::new(),
            }),
            done: Parker::new(fences),
            broken: AtomicBool::new(false),
            reclaimer,
            orphaned: AtomicBool::new(false),
            on_drop_panic: Box::new(on_drop_panic),
        }
    }

    /// The current array, for somebody who holds the lock.
    fn current(&self, _book: &Book<S>) -> &Array<S> {
        // Relaxed: arrays change under the lock that the caller holds.
        let array = Thin::from_word(self.current.load(Ordering::Relaxed));
        // SAFETY: the current array is retired by a swap under that lock, and dropped after.
        unsafe { array.array() }
    }

    /// Puts `next` in place of the current array and retires that one with the removed listeners.
    fn swap(&self, book: &mut Book<S>, next: Made<S>, removed: Vec<NonNull<Head<S>>>) {
        for retired in &book.retirement.retired {
            // L2: older walks must not call them either.
            retired.switch_off(&removed);
        }
        for head in &removed {
            // SAFETY: it is retired below, and dropped after that.
            unsafe { head.as_ref() }.switch_off();
        }
        let next = Thin::of(next).word();
        // AcqRel (L1): the new array happens before any walk that finds it. The old one was
        // published by an earlier holder of the lock.
        let old = self.current.swap(next, Ordering::AcqRel);
        // SAFETY: every array in `current` came from `Thin::of`; the swap took this one out, and walks
        // that still follow it are waited for before the box is dropped.
        let old = unsafe { Thin::from_word(old).into_box() };
        self.retire(&mut book.retirement, old, removed);
    }

    /// Removes `once` listeners that were called.
    fn sweep(&self, book: &mut Book<S>) {
        if self.current(book).has_spent() {
            let (next, removed) = self.current(book).without(|_, meta| !meta.is_live());
            for head in &removed {
                Self::forget_key(book, *head);
            }
            self.swap(book, next, removed);
        }
    }

    /// Adds listeners, all or none, with one swap.
    ///
    /// # Errors
    ///
    /// A key that is empty, or taken.
    pub(crate) fn add(
        &self,
        listeners: Vec<OwnedListener<S>>,
    ) -> Result<Vec<Handle>, SubscribeError> {
        if listeners.is_empty() {
            return Ok(Vec::new());
        }
        let handles = listeners.iter().map(OwnedListener::handle).collect();
        let collect = {
            let mut book = lock(&self.book);
            self.sweep(&mut book);
            self.check_keys(&book, &listeners)?;
            for listener in &listeners {
                if let Some(key) = &listener.meta().key {
                    book.keys.insert(Arc::clone(key), listener.head());
                }
            }
            let next = self.current(&book).with(listeners);
            self.swap(&mut book, next, Vec::new());
            self.should_collect(&book.retirement)
        };
        if collect {
            self.collect(Patience::None);
        }
        Ok(handles)
    }

    fn check_keys(&self, book: &Book<S>, added: &[OwnedListener<S>]) -> Result<(), SubscribeError> {
        let mut seen = std::collections::HashSet::new();
        for key in added
            .iter()
            .filter_map(|listener| listener.meta().key.as_ref())
        {
            if key.is_empty() {
                return Err(SubscribeError::EmptyKey);
            }
            if Self::find_key(book, key).is_some() || !seen.insert(key) {
                return Err(SubscribeError::DuplicateKey(Arc::clone(key)));
            }
        }
        Ok(())
    }

    /// The live listener that holds `key`.
    fn find_key<'a>(book: &'a Book<S>, key: &str) -> Option<&'a Head<S>> {
        let head = book.keys.get(key)?;
        // SAFETY: keys name listeners of the current array: `forget_keys` runs with each removal
        // under the lock, and listeners are dropped after.
        let head = unsafe { head.as_ref() };
        head.meta.is_live().then_some(head)
    }

    /// Removes one listener; whether this call did it.
    pub(crate) fn remove(&self, handle: Handle) -> bool {
        let removed = {
            let mut book = lock(&self.book);
            let array = self.current(&book);
            let position = array
                .position(handle.token)
                .filter(|&index| array.meta(index).id == handle.id);
            position.map(|index| self.remove_at(&mut book, index))
        };
        self.after_removal(removed)
    }

    /// Removes the listener that holds `key`; whether there was one.
    pub(crate) fn remove_key(&self, key: &str) -> bool {
        let removed = {
            let mut book = lock(&self.book);
            let found = Self::find_key(&book, key).map(NonNull::from);
            let index = found.and_then(|head| self.current(&book).position(Token::of(head)));
            index.map(|index| self.remove_at(&mut book, index))
        };
        self.after_removal(removed)
    }

    /// Collects if a listener was found, be it a spent one that counts as gone already.
    fn after_removal(&self, was_active: Option<bool>) -> bool {
        if was_active.is_some() {
            self.collect_removed();
        }
        was_active.unwrap_or(false)
    }

    fn remove_at(&self, book: &mut Book<S>, index: usize) -> bool {
        let was_active = self.current(book).meta(index).state.transition_to_removed();
        let (next, removed) = self.current(book).without_one(index);
        Self::forget_key(book, removed);
        self.swap(book, next, vec![removed]);
        self.sweep(book);
        was_active
    }

    /// Frees the key of a listener that leaves, unless somebody else holds it by now.
    fn forget_key(book: &mut Book<S>, head: NonNull<Head<S>>) {
        // SAFETY: the caller is about to retire the listener, which is dropped after that.
        let key = &unsafe { head.as_ref() }.meta.key;
        if let Some(key) = key
            && book.keys.get(key) == Some(&head)
        {
            book.keys.remove(key);
        }
    }

    /// Removes every listener.
    pub(crate) fn clear(&self) {
        {
            let mut book = lock(&self.book);
            book.keys.clear();
            let (next, removed) = self.current(&book).without(|_, meta| {
                meta.state.transition_to_removed();
                true
            });
            if removed.is_empty() {
                return;
            }
            self.swap(&mut book, next, removed);
        }
        self.collect_removed();
    }

    /// Waits until every array retired and every listener removed before the call, spent ones
    /// included, has been dropped.
    ///
    /// # Errors
    ///
    /// As [`WaitError`] says.
    pub(crate) fn quiesce(&self, timeout: Duration) -> Result<(), WaitError> {
        self.sweep(&mut lock(&self.book));
        self.wait_for_retired(timeout)
    }

    /// Calls `f` with each live listener's meta data, in call order.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&Meta<S::Item>)) {
        let book = lock(&self.book);
        self.current(&book)
            .metas()
            .filter(|meta| meta.is_live())
            .for_each(&mut f);
    }

    pub(crate) fn contains_key(&self, key: &str) -> bool {
        Self::find_key(&lock(&self.book), key).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.current(&lock(&self.book)).live_len()
    }

    /// Listeners in the current array, spent ones included.
    pub(crate) fn array_len(&self) -> usize {
        self.current(&lock(&self.book)).len()
    }

    pub(crate) fn is_active(&self, handle: Handle) -> bool {
        let book = lock(&self.book);
        let array = self.current(&book);
        array.position(handle.token).is_some_and(|index| {
            let meta = array.meta(index);
            meta.id == handle.id && meta.is_live()
        })
    }

    /// Bytes of the current array.
    pub(crate) fn bytes(&self) -> usize {
        self.current(&lock(&self.book)).bytes()
    }

    pub(crate) fn fences(&self) -> FencePair {
        self.fences
    }

    /// What outlives the set in subscriptions and threads.
    pub(crate) fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    pub(crate) fn totals(&self) -> Totals {
        self.readers.totals()
    }
}

impl<S: Spec> Drop for ListenerSet<S> {
    fn drop(&mut self) {
        let array = Thin::<S>::from_word(self.current.load(Ordering::Relaxed));
        // SAFETY: every walk borrows the set, so none is left.
        let current = unsafe { array.array() };
        // SAFETY: as above, and nobody will look at another array that has these listeners.
        let listeners = unsafe { current.take_listeners() };
        // SAFETY: it came from `Thin::of`, and nobody looks at it any more.
        drop(unsafe { array.into_box() });
        self.drop_everything(listeners);
        self.readers.close();
    }
}

/// Where a walk got into trouble: the entry that was called last, if one was, and what came up.
pub(crate) type InTrouble<'w, S, W> = (Option<&'w Entry<S>>, <W as Walk<S>>::Trouble);

/// What is done with the listeners of an array. The set begins and ends the walk around it, so that
/// nothing of the array is used outside.
pub(crate) trait Walk<S: Spec>: Copy {
    /// What the whole walk came to.
    type Output;
    /// What sends a walk from its common part to its rest.
    type Trouble;

    /// Whether its signal has walks without a guard: the light fence is free, and successes are of no
    /// interest.
    fn may_be_hot(self) -> bool;

    /// Whether [`Walk::one`] will do: not for a walk that has to look at the clock, or is not to begin.
    fn is_quick(self) -> bool;

    /// The common part of a quick walk over one listener, which keeps nothing at hand but what ends
    /// it: whether that ran and succeeded. Does not unwind.
    fn one(self, only: Only<'_, S>) -> Result<(), Self::Trouble>;

    /// The common part of any walk: whether all of them ran and succeeded. Does not unwind. To be part of
    /// one place.
    fn several<'w>(self, array: &'w Array<S>) -> Result<(), InTrouble<'w, S, Self>>;

    /// The same for all other places.
    fn several_apart<'w>(self, array: &'w Array<S>) -> Result<(), InTrouble<'w, S, Self>>;

    /// What it comes to when all of so many ran and succeeded.
    fn all(listeners: usize) -> Self::Output;

    /// The rest, behind the entry that got the common part into trouble; or all of it, where there
    /// was no common part. Says to `counting` what was delivered. May unwind.
    fn rest<'w>(
        self,
        array: &'w Array<S>,
        counting: &Counting<'_>,
        trouble: Option<InTrouble<'w, S, Self>>,
    ) -> Self::Output;
}

/// The counts of one walk that is walked under a guard. Dropped before the walk ends.
pub(crate) struct Counting<'a> {
    record: &'a Record,
    /// Where to say how the walk is to be counted; `None` in a walk within a walk of the same record.
    end: Option<&'a Cell<End>>,
    delivered: Cell<usize>,
}

impl<'a> Counting<'a> {
    fn new(record: &'a Record, end: Option<&'a Cell<End>>) -> Self {
        Self {
            record,
            end,
            delivered: Cell::new(0),
        }
    }

    /// The record that says that the thread is inside this walk. A walk within a walk of the same
    /// record has none: it says so itself.
    pub(crate) fn announced(&self) -> Option<&'a Record> {
        self.end.map(|_| self.record)
    }

    /// Listeners that ran and succeeded: said once, when all have been called.
    pub(crate) fn delivered(&self, delivered: usize) {
        self.delivered.set(delivered);
    }

    pub(crate) fn count_fault(&self, panicked: bool) {
        self.record.count_fault(panicked);
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        match self.end {
            Some(end) => end.set(self.record.count_walk(self.delivered.get())),
            None => self.record.count_nested(self.delivered.get()),
        }
    }
}

impl<S: Spec> ListenerSet<S> {
    /// The array of this moment.
    ///
    /// # Safety
    ///
    /// The caller's record says that it is walking (W1), or the caller holds a pin of the set's
    /// collector (E1), and does so for as long as the reference is used.
    #[inline(always)]
    unsafe fn load(&self) -> &Array<S> {
        // SAFETY: whoever retires this array after our load waits for the walk to end (W1), or
        // defers to the collector that the caller has pinned (E1).
        unsafe { self.find().array() }
    }

    /// Where the array of this moment is.
    #[inline(always)]
    fn find(&self) -> Thin<S> {
        // Acquire (L1, W1).
        Thin::from_word(self.current.load(Ordering::Acquire))
    }

    /// Ends walk `number` of `record`, and reclaims what it was in the way of.
    #[inline(always)]
    fn leave(&self, record: &Record, number: u64, end: End, fence: impl LightFence) {
        if record.leave(number, end, fence) {
            self.collect_marked(record);
        }
    }

    /// At the end of a walk that was in a remover's way (W3).
    #[cold]
    #[inline(never)]
    fn collect_marked(&self, record: &Record) {
        record.unmark();
        self.collect(Patience::Mark);
    }
}
