//! The shared path's per-thread state: an epoch handle and a record for each set that the thread
//! has used, found again in a nanosecond.
//!
//! A thread's first use of a set registers it (and allocates). A small cache answers the later ones;
//! behind it stands a map. Sets that are gone are forgotten when the next one is registered.
#![expect(
    unsafe_code,
    reason = "the cache holds pointers to what the thread's own map owns"
)]

use super::here::{self, Home};
use super::readers::{Readers, Record};
use core::cell::{Cell, RefCell};
use core::ops::Deref;
use core::ptr;
use corecast_ring::sync::{Numbers, thread_local};
use crossbeam_epoch::{Collector, Guard, LocalHandle};
use std::collections::HashMap;
use std::sync::Arc;

/// One thread's standing with one set.
pub(super) struct Visitor {
    readers: Arc<Readers>,
    record: Arc<Record>,
    handle: LocalHandle,
}

impl Visitor {
    fn new(readers: &Arc<Readers>, collector: &Collector) -> Self {
        Self {
            readers: Arc::clone(readers),
            record: readers.register(false),
            handle: collector.register(),
        }
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        // The handle pins once more, to hand over what was deferred here. No record says so: a
        // reclaimer that meets that pin looks again until it is gone (`hand_over`).
        self.readers.deregister(&self.record);
    }
}

/// The cached answer of a map look-up: the set's `Readers` address, and the thread's visitor.
type Cached = (*const Readers, *const Visitor);

const PLACES: usize = 16;

/// Where every thread keeps its visitor of a set at hand. Given out in turn, so that those of a
/// program with few sets do not share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(usize);

impl Place {
    pub(super) fn next() -> Self {
        static NEXT: Numbers = Numbers::from(0);
        Self(NEXT.next() as usize % PLACES)
    }
}

thread_local! {
    /// Visitors whose records the thread knows (`here.rs`).
    static RECENT: [Cell<Cached>; PLACES] =
        const { [const { Cell::new((ptr::null(), ptr::null())) }; PLACES] };
    static VISITORS: RefCell<Visitors> = RefCell::new(Visitors(HashMap::new()));
}

struct Visitors(HashMap<*const Readers, Box<Visitor>>);

impl Drop for Visitors {
    fn drop(&mut self) {
        forget_recent();
    }
}

/// From here on this thread walks the general way, until it has found a set in its map again and moved
/// in.
pub(super) fn forget_recent() {
    // The cache has no destructor, so it is there for as long as the thread is (but under loom).
    let _ = RECENT.try_with(|recent| {
        recent
            .iter()
            .for_each(|cached| cached.set((ptr::null(), ptr::null())));
    });
}

/// The thread's standing with a set, for the length of one visit.
pub(super) enum Visit<'a> {
    /// Owned by the thread's map.
    Registered(&'a Visitor),
    /// Of this visit alone: the thread's map is gone already (a visit from a thread-local
    /// destructor).
    Passing(Box<Visitor>),
}

impl Deref for Visit<'_> {
    type Target = Visitor;

    #[inline(always)]
    fn deref(&self) -> &Visitor {
        match self {
            Self::Registered(visitor) => visitor,
            Self::Passing(visitor) => visitor,
        }
    }
}

impl Visitor {
    /// This thread's standing with a set, if it is one of those used lately.
    #[inline(always)]
    pub(super) fn recent(readers: &Arc<Readers>, place: Place) -> Option<&Self> {
        let recent = RECENT.try_with(|recent| recent[place.0 % PLACES].get());
        match recent {
            Ok((cached, visitor)) if cached == Arc::as_ptr(readers) => {
                // SAFETY: the map owns the visitor and drops it only when its set is gone, which the
                // borrow of the set's readers excludes, or with the thread, which nothing on its
                // stack outlives; either empties the cache first.
                Some(unsafe { &*visitor })
            }
            _ => None,
        }
    }

    #[inline(always)]
    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    #[inline(always)]
    pub(super) fn pin(&self) -> Guard {
        self.handle.pin()
    }
}

impl<'a> Visit<'a> {
    /// Finds this thread's standing, or makes it.
    #[inline(never)]
    pub(super) fn of(readers: &'a Arc<Readers>, place: Place, collector: &Collector) -> Self {
        if let Some(recent) = Visitor::recent(readers, place) {
            return Self::Registered(recent);
        }
        let key = Arc::as_ptr(readers);
        let found = VISITORS.try_with(|visitors| {
            let mut visitors = visitors.borrow_mut();
            if !visitors.0.contains_key(&key) {
                // Before any is dropped: the cache must not outlive what it points to.
                if visitors.0.values().any(|one| !one.readers.is_alive()) {
                    forget_recent();
                    visitors.0.retain(|_, one| one.readers.is_alive());
                }
                let visitor = Box::new(Visitor::new(readers, collector));
                visitors.0.insert(key, visitor);
            }
            let visitor: *const Visitor = &*visitors.0[&key];
            visitor
        });
        match found {
            Ok(visitor) => {
                // SAFETY: as in `Visitor::recent`: the map keeps what it boxed in its place.
                let visitor: &'a Visitor = unsafe { &*visitor };
                // At home, and allowed to make use of it.
                if here::move_in(&visitor.record) && visitor.record.is_at_home(Home::here()) {
                    let _ = RECENT.try_with(|recent| recent[place.0 % PLACES].set((key, visitor)));
                }
                Self::Registered(visitor)
            }
            Err(_) => Self::Passing(Box::new(Visitor::new(readers, collector))),
        }
    }
}
