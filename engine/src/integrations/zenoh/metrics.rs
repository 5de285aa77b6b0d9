//! Counters as plain snapshots.

use super::feeder;
use crate::integrations::relay;
use corecast_ring::sync::Ordering;

/// Counters of a publisher, in events where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PublisherMetrics {
    /// Events that the listener was called with: `published + dropped + failed + queued`.
    pub events: u64,
    /// Handed to the session.
    pub published: u64,
    /// Found the queue full, or were not taken by the session.
    pub dropped: u64,
    /// Not encoded: too long, or `encode` panicked.
    pub failed: u64,
    /// On their way to the session.
    pub queued: u64,
    /// Frames handed to the session, those without events included.
    pub frames: u64,
    /// Bytes of those frames.
    pub bytes: u64,
}

impl PublisherMetrics {
    pub(super) fn of(shared: &relay::Shared) -> Self {
        // What became of events before how many there were: a snapshot may show too many queued,
        // never fewer than none.
        let network = &shared.network;
        let (published, refused) = (network.published.get(), network.dropped.get());
        let (frames, bytes) = (network.frames.get(), network.bytes.get());
        let dropped = shared.worker.dropped.get() + refused;
        let failed = shared.worker.failed.get();
        let dealt_with = published + dropped + failed;
        // An event may be sent before its run is over and counted.
        let events = (shared.next() - shared.start).max(dealt_with);
        Self {
            events,
            published,
            dropped,
            failed,
            queued: events - dealt_with,
            frames,
            bytes,
        }
    }
}

/// Counters of a receiver, in events where nothing else is said.
///
/// Of every incarnation followed from its start, up to the last frame that came, each event is one
/// of `received`, `rejected`, `undecoded` and `missing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReceiverMetrics {
    /// Frames that came, those without events and the malformed included.
    pub frames: u64,
    /// Frames that were none. What they may have held is missing.
    pub malformed: u64,
    /// Emitted. Of these the signal may have dropped some, if its overflow policy says so.
    pub received: u64,
    /// Not accepted by the emitter.
    pub rejected: u64,
    /// Not decoded: `decode` returned an error or panicked.
    pub undecoded: u64,
    /// Places where events are missing.
    pub gaps: u64,
    /// Events missing there.
    pub missing: u64,
    /// Came again, or after they had been counted as missing, and were not emitted.
    pub repeated: u64,
    /// How often another incarnation came under a key.
    pub restarts: u64,
    /// Publishers heard of that have not said that they would end.
    pub publishers: u64,
    /// Bytes that wait to be decoded.
    pub inbox_bytes: usize,
    /// The most there have been.
    pub inbox_high_water: usize,
}

impl ReceiverMetrics {
    pub(super) fn of(shared: &feeder::Shared) -> Self {
        let counts = &shared.counts;
        // Relaxed: counters.
        let refused = shared.refused.load(Ordering::Relaxed);
        let (inbox_bytes, inbox_high_water) = shared.inbox.depth();
        Self {
            frames: counts.frames.get() + refused,
            malformed: counts.malformed.get() + refused,
            received: counts.received.get(),
            rejected: counts.rejected.get(),
            undecoded: counts.undecoded.get(),
            gaps: counts.gaps.get(),
            missing: counts.missing.get(),
            repeated: counts.repeated.get(),
            restarts: counts.restarts.get(),
            publishers: counts.publishers.load(Ordering::Relaxed),
            inbox_bytes,
            inbox_high_water,
        }
    }
}
