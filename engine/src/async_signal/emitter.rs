//! The emitter: the single writer of its lanes.

use super::builder::EmitterError;
use super::core::SignalCore;
use super::lane::{LaneDrain, Sample};
use super::post::{LaneCounters, LaneId, Post};
use super::record::EmitterRecord;
use super::route::{Broadcast, Route, Routing};
use super::waiting::{self, Wait};
use crate::context::Context;
use crate::engine::shared::{Drain, Mail, Status, WorkerShared};
use crate::fault::{Fault, FaultKind};
use crate::overflow::{FlushError, Overflow, RejectReason, Rejected};
use crate::walk::isolate;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use corecast_ring::{Producer, PushError, spsc};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Samples on their way; an event that finds no room is not sampled.
const SAMPLES: usize = 64;

/// One lane, as its emitter sees it.
pub(crate) struct LaneEnd<T: Send + 'static> {
    pub(crate) producer: Producer<T>,
    pub(crate) worker: Arc<WorkerShared>,
    pub(crate) state: LaneState,
    samples: Option<Producer<Sample>>,
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
/// | [`emit`](Self::emit) | as the signal's [`Overflow`] says | the usual case |
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
    direct: usize,
    /// The signal's word when `active` was taken (S1).
    seen: u64,
    /// Counts events on routes to one worker.
    pub(crate) turn: u64,
    pub(crate) record: Arc<EmitterRecord<T>>,
    /// Sharded signals with recycled slots: the slot to fill before its lane is known.
    pub(crate) spare: Option<T>,
    until_sample: u32,
    /// When the event that waits for room was emitted, if it is to be sampled.
    waiting_since: Option<Instant>,
    /// Keeps the type from being `Sync`.
    single_writer: PhantomData<Cell<()>>,
}

/// A push that was not accepted, and the lane that stands in the way.
pub(crate) struct Refused<T> {
    pub(crate) event: T,
    pub(crate) reason: RejectReason,
    pub(crate) lane: usize,
}

