//! The worker: a loop that empties lanes, as a plain function of its own state.
//!
//! Lanes that have had an event lately are *hot* and looked at in every sweep; the others are
//! *cold*, and each sweep looks at a slice of them, so that a thousand idle lanes do not stand
//! between a busy lane and its worker ([`Attention`]). Before it sleeps, a worker looks at every
//! lane.

use super::attention::Attention;
use super::shared::{EngineShared, Phase};
use super::wait_graph::Acting;
use super::worker_shared::{Drain, Mail, Status, WorkerShared};
use crate::fault::Payload;
use crate::walk::{self, Depth};
use corecast_ring::Idle;
use corecast_ring::sync::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Sweeps without an event after which a hot lane is asked whether it has come to its end.
const FINISHED_ROUND: u32 = 64;

/// Spins between two sweeps, at most: a few hundred nanoseconds.
const LONGEST_PAUSE: usize = 15;
/// Slots that a lane has for each spin, at least, so that its emitter does not run out of room.
const SLOTS_PER_SPIN: usize = 64;

/// A lane and how long it has been idle.
struct Slot {
    lane: Box<dyn Drain>,
    idle_sweeps: u32,
    longest_run: usize,
    /// Spins that its emitter may be left alone for.
    patience: u32,
}

impl Slot {
    fn new(lane: Box<dyn Drain>) -> Self {
        let patience = (lane.capacity() / SLOTS_PER_SPIN).min(LONGEST_PAUSE) as u32;
        Self {
            longest_run: lane.longest_run(),
            patience,
            lane,
            idle_sweeps: 0,
        }
    }
}

/// A worker's own state. One thread at a time runs it.
pub(crate) struct Worker {
    shared: Arc<WorkerShared>,
    /// Hot lanes first.
    lanes: Vec<Slot>,
    hot: usize,
    /// The next cold lane to look at, counted from the first cold one.
    next_cold: usize,
    attention: Attention,
    /// Spins between two sweeps while events stream in.
    pause: u32,
    /// The longest pause after the last sweep; 0 when a lane had more than a run.
    patience: u32,
}

impl Worker {
    pub(crate) fn new(shared: Arc<WorkerShared>) -> Self {
        Self {
            shared,
            lanes: Vec::new(),
            hot: 0,
            next_cold: 0,
            attention: Attention::new(),
            pause: 0,
            patience: 0,
        }
    }

    /// Drains until the engine is closed and everything is delivered, or abandoned.
    pub(crate) fn run(&mut self, engine: &EngineShared, mut idle: Idle) {
        let _acting = Acting::as_worker(self.shared.key);
        let _inside = Depth::enter_unlimited();
        loop {
            let delivered = self.turn(engine);
            if delivered > 0 {
                idle.reset();
                self.pace(delivered);
                continue;
            }
            match engine.phase() {
                Phase::Abandoned => break,
                Phase::Sealed if self.nothing_left(engine) => break,
                // Nothing more comes; what there is was only not looked at in this sweep.
                Phase::Sealed => {}
                phase => self.wait(engine, &mut idle, phase),
            }
        }
    }

    /// As [`Worker::run`]; then the lanes are dropped on this thread, so that emitters find them
    /// closed, and so is what removed listeners had captured.
    pub(crate) fn run_and_leave(mut self, engine: &EngineShared, idle: Idle) {
        self.run(engine, idle);
        self.drop_lanes();
        let signals = engine.live_signals();
        signals
            .iter()
            .for_each(|signal| signal.collect(self.shared.id));
    }

    /// One sweep, and the mail; how many events were delivered.
    #[inline(always)]
    fn turn(&mut self, engine: &EngineShared) -> usize {
        let delivered = self.sweep(engine);
        if self.shared.has_mail() {
            self.read_mail();
        }
        delivered
    }

    /// Keeps off the emitters' cache lines for a moment while events stream in faster than they
    /// are taken one by one, so that they come in runs: a slot that is polled while its line is
    /// being written costs both sides a transfer. The moment grows as long as it is rewarded with
    /// more than one event from a lane, and is gone as soon as it is not, so a lone event is never
    /// kept waiting. Nor is there a pause while a lane has more than a run.
    #[inline(always)]
    fn pace(&mut self, delivered: usize) {
        if delivered <= self.hot.max(1) {
            self.pause = 0;
        } else if self.patience > 0 {
            self.pause = (self.pause * 2 + 1).min(self.patience);
            (0..self.pause).for_each(|_| spin_loop());
        }
    }

    /// Sweeps until nothing is left, on the caller's thread; how many events were delivered.
    pub(crate) fn run_until_idle(&mut self, engine: &EngineShared) -> usize {
        let _acting = Acting::as_worker(self.shared.key);
        let _inside = Depth::enter_unlimited();
        let mut delivered = 0;
        loop {
            self.read_mail();
            let swept = self.sweep_all(engine);
            delivered += swept;
            if (swept == 0 && !self.shared.has_mail()) || engine.phase() == Phase::Abandoned {
                return delivered;
            }
        }
    }

    /// Waits for an event, mail, or another phase than `phase`, the one that the caller acted on: a
    /// change that came between would otherwise be slept through.
    #[cold]
    fn wait(&mut self, engine: &EngineShared, idle: &mut Idle, phase: Phase) {
        if !idle.wait_once() {
            return;
        }
        if self.sweep_all(engine) > 0 || self.shared.has_mail() {
            return;
        }
        self.shared.set_status(Status::Parked);
        self.shared.count_park();
        let shared = Arc::clone(&self.shared);
        idle.park(&shared.parker, None, || {
            // A lane that was finished since the sweep is to be given up (G1).
            let is_due = |slot: &Slot| slot.lane.is_ready() || slot.lane.is_finished();
            let is_over = || engine.phase() != phase;
            self.lanes.iter().any(is_due) || shared.has_mail() || is_over()
        });
        self.shared.set_status(Status::Running);
    }

