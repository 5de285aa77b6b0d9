//! Which events' latency is sampled, and when they were emitted.

use super::emitter::Emitter;
use super::route::Routing;
use std::time::Instant;

/// The place of an event that does not come.
const NEVER: u64 = u64::MAX;

/// The place of the first sampled event, if every `every`-th is; 0 for none.
pub(super) fn first(every: u32) -> u64 {
    u64::from(every).checked_sub(1).unwrap_or(NEVER)
}

/// Which lanes a sampled event goes to.
pub(crate) enum SampledLanes {
    One(usize),
    Active,
}

impl<T: Send + 'static, R: Routing<T>> Emitter<T, R> {
    /// The next event's place in the count by which events are sampled. Nothing is counted for it: a
    /// broadcast has the claims of its first lane, and a route to one worker its turns.
    #[inline(always)]
    fn place(&self) -> u64 {
        if !R::FANS_OUT {
            return self.turn;
        }
        let first = self.active.first().map(|&lane| &self.lanes[lane].producer);
        first.map_or(0, |lane| lane.sequence().wrapping_add(lane.staged()))
    }

    /// Events before the next sampled one; to be given to [`Emitter::sample_after`] when the places are
    /// of another lane.
    pub(super) fn until_sample(&self) -> Option<u64> {
        (self.sample_at != NEVER).then(|| self.sample_at.saturating_sub(self.place()))
    }

    pub(super) fn sample_after(&mut self, events: Option<u64>) {
        self.sample_at = events.map_or(NEVER, |events| self.place() + events);
    }

    /// Whether the next event is a sampled one.
    #[inline(always)]
    fn is_sampled(&self) -> bool {
        self.sample_at != NEVER && self.place() >= self.sample_at
    }

    /// Notes when the event about to be pushed to `lanes` is emitted, if it is its turn.
    #[inline(always)]
    pub(crate) fn sample(&mut self, lanes: SampledLanes) {
        if self.is_sampled() {
            self.sample_now(lanes);
        }
    }

    #[cold]
    #[inline(never)]
    fn sample_now(&mut self, lanes: SampledLanes) {
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
        self.sample_after(Some(u64::from(self.core.options.sample)));
    }

    /// An event that is to be sampled has found no room: its latency counts from here.
    pub(crate) fn sample_from_here(&mut self) {
        if self.is_sampled() {
            self.waiting_since.get_or_insert_with(Instant::now);
        }
    }
}
