//! The far end of a lane: sums what arrives and notes when.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::event::Event;

/// What a consumer does with events: adds them up, and notes the time after the last warm-up event
/// and after the last counted one.
///
/// A sink is made for one lap and moved to the consuming thread, whichever contestant's that is. Per
/// event it costs the sum, a decrement and a branch that is taken twice.
#[derive(Debug)]
pub struct Sink {
    sum: u64,
    /// Events left until the next note.
    left: u64,
    /// Events that arrived before the current stretch.
    before: u64,
    /// The length of the current stretch.
    stretch: u64,
    /// The length of the counted stretch.
    counted: u64,
    tally: Arc<Tally>,
}

/// What a sink reports to the thread that made it.
#[derive(Debug)]
pub struct Tally {
    /// Set by the sink after the last warm-up event.
    warm: OnceLock<Instant>,
    /// Set by the sink after the last counted event.
    done: OnceLock<Instant>,
    /// Set when the sink is dropped, so that surplus events are in it too.
    sum: AtomicU64,
    /// Set when the sink is dropped.
    arrived: AtomicU64,
}

impl Sink {
    /// A sink for `warm` events and then `counted` ones, neither of them none, and its tally.
    #[must_use]
    pub fn new(warm: u64, counted: u64) -> (Self, Arc<Tally>) {
        let tally = Arc::new(Tally {
            warm: OnceLock::new(),
            done: OnceLock::new(),
            sum: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
        });
        let sink = Self {
            sum: 0,
            left: warm,
            before: 0,
            stretch: warm,
            counted,
            tally: Arc::clone(&tally),
        };
        (sink, tally)
    }

    /// Takes one event.
    #[inline]
    pub fn take<const WORDS: usize>(&mut self, event: &Event<WORDS>) {
        self.sum = self.sum.wrapping_add(event.sum());
        self.left = self.left.wrapping_sub(1);
        if self.left == 0 {
            self.note();
        }
    }

    /// Whether every event that was announced has arrived.
    #[inline]
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.tally.done.get().is_some()
    }

    #[cold]
    fn note(&mut self) {
        let now = Instant::now();
        self.before += self.stretch;
        if self.tally.warm.set(now).is_ok() {
            self.stretch = self.counted;
        } else {
            // A third stretch counts what should not arrive at all; its end is out of reach.
            let _already_set = self.tally.done.set(now);
            self.stretch = u64::MAX;
        }
        self.left = self.stretch;
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Relaxed: whoever reads these has joined the thread that drops the sink, or is it.
        self.tally.sum.store(self.sum, Ordering::Relaxed);
        let arrived = self.before.wrapping_add(self.stretch - self.left);
        self.tally.arrived.store(arrived, Ordering::Relaxed);
    }
}

impl Tally {
    /// Whether the warm-up events have arrived.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        self.warm.get().is_some()
    }

    /// When the last counted event had been taken.
    #[must_use]
    pub fn done(&self) -> Option<Instant> {
        self.done.get().copied()
    }

    /// The sum of what arrived; 0 until the sink has been dropped and its thread joined.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }

    /// How many events arrived; 0 until the sink has been dropped and its thread joined.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(sink: &mut Sink, seeds: std::ops::Range<u64>) {
        seeds.for_each(|seed| sink.take(&Event::<7>::new(seed)));
    }

    #[test]
    fn both_stretches_are_noted_and_summed() {
        let (mut sink, tally) = Sink::new(3, 4);
        feed(&mut sink, 0..2);
        assert!(!tally.is_warm());
        feed(&mut sink, 2..6);
        assert!(tally.is_warm() && tally.done().is_none() && !sink.is_done());
        feed(&mut sink, 6..7);
        assert!(tally.done().is_some() && sink.is_done());
        drop(sink);
        assert_eq!((tally.arrived(), tally.sum()), (7, Event::<7>::expected(7)));
    }

    #[test]
    fn lost_and_surplus_events_show() {
        let (mut sink, tally) = Sink::new(1, 4);
        feed(&mut sink, 0..4);
        drop(sink);
        assert_eq!((tally.arrived(), tally.done()), (4, None));
        let (mut sink, tally) = Sink::new(1, 4);
        feed(&mut sink, 0..6);
        drop(sink);
        assert_eq!((tally.arrived(), tally.sum()), (6, Event::<7>::expected(6)));
    }
}