    /// Whether every lane and the mailbox are empty. Called when nothing more can be published.
    fn nothing_left(&mut self, engine: &EngineShared) -> bool {
        self.sweep_all(engine) == 0
            && !self.shared.has_mail()
            && !self.lanes.iter().any(|slot| slot.lane.is_ready())
    }

    /// Looks at the hot lanes and at a slice of the cold ones.
    #[inline(always)]
    fn sweep(&mut self, engine: &EngineShared) -> usize {
        if engine.phase() == Phase::Abandoned {
            return 0;
        }
        let mut delivered = 0;
        let (mut more, mut patience) = (false, 0);
        let mut index = 0;
        while index < self.hot {
            let slot = &mut self.lanes[index];
            let events = slot.lane.drain();
            delivered += events;
            if events > 0 {
                slot.idle_sweeps = 0;
                more |= events >= slot.longest_run;
                patience = patience.max(slot.patience);
            } else {
                slot.idle_sweeps += 1;
                let cooled = slot.idle_sweeps >= self.attention.cooling();
                // A finished lane goes soon, also while others are busy.
                let looked_at = slot.idle_sweeps.is_multiple_of(FINISHED_ROUND);
                if cooled || (looked_at && slot.lane.is_finished()) {
                    self.set_hot(self.hot - 1);
                    self.lanes.swap(index, self.hot);
                    continue;
                }
            }
            index += 1;
        }
        self.patience = if more { 0 } else { patience };
        let cold = self.lanes.len() - self.hot;
        let slice = self.attention.cold_looks(self.hot, cold, delivered);
        if slice > 0 {
            delivered += self.sweep_cold(engine, cold, slice);
        }
        if delivered > 0 {
            self.shared.count_delivered(delivered);
        }
        delivered
    }

    fn set_hot(&mut self, hot: usize) {
        self.hot = hot;
        self.attention.divide_among(hot);
    }

    /// Looks at `slice` of the `cold` lanes; those with an event turn hot, finished ones go.
    fn sweep_cold(&mut self, engine: &EngineShared, cold: usize, slice: usize) -> usize {
        if engine.phase() == Phase::Abandoned {
            return 0;
        }
        let mut delivered = 0;
        let mut left = cold;
        for _ in 0..slice {
            if self.next_cold >= left {
                self.next_cold = 0;
            }
            if left == 0 {
                break;
            }
            let index = self.hot + self.next_cold;
            let slot = &mut self.lanes[index];
            if slot.lane.is_ready() {
                delivered += slot.lane.drain();
                slot.idle_sweeps = 0;
                self.lanes.swap(index, self.hot);
                self.set_hot(self.hot + 1);
                left -= 1;
            } else if slot.lane.is_finished() {
                self.lanes.swap_remove(index).lane.give_up();
                left -= 1;
            } else {
                // Reports progress that a hot lane had not come to report; and takes an event that
                // has come since.
                delivered += slot.lane.drain();
                self.next_cold += 1;
            }
        }
        delivered
    }

    /// Looks at every lane.
    fn sweep_all(&mut self, engine: &EngineShared) -> usize {
        let mut delivered = self.sweep(engine);
        let cold = self.lanes.len() - self.hot;
        let swept = self.sweep_cold(engine, cold, cold);
        self.shared.count_delivered(swept);
        delivered += swept;
        if delivered == 0 {
            // Finished lanes that were hot have to go as well.
            self.set_hot(0);
            let cold = self.lanes.len();
            let swept = self.sweep_cold(engine, cold, cold);
            self.shared.count_delivered(swept);
            delivered += swept;
        }
        delivered
    }

    #[cold]
    fn read_mail(&mut self) {
        let mut dies = false;
        for mail in self.shared.take_mail() {
            match mail {
                Mail::Lane(lane) => {
                    self.lanes.push(Slot::new(lane));
                    let last = self.lanes.len() - 1;
                    self.lanes.swap(self.hot, last);
                    self.set_hot(self.hot + 1);
                }
                Mail::Collect(set) => {
                    if let Some(set) = set.upgrade() {
                        set.collect();
                        // It may be the last handle.
                        discard(set, walk::discard);
                    }
                }
                Mail::Drop(what) => discard(what, walk::discard),
                Mail::Die => dies = true,
            }
        }
        assert!(!dies, "worker {} was told to die", self.shared.id);
    }

    /// Gives up the lanes on this thread, for a worker that leaves.
    pub(crate) fn drop_lanes(&mut self) {
        self.set_hot(0);
        self.lanes.drain(..).for_each(|slot| slot.lane.give_up());
    }
}

impl Drop for Worker {
    /// Also when a panic ends the worker: what its lanes drop is user code, and a second panic on the
    /// way out would end the process.
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Before the lanes close, so that whoever finds one closed finds out why.
            self.shared.set_status(Status::Dead);
        }
        self.drop_lanes();
    }
}

/// What a worker that is gone has not read.
pub(crate) fn discard_unread(mail: Vec<Mail>) {
    for mail in mail {
        match mail {
            Mail::Lane(lane) => lane.give_up(),
            Mail::Collect(_) | Mail::Die => {}
            Mail::Drop(what) => discard(what, walk::discard),
        }
    }
}

/// Drops something of a user's on this thread. A panic in it goes to `on_panic`, and no further.
pub(crate) fn discard(what: impl Sized, on_panic: impl FnOnce(Payload)) {
    let _inside = Depth::enter_unlimited();
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(what))) {
        on_panic(payload);
    }
}