impl<T: Send + 'static, R: Routing<T>> Emitter<T, R> {
    pub(crate) fn new(core: Arc<SignalCore<T>>, route: R) -> Result<Self, EmitterError> {
        if core.is_closed() {
            return Err(EmitterError::Closed);
        }
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
        let record = Arc::new(EmitterRecord::new(monitors, R::FANS_OUT));
        let lanes = core.with_lane_ids(|next_id| {
            let connect = |(post, (producer, consumer)): (&Arc<_>, (Producer<T>, _))| {
                let post: &Arc<Post<T>> = post;
                let id = next_id();
                let counters = Arc::new(LaneCounters::default());
                let monitor = producer.monitor();
                post.register_lane(id, monitor, Arc::clone(&counters), false);
                let samples = (core.options.sample > 0).then(|| spsc::<Sample>(SAMPLES).ok());
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
        core.register_emitter(Arc::clone(&record));
        let mut emitter = Self {
            route,
            active: Vec::with_capacity(lanes.len()),
            direct: usize::MAX,
            lanes,
            // Never a word: versions count in twos from 0, and closed emitters do not get here.
            seen: u64::MAX,
            turn: 0,
            record,
            spare,
            until_sample: core.options.sample,
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
        self.active.clear();
        self.direct = usize::MAX;
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
            self.record.set_primary(self.active.first().copied());
            if dead {
                // Not remembered as seen, so that every emission comes here and says so.
                return Err(RejectReason::WorkerDead);
            }
            if let [lane] = self.active[..] {
                self.direct = lane;
            }
        }
        self.seen = word;
        Ok(())
    }

    /// Notes when the event about to be pushed to `lane` is emitted, if it is its turn.
    #[inline(always)]
    pub(crate) fn sample(&mut self, lanes: SampledLanes) {
        if self.until_sample > 0 {
            self.sample_now(lanes);
        }
    }

    #[cold]
    #[inline(never)]
    fn sample_now(&mut self, lanes: SampledLanes) {
        if self.until_sample > 1 {
            self.until_sample -= 1;
            return;
        }
        let sampled: &[usize] = match &lanes {
            SampledLanes::One(lane) => core::slice::from_ref(lane),
            SampledLanes::Active => &self.active,
        };
        if let SampledLanes::One(lane) = lanes
            && self.lanes[lane].producer.room(1) == 0
        {
            // Refused, or to wait: it is sampled when it gets its sequence.
            return;
        }
        self.until_sample = self.core.options.sample;
        let emitted = self.waiting_since.take().unwrap_or_else(Instant::now);
        for &index in sampled {
            let lane = &mut self.lanes[index];
            let sequence = lane
                .producer
                .sequence()
                .wrapping_add(lane.producer.staged());
            if let Some(samples) = &mut lane.samples {
                // Full: this one is not sampled.
                let _ = samples.try_push((sequence, emitted));
            }
        }
    }

    /// An event that is to be sampled has found no room: its latency counts from here.
    fn sample_from_here(&mut self) {
        if self.core.options.sample > 0 && self.until_sample <= 1 {
            self.waiting_since.get_or_insert_with(Instant::now);
        }
    }

    /// Pushes to one lane, if it has room.
    #[inline(always)]
    fn push_to(&mut self, lane: usize, event: T) -> Result<(), Refused<T>> {
        self.sample(SampledLanes::One(lane));
        let core = &*self.core;
        match self.lanes[lane]
            .producer
            .try_push_if(event, || core.admits())
        {
            Ok(()) => Ok(()),
            Err(refused) => Err(self.refuse(refused, lane)),
        }
    }

    #[cold]
    #[inline(never)]
    fn refuse(&self, refused: PushError<T>, lane: usize) -> Refused<T> {
        let reason = match &refused {
            PushError::NotAdmitted(_) => RejectReason::Closed,
            _ => self.full_reason(lane),
        };
        Refused {
            event: refused.into_inner(),
            reason,
            lane,
        }
    }

    /// Why a lane has no room: nobody drains it any more, or not yet.
    pub(crate) fn full_reason(&self, lane: usize) -> RejectReason {
        match self.lanes[lane].worker.status() {
            Status::Dead => RejectReason::WorkerDead,
            Status::Left => RejectReason::Closed,
            Status::Running | Status::Parked => RejectReason::Full,
        }
    }

    /// What becomes of a refused push under `overflow`: `Ok(true)` to push again.
    #[cold]
    #[inline(never)]
    pub(crate) fn overflow(
        &mut self,
        reason: RejectReason,
        lane: usize,
        overflow: Overflow,
        context: Option<&Context>,
    ) -> Result<bool, RejectReason> {
        if reason != RejectReason::Full {
            return Err(reason);
        }
        let wait = match (context, overflow) {
            (Some(context), _) => Wait::within(context),
            (None, Overflow::Wait) => Wait::forever(),
            (None, Overflow::WaitFor(limit)) => Wait::at_most(limit),
            (None, Overflow::Reject) => return Err(RejectReason::Full),
            (None, Overflow::DropNewest) => {
                self.record.count_dropped();
                return Ok(false);
            }
        };
        self.sample_from_here();
        let room = waiting::for_room(
            &self.core,
            &self.lanes[lane].worker,
            self.record.lane(lane),
            wait,
        );
        if room.is_err() {
            self.waiting_since = None;
        }
        room.map(|()| true)
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

    pub(crate) fn rejected(&self, event: T, reason: RejectReason) -> Rejected<T> {
        self.record.count_rejected(1);
        Rejected { event, reason }
    }
}

/// Which lanes a sampled event goes to.
pub(crate) enum SampledLanes {
    One(usize),
    Active,
}

impl<T: Send + 'static, R: Routing<T>> Emitter<T, R> {
    /// Emits an event; when a lane is full the signal's [`Overflow`] says what happens.
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
        match self.push(event) {
            Ok(()) => Ok(()),
            Err(refused) => self.emit_refused(refused, self.core.options.overflow, None),
        }
    }

    /// Emits an event if every lane has room: never waits, whatever the signal's [`Overflow`], and
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
        match self.push(event) {
            Ok(()) => Ok(()),
            Err(refused) => self.emit_refused(refused, Overflow::Reject, None),
        }
    }

    /// Emits an event; while a lane is full, waits for room until `context` is cancelled or its
    /// deadline passes, whatever the signal's [`Overflow`]. A cancellation is noticed within a
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
        match self.push(event) {
            Ok(()) => Ok(()),
            Err(refused) => self.emit_refused(refused, Overflow::Wait, Some(context)),
        }
    }
}

