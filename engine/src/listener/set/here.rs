//! The records that this thread walks with: found in a nanosecond by whoever begins a walk, and
//! counted by whoever asks whether the thread is inside one.
//!
//! A walk on the hot path writes nothing of the thread's. That the thread is inside it shows in the
//! walk's record, which is odd (W1), so the answer is a look at the few records of this table. A
//! record that is not in it, because its place is taken, walks the general way, which counts its
//! [`Depth`](crate::walk::Depth).
//!
//! An owned reader may move to another thread while this table still knows its record. The record
//! says whose it is, so that a walk elsewhere is not taken for one here:
//!
//! | edge | reader's new thread              | old thread, asking                     |
//! | H1   | `home`; Release fence; `active` odd | `active`; Acquire fence; `home`     |
//!
//! Whoever sees a walk of the new thread sees whose it is.
#![expect(
    unsafe_code,
    reason = "the table holds pointers to records that the thread shares in"
)]

use super::readers::Record;
use super::visitors::Visitor;
use core::cell::{Cell, RefCell};
use core::ptr;
use corecast_ring::sync::thread_local;
use std::sync::Arc;

const PLACES: usize = 16;

/// Where a record stands in every thread's table. Given out in turn, so that those of a program
/// with few of them do not share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(usize);

impl Place {
    pub(super) fn next() -> Self {
        use core::sync::atomic::{AtomicUsize, Ordering};
        // Not of the facade: a process-wide counter that orders nothing.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed) % PLACES)
    }
}

/// A record of this thread.
#[derive(Clone, Copy)]
struct Known {
    record: *const Record,
    /// Of the shared path: what else the thread has of the set. Otherwise null.
    visitor: *const Visitor,
    /// What it is found by: the record's address, or that of the set's readers.
    key: *const (),
}

const NOBODY: Known = Known {
    record: ptr::null(),
    visitor: ptr::null(),
    key: ptr::null(),
};

thread_local! {
    static HERE: [Cell<Known>; PLACES] = const { [const { Cell::new(NOBODY) }; PLACES] };
    /// Keeps the records of owned readers alive for as long as the table knows them.
    static KEPT: RefCell<Kept> = RefCell::new(Kept([const { None }; PLACES]));
}

struct Kept([Option<Arc<Record>>; PLACES]);

impl Drop for Kept {
    fn drop(&mut self) {
        forget_all();
    }
}

/// Empties the table; what it knew walks the general way.
pub(super) fn forget_all() {
    // The table has no destructor, so it is there for as long as the thread is (but under loom).
    let _ = HERE.try_with(|here| here.iter().for_each(|known| known.set(NOBODY)));
}

/// A number of this thread's, no other's at the same time; never 0.
fn thread_number() -> usize {
    HERE.try_with(|here| ptr::from_ref(here) as usize)
        .unwrap_or(usize::MAX)
}

fn known_at(place: Place, key: *const ()) -> Option<Known> {
    let known = HERE.try_with(|here| here[place.0 % PLACES].get()).ok()?;
    (ptr::eq(known.key, key)).then_some(known)
}

/// Whether this thread knows `record`, of an owned reader.
#[inline(always)]
pub(super) fn is_at_home(place: Place, record: &Arc<Record>) -> bool {
    let key = Arc::as_ptr(record);
    HERE.try_with(|here| ptr::eq(here[place.0 % PLACES].get().key, key.cast()))
        .unwrap_or(false)
}

/// The visitor behind `key`, if this thread knows it.
#[inline(always)]
pub(super) fn visitor(place: Place, key: *const ()) -> Option<*const Visitor> {
    known_at(place, key).map(|known| known.visitor)
}

/// Whether a record may be put there: nobody's walk is lost sight of.
fn is_free(place: Place) -> bool {
    let there = HERE.try_with(|here| here[place.0 % PLACES].get());
    // SAFETY: what the table knows is alive: visitors' records by their thread's map, which empties
    // the table when it drops one; owned readers' by `KEPT`.
    there.is_ok_and(|there| {
        unsafe { there.record.as_ref() }.is_none_or(|one| !one.is_walked_in(thread_number()))
    })
}

/// From now on this thread knows the visitor's record. Not if that of a walk in progress stands in
/// its place.
pub(super) fn know_visitor(place: Place, key: *const (), visitor: &Visitor) {
    if is_free(place) {
        visitor.record().move_to(thread_number());
        let known = Known {
            record: visitor.record(),
            visitor,
            key,
        };
        let _ = HERE.try_with(|here| here[place.0 % PLACES].set(known));
    }
}

/// As [`know_visitor`], for the record of an owned reader that is about to walk here.
pub(super) fn move_in(place: Place, record: &Arc<Record>) {
    if !is_free(place) {
        return;
    }
    record.move_to(thread_number());
    let kept =
        KEPT.try_with(|kept| kept.borrow_mut().0[place.0 % PLACES].replace(Arc::clone(record)));
    if let Ok(former) = kept {
        let known = Known {
            record: Arc::as_ptr(record),
            visitor: ptr::null(),
            key: Arc::as_ptr(record).cast(),
        };
        let _ = HERE.try_with(|here| here[place.0 % PLACES].set(known));
        drop(former);
    }
}

/// How this thread's walks look from within one of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    /// Walks in progress whose records this thread knows.
    pub(crate) walks: u32,
    /// The walk asked about is among them.
    pub(crate) knows: bool,
}

/// Counts this thread's walks by the records that it knows; `this` may be one of them.
pub(crate) fn surroundings(this: Option<&Record>) -> Surroundings {
    let here = thread_number();
    let mut found = Surroundings {
        walks: 0,
        knows: false,
    };
    let _ = HERE.try_with(|table| {
        for known in table {
            // SAFETY: as in `is_free`.
            let Some(record) = (unsafe { known.get().record.as_ref() }) else {
                continue;
            };
            if record.is_walked_in(here) {
                found.walks += 1;
                found.knows |= this.is_some_and(|this| ptr::eq(this, record));
            }
        }
    });
    found
}
