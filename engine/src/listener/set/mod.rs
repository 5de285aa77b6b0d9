//! The listener set: an immutable array behind one pointer, replaced on every change.
//!
//! Emissions walk the array they find; subscribers and removers, one at a time, put another in its
//! place and retire the old one.
//!
//! - `array.rs`: listeners in memory, entries, removal switches
//! - `readers.rs`: who may be walking
//! - `visitors.rs`: the shared path's per-thread state
//! - `here.rs`: the records that this thread walks with
//! - `reclaim.rs`: when and by whom retired arrays are dropped
//! - here: the two ways in (owned and shared), each quick or under a guard, and membership
//!
//! | edge | one remover                                  | another     | loom model |
//! | L4   | under the lock: finds it, takes it out       | finds nothing | unsubscribe::two_removals_of_one_listener_are_one |
#![expect(
    unsafe_code,
    reason = "the current array is reached through an atomic pointer"
)]

mod array;
mod here;
mod readers;
mod reclaim;
mod visitors;

pub(crate) use array::{Array, Entry, OwnedListener, Token, is_skipped};
pub(crate) use here::surroundings;

pub(crate) use readers::{Readers, Record, Totals};

use crate::error::{SubscribeError, WaitError};
use crate::fault::{ListenerInfo, Payload};
use crate::listener::{ListenerId, Meta};
use array::Head;
use cache_padded::CachePadded;
use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::NonNull;
use corecast_ring::sync::{AtomicBool, AtomicPtr, Mutex, Ordering, lock};
use corecast_ring::{FencePair, FreeFence, LightFence, Parker};
use crossbeam_epoch::{Collector, Guard};
use here::Home;
use reclaim::{Patience, Retirement};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use visitors::{Place, Visit, Visitor};

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
    current: CachePadded<AtomicPtr<Array<S>>>,
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
        let empty = Box::into_raw(Box::new(Array::empty()));
        Self {
            current: CachePadded::new(AtomicPtr::new(empty)),
            fences,
            readers: Arc::new(Readers::new(fences)),
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
        let array = self.current.load(Ordering::Relaxed);
        // SAFETY: the current array is retired by a swap under that lock, and dropped after.
        unsafe { &*array }
    }

    /// Puts `next` in place of the current array and retires that one with the removed listeners.
    fn swap(&self, book: &mut Book<S>, next: Array<S>, removed: Vec<NonNull<Head<S>>>) {
        for retired in &book.retirement.retired {
            // L2: older walks must not call them either.
            retired.array().switch_off(&removed);
        }
        let next = Box::into_raw(Box::new(next));
        // AcqRel (L1): the new array happens before any walk that finds it. The old one was
        // published by an earlier holder of the lock.
        let old = self.current.swap(next, Ordering::AcqRel);
        // SAFETY: every array in `current` came from `Box::into_raw`; the swap took this one out,
        // and walks that still follow it are waited for before the box is dropped.
        let old = unsafe { Box::from_raw(old) };
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
        let array = self.current.load(Ordering::Relaxed);
        // SAFETY: every walk borrows the set, so none is left; arrays in `current` came from
        // `Box::into_raw`.
        let array = unsafe { Box::from_raw(array) };
        self.drop_everything(*array);
        self.readers.close();
    }
}

/// One walk: an array that stays while this lives.
pub(crate) struct OwnedWalk<'a, S: Spec> {
    set: &'a ListenerSet<S>,
    record: &'a Record,
    array: &'a Array<S>,
    number: u64,
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
        self.set.leave(self.record, self.number, self.set.fences);
    }
}

/// The owned way in: one reader, one walk at a time, no read-modify-write.
pub(crate) struct OwnedReader<S: Spec> {
    set: Arc<ListenerSet<S>>,
    record: Arc<Record>,
    /// Where it walks the hot path; nowhere, if the light fence is not free.
    home: Home,
}

/// A reader is at home; see [`OwnedReader::at_home`].
#[derive(Clone, Copy)]
pub(crate) struct AtHome(FreeFence);

/// A thread's standing with a set that it is not walking; see [`ListenerSet::known_here`].
#[derive(Clone, Copy)]
pub(crate) struct KnownHere<'a> {
    visitor: &'a Visitor,
    fence: FreeFence,
}

impl<S: Spec> OwnedReader<S> {
    pub(crate) fn new(set: Arc<ListenerSet<S>>) -> Self {
        let record = set.readers.register(true);
        Self {
            set,
            record,
            home: Home::NOWHERE,
        }
    }

