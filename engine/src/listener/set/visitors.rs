//! The shared path's per-thread state: an epoch handle and a record for each set that the thread
//! has used, found again in a nanosecond.
//!
//! A thread's first use of a set registers it (and allocates). A small direct-mapped cache answers
//! the later ones; behind it stands a map. Sets that are gone are forgotten when the next one is
//! registered.
#![expect(
    unsafe_code,
    reason = "the cache holds pointers to what the thread's own map owns"
)]

use super::readers::{Readers, Record};
use core::cell::{Cell, RefCell};
use core::ptr;
use corecast_ring::sync::thread_local;
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
        self.readers.deregister(&self.record);
    }
}

/// The cached answer of a map look-up: the set's `Readers` address, and the thread's visitor.
type Cached = (*const Readers, *const Visitor);

const CACHE: usize = 16;

thread_local! {
    static RECENT: [Cell<Cached>; CACHE] =
        const { [const { Cell::new((ptr::null(), ptr::null())) }; CACHE] };
    static VISITORS: RefCell<Visitors> = RefCell::new(Visitors(HashMap::new()));
}

struct Visitors(HashMap<*const Readers, Box<Visitor>>);

impl Drop for Visitors {
    fn drop(&mut self) {
        forget_recent();
    }
}

fn forget_recent() {
    // The cache has no destructor, so it is there for as long as the thread is (but under loom).
    let _ = RECENT.try_with(|recent| {
        recent
            .iter()
            .for_each(|cached| cached.set((ptr::null(), ptr::null())));
    });
}

fn cache_line(readers: *const Readers) -> usize {
    // Allocations of this size are at least 16 bytes apart; mix the bits above.
    (readers as usize >> 4).wrapping_mul(0x9E37_79B9) >> 8 & (CACHE - 1)
}

/// The thread's standing with a set, for the length of one visit.
pub(crate) enum Visit {
    /// Owned by the thread's map.
    Registered(*const Visitor),
    /// The thread's map is gone already (a visit from a thread-local destructor).
    Passing(Box<PassingVisitor>),
}

/// A visitor of a single visit.
pub(crate) struct PassingVisitor(Visitor);

impl Visit {
    /// Finds this thread's standing, or makes it.
    #[inline(always)]
    pub(crate) fn of(readers: &Arc<Readers>, collector: &Collector) -> Self {
        let key = Arc::as_ptr(readers);
        let recent = RECENT.try_with(|recent| recent[cache_line(key)].get());
        match recent {
            Ok((cached, visitor)) if cached == key => Self::Registered(visitor),
            _ => Self::look_up(readers, collector),
        }
    }

    #[cold]
    #[inline(never)]
    fn look_up(readers: &Arc<Readers>, collector: &Collector) -> Self {
        let key = Arc::as_ptr(readers);
        let found = VISITORS.try_with(|visitors| {
            let mut visitors = visitors.borrow_mut();
            if !visitors.0.contains_key(&key) {
                let gone = visitors
                    .0
                    .extract_if(|_, visitor| !visitor.readers.is_alive());
                if gone.count() > 0 {
                    forget_recent();
                }
                visitors
                    .0
                    .insert(key, Box::new(Visitor::new(readers, collector)));
            }
            let visitor: *const Visitor = &*visitors.0[&key];
            let _ = RECENT.try_with(|recent| recent[cache_line(key)].set((key, visitor)));
            visitor
        });
        match found {
            Ok(visitor) => Self::Registered(visitor),
            Err(_) => Self::Passing(Box::new(PassingVisitor(Visitor::new(readers, collector)))),
        }
    }

    #[inline(always)]
    fn visitor(&self) -> &Visitor {
        match self {
            // SAFETY: the map owns the visitor and drops it only when its set is gone (a visit
            // keeps the set alive) or with the thread, which a visit on its stack outlives never;
            // and the map's destructor empties the cache first.
            Self::Registered(visitor) => unsafe { &**visitor },
            Self::Passing(passing) => &passing.0,
        }
    }

    #[inline(always)]
    pub(crate) fn record(&self) -> &Record {
        &self.visitor().record
    }

    #[inline(always)]
    pub(crate) fn pin(&self) -> Guard {
        self.visitor().handle.pin()
    }
}
