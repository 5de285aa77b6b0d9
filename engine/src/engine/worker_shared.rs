//! A worker as the rest of the engine sees it: its mailbox, its status, what tells it to look up.

use super::wait_graph::WorkerKey;
use crate::WorkerId;
use cache_padded::CachePadded;
use corecast_affinity::PinStatus;
use corecast_ring::sync::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Mutex, Ordering, lock};
use corecast_ring::{FencePair, Parker, WaitStrategy};
use std::sync::{Arc, OnceLock, Weak};

/// One lane as its worker sees it.
pub(crate) trait Drain: Send {
    /// Delivers what is ready, at most one run; how many events that was.
    fn drain(&mut self) -> usize;
    /// The longest run that one drain delivers.
    fn longest_run(&self) -> usize;
    /// Slots in the lane.
    fn capacity(&self) -> usize;
    /// Whether an event is waiting.
    fn is_ready(&self) -> bool;
    /// Whether nothing is left and nothing can come; the worker then gives the lane up.
    fn is_finished(&self) -> bool;
    /// Drops the lane with what is left in it. No panic gets out.
    fn give_up(self: Box<Self>);
}

/// Something for a worker to do between two walks.
pub(crate) enum Mail {
    /// A new lane.
    Lane(Box<dyn Drain>),
    /// Captured state of removed listeners waits to be dropped here.
    Collect(Weak<dyn Collect>),
    /// Something to drop on this worker.
    Drop(Box<dyn Send>),
    /// To end by a panic, as nothing else can make a worker do: for tests.
    Die,
}

/// A listener set that belongs to a worker.
pub(crate) trait Collect: Send + Sync {
    fn collect(&self);
}

/// Where a worker's thread stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Status {
    Running = 0,
    Parked = 1,
    Left = 2,
    Dead = 3,
}

/// The bit of `interrupts` that says that the engine gives up what is not delivered.
pub(crate) const ABANDONED: u64 = 1;
/// The rest of `interrupts` counts removals of listeners.
const REMOVAL: u64 = 2;

/// A worker with more lanes than this to let go of is far behind.
const MOST_LEFT: usize = 1024;

/// A worker as the rest of the engine sees it.
///
/// | edge | writer                                       | worker                                   | protects | loom model |
/// | I1   | entry switched off; `interrupts`, Release    | before each call of a listener: `interrupts`, Acquire; entry's switch | no call begins after a removal or an abandonment that happened before it | interrupts |
/// | B1   | under the lock: mail in the box, `has_mail`; wake (P1) | `has_mail`; under the lock: `has_mail` cleared, box emptied | no mail is left lying | mail |
/// | P1   | `phase`; wake                                | announced; `phase`                       | nobody sleeps through the end | shutdown::a_sleeping_worker_leaves |
/// | G1   | lane closed (R4); wake                       | announced; the lane's `is_finished`      | no lane whose emitter is gone is kept through a sleep | mail::a_worker_that_goes_to_sleep_gives_up_a_finished_lane |
///
/// A run of events takes one look at a listener's switch; the word is what makes a listener that is
/// in the middle of a run stop between two events and be looked at again.
pub(crate) struct WorkerShared {
    pub(crate) id: WorkerId,
    pub(crate) key: WorkerKey,
    /// Where the worker sleeps; its lanes wake it here.
    pub(crate) parker: Arc<Parker>,
    /// Mail is there. Written by senders, cleared by the worker.
    has_mail: CachePadded<AtomicBool>,
    mail: Mutex<Vec<Mail>>,
    /// Written by the worker.
    own: CachePadded<WorkerWords>,
    /// Tells a run in progress to look up. Written by removers and by whoever shuts down (I1).
    interrupts: CachePadded<AtomicU64>,
    /// Lanes with one end left, of all signals: nearly all of them wait for this worker to let go.
    left_lanes: CachePadded<AtomicUsize>,
    /// Listeners placed here, for placing the next one.
    pub(crate) listeners: CachePadded<AtomicUsize>,
    /// The plan, and once the thread runs what became of it.
    pub(crate) info: OnceLock<WorkerInfo>,
    settled: OnceLock<WorkerInfo>,
}

struct WorkerWords {
    status: AtomicU32,
    /// Lane-events delivered.
    delivered: AtomicU64,
    /// How often the worker went to sleep.
    parks: AtomicU64,
}

/// A worker, as it was placed and set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Which worker.
    pub id: WorkerId,
    /// The CPU chosen for it; `None` in a manual engine and without pinning.
    pub cpu: Option<corecast_affinity::CpuId>,
    /// Whether it is pinned there and that was verified.
    pub pinned: bool,
    /// What became of the pin.
    pub pin: PinStatus,
    /// The wait strategy in effect: a busy spin is degraded to `spin_then_yield` where several
    /// workers share a CPU, because they would take whole time slices from one another.
    pub wait: WaitStrategy,
    /// Whether the strategy was degraded so.
    pub degraded: bool,
    /// Other workers have the same CPU: this one yields to them without spinning first.
    pub(crate) has_neighbours: bool,
    /// The thread's name; empty in a manual engine.
    pub thread: String,
}