    /// Begins a walk over the array of this moment, under a guard.
    #[inline(always)]
    pub(crate) fn walk(&mut self) -> OwnedWalk<'_, S> {
        let number = self.record.enter(self.set.fences);
        // SAFETY: the record says that this reader is walking until the guard is dropped, and the
        // exclusive borrow allows one walk at a time.
        let array = unsafe { self.set.load() };
        self.guard(array, number)
    }

    #[inline(always)]
    fn guard<'a>(&'a self, array: &'a Array<S>, number: u64) -> OwnedWalk<'a, S> {
        OwnedWalk {
            set: &self.set,
            record: &self.record,
            array,
            number,
        }
    }

    /// Takes `walk` over the array of this moment, with a guard.
    pub(crate) fn walk_guarded<W: Walk<S>>(&mut self, walk: W) -> W::Output {
        let guard = self.walk();
        let counting = Counting::new(guard.record, Some(guard.number));
        walk.rest(&guard, &counting, None)
    }

    /// Makes this thread the reader's home, so that it is [`OwnedReader::at_home`] here.
    pub(crate) fn move_in(&mut self, _: FreeFence) {
        self.home = here::move_in(&self.record).unwrap_or(Home::NOWHERE);
    }

    /// What a hot walk needs: that the reader is at home here, where its record tells that the thread
    /// is inside a walk, and that its light fence is free.
    #[inline(always)]
    pub(crate) fn at_home(&self) -> Option<AtHome> {
        // One that is not free has no home (`move_in`).
        self.home
            .is_here()
            .then(|| AtHome(self.set.fences.known_free()))
    }

    /// Takes `walk` over the array of this moment, without a guard: what that would keep at hand for
    /// an unwinding costs a nanosecond.
    ///
    /// Nothing unwinds between the beginning and the end: the common part of a walk catches what
    /// panics, and the rest of one has a guard. Should it happen all the same, the walk would never be
    /// over, and what it may see never be freed.
    #[inline(always)]
    pub(crate) fn walk_hot<W: Walk<S>>(&mut self, home: AtHome, walk: W) -> W::Output {
        let record = &*self.record;
        let number = record.enter(home.0);
        // SAFETY: the record says that this reader is walking until `close` below, or until the guard
        // of the rest is dropped; the exclusive borrow allows one walk at a time.
        let array = unsafe { self.set.load() };
        record.count_walk(number, array.len());
        if !walk.is_small(array.len()) {
            return self.walk_many(array, number, walk);
        }
        if let [only] = array.entries() {
            return match walk.one(only) {
                Ok(()) => {
                    self.close(record, number);
                    W::all(1)
                }
                Err(trouble) => self.walk_rest_of_one(array, walk, trouble),
            };
        }
        match walk.few(array) {
            Ok(()) => {
                let listeners = array.len();
                self.close(&self.record, number);
                W::all(listeners)
            }
            Err(trouble) => self.walk_rest(array, number, walk, trouble),
        }
    }

    #[inline(never)]
    fn walk_many<W: Walk<S>>(&self, array: &Array<S>, number: u64, walk: W) -> W::Output {
        match walk.many(array) {
            Ok(()) => {
                let listeners = array.len();
                self.close(&self.record, number);
                W::all(listeners)
            }
            Err(trouble) => self.walk_rest(array, number, walk, trouble),
        }
    }

    /// As `walk_rest`, of a walk over one listener, which has kept neither its place nor its number.
    #[cold]
    #[inline(never)]
    fn walk_rest_of_one<W: Walk<S>>(
        &self,
        array: &Array<S>,
        walk: W,
        trouble: W::Trouble,
    ) -> W::Output {
        let number = self.record.number();
        self.walk_rest(array, number, walk, (array.entries().first(), trouble))
    }

    #[cold]
    #[inline(never)]
    fn walk_rest<'w, W: Walk<S>>(
        &self,
        array: &'w Array<S>,
        number: u64,
        walk: W,
        trouble: InTrouble<'w, S, W>,
    ) -> W::Output {
        let guard = self.guard(array, number);
        let counting = Counting::new(guard.record, Some(number));
        walk.rest(array, &counting, Some(trouble))
    }

    /// Ends walk `number` of `record`, which is this reader's, in which every listener ran and succeeded.
    /// Its array may be gone when this returns.
    #[inline(always)]
    fn close(&self, record: &Record, number: u64) {
        if record.leave(number, self.set.fences.known_free()) {
            self.collect_marked();
        }
    }

    #[cold]
    #[inline(never)]
    fn collect_marked(&self) {
        self.record.unmark();
        self.set.collect(Patience::Mark);
    }
}

impl<S: Spec> Drop for OwnedReader<S> {
    fn drop(&mut self) {
        self.set.readers.deregister(&self.record);
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

    /// Whether a walk over so many, which is about to begin, is to be part of the caller's code; one that
    /// is not to begin at all is not.
    fn is_small(self, listeners: usize) -> bool;

    /// The common part of a small walk over one listener, which keeps nothing at hand but what ends
    /// it: whether that ran and succeeded. Does not unwind.
    fn one(self, entry: &Entry<S>) -> Result<(), Self::Trouble>;

    /// The common part of a small walk: whether all of them ran and succeeded. Does not unwind.
    fn few<'w>(self, array: &'w Array<S>) -> Result<(), InTrouble<'w, S, Self>>;

