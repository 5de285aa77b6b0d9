//! One event on its way to its lanes.
//!
//! A broadcast to one worker or to two takes a short way; everything else goes round, by way of what
//! `staging.rs` does.

use super::emitter::{Emitter, LaneEnd, LaneState};
use super::route::{Route, Routing};
use super::sampling::{SampledLanes, Sampler};
use super::staging::Staging;
use super::waiting::{self, Wait};
use crate::context::Context;
use crate::engine::worker_shared::Status;
use crate::overflow::{Overflow, Refused, RejectReason, Rejected};
use corecast_ring::{ClaimRefused, Producer};

/// What becomes of an event for which a lane has no room.
#[derive(Clone, Copy)]
pub(crate) enum WhenFull<'a> {
    /// What the signal's [`Overflow`] says.
    AsBuilt,
    Reject,
    WaitWithin(&'a Context),
}

impl<T: Send + 'static, R: Route<T>> Emitter<T, R> {
    /// Pushes to every lane that the event goes to, or to none.
    ///
    /// On the long way the event stays where it is until it moves into a slot, and is handed on by
    /// reference: it may be large, and the stack small.
    ///
    /// What is inlined into the caller is the short way to one lane, and as little beside it as can be:
    /// what bounds a stream of events is how many stores the CPU can hold while the slots' lines come
    /// over, so that a word of the event that is spilled for want of a register shows.
    #[inline(always)]
    pub(super) fn push(&mut self, event: T, when_full: WhenFull<'_>) -> Result<(), Rejected<T>> {
        let (core, seen) = (&*self.core, self.seen);
        let mut chosen = None;
        // Looked at before the claim as well as behind it, because an abandoned claim takes room; and
        // before the key is asked for, which is user code and no business of a closed signal.
        if core.is_still(seen) {
            let index = match R::FANS_OUT {
                true => self.direct,
                false => self.route.choose(&event, self.turn, self.lanes.len()),
            };
            chosen = Some(index);
            // The look at the word behind the claim (S2) says that the signal is open and that this is
            // still the lane (S1). When it has changed the claim is abandoned, and the event takes the
            // long way.
            if let Some(lane) = self.lanes.get_mut(index)
                && (R::FANS_OUT || lane.state == LaneState::Active)
                && let Some(slot) = lane.producer.claim_short(|| core.is_still(seen))
            {
                let slot = slot.write(event);
                let place = match R::FANS_OUT {
                    true => slot.sequence(),
                    false => self.turn,
                };
                if place >= self.sample_at {
                    let (samples, sequence) = (&mut lane.samples, slot.sequence());
                    self.sample_at = Sampler::sample(&core.sampler, samples, sequence, place);
                }
                slot.publish();
                if !R::FANS_OUT {
                    self.turn += 1;
                }
                return Ok(());
            }
        }
        // `chosen` is for a route to one worker; a broadcast is not charged for carrying it along.
        match R::FANS_OUT {
            true => self.push_wide(event, when_full),
            false => self.push_routed(event, chosen, when_full),
        }
    }

    /// As [`Emitter::push`], for a broadcast that has no short way to one lane. That to two workers has
    /// one as well.
    #[inline(never)]
    fn push_wide(&mut self, event: T, when_full: WhenFull<'_>) -> Result<(), Rejected<T>> {
        let (core, seen) = (&*self.core, self.seen);
        if !core.is_still(seen) {
            return self.push_round(event, when_full);
        }
        if let Some((first, last)) = pair(&mut self.lanes, self.pair) {
            // An event whose latency is to be sampled goes round.
            if first.sequence() < self.sample_at && first.has_short_way() && last.has_short_way() {
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
            }
        }
        self.push_round(event, when_full)
    }

    /// As [`Emitter::push_wide`], all the way round: several lanes or none, sampled latency, recycled slots,
    /// full fences, no room, or a word that has changed.
    #[inline(never)]
    fn push_round(&mut self, event: T, when_full: WhenFull<'_>) -> Result<(), Rejected<T>> {
        self.push_until_full(event, when_full, |emitter, event| match *emitter.active {
            [lane] => emitter.push_to(lane, event),
            [] => {
                emitter.record.count_unrouted();
                Ok(())
            }
            _ => emitter.push_to_all(event),
        })
    }

    /// As [`Emitter::push_round`], on a route to one worker: `chosen` if that has been asked already.
    #[inline(never)]
    fn push_routed(
        &mut self,
        event: T,
        mut chosen: Option<usize>,
        when_full: WhenFull<'_>,
    ) -> Result<(), Rejected<T>> {
        self.push_until_full(event, when_full, |emitter, event| {
            let (turn, lanes) = (emitter.turn, emitter.lanes.len());
            if let (None, Some(event)) = (chosen, &*event) {
                chosen = Some(emitter.route.choose(event, turn, lanes));
            }
            let lane = chosen.unwrap_or(0);
            match emitter.lanes[lane].state {
                LaneState::Active => emitter.push_to(lane, event)?,
                LaneState::Idle => emitter.record.count_unrouted(),
                LaneState::Dead => {
                    let reason = RejectReason::WorkerDead;
                    return Err(Refused { reason, lane });
                }
            }
            emitter.turn += 1;
            Ok(())
        })
    }

    /// Pushes as often as `when_full` has it, each time with the signal looked at before. `push` leaves the
    /// event where it is when it refuses.
    #[inline(always)]
    fn push_until_full(
        &mut self,
        event: T,
        when_full: WhenFull<'_>,
        mut push: impl FnMut(&mut Self, &mut Option<T>) -> Result<(), Refused>,
    ) -> Result<(), Rejected<T>> {
        let mut held = Some(event);
        loop {
            let refused = match self.check() {
                Ok(()) => match push(self, &mut held) {
                    Ok(()) => return Ok(()),
                    Err(refused) => refused,
                },
                Err(reason) => return self.reject(&mut held, reason),
            };
            match self.overflow(refused, when_full) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(reason) => return self.reject(&mut held, reason),
            }
        }
    }

    /// Hands a refused event back.
    #[cold]
    fn reject(&self, held: &mut Option<T>, reason: RejectReason) -> Result<(), Rejected<T>> {
        self.record.count_rejected(1);
        match held.take() {
            Some(event) => Err(Rejected { event, reason }),
            None => unreachable!("who refuses an event leaves it where it is"),
        }
    }

    /// A broadcast to several workers: room is made sure of, then copies are staged, then all are
    /// claimed, and when the signal is still open all are published. A panic in `clone` leaves
    /// nothing behind.
    #[inline(never)]
    fn push_to_all(&mut self, held: &mut Option<T>) -> Result<(), Refused> {
        if let Some(lane) = self.full_lane() {
            return Err(self.full(lane));
        }
        self.sample(SampledLanes::Active);
        let staging = Staging(self);
        staging.0.stage_copies(held);
        core::mem::forget(staging);
        if self.publish_staged() {
            return Ok(());
        }
        // Closed in between: the event comes back from the last lane, the copies are dropped.
        if let Some(&last) = self.active.last() {
            self.lanes[last].producer.unstage_held(held);
        }
        self.withdraw_staged();
        let (reason, lane) = (RejectReason::Closed, 0);
        Err(Refused { reason, lane })
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
    fn push_to(&mut self, lane: usize, held: &mut Option<T>) -> Result<(), Refused> {
        self.sample(SampledLanes::One(lane));
        let core = &*self.core;
        let refused = match self.lanes[lane].producer.claim_if(|| core.admits()) {
            Ok(slot) => {
                slot.publish_held(held);
                return Ok(());
            }
            Err(refused) => refused,
        };
        Err(match refused {
            ClaimRefused::Full => self.full(lane),
            ClaimRefused::NotAdmitted => {
                let reason = RejectReason::Closed;
                Refused { reason, lane }
            }
        })
    }

    /// That a lane has no room, and why: nobody drains it any more, or not yet.
    pub(crate) fn full(&self, lane: usize) -> Refused {
        let reason = match self.lanes[lane].worker.status() {
            Status::Dead => RejectReason::WorkerDead,
            Status::Left => RejectReason::Closed,
            Status::Running | Status::Parked => RejectReason::Full,
        };
        Refused { reason, lane }
    }

    /// What becomes of a refused push: `Ok(true)` to push again.
    #[cold]
    #[inline(never)]
    pub(crate) fn overflow(
        &mut self,
        refused: Refused,
        when_full: WhenFull<'_>,
    ) -> Result<bool, RejectReason> {
        if refused.reason != RejectReason::Full {
            return Err(refused.reason);
        }
        let wait = match when_full {
            WhenFull::Reject => return Err(RejectReason::Full),
            WhenFull::WaitWithin(context) => Wait::within(context),
            WhenFull::AsBuilt => match self.core.options.overflow {
                Overflow::Wait => Wait::forever(),
                Overflow::WaitFor(limit) => Wait::at_most(limit),
                Overflow::Reject => return Err(RejectReason::Full),
                Overflow::DropNewest => {
                    self.record.count_dropped();
                    return Ok(false);
                }
            },
        };
        self.sample_from_here();
        let lane = refused.lane;
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
}
