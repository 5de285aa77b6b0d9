//! The records that this thread walks with, so that a walk on the hot path need not write anywhere
//! that the thread is inside it: its record says so, being odd (W1), and whoever asks looks at the
//! few records that the thread knows.
//!
//! A thread has a number, and an owned reader or a visitor that is *at home* on a thread has that number
//! in the upper bits of the word that says whether it is walking. So the question whether it is at home
//! is one of a word that a walk loads anyway. One that is not at home walks the general way, which counts
//! its [`Depth`](crate::walk::Depth). Numbers are never used again. While many walks of that kind are
//! nested on a thread, nothing is at home there ([`close_hot`]): so the hot path need not ask how deep a
//! walk is, and none is deeper than may be.
//!
//! An owned reader may move to another thread while its former one still knows its record. That one does
//! not take the walks elsewhere for its own, for they say whose they are:
//!
//! | edge | reader's new thread          | former thread, asking | loom model |
//! | H1   | `active` odd, with its home  | `active`              | here::a_walk_of_another_thread_is_not_taken_for_ones_own |
//!
//! H1 is Relaxed on both sides: both questions are put to one word, and nothing is handed over.

use super::HOT_DEPTH;
use super::readers::{BELOW_HOME, Record};
use super::visitors::forget_recent;
use core::cell::{Cell, RefCell};
use corecast_ring::sync::{Numbers, thread_local};
use std::sync::Arc;

/// Walks and drains of a thread, but for the walks of readers at home there, that leave its hot path
/// open.
pub(crate) const BESIDE: u32 = 8;

/// Records that a thread knows, at most; readers beyond that walk the general way there. Walks on the
/// hot path do not ask how deep they are nested: one in each of these, and `BESIDE` others, are as many
/// as may be nested by default.
const KNOWN: usize = (HOT_DEPTH - BESIDE) as usize;

/// Readers that are turned away, once that many are known, before one of them is worth another look at
/// all of those.
const TURNED_AWAY: u32 = 1000;

/// A thread, as no other ever is: its number, where a record's word has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home(u64);

impl Home {
    /// No thread's.
    pub(super) const NOWHERE: Self = Self(0);
    /// What a thread without a number has for one.
    const UNKNOWN: Self = Self(u64::MAX << BELOW_HOME);

    /// The thread with this number, counted from 1; unknown if there are no bits for it.
    fn of(number: u64) -> Self {
        Self(number.min(Self::UNKNOWN.0 >> BELOW_HOME) << BELOW_HOME)
    }

    /// This thread; the unknown one if nothing is at home here, or walks are nested too deep.
    #[inline(always)]
    pub(super) fn here() -> Self {
        HOME.try_with(Cell::get).unwrap_or(Self::UNKNOWN)
    }

    /// The number, and zeroes below it.
    #[inline(always)]
    pub(super) const fn word(self) -> u64 {
        self.0
    }
}

thread_local! {
    /// What [`Home::here`] says.
    static HOME: Cell<Home> = const { Cell::new(Home::UNKNOWN) };
    static RECORDS: RefCell<Records> = const { RefCell::new(Records::none()) };
}

struct Records {
    /// This thread; unknown before it is asked for.
    here: Home,
    known: Vec<Arc<Record>>,
    /// Readers to be turned away without a look.
    turned_away: u32,
    /// Walks are nested too deep for hot ones.
    closed: bool,
}

impl Records {
    const fn none() -> Self {
        Self {
            here: Home::UNKNOWN,
            known: Vec::new(),
            turned_away: 0,
            closed: false,
        }
    }

    /// Makes the thread the home of a reader that is not walking, if it is not already, is open and has
    /// room; whether it is now.
    fn move_in(&mut self, record: &Record) -> bool {
        if record.is_at_home(self.here) {
            return true;
        }
        if self.closed {
            return false;
        }
        if self.turned_away > 0 {
            self.turned_away -= 1;
            return false;
        }
        let Some(here) = self.numbered() else {
            return false;
        };
        let is_known = self.knows(record) || self.take(record);
        if is_known {
            record.move_to(here);
        }
        is_known
    }

    /// The thread, which gets a number if it has none yet, as long as there are any.
    fn numbered(&mut self) -> Option<Home> {
        static NEXT: Numbers = Numbers::from(1);
        if self.here == Home::UNKNOWN {
            self.here = Home::of(NEXT.next());
            let _ = HOME.try_with(|home| home.set(self.here));
        }
        (self.here != Home::UNKNOWN).then_some(self.here)
    }

    fn knows(&self, record: &Record) -> bool {
        let mut known = self.known.iter();
        known.any(|one| core::ptr::eq(&raw const **one, record))
    }

    /// Keeps a record in mind, if there is room; if need be without those of readers that are gone, or
    /// have moved on.
    fn take(&mut self, record: &Record) -> bool {
        let known = &mut self.known;
        if known.len() == known.capacity() || known.len() == KNOWN {
            known.retain(|one| Arc::strong_count(one) > 1 && one.is_at_home(self.here));
        }
        if known.len() == KNOWN {
            self.turned_away = TURNED_AWAY;
            return false;
        }
        let shared = record.share();
        shared.map(|shared| known.push(shared)).is_some()
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        leave_home();
    }
}

/// From here on nobody walks the hot path on this thread.
fn leave_home() {
    let _ = HOME.try_with(|home| home.set(Home::UNKNOWN));
    forget_recent();
}

/// Makes this thread the home of a reader that is not walking, unless it is, or knows too many already,
/// or its walks are nested too deep; whether it is now.
pub(super) fn move_in(record: &Record) -> bool {
    let moved = RECORDS.try_with(|records| records.borrow_mut().move_in(record));
    moved.unwrap_or(false)
}

/// From here on every walk of this thread goes the general way, which asks how deep it is nested: more
/// than `BESIDE` are in progress.
#[cold]
pub(crate) fn close_hot() {
    let _ = RECORDS.try_with(|records| records.borrow_mut().closed = true);
    leave_home();
}

/// No more than `BESIDE` are: owned readers are at home again where they were, and visitors are as soon
/// as their threads look for them.
#[cold]
pub(crate) fn open_hot() {
    let _ = RECORDS.try_with(|records| {
        let records = &mut *records.borrow_mut();
        records.closed = false;
        HOME.with(|home| home.set(records.here));
    });
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
/// Linear in the readers at home here, 56 at most.
pub(crate) fn surroundings(this: Option<&Record>) -> Surroundings {
    let mut found = Surroundings {
        walks: 0,
        knows: false,
    };
    let _ = RECORDS.try_with(|records| {
        let records = &*records.borrow();
        for record in &records.known {
            if record.is_walked_in(records.here) {
                found.walks += 1;
                found.knows |= this.is_some_and(|this| core::ptr::eq(this, &**record));
            }
        }
    });
    found
}
