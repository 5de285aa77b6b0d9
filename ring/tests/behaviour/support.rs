//! Events that report their end, and may panic while they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How often each of a number of events has been dropped.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    drops: Arc<[AtomicU32]>,
}

impl Ledger {
    pub(crate) fn new(events: usize) -> Self {
        Self {
            drops: (0..events).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    pub(crate) fn event(&self, id: usize) -> Event {
        Event {
            id,
            panics: false,
            ledger: self.clone(),
        }
    }

    /// An event whose drop is counted and then panics.
    pub(crate) fn event_with_a_panicking_drop(&self, id: usize) -> Event {
        let mut event = self.event(id);
        event.panics = true;
        event
    }

    pub(crate) fn drops(&self) -> Vec<u32> {
        self.drops
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect()
    }

    #[track_caller]
    pub(crate) fn assert_each_dropped_once(&self) {
        assert!(
            self.drops().iter().all(|count| *count == 1),
            "drops per event: {:?}",
            self.drops()
        );
    }
}

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: usize,
    panics: bool,
    ledger: Ledger,
}

impl Drop for Event {
    fn drop(&mut self) {
        self.ledger.drops[self.id].fetch_add(1, Ordering::Relaxed);
        if self.panics && !std::thread::panicking() {
            panic!("event {} panics when dropped", self.id);
        }
    }
}

/// Runs `f`, which must panic, and returns the message.
#[track_caller]
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    let payload = caught.err().expect("a panic");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload
            .downcast_ref::<&str>()
            .expect("a message")
            .to_string(),
    }
}
