//! Calling listeners in order, with panics kept where they arise. Both paths end here.

use crate::fault::Payload;
use crate::listener::set::{BESIDE, Record, close_hot, open_hot, surroundings};
use core::cell::Cell;
use corecast_ring::sync::thread_local;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Walks and drains nested on this thread, without those that show in their records
    /// (`listener/set/here.rs`).
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// This thread is inside a walk or a drain for as long as this lives.
#[derive(Debug)]
pub(crate) struct Depth {
    outer: u32,
}

impl Depth {
    /// One level deeper for a walk that `record` announces, or none, unless `limit` levels are there
    /// already.
    pub(crate) fn enter(limit: u32, record: Option<&Record>) -> Option<Self> {
        let around = surroundings(record);
        DEPTH.with(|depth| {
            let outer = depth.get();
            // A record that the thread knows is its own level.
            let own = u32::from(around.knows);
            let levels = outer.saturating_add(around.walks) - own;
            (levels < limit).then(|| Self::set(depth, outer + 1 - own))
        })
    }

    /// One level deeper in any case.
    #[inline(always)]
    pub(crate) fn enter_unlimited() -> Self {
        DEPTH.with(|depth| Self::set(depth, depth.get().saturating_add(1)))
    }

    #[inline(always)]
    fn set(depth: &Cell<u32>, inner: u32) -> Self {
        let outer = depth.replace(inner);
        if outer <= BESIDE && inner > BESIDE {
            close_hot();
        }
        Self { outer }
    }

    /// Whether this thread is inside a walk or a drain.
    pub(crate) fn is_inside() -> bool {
        DEPTH.with(Cell::get) > 0 || surroundings(None).walks > 0
    }
}

impl Drop for Depth {
    #[inline(always)]
    fn drop(&mut self) {
        let inner = DEPTH.with(|depth| depth.replace(self.outer));
        if self.outer <= BESIDE && inner > BESIDE {
            open_hot();
        }
    }
}

/// Runs `walk`; its panic comes back as an error. To be used where the hot path is: the guard costs
/// nothing while nobody panics.
#[inline(always)]
pub(crate) fn guarded<R>(walk: impl FnOnce() -> R) -> Result<R, Payload> {
    catch_unwind(AssertUnwindSafe(walk))
}

/// Runs `step` until it says that it is done. When it panics, `on_panic` is told, and it runs
/// again unless that says stop: `step` keeps its place where a panic cannot take it along, so that
/// it goes on after the listener that panicked. One unwind guard serves the whole walk.
#[inline(always)]
pub(crate) fn isolate(mut step: impl FnMut(), mut on_panic: impl FnMut(Payload) -> bool) {
    while let Err(payload) = catch_unwind(AssertUnwindSafe(&mut step)) {
        if !on_panic(payload) {
            break;
        }
    }
}

/// Drops a panic's payload; a payload that panics in turn is survived.
pub(crate) fn discard(payload: Payload) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A payload whose drop panics with another of the kind could go on for ever.
        core::mem::forget(second);
    }
}
