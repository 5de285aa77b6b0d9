//! How far an emitter has come, as others see it: what tells which events a late listener must
//! receive, and which it must not.
//!
//! | edge | emitter                             | subscriber                         | says |
//! | T1   | emission; `done`, Release           | `done`, Acquire; subscribe         | whose emission had returned before |
//! | T2   | `begun` up, AcqRel; emission        | subscribe; `begun` read and written | whose emission began after |
//!
//! T2 is a read-modify-write on both sides, so that an emitter that comes later than the subscriber's
//! look reads what that look wrote: its emission then happens after `subscribe` returned, by the
//! rules of the language and not by the clock alone.

use std::sync::atomic::{AtomicU64, Ordering};

/// One emitter's progress.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Stream {
    begun: AtomicU64,
    done: AtomicU64,
}

impl Stream {
    /// The emission of every event before `number` begins now, or has begun.
    pub fn begin(&self, number: u64) {
        // AcqRel (T2).
        self.begun.fetch_max(number, Ordering::AcqRel);
    }

    /// The emission of every event before `number` has returned.
    pub fn end(&self, number: u64) {
        // Release (T1).
        self.done.store(number, Ordering::Release);
    }

    /// Events before this number were emitted before this call.
    #[must_use]
    pub fn done(&self) -> u64 {
        // Acquire (T1).
        self.done.load(Ordering::Acquire)
    }

    /// Events from this number on are emitted after this call.
    #[must_use]
    pub fn begun(&self) -> u64 {
        // AcqRel (T2).
        self.begun.fetch_max(0, Ordering::AcqRel)
    }
}

/// How far every emitter had emitted before.
#[must_use]
pub fn done(streams: &[Stream]) -> Vec<u64> {
    streams.iter().map(Stream::done).collect()
}

/// From where on every emitter emits after.
#[must_use]
pub fn begun(streams: &[Stream]) -> Vec<u64> {
    streams.iter().map(Stream::begun).collect()
}
