//! Emitting by changing a recycled slot in place.

use super::emitter::{Emitter, LaneState};
use super::push::WhenFull;
use super::route::Routing;
use super::sampling::SampledLanes;
use super::staging::Staging;
use crate::overflow::RejectReason;
use core::mem::swap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

impl<T: Send + 'static, R: Routing<T>> Emitter<T, R> {
    /// Emits an event by changing a recycled slot in place, on a signal built with
    /// [`recycled`](crate::AsyncSignalBuilder::recycled). The slot holds what some earlier event
    /// left in it. On a broadcast `fill` runs once for each worker with a listener; all slots are
    /// filled before any is published.
    ///
    /// # Errors
    ///
    /// [`RejectReason`], after what the signal's [`Overflow`](crate::Overflow) says.
    ///
    /// # Panics
    ///
    /// When `fill` panics: nothing is published, later events flow.
    ///
    /// # Complexity
    ///
    /// As [`Emitter::emit`]: allocates nothing, unless `fill` does.
    ///
    /// ```
    /// let engine = corecast::Engine::builder().manual().build()?;
    /// let lines = engine
    ///     .signal::<String>("lines")
    ///     .recycled(|| String::with_capacity(80))
    ///     .build()?;
    /// let _subscription = lines.subscribe(|line| assert!(line.starts_with("tick ")));
    /// let mut emitter = lines.emitter()?;
    /// for tick in 0..10 {
    ///     let emitted = emitter.emit_with(|line| {
    ///         line.clear(); // it holds what an earlier event left
    ///         line.push_str("tick ");
    ///         line.push(char::from(b'0' + tick));
    ///     });
    ///     assert_eq!(emitted, Ok(()));
    /// }
    /// assert_eq!(engine.run_until_idle()?, 10);
    /// assert!(engine.faults().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn emit_with(&mut self, mut fill: impl FnMut(&mut T)) -> Result<(), RejectReason> {
        let emitted = if self.core.options.factory.is_none() {
            Err(RejectReason::NotRecycled)
        } else if R::FANS_OUT {
            self.fill_all(&mut fill)
        } else {
            self.fill_one(&mut fill)
        };
        emitted.inspect_err(|_| self.record.count_rejected(1))
    }

    /// Makes room on every active lane; `Ok(false)` if the event is to be dropped.
    fn make_room(&mut self) -> Result<bool, RejectReason> {
        loop {
            self.check()?;
            let Some(lane) = self.full_lane() else {
                return Ok(true);
            };
            let refused = self.full(lane);
            if !self.overflow(refused, WhenFull::AsBuilt)? {
                return Ok(false);
            }
        }
    }

    fn fill_all(&mut self, fill: &mut impl FnMut(&mut T)) -> Result<(), RejectReason> {
        if !self.make_room()? {
            return Ok(());
        }
        if self.active.is_empty() {
            self.record.count_unrouted();
            return Ok(());
        }
        self.sample(SampledLanes::Active);
        let staging = Staging(self);
        for &lane in &staging.0.active {
            // Recycled and with room, both seen above.
            let _ = staging.0.lanes[lane].producer.stage_with(&mut *fill);
        }
        core::mem::forget(staging);
        if self.publish_staged() {
            Ok(())
        } else {
            self.withdraw_staged();
            Err(RejectReason::Closed)
        }
    }

    /// The lane may depend on what is filled in, so a spare value is filled and changes places
    /// with the slot's.
    fn fill_one(&mut self, fill: &mut impl FnMut(&mut T)) -> Result<(), RejectReason> {
        self.check()?;
        let Some(mut spare) = self.spare.take() else {
            return Err(RejectReason::NotRecycled);
        };
        let filled = catch_unwind(AssertUnwindSafe(|| {
            fill(&mut spare);
            self.route.choose(&spare, self.turn, self.lanes.len())
        }));
        self.spare = Some(spare);
        let lane = filled.unwrap_or_else(|payload| resume_unwind(payload));
        loop {
            self.check()?;
            match self.lanes[lane].state {
                LaneState::Dead => return Err(RejectReason::WorkerDead),
                LaneState::Idle => {
                    self.record.count_unrouted();
                    break;
                }
                LaneState::Active if self.lanes[lane].producer.room(1) > 0 => {
                    self.sample(SampledLanes::One(lane));
                    if !self.publish_spare(lane) {
                        return Err(RejectReason::Closed);
                    }
                    break;
                }
                LaneState::Active => {
                    let refused = self.full(lane);
                    if !self.overflow(refused, WhenFull::AsBuilt)? {
                        return Ok(());
                    }
                }
            }
        }
        self.turn += 1;
        Ok(())
    }

    /// Puts the spare value into the next slot of `lane` and publishes it, unless the signal has
    /// been closed; whether it did.
    fn publish_spare(&mut self, lane: usize) -> bool {
        let producer = &mut self.lanes[lane].producer;
        if let Some(spare) = &mut self.spare {
            // Recycled and with room, both seen by the caller.
            let _ = producer.stage_with(|slot| swap(slot, spare));
        }
        producer.announce();
        self.core.engine.fence_pair.light();
        if !self.core.admits() {
            producer.withdraw();
            return false;
        }
        producer.publish();
        producer.notify();
        true
    }
}
