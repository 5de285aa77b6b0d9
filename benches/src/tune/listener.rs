//! The listeners of a lap, and the stamps in its events.

use std::sync::mpsc::Sender;

use crate::compare::event::Event;
use crate::measure::latency::Latency;
use crate::replay::Clock;

use super::work::Work;

/// Set in the seed of an event that is timed; the other bits are when it was due.
const TIMED: u64 = 1 << 63;

/// The seed of an event that was due at `due_ns` and is timed.
#[must_use]
pub(super) fn timed(due_ns: u64) -> u64 {
    TIMED | due_ns
}

/// The seed of the `number`-th event, which is not timed.
#[must_use]
pub(super) fn untimed(number: u64) -> u64 {
    number & !TIMED
}

/// When the event of this seed was due, if it is timed.
#[must_use]
pub(super) fn due_ns(seed: u64) -> Option<u64> {
    (seed & TIMED != 0).then_some(seed & !TIMED)
}

/// A listener: it looks at the whole event, is busy for a while and, if it is the last of its
/// worker, notes how late it is. When its worker drops it, what it has heard goes home.
#[derive(Debug)]
pub(super) struct Ear {
    heard: Heard,
    work: Work,
    clock: Clock,
    home: Sender<Heard>,
}

/// What a listener has heard.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its worker.
    pub worker: usize,
    /// How many events.
    pub events: u64,
    /// The sum of all their words.
    pub sum: u64,
    /// How late it was done with those that were timed; `None` where others on the worker come
    /// after it.
    pub latency: Option<Latency>,
}

impl Ear {
    /// A listener for `worker`, the last one there or not.
    #[must_use]
    pub(super) fn new(
        worker: usize,
        is_last: bool,
        work: Work,
        clock: Clock,
        home: Sender<Heard>,
    ) -> Self {
        Self {
            heard: Heard {
                worker,
                events: 0,
                sum: 0,
                latency: is_last.then(Latency::new),
            },
            work,
            clock,
            home,
        }
    }

    /// Takes one event.
    #[inline]
    pub(super) fn hear<const WORDS: usize>(&mut self, event: &Event<WORDS>) {
        self.heard.events += 1;
        self.heard.sum = self.heard.sum.wrapping_add(event.sum());
        self.work.run(event.seed());
        if let (Some(latency), Some(due)) = (&mut self.heard.latency, due_ns(event.seed())) {
            latency.record_ns(self.clock.now_ns().saturating_sub(due));
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // Nobody waits for it where the lap has failed. What is left here is dropped next.
        let _unread = self.home.send(self.heard.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_seed_tells_whether_and_when() {
        assert_eq!(due_ns(timed(5)), Some(5));
        assert_eq!(due_ns(untimed(5)), None);
        assert_eq!(due_ns(untimed(u64::MAX)), None);
    }

    #[test]
    fn what_was_heard_goes_home_when_the_listener_is_dropped() {
        let (home, arrivals) = mpsc::channel();
        let clock = Clock::start();
        let mut ear = Ear::new(3, true, Work::of(0, 1.0), clock, home);
        let seeds = [untimed(0), timed(clock.now_ns()), untimed(2)];
        for seed in seeds {
            ear.hear(&Event::<2>::new(seed));
        }
        assert!(arrivals.try_recv().is_err());
        drop(ear);
        let heard = arrivals.try_recv().expect("it was dropped");
        assert_eq!((heard.worker, heard.events), (3, 3));
        let seeds = seeds
            .iter()
            .fold(0_u64, |sum, seed| sum.wrapping_add(*seed));
        assert_eq!(heard.sum, Event::<2>::sum_of(3, seeds));
        let latency = heard.latency.expect("the last of its worker");
        assert_eq!(latency.percentiles().count, 1);
    }
}