    /// The same of one that is not small.
    fn many<'w>(self, array: &'w Array<S>) -> Result<(), InTrouble<'w, S, Self>>;

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
    /// `None` in a walk within a walk of the same record.
    number: Option<u64>,
    delivered: Cell<usize>,
}

impl<'a> Counting<'a> {
    fn new(record: &'a Record, number: Option<u64>) -> Self {
        Self {
            record,
            number,
            delivered: Cell::new(0),
        }
    }

    /// The record that says that the thread is inside this walk. A walk within a walk of the same
    /// record has none: it says so itself.
    pub(crate) fn announced(&self) -> Option<&'a Record> {
        self.number.map(|_| self.record)
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
        match self.number {
            Some(number) => self.record.count_walk(number, self.delivered.get()),
            None => self.record.count_nested(self.delivered.get()),
        }
    }
}

/// Ends a walk on the shared path that its thread's record has announced.
struct SharedEnd<'a, S: Spec> {
    set: &'a ListenerSet<S>,
    record: &'a Record,
    number: u64,
}

impl<S: Spec> Drop for SharedEnd<'_, S> {
    fn drop(&mut self) {
        self.set.leave(self.record, self.number, self.set.fences);
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
        // Acquire (L1, W1).
        let array = self.current.load(Ordering::Acquire);
        // SAFETY: whoever retires this array after our load waits for the walk to end (W1), or
        // defers to the collector that the caller has pinned (E1).
        unsafe { &*array }
    }

    /// Ends walk `number` of `record`, and reclaims what it was in the way of.
    #[inline(always)]
    fn leave(&self, record: &Record, number: u64, fence: impl LightFence) {
        if record.leave(number, fence) {
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
        let _end = number.map(|number| SharedEnd {
            set: self,
            record,
            number,
        });
        let _pin = visit.pin();
        let counting = Counting::new(record, number);
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

    /// As [`ListenerSet::walk_shared`], without a guard, as [`OwnedReader::walk_hot`].
    #[inline(always)]
    pub(crate) fn walk_shared_hot<W: Walk<S>>(&self, known: KnownHere<'_>, walk: W) -> W::Output {
        let visitor = known.visitor;
        let number = visitor.record().enter(known.fence);
        let pin = ManuallyDrop::new(visitor.pin());
        // SAFETY: the pin is held until `close_shared` below, or until the guard of the rest is
        // dropped.
        let array = unsafe { self.load() };
        visitor.record().count_walk(number, array.len());
        // Asked before the size, other than in `OwnedReader::walk_hot`: the compiler then keeps less over
        // the calls, on either way.
        if let [only] = array.entries()
            && walk.is_small(1)
        {
            return match walk.one(only) {
                Ok(()) => {
                    self.close_shared(visitor, pin, number);
                    W::all(1)
                }
                Err(trouble) => self.walk_shared_rest_of_one(array, visitor, pin, walk, trouble),
            };
        }
        if !walk.is_small(array.len()) {
            return self.walk_shared_many(array, visitor, pin, number, walk);
        }
        match walk.few(array) {
            Ok(()) => {
                let listeners = array.len();
                self.close_shared(visitor, pin, number);
                W::all(listeners)
            }
            Err(trouble) => self.walk_shared_rest(array, visitor, pin, number, walk, trouble),
        }
    }

    #[inline(never)]
    fn walk_shared_many<W: Walk<S>>(
        &self,
        array: &Array<S>,
        visitor: &Visitor,
        pin: ManuallyDrop<Guard>,
        number: u64,
        walk: W,
    ) -> W::Output {
        match walk.many(array) {
            Ok(()) => {
                let listeners = array.len();
                self.close_shared(visitor, pin, number);
                W::all(listeners)
            }
            Err(trouble) => self.walk_shared_rest(array, visitor, pin, number, walk, trouble),
        }
    }

    /// As [`OwnedReader::walk_rest_of_one`].
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
        let _end = SharedEnd {
            set: self,
            record,
            number,
        };
        let _pin = ManuallyDrop::into_inner(pin);
        walk.rest(array, &Counting::new(record, Some(number)), Some(trouble))
    }

    /// Ends walk `number`, in which every listener ran and succeeded. Its array may be gone when this
    /// returns.
    #[inline(always)]
    fn close_shared(&self, visitor: &Visitor, pin: ManuallyDrop<Guard>, number: u64) {
        drop(ManuallyDrop::into_inner(pin));
        self.leave(visitor.record(), number, self.fences.known_free());
    }
}
