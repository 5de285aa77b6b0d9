//! What a signal has at one worker: the listeners there, and the lanes that lead there.

use super::core::SignalCore;
use super::lane_counters::LaneCounters;
use super::latency::WorkerLatency;
use super::listener::Lane;
use super::sampling::Sampler;
use crate::engine::shared::LaneEvents;
use crate::engine::wait_graph;
use crate::engine::worker_shared::{Collect, Mail, WorkerShared};
use crate::error::WaitError;
use crate::fault::{Fault, FaultKind, FaultQueue};
use crate::listener::ListenerId;
use crate::listener::set::{Handle, ListenerSet, Reclaimer};
use crate::metrics::LaneMetrics;
use crate::registry::Registry;
use crate::subscription::Removal;
use cache_padded::CachePadded;
use corecast_ring::sync::{AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering, lock};
use corecast_ring::{FencePair, Monitor};
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Identifies a lane within its post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaneId(u64);

/// From where on a listener that was subscribed late takes a lane's events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Join {
    pub(crate) listener: ListenerId,
    lane: LaneId,
    pub(crate) from: u64,
}

/// A lane as everybody but its two ends sees it. It is on the books until both ends are gone: what
/// is emitted into a lane whose worker has died counts as accepted too.
struct LaneEntry<T> {
    id: LaneId,
    monitor: Monitor<T>,
    counters: Arc<LaneCounters>,
    shared: bool,
    /// The emitter's and the worker's, less those that are gone.
    ends: u8,
}

impl<T> LaneEntry<T> {
    fn events(&self) -> LaneEvents {
        // Delivered first: it never overtakes what was accepted.
        let delivered = self.counters.delivered();
        let accepted = if self.shared {
            self.counters.shared_accepted()
        } else {
            accepted(&self.monitor)
        };
        LaneEvents {
            accepted,
            delivered,
        }
    }

    /// As [`LaneEntry::events`], without claims that are about to be abandoned; `None` while there is
    /// one. For a closed signal, whose emitters may go on trying.
    fn settled_events(&self) -> Option<LaneEvents> {
        if self.shared {
            return Some(self.events());
        }
        let end = self.monitor.claimed();
        if !self.monitor.settled_until(end) {
            return None;
        }
        // In this order: all that were abandoned before `end` are counted by now, and one from
        // behind it shows in `claimed` (R3).
        let events = self.events();
        (self.monitor.claimed() == end).then_some(events)
    }
}

/// Events that a lane with one emitter has accepted.
pub(crate) fn accepted<T>(monitor: &Monitor<T>) -> u64 {
    // In this order: a claim that is abandoned in between counts for a moment, rather than an
    // earlier one being taken off twice.
    let aborted = monitor.aborted();
    let claimed = monitor.claimed().wrapping_sub(monitor.first_sequence());
    claimed.saturating_sub(aborted)
}

struct Lanes<T> {
    entries: Registry<LaneEntry<T>>,
    /// What lanes counted that are gone.
    folded: LaneEvents,
}

/// A signal's listeners and lanes at one worker.
///
/// | edge | subscriber                                   | worker                                          | loom model |
/// | J1   | joins; `version`, Release; set's swap        | last stamp; set's array; `version`, Acquire     | late::a_late_listener_sees_what_follows, a_late_listener_divides_the_events_of_a_running_emitter |
///
/// The subscriber notes, for each lane, the next sequence to be claimed, counts the version up, and
/// only then puts the listener into the array. The worker takes the array after the last stamp of
/// the run that it is about to deliver, and looks at the version after that: if it has the new
/// array it sees the new version, and holds the listener back until its sequence has come. An event
/// emitted after `subscribe` returned was stamped after the swap, so whoever sees its stamp sees
/// the array.
pub(crate) struct Post<T: Send + 'static> {
    pub(crate) worker: Arc<WorkerShared>,
    pub(crate) set: Arc<ListenerSet<Lane<T>>>,
    /// Counts subscriptions (J1).
    version: CachePadded<AtomicU64>,
    joins: CachePadded<Mutex<Vec<Join>>>,
    /// There is a listener here. Written under the signal's lock; read by every shared emission.
    active: CachePadded<AtomicBool>,
    lanes: Mutex<Lanes<T>>,
    /// How many of the worker's listeners were counted for this post. The array does not tell when the
    /// signal ends: subscriptions that outlive it are taking listeners out meanwhile.
    counted: AtomicUsize,
    /// Where latency is sampled.
    pub(crate) latency: Option<WorkerLatency>,
    signal: Weak<SignalCore<T>>,
    /// The worker has been told to collect and has not begun.
    collect_asked: Arc<AtomicBool>,
}

