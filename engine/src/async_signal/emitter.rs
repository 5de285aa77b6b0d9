//! The emitter: the single writer of its lanes.

use super::builder::EmitterError;
use super::core::SignalCore;
use super::lane::{LaneDrain, Sample};
use super::lane_counters::LaneCounters;
use super::post::{LaneId, Post};
use super::push::WhenFull;
use super::record::EmitterRecord;
use super::route::{Broadcast, Route, Routing};
use super::sampling::{self, Sampler};
use super::waiting;
use crate::context::Context;
use crate::engine::worker_shared::{Drain, Mail, Status, WorkerShared};
use crate::fault::{Fault, FaultKind};
use crate::overflow::{FlushError, RejectReason, Rejected};
use crate::walk::isolate;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use corecast_affinity::Ticks;
use corecast_ring::{Producer, spsc};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Samples on their way; an event that finds no room is not sampled.
const SAMPLES: usize = 64;

/// Lanes that no emitter has.
const NO_PAIR: (usize, usize) = (usize::MAX, usize::MAX);

/// One lane, as its emitter sees it.
#[repr(C)]
pub(crate) struct LaneEnd<T: Send + 'static> {
    /// First, so that one register points to it and to the lane: see [`Emitter::push`].
    pub(crate) producer: Producer<T>,
    pub(crate) worker: Arc<WorkerShared>,
    pub(crate) state: LaneState,
    pub(super) samples: Option<Producer<Sample>>,
    id: LaneId,
    counters: Arc<LaneCounters>,
    post: Arc<Post<T>>,
}

/// What the emitter knows of the worker at a lane's other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaneState {
    /// No listener there: events go elsewhere.
    Idle,
    /// There is a listener.
    Active,
    /// The worker is dead.
    Dead,
}

/// Emits events on an asynchronous signal: the single writer of one lane to each worker.
///
/// `Send`, not `Sync`, not `Clone`: make one for each emitting thread. There is no order between
/// the events of two emitters. Dropping it closes its lanes; what it published is still delivered.
///
/// | call | a lane is full | for |
/// |---|---|---|
/// | [`emit`](Self::emit) | as the signal's [`Overflow`](crate::Overflow) says | the usual case |
/// | [`try_emit`](Self::try_emit) | hands the event back | a caller with a plan for it |
/// | [`emit_within`](Self::emit_within) | waits for as long as a [`Context`] permits | a deadline, a cancellation |
/// | [`emit_batch`](Self::emit_batch) | as `emit`; says how many were accepted | many events at hand |
/// | [`emit_with`](Self::emit_with) | as `emit` | recycled slots, filled in place |
///
/// ```
/// use corecast::{Context, Engine, Overflow, RejectReason};
/// use std::time::Duration;
///
/// let engine = Engine::builder().manual().build()?; // drained by hand, below
/// let ticks = engine.signal::<u64>("ticks").capacity(4).overflow(Overflow::Reject).build()?;
/// let _subscription = ticks.subscribe(|_| {});
/// let mut emitter = ticks.emitter()?;
///
/// emitter.emit(1)?;
/// assert_eq!(emitter.emit_batch([2, 3])?, 2);
/// assert!(emitter.try_emit(4).is_ok());
/// let rejected = emitter.try_emit(5).unwrap_err();
/// assert_eq!((rejected.event, rejected.reason), (5, RejectReason::Full));
///
/// emitter.flush(Duration::from_secs(60))?; // every listener has finished all four
/// emitter.emit_within(5, &Context::with_timeout(Duration::from_secs(1)))?;
/// assert_eq!(emitter.sequence(), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Emitter<T: Send + 'static, R = Broadcast> {
    pub(crate) core: Arc<SignalCore<T>>,
    pub(crate) route: R,
    pub(crate) lanes: Box<[LaneEnd<T>]>,
    /// Broadcast: the lanes whose worker has a listener.
    pub(crate) active: Vec<usize>,
    /// The only active lane of a broadcast: the short way of an emit. Otherwise no lane's number.
    pub(crate) direct: usize,
    /// The two active lanes of a broadcast that has two, the lower one first: a short way as well.
    pub(crate) pair: (usize, usize),
    /// The signal's word when `active` was taken (S1).
    pub(crate) seen: u64,
    /// Counts events on routes to one worker.
    pub(crate) turn: u64,
    pub(crate) record: Arc<EmitterRecord<T>>,
    /// Sharded signals with recycled slots: the slot to fill before its lane is known.
    pub(crate) spare: Option<T>,
    /// The [place](Emitter::place) of the next event that is sampled; never, if none is.
    pub(crate) sample_at: u64,
    /// When the event that waits for room was emitted, if it is to be sampled.
    pub(crate) waiting_since: Option<Ticks>,
    /// Keeps the type from being `Sync`.
    single_writer: PhantomData<Cell<()>>,
}

