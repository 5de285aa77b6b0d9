//! What listeners capture in models, to show when it is used and when it is dropped.
#![expect(unsafe_code, reason = "a cell that is shared only to be watched")]

use corecast_ring::sync::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// State of a listener. Nobody may use it while or after it is dropped, which loom sees by the
/// cell: every use must happen before the drop by the edges of the code under test alone.
#[derive(Debug)]
pub struct Captured {
    cell: UnsafeCell<()>,
    dropped: Arc<AtomicBool>,
}

// SAFETY: the cell holds nothing, and no pointer to it is ever followed.
unsafe impl Sync for Captured {}
// SAFETY: as above.
unsafe impl Send for Captured {}

/// Sees whether a [`Captured`] has been dropped. Invisible to loom: watching orders nothing.
#[derive(Debug)]
pub struct Watch(Arc<AtomicBool>);

impl Captured {
    /// State to capture, and what watches it.
    #[must_use]
    pub fn new() -> (Self, Watch) {
        let dropped = Arc::new(AtomicBool::new(false));
        let captured = Self {
            cell: UnsafeCell::new(()),
            dropped: Arc::clone(&dropped),
        };
        (captured, Watch(dropped))
    }

    /// Uses the state.
    ///
    /// # Panics
    ///
    /// When it has been dropped.
    pub fn touch(&self) {
        self.cell.with(|_| ());
        assert!(!self.dropped.load(Ordering::Relaxed), "used after its drop");
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        self.cell.with_mut(|_| ());
        let before = self.dropped.swap(true, Ordering::Relaxed);
        assert!(!before, "dropped twice");
    }
}

impl Watch {
    /// Whether the state has been dropped.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a listener was called with, in order. Invisible to loom; read it after joining.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u64>>>);

impl Log {
    /// Notes a call.
    pub fn push(&self, event: u64) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }

    /// The calls so far.
    #[must_use]
    pub fn events(&self) -> Vec<u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
