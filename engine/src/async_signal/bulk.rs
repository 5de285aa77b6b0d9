//! Emitting many events at once.

use super::emitter::{Emitter, LaneState};
use super::push::WhenFull;
use super::route::{Route, Routing};
use super::sampling::SampledLanes;
use crate::overflow::{BatchRejected, Refused, RejectReason};
use core::mem::ManuallyDrop;
use corecast_ring::Producer;

/// Events staged before they are published.
const PIECE: usize = 64;

/// Why a piece of a batch ends.
enum Stopped {
    /// The iterator has no more.
    Exhausted,
    /// Enough is staged.
    Complete,
    /// The next event finds no room, or nobody, at a lane.
    Refused(Refused),
}

/// A piece that met a closed signal.
struct Unpublished {
    /// Events that were dropped.
    staged: usize,
    /// Events that had been accepted, because nobody listens where they go.
    unrouted: usize,
}

/// A piece of a batch in the making. Unwinding past this (the iterator, a `clone` or a key panicked)
/// publishes the events that were staged as a whole, and nothing else.
struct Piece<'a, T: Send + 'static, R: Routing<T>> {
    emitter: &'a mut Emitter<T, R>,
    staged: usize,
    unrouted: usize,
}

impl<T: Send + 'static, R: Routing<T>> Drop for Piece<'_, T, R> {
    fn drop(&mut self) {
        if R::FANS_OUT {
            self.emitter.discard_staged(self.staged as u64);
        }
        if !self.emitter.publish_staged() {
            self.emitter.withdraw_staged();
            self.emitter.record.count_rejected(self.staged);
        }
    }
}

impl<T: Send + 'static, R: Route<T>> Piece<'_, T, R> {
    fn stage(&mut self, events: &mut impl Iterator<Item = T>, held: &mut Option<T>) -> Stopped {
        if R::FANS_OUT
            && held.is_none()
            && let Some(stopped) = self.stage_direct(events)
        {
            return stopped;
        }
        while self.staged + self.unrouted < PIECE {
            // On a broadcast room is made sure of before an event is taken.
            if R::FANS_OUT
                && let Some(lane) = self.emitter.full_lane()
            {
                return Stopped::Refused(self.emitter.full(lane));
            }
            let mut event = held.take().or_else(|| events.next());
            if event.is_none() {
                return Stopped::Exhausted;
            }
            if R::FANS_OUT {
                self.stage_everywhere(&mut event);
            } else if let Err(refused) = self.stage_at_one(&mut event) {
                *held = event;
                return Stopped::Refused(refused);
            }
        }
        Stopped::Complete
    }

    /// The short way: one lane takes all, in one go. `None` where the long way is needed.
    #[inline(always)]
    fn stage_direct(&mut self, events: &mut impl Iterator<Item = T>) -> Option<Stopped> {
        /// Keeps count, also when the iterator panics.
        struct Count<'a, T> {
            producer: &'a mut Producer<T>,
            staged: &'a mut usize,
        }
        impl<T> Drop for Count<'_, T> {
            #[inline(always)]
            fn drop(&mut self) {
                *self.staged = self.producer.staged() as usize;
            }
        }
        let lane = self.emitter.direct_lane()?;
        let producer = &mut self.emitter.lanes[lane].producer;
        if producer.room(1) == 0 {
            return Some(Stopped::Refused(self.emitter.full(lane)));
        }
        let count = Count {
            producer,
            staged: &mut self.staged,
        };
        let wanted = (PIECE as u64).min(count.producer.room(PIECE as u64));
        let staged = count.producer.stage_from(events, wanted);
        Some(if staged < wanted {
            Stopped::Exhausted
        } else {
            Stopped::Complete
        })
    }

    /// Stages `held` on every active lane, all of which have room.
    fn stage_everywhere(&mut self, held: &mut Option<T>) {
        let emitter = &mut *self.emitter;
        if emitter.active.is_empty() {
            emitter.record.count_unrouted();
            self.unrouted += 1;
            return;
        }
        emitter.sample(SampledLanes::Active);
        emitter.stage_copies(held);
        self.staged += 1;
    }

    /// Stages `held` on the one lane that it goes to; refused, it stays where it is.
    fn stage_at_one(&mut self, held: &mut Option<T>) -> Result<(), Refused> {
        let emitter = &mut *self.emitter;
        let (turn, lanes) = (emitter.turn, emitter.lanes.len());
        let route = |event: &T| emitter.route.choose(event, turn, lanes);
        let lane = held.as_ref().map_or(0, route);
        match emitter.lanes[lane].state {
            LaneState::Dead => {
                let reason = RejectReason::WorkerDead;
                return Err(Refused { reason, lane });
            }
            LaneState::Idle => {
                emitter.record.count_unrouted();
                self.unrouted += 1;
            }
            LaneState::Active => {
                emitter.sample(SampledLanes::One(lane));
                if !emitter.lanes[lane].producer.stage_held(held) {
                    return Err(emitter.full(lane));
                }
                self.staged += 1;
            }
        }
        emitter.turn += 1;
        Ok(())
    }

    /// Publishes what is staged, unless the signal has been closed; how many events were accepted.
    fn publish(self) -> Result<usize, Unpublished> {
        let mut piece = ManuallyDrop::new(self);
        let (staged, unrouted) = (piece.staged, piece.unrouted);
        if piece.emitter.publish_staged() {
            return Ok(staged + unrouted);
        }
        piece.emitter.record.count_rejected(staged);
        piece.emitter.withdraw_staged();
        Err(Unpublished { staged, unrouted })
    }
}

