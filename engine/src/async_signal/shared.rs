//! The shared lanes: `AsyncSignal::emit` from any thread, through multi-producer rings.
//!
//! | edge | emitting thread                       | closer                                | protects | loom model |
//! | S3   | `publishing` up; light; read `word`   | `word`; heavy; read `publishing`      | no event is published after the seal | shutdown::no_shared_emission_is_published_after_the_seal |
//!
//! As S2, with a counter in place of the claim: what lies between a claim and its stamp here is
//! user code (`clone`), and a closer must not wait for that. An emission that finds the signal
//! closed abandons its claims; what it publishes it has counted before its turn ends, so that the
//! closer's sums are exact.

use super::core::{Counts, SignalCore};
use super::lane::LaneDrain;
use super::lane_counters::LaneCounters;
use super::post::{LaneId, Post};
use super::route::Route;
use super::waiting::{self, Wait};
use crate::engine::worker_shared::{Mail, Status};
use crate::overflow::{Overflow, Refused, RejectReason, Rejected};
use cache_padded::CachePadded;
use core::cell::Cell;
use corecast_ring::sync::{AtomicU64, Ordering};
use corecast_ring::{ClaimError, Credit, SharedClaim, SharedProducer};
use std::sync::{Arc, OnceLock};

/// What shared emissions counted. Read-modify-writes: any thread emits.
#[derive(Default)]
pub(crate) struct SharedCounters {
    /// Emissions between their claims' announcement and their stamps (S3).
    publishing: CachePadded<AtomicU64>,
    words: CachePadded<Words>,
}

#[cfg(target_arch = "x86_64")]
const _: () = assert!(
    core::mem::offset_of!(SharedCounters, publishing)
        .abs_diff(core::mem::offset_of!(SharedCounters, words))
        >= 128
);

#[derive(Default)]
struct Words {
    accepted: AtomicU64,
    rejected: AtomicU64,
    dropped: AtomicU64,
    turn: AtomicU64,
}

impl SharedCounters {
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            accepted: self.words.accepted.load(Ordering::Relaxed),
            rejected: self.words.rejected.load(Ordering::Relaxed),
            dropped: self.words.dropped.load(Ordering::Relaxed),
        }
    }

    /// Whether nobody is between claim and stamp (S3).
    pub(crate) fn is_settled(&self) -> bool {
        // Acquire (S3): the stamps of those who left are there.
        self.publishing.load(Ordering::Acquire) == 0
    }
}

/// An emission is between claim and stamp for as long as this lives (S3).
struct Publishing<'a>(&'a AtomicU64);

impl<'a> Publishing<'a> {
    fn enter(counters: &'a SharedCounters) -> Self {
        // Relaxed (S3): the light fence that follows orders it before the look at the word.
        counters.publishing.fetch_add(1, Ordering::Relaxed);
        Self(&counters.publishing)
    }
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        // Release (S3): the stamps happen before the count goes down.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// One multi-producer lane to each worker, made by the first shared emission.
pub(crate) struct SharedLanes<T: Send + 'static> {
    lanes: OnceLock<Box<[SharedEnd<T>]>>,
}

/// One shared lane, as those who emit see it.
struct SharedEnd<T: Send + 'static> {
    producer: SharedProducer<T>,
    counters: Arc<LaneCounters>,
    id: LaneId,
    post: Arc<Post<T>>,
}

impl<T: Send + 'static> Drop for SharedEnd<T> {
    fn drop(&mut self) {
        self.post.leave_lane(self.id);
    }
}

/// A lane's part of one emission: the promise of a slot, then the slot. Linked on the stack, so
/// that an emission to any number of workers allocates nothing.
struct Link<'l, 's, T> {
    credit: Cell<Option<Credit<'l, T>>>,
    claim: Cell<Option<SharedClaim<'l, T>>>,
    counters: &'l LaneCounters,
    before: Option<&'s Link<'l, 's, T>>,
}

