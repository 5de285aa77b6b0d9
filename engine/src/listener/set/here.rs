//! The records that this thread walks with, so that a walk on the hot path need not write anywhere
//! that the thread is inside it: its record says so, being odd (W1), and whoever asks looks at the
//! few records that the thread knows.
//!
//! A thread has a number, and an owned reader or a visitor that is *at home* on a thread carries that
//! number, so that the question whether it is costs one comparison. One that is not walks the general
//! way, which counts its [`Depth`](crate::walk::Depth). Numbers are never used again.
//!
//! An owned reader may move to another thread while its former one still knows its record. The record
//! says whose it is, so that a walk elsewhere is not taken for one here:
//!
//! | edge | reader's new thread                 | former thread, asking            | loom model |
//! | H1   | `home`; Release fence; `active` odd | `active`; Acquire fence; `home`  | here::a_walk_of_another_thread_is_not_taken_for_ones_own |
//!
//! Whoever sees a walk of the new thread sees whose it is.

use super::readers::Record;
use core::cell::{Cell, RefCell};
use corecast_ring::sync::{Numbers, thread_local};
use std::sync::Arc;

/// Records that a thread knows, at most; readers beyond that walk the general way there.
const KNOWN: usize = 128;

/// A thread, as no other ever is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home(u64);

impl Home {
    /// No thread's.
    pub(super) const NOWHERE: Self = Self(0);
    /// What a thread without a number has for one.
    const UNKNOWN: u64 = u64::MAX;

    /// Whether this is the thread.
    #[inline(always)]
    pub(super) fn is_here(self) -> bool {
        NUMBER
            .try_with(|number| number.get() == self.0)
            .unwrap_or(false)
    }
}

thread_local! {
    /// Unknown before the thread is asked for it, and again when it knows no record any more.
    static NUMBER: Cell<u64> = const { Cell::new(Home::UNKNOWN) };
    static RECORDS: RefCell<Records> = const { RefCell::new(Records(Vec::new())) };
}

struct Records(Vec<Arc<Record>>);

impl Drop for Records {
    fn drop(&mut self) {
        // From here on nothing is at home on this thread.
        let _ = NUMBER.try_with(|number| number.set(Home::UNKNOWN));
    }
}

/// This thread's number.
fn here() -> Option<Home> {
    static NEXT: Numbers = Numbers::from(1);
    let taken = |number: &Cell<u64>| {
        if number.get() == Home::UNKNOWN {
            number.set(NEXT.next());
        }
        Home(number.get())
    };
    NUMBER.try_with(taken).ok()
}

/// Makes this thread the home of a reader that is not walking, unless it knows too many already.
pub(super) fn move_in(record: &Arc<Record>) -> Option<Home> {
    let moved = RECORDS.try_with(|records| {
        let records = &mut records.borrow_mut().0;
        let here = here()?;
        if !records.iter().any(|one| Arc::ptr_eq(one, record)) {
            if records.len() == records.capacity() || records.len() == KNOWN {
                // Before the list grows: without those of readers that are gone, or have moved on.
                records.retain(|one| Arc::strong_count(one) > 1 && one.home() == here.0);
            }
            if records.len() == KNOWN {
                return None;
            }
            records.push(Arc::clone(record));
        }
        record.move_to(here.0);
        Some(here)
    });
    moved.ok().flatten()
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
///
/// # Complexity
///
/// Linear in the readers at home here, 128 at most.
pub(crate) fn surroundings(this: Option<&Record>) -> Surroundings {
    let mut found = Surroundings {
        walks: 0,
        knows: false,
    };
    let _ = RECORDS.try_with(|records| {
        let here = NUMBER.with(Cell::get);
        for record in &records.borrow().0 {
            if record.is_walked_in(here) {
                found.walks += 1;
                found.knows |= this.is_some_and(|this| core::ptr::eq(this, &**record));
            }
        }
    });
    found
}
