//! Between a worker, which never waits, and a network, which may: a ring and a thread.
//!
//! ```text
//!  worker: encode ▶ ring ▶ thread: frames ▶ outlet
//! ```
//!
//! The worker's [`Outbox`] encodes each event into the ring, and drops and counts it when the ring is
//! full. The thread, a [`Sender`], gathers what is there into frames and hands them to an [`Outlet`].
//! What both share with whoever holds the handle is [`Shared`].

pub(crate) mod frame;
pub(crate) mod outbox;
pub(crate) mod sender;

use crate::error::BoxError;
use crate::fault::{Fault, FaultQueue};
use corecast_ring::sync::{AtomicU64, Ordering};
use std::sync::Arc;

pub(crate) use outbox::{Outbox, Shared};
pub(crate) use sender::Sender;

/// Where frames go. May wait.
pub(crate) trait Outlet {
    /// Hands a frame over.
    ///
    /// # Errors
    ///
    /// It was not taken.
    fn put(&self, frame: Vec<u8>) -> Result<(), BoxError>;
}

/// A counter with one writer.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, events: u64) {
        // Relaxed: a counter with one writer.
        let sum = self.0.load(Ordering::Relaxed).saturating_add(events);
        self.0.store(sum, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        // Relaxed: a counter.
        self.0.load(Ordering::Relaxed)
    }
}

/// Where faults go: the signal's engine, under the signal's name.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    pub(crate) faults: Arc<FaultQueue>,
    pub(crate) signal: Arc<str>,
}

impl Reports {
    pub(crate) fn report(&self, mut fault: Box<Fault>) {
        fault.signal = Some(Arc::clone(&self.signal));
        self.faults.push(fault);
    }
}