impl<T: Send + 'static, R: Routing<T>> Emitter<T, R> {
    /// Emits the events of `events` in pieces: each is written to its slots first and published as
    /// a run. When a lane is full the signal's [`Overflow`](crate::Overflow) says what happens.
    /// Should the iterator panic, the events it had yielded are published and nothing else.
    ///
    /// Pass `by_ref()` to keep the rest when not all are accepted.
    ///
    /// # Errors
    ///
    /// [`BatchRejected`]: how many were accepted, and the event that was not.
    ///
    /// # Complexity
    ///
    /// Up to 64 events share the cost of one publication; allocates nothing.
    ///
    /// ```
    /// use corecast::{Engine, Overflow};
    ///
    /// let engine = Engine::builder().manual().build()?;
    /// let ticks = engine.signal::<u64>("ticks").capacity(8).overflow(Overflow::Reject).build()?;
    /// let _subscription = ticks.subscribe(|_| {});
    /// let mut emitter = ticks.emitter()?;
    /// let mut events = 0..20;
    /// let rejected = emitter.emit_batch(events.by_ref()).unwrap_err();
    /// assert_eq!((rejected.accepted, rejected.event), (8, Some(8)));
    /// assert_eq!(events, 9..20); // the rest is still there
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn emit_batch(
        &mut self,
        events: impl IntoIterator<Item = T>,
    ) -> Result<usize, BatchRejected<T>>
    where
        R: Route<T>,
    {
        let mut events = events.into_iter();
        let mut accepted = 0;
        let mut held = None;
        loop {
            if let Err(reason) = self.check() {
                return self.reject_batch(accepted, reason, held.or_else(|| events.next()));
            }
            let mut piece = Piece {
                emitter: self,
                staged: 0,
                unrouted: 0,
            };
            let stopped = piece.stage(&mut events, &mut held);
            match piece.publish() {
                Ok(published) => accepted += published,
                Err(dropped) => {
                    self.record.count_rejected(usize::from(held.is_some()));
                    return Err(BatchRejected {
                        accepted: accepted + dropped.unrouted,
                        reason: RejectReason::Closed,
                        event: held,
                        dropped: dropped.staged,
                    });
                }
            }
            let refused = match stopped {
                Stopped::Exhausted => return Ok(accepted),
                Stopped::Complete => continue,
                Stopped::Refused(refused) => refused,
            };
            if held.is_none() {
                held = events.next();
            }
            if held.is_none() {
                return Ok(accepted);
            }
            match self.overflow(refused, WhenFull::AsBuilt) {
                Ok(true) => {}
                Ok(false) => {
                    held = None;
                    accepted += 1;
                }
                Err(reason) => return self.reject_batch(accepted, reason, held),
            }
        }
    }

    fn reject_batch(
        &self,
        accepted: usize,
        reason: RejectReason,
        event: Option<T>,
    ) -> Result<usize, BatchRejected<T>> {
        if event.is_none() {
            // Nothing was left to be refused.
            return Ok(accepted);
        }
        self.record.count_rejected(1);
        Err(BatchRejected {
            accepted,
            reason,
            event,
            dropped: 0,
        })
    }
}