impl<T: Send + 'static, R: Route<T>> Emitter<T, R> {
    #[cold]
    #[inline(never)]
    fn emit_refused(
        &mut self,
        mut refused: Refused<T>,
        overflow: Overflow,
        context: Option<&Context>,
    ) -> Result<(), Rejected<T>> {
        loop {
            let Refused {
                event,
                reason,
                lane,
            } = refused;
            match self.overflow(reason, lane, overflow, context) {
                Ok(true) => match self.push(event) {
                    Ok(()) => return Ok(()),
                    Err(again) => refused = again,
                },
                Ok(false) => return Ok(()),
                Err(reason) => return Err(self.rejected(event, reason)),
            }
        }
    }

    /// Pushes to every lane that the event goes to, or to none.
    #[inline(always)]
    fn push(&mut self, event: T) -> Result<(), Refused<T>> {
        // An event whose latency is to be sampled (the count is at 1 then) takes the long way.
        if R::FANS_OUT
            && self.until_sample != 1
            && let Some(lane) = self.lanes.get_mut(self.direct)
        {
            // One look at the word, behind the claim (S2), says that the signal is open and that
            // this is still the lane (S1). When it has changed the claim is abandoned, and the
            // event takes the long way.
            let (core, seen) = (&*self.core, self.seen);
            if let Some(slot) = lane.producer.claim_short(|| core.is_still(seen)) {
                slot.publish(event);
                if self.until_sample > 0 {
                    self.until_sample -= 1;
                }
                return Ok(());
            }
        }
        self.push_routed(event)
    }

    /// As [`Emitter::push`], the long way: several lanes or none, routes to one worker, sampled
    /// latency, recycled slots, full fences, no room, or a word that has changed.
    #[inline(never)]
    fn push_routed(&mut self, event: T) -> Result<(), Refused<T>> {
        if let Err(reason) = self.check() {
            return Err(Refused {
                event,
                reason,
                lane: 0,
            });
        }
        if R::FANS_OUT {
            match *self.active {
                [lane] => self.push_to(lane, event),
                [] => {
                    self.record.count_unrouted();
                    Ok(())
                }
                _ => self.push_to_all(event),
            }
        } else {
            let lane = self.route.choose(&event, self.turn, self.lanes.len());
            let pushed = match self.lanes[lane].state {
                LaneState::Active => self.push_to(lane, event),
                LaneState::Idle => {
                    self.record.count_unrouted();
                    Ok(())
                }
                LaneState::Dead => Err(Refused {
                    event,
                    reason: RejectReason::WorkerDead,
                    lane,
                }),
            };
            self.turn += u64::from(pushed.is_ok());
            pushed
        }
    }

    /// A broadcast to several workers: room is made sure of, then copies are staged, then all are
    /// claimed, and when the signal is still open all are published. A panic in `clone` leaves
    /// nothing behind.
    fn push_to_all(&mut self, event: T) -> Result<(), Refused<T>> {
        if let Some(lane) = self.full_lane() {
            return Err(Refused {
                event,
                reason: self.full_reason(lane),
                lane,
            });
        }
        self.sample(SampledLanes::Active);
        let staging = Staging(self);
        let emitter = &mut *staging.0;
        let (&last, others) = emitter.active.split_last().unwrap_or((&0, &[]));
        for &lane in others {
            // There is room; what a recycled slot displaces is dropped here.
            drop(emitter.lanes[lane].producer.stage(R::duplicate(&event)));
        }
        let displaced = match emitter.lanes[last].producer.stage(event) {
            Ok(displaced) => displaced,
            // Not reached: there is room.
            Err(refused) => return Err(emitter.refuse(refused, last)),
        };
        core::mem::forget(staging);
        if self.publish_staged() {
            return Ok(());
        }
        // Closed in between: the event comes back from the last lane, the copies are dropped.
        let lane = &mut self.lanes[last].producer;
        let event = lane.unstage(displaced);
        self.withdraw_staged();
        match event {
            Some(event) => Err(Refused {
                event,
                reason: RejectReason::Closed,
                lane: last,
            }),
            None => unreachable!("one event was staged here, and its displaced value kept"),
        }
    }
}

impl<T: Send + 'static, R: Routing<T>> Emitter<T, R> {
    /// The only active lane, if there is just one and its latency is not sampled.
    #[inline(always)]
    pub(crate) fn direct_lane(&self) -> Option<usize> {
        let is_sampled = self.core.options.sample > 0;
        (self.direct < self.lanes.len() && !is_sampled).then_some(self.direct)
    }

    /// An active lane without room.
    #[inline(always)]
    pub(crate) fn full_lane(&mut self) -> Option<usize> {
        self.active
            .iter()
            .copied()
            .find(|&lane| self.lanes[lane].producer.room(1) == 0)
    }

    /// Claims what is staged on every lane and publishes it, unless the signal has been closed
    /// (S2); whether it did. Without user code in between.
    #[inline(always)]
    pub(crate) fn publish_staged(&mut self) -> bool {
        let staged = |lane: &&mut LaneEnd<T>| lane.producer.staged() > 0;
        self.lanes
            .iter_mut()
            .filter(staged)
            .for_each(|lane| lane.producer.announce());
        let fences = self.core.engine.fence_pair;
        // F1 (S2): claims before the look at the closed bit.
        fences.light();
        if !self.core.admits() {
            return false;
        }
        self.lanes
            .iter_mut()
            .filter(staged)
            .for_each(|lane| lane.producer.publish());
        // F1 (P1): stamps before the look at each worker's sleep.
        fences.light();
        self.lanes
            .iter()
            .for_each(|lane| lane.producer.notify_fenced());
        true
    }

    /// Abandons what [`Emitter::publish_staged`] claimed and did not publish.
    #[cold]
    pub(crate) fn withdraw_staged(&mut self) {
        self.lanes
            .iter_mut()
            .for_each(|lane| lane.producer.withdraw());
    }

    /// Drops what is staged beyond the first `keep` values of each lane.
    #[cold]
    pub(crate) fn discard_staged(&mut self, keep: u64) {
        self.lanes
            .iter_mut()
            .for_each(|lane| lane.producer.discard_to(keep));
    }
}

/// Unwinding past this drops what is staged.
pub(crate) struct Staging<'a, T: Send + 'static, R: Routing<T>>(pub(crate) &'a mut Emitter<T, R>);

impl<T: Send + 'static, R: Routing<T>> Drop for Staging<'_, T, R> {
    fn drop(&mut self) {
        self.0.discard_staged(0);
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
