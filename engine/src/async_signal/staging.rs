//! Values staged on several lanes, published on all of them or on none.

use super::emitter::{Emitter, LaneEnd};
use super::route::{Route, Routing};

impl<T: Send + 'static, R: Routing<T>> Emitter<T, R> {
    /// The only active lane, if there is just one and its latency is not sampled.
    #[inline(always)]
    pub(crate) fn direct_lane(&self) -> Option<usize> {
        let is_sampled = self.core.sampler.is_some();
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

impl<T: Send + 'static, R: Route<T>> Emitter<T, R> {
    /// Stages a copy of `held` on every active lane but the last, which gets `held` itself. All of
    /// them have room; what recycled slots displace is dropped, but for the last one's, which `held`
    /// then has.
    #[inline(always)]
    pub(crate) fn stage_copies(&mut self, held: &mut Option<T>) {
        let (&last, others) = self.active.split_last().unwrap_or((&0, &[]));
        if let Some(event) = held {
            for &lane in others {
                drop(self.lanes[lane].producer.stage(R::duplicate(event)));
            }
        }
        self.lanes[last].producer.stage_held(held);
    }
}

/// Unwinding past this drops what is staged.
pub(crate) struct Staging<'a, T: Send + 'static, R: Routing<T>>(pub(crate) &'a mut Emitter<T, R>);

impl<T: Send + 'static, R: Routing<T>> Drop for Staging<'_, T, R> {
    fn drop(&mut self) {
        self.0.discard_staged(0);
    }
}
