//! A subscribed listener, seen from outside: its parts leave here what they have seen.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::books::Books;
use super::dice::Dice;
use super::order::{Numbering, Order};
use super::part::{Part, Rates};

/// A subscribed listener, seen from outside.
#[derive(Debug)]
pub struct Member {
    pub(super) books: Arc<Books>,
    pub(super) numbering: Numbering,
    pub(super) once: bool,
    /// Called at most this often in a row with a fault; 0 for no limit.
    pub(super) quarantine: u32,
    /// It sees to it that it is never quarantined.
    pub(super) steadfast: bool,
    /// It has had so many faults.
    pub(super) exhausted: AtomicBool,
    pub(super) removed: AtomicBool,
    parts: AtomicU64,
    seen: Mutex<Vec<Order>>,
}

impl Member {
    /// A listener to be.
    #[must_use]
    pub fn new(books: &Arc<Books>, numbering: Numbering) -> Self {
        Self {
            books: Arc::clone(books),
            numbering,
            once: false,
            quarantine: 0,
            steadfast: false,
            exhausted: AtomicBool::new(false),
            removed: AtomicBool::new(false),
            parts: AtomicU64::new(0),
            seen: Mutex::new(Vec::new()),
        }
    }

    /// It is to be called once.
    #[must_use]
    pub fn once(mut self, once: bool) -> Self {
        self.once = once;
        self
    }

    /// It is to be removed after so many faults in a row.
    #[must_use]
    pub fn quarantine(mut self, after: u32) -> Self {
        self.quarantine = after;
        self
    }

    /// It sees to it that this does not happen.
    #[must_use]
    pub fn steadfast(mut self) -> Self {
        self.steadfast = true;
        self
    }

    /// Whether it has had so many faults in a row that it is to be removed.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Acquire)
    }

    /// Its part on one worker, with `dice` of its own.
    #[must_use]
    pub fn part(self: &Arc<Self>, streams: usize, rates: Rates, dice: Dice) -> Part {
        self.parts.fetch_add(1, Ordering::Relaxed);
        Part::new(Arc::clone(self), streams, rates, dice)
    }

    /// Its removal has returned.
    pub fn removed(&self) {
        // Release: whatever call begins after it sees it.
        self.removed.store(true, Ordering::Release);
    }

    /// Whether every part of it has been dropped.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.seen().len() as u64 == self.parts.load(Ordering::Acquire)
    }

    /// What its parts have seen that are gone.
    #[must_use]
    pub fn orders(&self) -> Vec<Order> {
        self.seen().clone()
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Vec<Order>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