impl<T: Send + 'static> Post<T> {
    pub(crate) fn new(
        signal: Weak<SignalCore<T>>,
        worker: Arc<WorkerShared>,
        fences: FencePair,
        name: Arc<str>,
        faults: Arc<FaultQueue>,
        sampler: Option<Sampler>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Self>| {
            let collect_asked = Arc::new(AtomicBool::new(false));
            let wake = {
                let (this, worker) = (this.clone(), Arc::clone(&worker));
                let asked = Arc::clone(&collect_asked);
                move || {
                    // AcqRel: the worker clears it before it looks, so whoever finds it set is
                    // looked at still.
                    if !asked.swap(true, Ordering::AcqRel) {
                        let this: Weak<dyn Collect> = this.clone();
                        // A worker that is gone leaves the set to whoever comes (`orphan`).
                        drop(worker.send(Mail::Collect(this)));
                    }
                }
            };
            let id = worker.id;
            let on_drop = move |info, payload| {
                let mut fault = Fault::from_panic(FaultKind::ListenerDrop, payload);
                fault.signal = Some(Arc::clone(&name));
                fault.worker = Some(id);
                faults.push(fault.of_listener(info));
            };
            let set = ListenerSet::new(fences, Reclaimer::Owner(Box::new(wake)), on_drop);
            Self {
                worker,
                set: Arc::new(set),
                version: CachePadded::new(AtomicU64::new(0)),
                joins: CachePadded::new(Mutex::new(Vec::new())),
                active: CachePadded::new(AtomicBool::new(false)),
                lanes: Mutex::new(Lanes {
                    entries: Registry::default(),
                    folded: LaneEvents::default(),
                }),
                counted: AtomicUsize::new(0),
                latency: sampler.and_then(|sampler| WorkerLatency::new(sampler.clock)),
                signal,
                collect_asked,
            }
        })
    }

    pub(crate) fn is_active(&self) -> bool {
        // Acquire: the listeners that made it active are there.
        self.active.load(Ordering::Acquire)
    }

    pub(crate) fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::Release);
    }

    /// Counts as many more listeners at the worker; wraps for fewer. Under the signal's lock.
    pub(crate) fn count_listeners(&self, added: usize) {
        // Relaxed: a hint for placing the next one.
        self.counted.fetch_add(added, Ordering::Relaxed);
        self.worker.listeners.fetch_add(added, Ordering::Relaxed);
    }

    /// Counts them no longer. Called when the signal is gone, so that nobody counts beside it.
    pub(crate) fn discount_listeners(&self) {
        // Relaxed, and a read-modify-write: it takes what was counted last.
        let counted = self.counted.swap(0, Ordering::Relaxed);
        self.worker.listeners.fetch_sub(counted, Ordering::Relaxed);
    }

    /// Notes from where on `listener`, about to be added, takes each lane's events (J1).
    pub(crate) fn expect(&self, listener: ListenerId) {
        let lanes = lock(&self.lanes);
        // Where nothing waits there is nothing to be kept from the listener.
        let waiting = lanes.entries.iter().filter_map(|entry| {
            let released = entry.monitor.released();
            let from = entry.monitor.claimed();
            (from != released).then_some(Join {
                listener,
                lane: entry.id,
                from,
            })
        });
        lock(&self.joins).extend(waiting);
        // Release (J1).
        self.version.fetch_add(1, Ordering::Release);
    }

    /// How many subscriptions there have been (J1).
    #[inline(always)]
    pub(crate) fn version(&self) -> u64 {
        // Acquire (J1).
        self.version.load(Ordering::Acquire)
    }

    /// The joins of `lane` that are still ahead of `head`; those behind it are forgotten.
    pub(crate) fn joins_ahead(&self, lane: LaneId, head: u64) -> Vec<Join> {
        let ahead = |join: &Join| join.from.wrapping_sub(head) as i64 > 0;
        let mut joins = lock(&self.joins);
        joins.retain(|join| join.lane != lane || ahead(join));
        joins
            .iter()
            .filter(|join| join.lane == lane)
            .copied()
            .collect()
    }

    /// Removed listeners take nothing from anywhere.
    pub(crate) fn forget_joins(&self) {
        let mut joins = lock(&self.joins);
        if !joins.is_empty() {
            let mut live = HashSet::new();
            self.set.for_each(|meta| {
                live.insert(meta.id);
            });
            joins.retain(|join| live.contains(&join.listener));
        }
    }

    /// A lane comes, with both its ends.
    pub(crate) fn register_lane(
        &self,
        monitor: Monitor<T>,
        counters: Arc<LaneCounters>,
        shared: bool,
    ) -> LaneId {
        let entry = |number| LaneEntry {
            id: LaneId(number),
            monitor,
            counters,
            shared,
            ends: 2,
        };
        lock(&self.lanes).entries.enter(entry).id
    }

    /// One of a lane's ends is gone. With the other goes its entry; its counts stay.
    pub(crate) fn leave_lane(&self, id: LaneId) {
        let gone = {
            let mut lanes = lock(&self.lanes);
            let Some(entry) = lanes.entries.get_mut(id.0) else {
                return;
            };
            entry.ends -= 1;
            if entry.ends > 0 {
                self.worker.lane_is_left();
                return;
            }
            self.worker.lane_is_gone();
            let entry = lanes.entries.leave(id.0);
            if let Some(entry) = &entry {
                lanes.folded.add(entry.events());
            }
            lock(&self.joins).retain(|join| join.lane != id);
            entry
        };
        // Outside the lock: recycled values may go with it, and their drop is user code.
        drop(gone);
    }

    pub(crate) fn wake_emitters(&self) {
        for entry in lock(&self.lanes).entries.iter() {
            entry.monitor.room().wake_all();
        }
    }

    /// Whether every emitter's claim made so far has been stamped (after an order and a heavy fence:
    /// R3). Shared lanes have a count of their own (S3).
    pub(crate) fn is_settled(&self) -> bool {
        let lanes = lock(&self.lanes);
        lanes
            .entries
            .iter()
            .filter(|entry| !entry.shared)
            .all(|entry| entry.monitor.settled_until(entry.monitor.claimed()))
    }

    pub(crate) fn lane_events(&self) -> LaneEvents {
        let lanes = lock(&self.lanes);
        let mut events = lanes.folded;
        lanes
            .entries
            .iter()
            .for_each(|entry| events.add(entry.events()));
        events
    }

    /// As [`Post::lane_events`], exact once the signal is closed; `None` while an emitter is about to
    /// abandon a claim.
    pub(crate) fn settled_events(&self) -> Option<LaneEvents> {
        let lanes = lock(&self.lanes);
        let mut events = lanes.folded;
        for entry in lanes.entries.iter() {
            events.add(entry.settled_events()?);
        }
        Some(events)
    }

    pub(crate) fn lane_metrics(&self) -> Vec<LaneMetrics> {
        let lanes = lock(&self.lanes);
        let metrics = |entry: &LaneEntry<T>| LaneMetrics {
            worker: self.worker.id,
            capacity: entry.monitor.capacity(),
            depth: entry.monitor.depth(),
            high_water: entry.counters.high_water(),
            bytes: entry.monitor.bytes(),
            shared: entry.shared,
        };
        lanes.entries.iter().map(metrics).collect()
    }
}

