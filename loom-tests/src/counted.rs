//! Events that report their end, to show that each is dropped once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How often each of a number of events has been dropped.
///
/// The counts are plain atomics on purpose, and not the facade's: under loom they are invisible,
/// so that counting adds no ordering to the schedule it watches. Read them after joining.
#[derive(Debug, Clone)]
pub struct Ledger {
    drops: Arc<[AtomicU32]>,
}

impl Ledger {
    /// A ledger for events `0..events`.
    #[must_use]
    pub fn new(events: usize) -> Self {
        Self {
            drops: (0..events).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Event `id`.
    #[must_use]
    pub fn event(&self, id: usize) -> Counted {
        Counted {
            id,
            ledger: self.clone(),
        }
    }

    /// Asserts that every event was dropped exactly once.
    ///
    /// # Panics
    ///
    /// When one was not.
    pub fn assert_each_dropped_once(&self) {
        let drops: Vec<u32> = self
            .drops
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        assert!(
            drops.iter().all(|count| *count == 1),
            "drops per event: {drops:?}"
        );
    }
}

/// An event of a [`Ledger`].
#[derive(Debug)]
pub struct Counted {
    id: usize,
    ledger: Ledger,
}

impl Counted {
    /// The number it was made with.
    #[must_use]
    pub fn id(&self) -> usize {
        self.id
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.ledger.drops[self.id].fetch_add(1, Ordering::Relaxed);
    }
}
