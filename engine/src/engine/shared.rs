//! What all of an engine's parts share: its workers, its phase, its signals.

use super::worker_shared::WorkerShared;
use crate::WorkerId;
use crate::fault::FaultQueue;
use cache_padded::CachePadded;
use corecast_ring::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};
use corecast_ring::{FencePair, Fences, Parker, WaitStrategy};
use std::sync::{Arc, Weak};

/// How far an engine's life has come.
///
/// | phase   | emitters      | workers                                    | next    |
/// | OPEN    | emit          | drain, wait                                | CLOSING |
/// | CLOSING | are refused   | drain                                      | SEALED  |
/// | SEALED  | are refused, and nothing more can be published | drain to the end and leave | ABANDONED, or over |
/// | ABANDONED | are refused | leave after the call in hand               | over    |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(crate) enum Phase {
    Open = 0,
    Closing = 1,
    Sealed = 2,
    Abandoned = 3,
}

/// What an engine needs of a signal, whatever its event type.
pub(crate) trait SignalControl: Send + Sync {
    /// Refuses new events from now on; with a heavy fence after it, whoever missed this shows in
    /// [`SignalControl::is_settled`].
    fn close(&self);
    /// Wakes emitters that wait for room.
    fn wake_emitters(&self);
    /// Whether no emission that began before [`SignalControl::close`] is still under way.
    fn is_settled(&self) -> bool;
    /// A worker died: emitters must look at their lanes again.
    fn lanes_changed(&self);
    /// On the worker's own thread: drops what listeners that were removed there had captured.
    fn collect(&self, worker: WorkerId);
    /// The worker is gone: whoever comes drops what it would have dropped.
    fn orphan(&self, worker: WorkerId);
    /// Lane-events accepted and delivered so far.
    fn lane_events(&self) -> LaneEvents;
    /// The same, exact once the signal is closed; `None` while an emitter that goes on trying is
    /// about to abandon a claim.
    fn settled_events(&self) -> Option<LaneEvents>;
    fn metrics(&self) -> crate::SignalMetrics;
}

/// Events counted once for each lane they went to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LaneEvents {
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
}

impl LaneEvents {
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
    }
}

/// What an engine's handles, signals and workers share.
pub(crate) struct EngineShared {
    pub(crate) workers: Box<[Arc<WorkerShared>]>,
    pub(crate) faults: Arc<FaultQueue>,
    pub(crate) fences: Fences,
    pub(crate) fence_pair: FencePair,
    /// How emitters wait for room, and for flushes.
    pub(crate) emitter_wait: WaitStrategy,
    phase: CachePadded<AtomicU32>,
    pub(crate) signals: Mutex<Vec<Weak<dyn SignalControl>>>,
    /// Signals made so far.
    made: AtomicU64,
    /// What signals counted that are gone.
    pub(crate) folded: Mutex<LaneEvents>,
    /// Held while a listener is placed.
    pub(crate) placement: Mutex<()>,
    /// Woken when a worker leaves or dies.
    pub(crate) left: Parker,
    /// The lanes of a manual engine are drained by whoever holds this.
    pub(crate) manual: Option<super::manual::Manual>,
}

impl EngineShared {
    pub(crate) fn new(
        workers: Box<[Arc<WorkerShared>]>,
        fences: Fences,
        emitter_wait: WaitStrategy,
        manual: Option<super::manual::Manual>,
    ) -> Self {
        let fence_pair = fences.resolve();
        Self {
            workers,
            faults: Arc::new(FaultQueue::new()),
            fences,
            fence_pair,
            emitter_wait,
            phase: CachePadded::new(AtomicU32::new(Phase::Open as u32)),
            signals: Mutex::new(Vec::new()),
            made: AtomicU64::new(0),
            folded: Mutex::new(LaneEvents::default()),
            placement: Mutex::new(()),
            left: Parker::new(fence_pair),
            manual,
        }
    }

    #[inline(always)]
    pub(crate) fn phase(&self) -> Phase {
        // Acquire: what the closer did before it changed the phase is seen with it.
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Closing,
            2 => Phase::Sealed,
            _ => Phase::Abandoned,
        }
    }

    pub(crate) fn transition_to(&self, phase: Phase) {
        debug_assert!(phase > self.phase(), "phases only advance");
        self.phase.store(phase as u32, Ordering::Release);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase() == Phase::Open
    }

    /// A number for a new signal, which no other one of this engine has.
    pub(crate) fn number_signal(&self) -> u64 {
        // Relaxed: a counter.
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// The signals that are still there.
    pub(crate) fn live_signals(&self) -> Vec<Arc<dyn SignalControl>> {
        let signals = lock(&self.signals);
        signals.iter().filter_map(Weak::upgrade).collect()
    }

    /// A signal comes to its end: from now on its counts are here.
    pub(crate) fn fold(&self, signal: *const dyn SignalControl, events: LaneEvents) {
        let mut signals = lock(&self.signals);
        if let Some(index) = signals
            .iter()
            .position(|one| core::ptr::addr_eq(one.as_ptr(), signal))
        {
            // The others stay in the order in which they were made, by which namesakes are told apart.
            signals.remove(index);
        }
        lock(&self.folded).add(events);
    }

    /// The lane-events of all signals, those that are gone included.
    pub(crate) fn lane_events(&self) -> LaneEvents {
        self.sum(|signal| Some(signal.lane_events()))
    }

    /// The same, exact, of an engine that is closed. Waits for claims that are about to be abandoned.
    pub(crate) fn settled_events(&self) -> LaneEvents {
        self.sum(|signal| signal.settled_events())
    }

    fn sum(&self, of: impl Fn(&dyn SignalControl) -> Option<LaneEvents>) -> LaneEvents {
        loop {
            let (live, events) = {
                let signals = lock(&self.signals);
                let live: Vec<_> = signals.iter().filter_map(Weak::upgrade).collect();
                // One that can be had no more and is still on the list is being dropped just now.
                let complete = live.len() == signals.len();
                (live, complete.then(|| *lock(&self.folded)))
            };
            if let Some(mut events) = events
                && live
                    .iter()
                    .all(|signal| of(&**signal).map(|one| events.add(one)).is_some())
            {
                return events;
            }
            corecast_ring::sync::thread::yield_now();
        }
    }

    /// Workers leave after the call in hand, and nobody waits for what they leave behind.
    pub(crate) fn abandon(&self) {
        self.transition_to(Phase::Abandoned);
        self.workers.iter().for_each(|worker| worker.abandon());
    }
}

#[cfg(target_arch = "x86_64")]
const _: () = {
    use core::mem::offset_of;
    // Every sweep reads the phase; the locks are for changes.
    const PHASE: usize = offset_of!(EngineShared, phase);
    assert!(PHASE.abs_diff(offset_of!(EngineShared, signals)) >= 128);
    assert!(PHASE.abs_diff(offset_of!(EngineShared, folded)) >= 128);
    assert!(PHASE.abs_diff(offset_of!(EngineShared, placement)) >= 128);
    assert!(PHASE.abs_diff(offset_of!(EngineShared, left)) >= 128);
    assert!(align_of::<EngineShared>() >= 128);
};
