//! Which events' latency is sampled, and when they were emitted.
//!
//! | edge | release side                   | acquire side                      | protects                  | loom model |
//! | K1   | sample pushed, then the stamp (R1) | the stamp (R1), then a look at samples | a sampled event's moment | sampling::a_sample_is_there_when_its_event_is |
//!
//! An event is sampled between writing and publishing it ([`Sampler::sample`]): before, whoever has made
//! it holds its words in registers, and what stands there around a call is stored for each event, sampled
//! or not; and after, its worker may be done with it. What takes the long way is sampled before it is
//! pushed.

use super::emitter::Emitter;
use super::lane::Sample;
use super::route::Routing;
use corecast_affinity::TickClock;
use corecast_ring::Producer;

/// The place of an event that does not come.
pub(super) const NEVER: u64 = u64::MAX;

/// How a signal samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampler {
    /// Every how many events; not 0.
    every: u64,
    pub(super) clock: TickClock,
}

impl Sampler {
    /// One that samples every `every`-th event; 0 for none.
    pub(super) fn of_every(every: u32) -> Option<Self> {
        (every > 0).then(|| Self {
            every: u64::from(every),
            clock: TickClock::get(),
        })
    }

    /// The place of the first sampled event.
    pub(super) fn first(self) -> u64 {
        self.every - 1
    }

    /// Notes that the event of `sequence`, whose [place](Emitter::place) is `place`, is emitted now; the
    /// place of the next sampled one.
    #[cold]
    #[inline(never)]
    pub(super) fn sample(
        sampler: &Option<Self>,
        samples: &mut Option<Producer<Sample>>,
        sequence: u64,
        place: u64,
    ) -> u64 {
        let Some(sampler) = sampler else { return NEVER };
        let next = place + sampler.every;
        let Some(samples) = samples else { return next };
        // The usual case is without a call: what one would have saved and restored stands in line behind
        // the stores to the slots.
        match sampler.clock.counter() {
            Some(now) if samples.push_at_hand((sequence, now)).is_ok() => next,
            _ => sampler.sample_by_call(samples, sequence, next),
        }
    }

    #[inline(never)]
    fn sample_by_call(&self, samples: &mut Producer<Sample>, sequence: u64, next: u64) -> u64 {
        // Full: this one is not sampled.
        let _ = samples.try_push((sequence, self.clock.now()));
        next
    }
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
        let Some(sampler) = self.core.sampler else {
            return;
        };
        let waiting = self.waiting_since.take();
        let emitted = waiting.unwrap_or_else(|| sampler.clock.now());
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
        self.sample_after(Some(sampler.every));
    }

    /// An event that is to be sampled has found no room: its latency counts from here.
    pub(crate) fn sample_from_here(&mut self) {
        if let Some(sampler) = self.core.sampler
            && self.is_sampled()
        {
            self.waiting_since
                .get_or_insert_with(|| sampler.clock.now());
        }
    }
}
