//! One event on its way to its lanes.
//!
//! A broadcast to one worker or to two takes a short way; everything else goes round, by way of what
//! `staging.rs` does.

use super::emitter::{Emitter, LaneEnd, LaneState};
use super::route::{Route, Routing};
use super::sampling::SampledLanes;
use super::staging::Staging;
use super::waiting::{self, Wait};
use crate::context::Context;
use crate::engine::worker_shared::Status;
use crate::overflow::{Overflow, RejectReason, Rejected};
use corecast_ring::{Producer, PushError};

/// A push that was not accepted, and the lane that stands in the way.
pub(super) struct Refused<T> {
    event: T,
    reason: RejectReason,
    lane: usize,
}

impl<T: Send + 'static, R: Route<T>> Emitter<T, R> {
    #[cold]
    #[inline(never)]
    pub(super) fn emit_refused(
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
    ///
    /// What is inlined into the caller is the short way to one lane, and as little beside it as can be:
    /// what bounds a stream of events is how many stores the CPU can hold while the slots' lines come
    /// over, so that a word of the event that is spilled for want of a register shows.
    #[inline(always)]
    pub(super) fn push(&mut self, event: T) -> Result<(), Refused<T>> {
        let (core, seen) = (&*self.core, self.seen);
        // Looked at before the claim as well as behind it, because an abandoned claim takes room; and
        // before the key is asked for, which is user code and no business of a closed signal.
        if !core.is_still(seen) {
            return self.push_long(event, None);
        }
        let index = match R::FANS_OUT {
            true => self.direct,
            false => self.route.choose(&event, self.turn, self.lanes.len()),
        };
        if let Some(lane) = self.lanes.get_mut(index) {
            // An event whose latency is to be sampled takes the long way.
            let place = match R::FANS_OUT {
                true => lane.producer.sequence(),
                false => self.turn,
            };
            // The look at the word behind the claim (S2) says that the signal is open and that this
            // is still the lane (S1). When it has changed the claim is abandoned, and the event takes
            // the long way.
            if place < self.sample_at
                && (R::FANS_OUT || lane.state == LaneState::Active)
                && let Some(slot) = lane.producer.claim_short(|| core.is_still(seen))
            {
                slot.publish(event);
                if !R::FANS_OUT {
                    self.turn += 1;
                }
                return Ok(());
            }
        }
        self.push_long(event, Some(index))
    }

    /// As [`Emitter::push`], the long way: several lanes or none, sampled latency, recycled slots, full
    /// fences, no room, or a word that has changed. `chosen` is the lane on a route to one worker, if
    /// that has been asked already; a broadcast is not charged for carrying it along.
    #[inline(always)]
    fn push_long(&mut self, event: T, chosen: Option<usize>) -> Result<(), Refused<T>> {
        match R::FANS_OUT {
            true => self.push_wide(event),
            false => self.push_routed(event, chosen),
        }
    }

    /// The long way of a broadcast.
    #[inline(never)]
    fn push_wide(&mut self, event: T) -> Result<(), Refused<T>> {
        let event = match self.push_to_pair(event) {
            Ok(()) => return Ok(()),
            Err(event) => event,
        };
        if let Err(reason) = self.check() {
            return Err(Refused {
                event,
                reason,
                lane: 0,
            });
        }
        match *self.active {
            [lane] => self.push_to(lane, event),
            [] => {
                self.record.count_unrouted();
                Ok(())
            }
            _ => self.push_to_all(event),
        }
    }

    /// The long way of a route to one worker.
    #[inline(never)]
    fn push_routed(&mut self, event: T, chosen: Option<usize>) -> Result<(), Refused<T>> {
        if let Err(reason) = self.check() {
            return Err(Refused {
                event,
                reason,
                lane: 0,
            });
        }
        let index =
            chosen.unwrap_or_else(|| self.route.choose(&event, self.turn, self.lanes.len()));
        let pushed = match self.lanes[index].state {
            LaneState::Active => self.push_to(index, event),
            LaneState::Idle => {
                self.record.count_unrouted();
                Ok(())
            }
            LaneState::Dead => Err(Refused {
                event,
                reason: RejectReason::WorkerDead,
                lane: index,
            }),
        };
        self.turn += u64::from(pushed.is_ok());
        pushed
    }

    /// A broadcast to two workers, where that is simple; else the event comes back.
    #[inline(always)]
    fn push_to_pair(&mut self, event: T) -> Result<(), T> {
        let (core, seen) = (&*self.core, self.seen);
        if !core.is_still(seen) {
            return Err(event);
        }
        let Some((first, last)) = pair(&mut self.lanes, self.pair) else {
            return Err(event);
        };
        // An event whose latency is to be sampled takes the long way.
        let is_sampled = first.sequence() >= self.sample_at;
        if is_sampled || !first.has_short_way() || !last.has_short_way() {
            return Err(event);
        }
        // Before anything is claimed: it is user code.
        let copy = R::duplicate(&event);
        // One look behind both claims; when the word has changed both are abandoned.
        if let Some(slot) = first.claim_short(|| true)
            && let Some(other) = last.claim_short(|| core.is_still(seen))
        {
            slot.publish(copy);
            other.publish(event);
            return Ok(());
        }
        Err(event)
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

/// The producers of two lanes, of which the second is further on.
#[inline(always)]
fn pair<T: Send + 'static>(
    lanes: &mut [LaneEnd<T>],
    (first, second): (usize, usize),
) -> Option<(&mut Producer<T>, &mut Producer<T>)> {
    let (lanes, others) = lanes.split_at_mut_checked(second)?;
    let (first, second) = (lanes.get_mut(first)?, others.first_mut()?);
    Some((&mut first.producer, &mut second.producer))
}

impl<T: Send + 'static, R: Routing<T>> Emitter<T, R> {
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

    fn rejected(&self, event: T, reason: RejectReason) -> Rejected<T> {
        self.record.count_rejected(1);
        Rejected { event, reason }
    }
}