impl<T: Send + 'static> SharedLanes<T> {
    pub(crate) fn new() -> Self {
        Self {
            lanes: OnceLock::new(),
        }
    }

    /// The lanes; the first caller makes them.
    fn lanes(&self, core: &Arc<SignalCore<T>>) -> Result<&[SharedEnd<T>], RejectReason> {
        if let Some(lanes) = self.lanes.get() {
            return Ok(lanes);
        }
        let make = |post: &Arc<Post<T>>| match &core.options.factory {
            None => core.ring_options(post).mpsc(core.options.capacity),
            Some(factory) => core
                .ring_options(post)
                .mpsc_recycled(core.options.capacity, || factory()),
        };
        let rings: Result<Vec<_>, _> = core.posts.iter().map(make).collect();
        // Refused by the allocator: as full as a lane can be.
        let mut rings = rings.map_err(|_| RejectReason::Full)?;
        // Those of a caller that comes too late are dropped outside the lock: recycled values go with
        // them, and their drop is user code.
        let rings = &mut rings;
        Ok(core.while_nobody_subscribes(|| {
            // Under the lock: whoever else comes at the same time finds these.
            self.lanes.get_or_init(|| {
                let connect = |(post, (producer, consumer)): (&Arc<_>, (SharedProducer<T>, _))| {
                    let post: &Arc<Post<T>> = post;
                    let counters = Arc::new(LaneCounters::default());
                    let id = post.register_lane(producer.monitor(), Arc::clone(&counters), true);
                    let (core, at) = (Arc::clone(core), Arc::clone(post));
                    let end = SharedEnd {
                        producer,
                        counters: Arc::clone(&counters),
                        id,
                        post: Arc::clone(post),
                    };
                    let drain = LaneDrain::new(consumer, core, at, id, counters, None);
                    drop(post.worker.send(Mail::Lane(Box::new(drain))));
                    end
                };
                core.posts
                    .iter()
                    .zip(rings.drain(..))
                    .map(connect)
                    .collect()
            })
        }))
    }

    /// Emits from any thread.
    pub(crate) fn emit<R: Route<T>>(
        &self,
        core: &Arc<SignalCore<T>>,
        route: &R,
        event: T,
        overflow: Overflow,
    ) -> Result<(), Rejected<T>> {
        let mut event = Some(event);
        let emitted = self.emit_slot(core, route, &mut event, overflow);
        match (emitted, event) {
            (Err(reason), Some(event)) => {
                core.shared.words.rejected.fetch_add(1, Ordering::Relaxed);
                Err(Rejected { event, reason })
            }
            _ => Ok(()),
        }
    }

    fn emit_slot<R: Route<T>>(
        &self,
        core: &Arc<SignalCore<T>>,
        route: &R,
        event: &mut Option<T>,
        overflow: Overflow,
    ) -> Result<(), RejectReason> {
        if core.is_closed() {
            return Err(RejectReason::Closed);
        }
        let lanes = self.lanes(core)?;
        let chosen = match event {
            Some(event) if !R::FANS_OUT => {
                let turn = core.shared.words.turn.fetch_add(1, Ordering::Relaxed);
                Some(route.choose(event, turn, lanes.len()))
            }
            _ => None,
        };
        let first = chosen.unwrap_or(0);
        let end = chosen.map_or(lanes.len(), |lane| lane + 1);
        loop {
            let Err(refused) = reserve::<T, R>(core, lanes, event, first..end, None) else {
                core.shared.words.accepted.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            };
            let Refused { reason, lane } = refused;
            let wait = match (reason, overflow) {
                (RejectReason::Full, Overflow::Wait) => Wait::forever(),
                (RejectReason::Full, Overflow::WaitFor(limit)) => Wait::at_most(limit),
                (RejectReason::Full, Overflow::DropNewest) => {
                    core.shared.words.dropped.fetch_add(1, Ordering::Relaxed);
                    *event = None;
                    return Ok(());
                }
                _ => return Err(reason),
            };
            waiting::for_room(
                core,
                &core.posts[lane].worker,
                &lanes[lane].producer.monitor(),
                wait,
            )?;
        }
    }
}

/// Takes a credit on each lane that leads to a listener, one after the other, never waiting while
/// it holds any; with all in hand, publishes.
fn reserve<'l, T: Send + 'static, R: Route<T>>(
    core: &SignalCore<T>,
    lanes: &'l [SharedEnd<T>],
    event: &mut Option<T>,
    mut rest: core::ops::Range<usize>,
    before: Option<&Link<'l, '_, T>>,
) -> Result<(), Refused> {
    let Some(lane) = rest.find(|&lane| core.posts[lane].is_active()) else {
        return publish::<T, R>(core, event, before);
    };
    let credit = match lanes[lane].producer.reserve() {
        Ok(credit) => credit,
        Err(error) => {
            let reason = match (error, core.posts[lane].worker.status()) {
                (_, Status::Dead) => RejectReason::WorkerDead,
                (ClaimError::Closed, _) | (_, Status::Left) => RejectReason::Closed,
                _ => RejectReason::Full,
            };
            return Err(Refused { reason, lane });
        }
    };
    if core.posts[lane].worker.status() == Status::Dead {
        return Err(Refused {
            reason: RejectReason::WorkerDead,
            lane,
        });
    }
    let link = Link {
        credit: Cell::new(Some(credit)),
        claim: Cell::new(None),
        counters: &lanes[lane].counters,
        before,
    };
    reserve::<T, R>(core, lanes, event, rest, Some(&link))
}

/// Writes a copy into a slot of each linked lane, and the event itself into the last; publishes
/// all, unless the signal has been closed. A panic in `clone` abandons every claim.
fn publish<T: Send + 'static, R: Route<T>>(
    core: &SignalCore<T>,
    event: &mut Option<T>,
    last: Option<&Link<'_, '_, T>>,
) -> Result<(), Refused> {
    let links = || core::iter::successors(last, |link| link.before);
    for link in links() {
        link.claim.set(link.credit.take().map(Credit::claim));
    }
    for link in links().skip(1) {
        if let (Some(mut claim), Some(event)) = (link.claim.take(), &*event) {
            claim.write(R::duplicate(event));
            link.claim.set(Some(claim));
        }
    }
    let publishing = Publishing::enter(&core.shared);
    // F1 (S3).
    core.engine.fence_pair.light();
    if !core.admits() {
        return Err(Refused {
            reason: RejectReason::Closed,
            lane: 0,
        });
    }
    let event = event.take();
    if let (Some(mut claim), Some(event)) = (last.and_then(|link| link.claim.take()), event) {
        claim.write(event);
        claim.publish();
    }
    let others = links().skip(1).filter_map(|link| link.claim.take());
    others.for_each(SharedClaim::publish);
    links().for_each(|link| link.counters.count_shared());
    drop(publishing);
    Ok(())
}