impl<T: Send + 'static, R: Routing<T>> Emitter<T, R> {
    pub(crate) fn new(core: Arc<SignalCore<T>>, route: R) -> Result<Self, EmitterError> {
        if core.is_closed() {
            return Err(EmitterError::Closed);
        }
        core.let_workers_catch_up();
        // Slots are made before anything is locked: the factory is user code.
        let made = catch_unwind(AssertUnwindSafe(|| {
            let rings: Result<Vec<_>, _> = core
                .posts
                .iter()
                .map(|post| {
                    let options = core.ring_options(post);
                    match &core.options.factory {
                        None => options.spsc(core.options.capacity),
                        Some(make) => options.spsc_recycled(core.options.capacity, || make()),
                    }
                })
                .collect();
            let fills_spare = !R::FANS_OUT && core.options.factory.is_some();
            rings.map(|rings| {
                (
                    rings,
                    core.options
                        .factory
                        .as_ref()
                        .filter(|_| fills_spare)
                        .map(|make| make()),
                )
            })
        }));
        let (rings, spare) = match made {
            Ok(made) => made.map_err(EmitterError::Capacity)?,
            Err(payload) => {
                let message = crate::fault::panic_message(&*payload);
                crate::walk::discard(payload);
                return Err(EmitterError::FactoryPanicked { message });
            }
        };
        let monitors = rings
            .iter()
            .map(|(producer, _)| producer.monitor())
            .collect();
        let lanes = core.while_nobody_subscribes(|| {
            let connect = |(post, (producer, consumer)): (&Arc<_>, (Producer<T>, _))| {
                let post: &Arc<Post<T>> = post;
                let counters = Arc::new(LaneCounters::default());
                let id = post.register_lane(producer.monitor(), Arc::clone(&counters), false);
                let samples = core.sampler.map(|_| spsc::<Sample>(SAMPLES).ok());
                let (emitted, sampled) = samples.flatten().unzip();
                let (core, at) = (Arc::clone(&core), Arc::clone(post));
                let worked = Arc::clone(&counters);
                let drain: Box<dyn Drain> =
                    Box::new(LaneDrain::new(consumer, core, at, id, worked, sampled));
                // A worker that is gone closes the lane: the mail comes back and is dropped.
                drop(post.worker.send(Mail::Lane(drain)));
                let worker = Arc::clone(&post.worker);
                LaneEnd {
                    producer,
                    worker,
                    state: LaneState::Idle,
                    samples: emitted,
                    id,
                    counters,
                    post: Arc::clone(post),
                }
            };
            core.posts
                .iter()
                .zip(rings)
                .map(connect)
                .collect::<Box<[_]>>()
        });
        let record = core.register_emitter(monitors, R::FANS_OUT);
        let mut emitter = Self {
            route,
            active: Vec::with_capacity(lanes.len()),
            direct: usize::MAX,
            pair: NO_PAIR,
            lanes,
            // Never a word: versions count in twos from 0, and closed emitters do not get here.
            seen: u64::MAX,
            turn: 0,
            record,
            spare,
            sample_at: core.sampler.map_or(sampling::NEVER, Sampler::first),
            waiting_since: None,
            core,
            single_writer: PhantomData,
        };
        // Closed in between, or a worker is dead: the first emission will say so.
        let _ = emitter.refresh(emitter.core.word());
        Ok(emitter)
    }

    /// Looks at the signal's word; when it has changed, at what it stands for.
    #[inline(always)]
    pub(crate) fn check(&mut self) -> Result<(), RejectReason> {
        let word = self.core.word();
        if word == self.seen {
            Ok(())
        } else {
            self.refresh(word)
        }
    }

    #[cold]
    #[inline(never)]
    fn refresh(&mut self, word: u64) -> Result<(), RejectReason> {
        if word & super::core::CLOSED != 0 {
            return Err(RejectReason::Closed);
        }
        let until_sample = self.until_sample();
        self.active.clear();
        self.direct = usize::MAX;
        self.pair = NO_PAIR;
        let mut dead = false;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let has_listener = self.core.posts[index].is_active();
            lane.state = match lane.worker.status() {
                Status::Dead => LaneState::Dead,
                _ if has_listener => LaneState::Active,
                _ => LaneState::Idle,
            };
            dead |= lane.state == LaneState::Dead && has_listener;
            if has_listener {
                self.active.push(index);
            }
        }
        if R::FANS_OUT {
            self.sample_after(until_sample);
            self.record.set_primary(self.active.first().copied());
            if dead {
                // Not remembered as seen, so that every emission comes here and says so.
                return Err(RejectReason::WorkerDead);
            }
            match self.active[..] {
                [lane] => self.direct = lane,
                [first, second] => self.pair = (first, second),
                _ => {}
            }
        }
        self.seen = word;
        Ok(())
    }

    /// Waits until every listener has finished every event that this emitter has published. Zero
    /// looks once; `Duration::MAX` waits for ever. In a manual engine it drains on this thread.
    ///
    /// # Errors
    ///
    /// [`FlushError::Timeout`]; [`FlushError::WorkerDead`]; [`FlushError::WouldDeadlock`] in a
    /// listener whose own worker would have to finish first; [`FlushError::Closed`] when a shutdown
    /// abandoned some of them.
    ///
    /// # Complexity
    ///
    /// Blocks: a worker reports its progress when it has nothing more to do, or every
    /// min(64, capacity/4) events.
    ///
    /// # Memory ordering
    ///
    /// What listeners did with those events happens before this returns `Ok`.
    pub fn flush(&mut self, limit: Duration) -> Result<(), FlushError> {
        let deadline = Instant::now().checked_add(limit);
        if !self.is_flushed() {
            waiting::drain_if_manual(&self.core, deadline)?;
        }
        for (index, lane) in self.lanes.iter().enumerate() {
            let target = lane.producer.sequence();
            let at = (self.record.lane(index), &*lane.counters);
            waiting::for_release(&self.core, &lane.worker, at, target, deadline)?;
        }
        Ok(())
    }

    fn is_flushed(&self) -> bool {
        let mut lanes = self.lanes.iter().enumerate();
        lanes.all(|(index, lane)| self.record.lane(index).released() == lane.producer.sequence())
    }

    /// Events that this emitter has had accepted.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.record.accepted()
    }

    /// Closes the emitter's lanes, as dropping it does: what was published is still delivered.
    pub fn close(self) {}
}

