//! The records that this thread walks with, so that a walk on the hot path need not write anywhere
//! that the thread is inside it: its record says so, being odd (W1), and whoever asks looks at the
//! few records that the thread knows.
//!
//! A thread has a number, and an owned reader or a visitor that is *at home* on a thread has that number
//! in the upper bits of the word that says whether it is walking. So the question whether it is at home
//! is one of a word that a walk loads anyway. One that is not at home walks the general way, which counts
//! its [`Depth`](crate::walk::Depth). Numbers are never used again.
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
use core::cell::{Cell, RefCell};
use corecast_ring::sync::{Numbers, thread_local};
use std::sync::Arc;

/// Records that a thread knows, at most; readers beyond that walk the general way there. Walks on the
/// hot path do not ask how deep they are nested: one in each of these, and one around them, is as deep
/// as walks may be nested by default.
const KNOWN: usize = HOT_DEPTH as usize - 1;

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

    /// This thread; the unknown one if nothing is at home here.
    #[inline(always)]
    pub(super) fn here() -> Self {
        NUMBER.try_with(Cell::get).unwrap_or(Self::UNKNOWN)
    }

    /// The number, and zeroes below it.
    #[inline(always)]
    pub(super) const fn word(self) -> u64 {
        self.0
    }
}

thread_local! {
    /// Unknown before the thread is asked for it, and again when it knows no record any more.
    static NUMBER: Cell<Home> = const { Cell::new(Home::UNKNOWN) };
    static RECORDS: RefCell<Records> = const { RefCell::new(Records::none()) };
}

struct Records {
    known: Vec<Arc<Record>>,
    /// Readers to be turned away without a look.
    turned_away: u32,
}

impl Records {
    const fn none() -> Self {
        Self {
            known: Vec::new(),
            turned_away: 0,
        }
    }

    /// Whether there is room for one more, if need be without those of readers that are gone, or have
    /// moved on.
    fn has_room(&mut self, here: Home) -> bool {
        let known = &mut self.known;
        if known.len() == known.capacity() || known.len() == KNOWN {
            known.retain(|one| Arc::strong_count(one) > 1 && one.is_at_home(here));
        }
        let has_room = known.len() < KNOWN;
        if !has_room {
            self.turned_away = TURNED_AWAY;
        }
        has_room
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        // From here on nothing is at home on this thread.
        let _ = NUMBER.try_with(|number| number.set(Home::UNKNOWN));
    }
}

/// This thread, which gets a number if it has none yet.
fn numbered() -> Option<Home> {
    static NEXT: Numbers = Numbers::from(1);
    let taken = |number: &Cell<Home>| {
        if number.get() == Home::UNKNOWN {
            number.set(Home::of(NEXT.next()));
        }
        number.get()
    };
    let here = NUMBER.try_with(taken).ok();
    here.filter(|&here| here != Home::UNKNOWN)
}

/// Makes this thread the home of a reader that is not walking, unless it knows too many already;
/// whether it did.
pub(super) fn move_in(record: &Arc<Record>) -> bool {
    let moved = RECORDS.try_with(|records| {
        let records = &mut *records.borrow_mut();
        if records.turned_away > 0 {
            records.turned_away -= 1;
            return false;
        }
        let Some(here) = numbered() else { return false };
        let is_known = records.known.iter().any(|one| Arc::ptr_eq(one, record));
        if !is_known {
            if !records.has_room(here) {
                return false;
            }
            records.known.push(Arc::clone(record));
        }
        record.move_to(here);
        true
    });
    moved.unwrap_or(false)
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
/// Linear in the readers at home here, 63 at most.
pub(crate) fn surroundings(this: Option<&Record>) -> Surroundings {
    let mut found = Surroundings {
        walks: 0,
        knows: false,
    };
    let _ = RECORDS.try_with(|records| {
        let here = NUMBER.with(Cell::get);
        for record in &records.borrow().known {
            if record.is_walked_in(here) {
                found.walks += 1;
                found.knows |= this.is_some_and(|this| core::ptr::eq(this, &**record));
            }
        }
    });
    found
}