impl WorkerShared {
    pub(crate) fn new(index: u32, key: WorkerKey, fences: FencePair) -> Self {
        Self {
            id: WorkerId::new(index),
            key,
            parker: Arc::new(Parker::new(fences)),
            has_mail: CachePadded::new(AtomicBool::new(false)),
            mail: Mutex::new(Vec::new()),
            own: CachePadded::new(WorkerWords {
                status: AtomicU32::new(Status::Running as u32),
                delivered: AtomicU64::new(0),
                parks: AtomicU64::new(0),
            }),
            interrupts: CachePadded::new(AtomicU64::new(0)),
            left_lanes: CachePadded::new(AtomicUsize::new(0)),
            listeners: CachePadded::new(AtomicUsize::new(0)),
            info: OnceLock::new(),
            settled: OnceLock::new(),
        }
    }

    /// What is known of the worker's place.
    pub(crate) fn planned(&self) -> WorkerInfo {
        match self.settled.get().or_else(|| self.info.get()) {
            Some(info) => info.clone(),
            None => unreachable!("the builder plans every worker"),
        }
    }

    pub(crate) fn settle(&self, info: WorkerInfo) {
        // The worker's thread starts once.
        let _ = self.settled.set(info);
    }

    /// Leaves something for the worker to do, and wakes it. Comes back if the worker is gone.
    pub(crate) fn send(&self, mail: Mail) -> Option<Mail> {
        {
            let mut box_ = lock(&self.mail);
            if self.is_gone() {
                return Some(mail);
            }
            box_.push(mail);
            // Release: the worker's look at the flag is followed by the lock, so this only has to
            // be seen; P1 (parker) makes a sleeping worker look.
            self.has_mail.store(true, Ordering::Release);
        }
        self.parker.wake();
        None
    }

    /// One end of a lane has gone, and the other is left.
    pub(crate) fn lane_is_left(&self) {
        // Relaxed: a number, and no order.
        self.left_lanes.fetch_add(1, Ordering::Relaxed);
    }

    /// The other has gone as well.
    pub(crate) fn lane_is_gone(&self) {
        // Relaxed: as above.
        self.left_lanes.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether it is far behind with letting go of lanes.
    pub(crate) fn is_behind(&self) -> bool {
        // Relaxed: as above.
        self.left_lanes.load(Ordering::Relaxed) > MOST_LEFT && !self.is_gone()
    }

    #[inline(always)]
    pub(crate) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    pub(crate) fn take_mail(&self) -> Vec<Mail> {
        let mut mail = lock(&self.mail);
        self.has_mail.store(false, Ordering::Relaxed);
        core::mem::take(&mut *mail)
    }

    pub(crate) fn status(&self) -> Status {
        // Acquire: what the worker did before it left happens before what follows.
        match self.own.status.load(Ordering::Acquire) {
            0 => Status::Running,
            1 => Status::Parked,
            2 => Status::Left,
            _ => Status::Dead,
        }
    }

    pub(crate) fn set_status(&self, status: Status) {
        // Release: see `status`.
        self.own.status.store(status as u32, Ordering::Release);
    }

    /// The worker will not drain anything any more. Mail that it has not taken comes back.
    pub(crate) fn leave(&self, status: Status) -> Vec<Mail> {
        // Under the lock, so that nobody leaves mail behind our back.
        let mut mail = lock(&self.mail);
        self.set_status(status);
        core::mem::take(&mut *mail)
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.status(), Status::Left | Status::Dead)
    }

    #[inline(always)]
    pub(crate) fn interrupts(&self) -> u64 {
        // Acquire (I1).
        self.interrupts.load(Ordering::Acquire)
    }

    /// A listener has been removed here.
    pub(crate) fn interrupt(&self) {
        // Release (I1): whoever sees the count sees the switch.
        self.interrupts.fetch_add(REMOVAL, Ordering::Release);
    }

    /// No further call of a listener begins.
    pub(crate) fn abandon(&self) {
        // Release (I1): what the closer did before is seen with it.
        self.interrupts.fetch_or(ABANDONED, Ordering::Release);
    }

    #[inline(always)]
    pub(crate) fn count_delivered(&self, events: usize) {
        // Relaxed: a counter with one writer.
        let delivered = &self.own.delivered;
        delivered.store(
            delivered.load(Ordering::Relaxed) + events as u64,
            Ordering::Relaxed,
        );
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.own.delivered.load(Ordering::Relaxed)
    }

    pub(crate) fn count_park(&self) {
        let parks = &self.own.parks;
        parks.store(parks.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(crate) fn parks(&self) -> u64 {
        self.own.parks.load(Ordering::Relaxed)
    }
}

#[cfg(target_arch = "x86_64")]
const _: () = {
    use core::mem::offset_of;
    // Words of different writers are at least two cache lines apart.
    let worker = [
        offset_of!(WorkerShared, has_mail),
        offset_of!(WorkerShared, own),
        offset_of!(WorkerShared, interrupts),
        offset_of!(WorkerShared, left_lanes),
        offset_of!(WorkerShared, listeners),
        offset_of!(WorkerShared, mail),
    ];
    let mut one = 0;
    while one < worker.len() {
        let mut other = one + 1;
        while other < worker.len() {
            assert!(worker[one].abs_diff(worker[other]) >= 128);
            other += 1;
        }
        one += 1;
    }
    assert!(align_of::<WorkerShared>() >= 128);
    assert!(size_of::<CachePadded<AtomicU32>>() >= 128);
};