impl<T: Send + 'static, R: Routing<T>> Emitter<T, R> {
    /// Emits an event; when a lane is full the signal's [`Overflow`](crate::Overflow) says what happens.
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands the event back with the reason.
    ///
    /// # Complexity
    ///
    /// Wait-free while lanes have room, whatever the number of listeners: per worker with a
    /// listener one slot is written, and one more word. Never allocates. A sleeping worker costs a
    /// system call to wake.
    ///
    /// # Memory ordering
    ///
    /// What the caller did before happens before the listeners' calls.
    #[inline(always)]
    pub fn emit(&mut self, event: T) -> Result<(), Rejected<T>>
    where
        R: Route<T>,
    {
        self.push(event, WhenFull::AsBuilt)
    }

    /// Emits an event if every lane has room: never waits, whatever the signal's [`Overflow`](crate::Overflow), and
    /// never drops: the event comes back. As [`Emitter::emit`] otherwise.
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands the event back with the reason.
    #[inline(always)]
    pub fn try_emit(&mut self, event: T) -> Result<(), Rejected<T>>
    where
        R: Route<T>,
    {
        self.push(event, WhenFull::Reject)
    }

    /// Emits an event; while a lane is full, waits for room until `context` is cancelled or its
    /// deadline passes, whatever the signal's [`Overflow`](crate::Overflow). A cancellation is noticed within a
    /// millisecond. As long as lanes have room the context is not looked at: an event whose deadline
    /// has passed is accepted all the same.
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands the event back with the reason.
    pub fn emit_within(&mut self, event: T, context: &Context) -> Result<(), Rejected<T>>
    where
        R: Route<T>,
    {
        self.push(event, WhenFull::WaitWithin(context))
    }
}

impl<T: Send + 'static, R> Drop for Emitter<T, R> {
    fn drop(&mut self) {
        self.core.deregister_emitter(&self.record);
        // Recycled values may go with the lanes: their drop is user code, and its panic a fault.
        let record = core::mem::replace(&mut self.record, Arc::new(EmitterRecord::empty()));
        let mut parts = Parts {
            lanes: core::mem::take(&mut self.lanes).into_vec(),
            spare: self.spare.take(),
            record: Some(record),
        };
        isolate(
            || parts.drop_next(),
            |payload| {
                let fault = Fault::from_panic(FaultKind::EventDrop, payload);
                self.core.report_from_outside(fault);
                true
            },
        );
    }
}

/// What an emitter leaves behind, dropped piece by piece.
struct Parts<T: Send + 'static> {
    lanes: Vec<LaneEnd<T>>,
    spare: Option<T>,
    record: Option<Arc<EmitterRecord<T>>>,
}

impl<T: Send + 'static> Parts<T> {
    fn drop_next(&mut self) {
        while let Some(lane) = self.lanes.pop() {
            let (id, post) = (lane.id, Arc::clone(&lane.post));
            drop(lane);
            post.leave_lane(id);
        }
        drop(self.spare.take());
        drop(self.record.take());
    }
}

impl<T: Send + 'static, R> fmt::Debug for Emitter<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("signal", &self.core.options.name)
            .field("accepted", &self.record.accepted())
            .finish_non_exhaustive()
    }
}