impl<T: Send + 'static> Collect for Post<T> {
    fn collect(&self) {
        // AcqRel: see `new`.
        self.collect_asked.swap(false, Ordering::AcqRel);
        self.set.collect_as_owner();
    }
}

impl<T: Send + 'static> Removal for Post<T> {
    fn remove(&self, handle: Handle) -> bool {
        match self.signal.upgrade() {
            Some(signal) => signal.remove(self, handle),
            None => {
                // The signal is gone, and the worker is about to drop the listener with all others.
                self.set.remove(handle);
                false
            }
        }
    }

    fn wait(&self, _: Handle, timeout: Duration) -> Result<(), WaitError> {
        let deadline = Instant::now().checked_add(timeout);
        if let Some(signal) = self.signal.upgrade() {
            signal.collect_if_manual(self, deadline);
        }
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        self.set.wait_for_retired(left.unwrap_or(Duration::MAX))
    }

    fn is_active(&self, handle: Handle) -> bool {
        self.set.is_active(handle)
    }
}

impl<T: Send + 'static> Drop for Post<T> {
    fn drop(&mut self) {
        // Listeners are dropped on their worker, whichever thread gave up the last handle; if the
        // worker is gone the mail comes back, and they are dropped here.
        let is_empty = self.set.array_len() == 0 && self.set.retired().0 == 0;
        if !is_empty && wait_graph::current() != Some(self.worker.key) {
            drop(
                self.worker
                    .send(Mail::Drop(Box::new(Arc::clone(&self.set)))),
            );
        }
    }
}

#[cfg(target_arch = "x86_64")]
const _: () = {
    use core::mem::offset_of;
    // The words that workers and emitters read, and the locks that subscribers, workers and new
    // emitters take, are two lines from one another.
    let words = [
        offset_of!(Post<u64>, version),
        offset_of!(Post<u64>, active),
        offset_of!(Post<u64>, joins),
        offset_of!(Post<u64>, lanes),
    ];
    let mut one = 0;
    while one < words.len() {
        let mut other = one + 1;
        while other < words.len() {
            assert!(words[one].abs_diff(words[other]) >= 128);
            other += 1;
        }
        one += 1;
    }
};
