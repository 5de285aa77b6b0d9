//! The listeners of the synchronous rows.
//!
//! A row's listeners are of five closure types in a shuffled order, so that neither the branch
//! predictor nor the inliner can make one contestant look good. [`Listeners`] hands the same ones to
//! every contestant: closures of the same types, in the same order, that add to the same tallies.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::event::sum_below;

/// What listeners are called with.
pub type Listener = Box<dyn Fn(&u64) + Send + Sync>;

/// What fallible listeners are called with.
pub type FallibleListener = Box<dyn Fn(&u64) -> Result<(), Refused> + Send + Sync>;

/// The event that fallible listeners refuse. No row emits it; that it could come is what makes them
/// fallible.
pub const REFUSED: u64 = u64::MAX;

/// A fallible listener's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {REFUSED} was refused")
    }
}

impl Error for Refused {}

/// Whatever takes listeners: a contestant that adds each of them, as its own concrete type.
pub trait Subscribe {
    /// Adds a listener behind those before it.
    fn subscribe<F: Fn(&u64) + Send + Sync + 'static>(&mut self, listener: F);
}

/// Whatever takes fallible listeners.
pub trait SubscribeFallible {
    /// Adds a listener behind those before it.
    fn subscribe_fallible<F>(&mut self, listener: F)
    where
        F: Fn(&u64) -> Result<(), Refused> + Send + Sync + 'static;
}

/// What one listener has added up.
#[derive(Debug, Default)]
struct Tally(AtomicU64);

impl Tally {
    /// Adds without a read-modify-write: one thread emits at a time in the rows that use this.
    #[inline]
    fn add(&self, value: u64) {
        let sum = self.0.load(Ordering::Relaxed);
        self.0.store(sum.wrapping_add(value), Ordering::Relaxed);
    }
}

/// What a listener adds per event `x`: `factor` × `x` + `offset`, each kind by code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// x
    Plain,
    /// x + `0.offset`, which the closure holds
    Offset(u64),
    /// `0.factor` × x, which the closure holds
    Scaled(u64),
    /// 2x + 1, by shifting
    Doubled,
    /// x to its tally, and 1 to a second one
    Counted,
}

impl Kind {
    /// One of each, with constants that differ from listener to listener.
    fn of(index: u64) -> Self {
        match index % 5 {
            0 => Self::Plain,
            1 => Self::Offset(index + 3),
            2 => Self::Scaled(index | 1),
            3 => Self::Doubled,
            _ => Self::Counted,
        }
    }

    /// What listeners of this kind add over events whose sum is `sum`.
    fn expected(self, events: u64, sum: u64) -> u64 {
        match self {
            Self::Plain => sum,
            Self::Offset(offset) => sum.wrapping_add(offset.wrapping_mul(events)),
            Self::Scaled(factor) => sum.wrapping_mul(factor),
            Self::Doubled => sum.wrapping_mul(2).wrapping_add(events),
            Self::Counted => sum.wrapping_add(events),
        }
    }
}

/// A row's listeners.
#[derive(Debug)]
pub struct Listeners {
    kinds: Vec<Kind>,
    tallies: Vec<Arc<Tally>>,
    /// Where listeners that count add their ones.
    events: Arc<Tally>,
}

impl Listeners {
    /// `count` listeners in an order that depends on nothing but `count`.
    #[must_use]
    pub fn shuffled(count: usize) -> Self {
        let mut kinds: Vec<Kind> = (0..count as u64).map(Kind::of).collect();
        kinds.shuffle(&mut ChaCha8Rng::seed_from_u64(count as u64));
        let tallies = kinds.iter().map(|_| Arc::default()).collect();
        Self {
            kinds,
            tallies,
            events: Arc::default(),
        }
    }

    /// Adds every listener to `signal`, in order.
    pub fn subscribe_to(&self, signal: &mut impl Subscribe) {
        for (kind, tally) in self.kinds.iter().zip(&self.tallies) {
            let tally = Arc::clone(tally);
            match *kind {
                Kind::Plain => signal.subscribe(move |x| tally.add(*x)),
                Kind::Offset(offset) => {
                    signal.subscribe(move |x| tally.add(x.wrapping_add(offset)))
                }
                Kind::Scaled(factor) => {
                    signal.subscribe(move |x| tally.add(x.wrapping_mul(factor)))
                }
                Kind::Doubled => signal.subscribe(move |x| tally.add((x << 1) | 1)),
                Kind::Counted => {
                    let events = Arc::clone(&self.events);
                    signal.subscribe(move |x| {
                        tally.add(*x);
                        events.add(1);
                    });
                }
            }
        }
    }

    /// Adds every listener to `signal`, in order, each made fallible: it refuses [`REFUSED`].
    pub fn subscribe_fallible_to(&self, signal: &mut impl SubscribeFallible) {
        self.subscribe_to(&mut MadeFallible(signal));
    }

    /// The listeners as boxes, in order.
    #[must_use]
    pub fn boxes(&self) -> Vec<Listener> {
        let mut boxes = Vec::with_capacity(self.kinds.len());
        self.subscribe_to(&mut boxes);
        boxes
    }

    /// The fallible listeners as boxes, in order.
    #[must_use]
    pub fn fallible_boxes(&self) -> Vec<FallibleListener> {
        let mut boxes = Vec::with_capacity(self.kinds.len());
        self.subscribe_fallible_to(&mut boxes);
        boxes
    }

    /// Empties the tallies.
    pub fn reset(&self) {
        self.all()
            .for_each(|tally| tally.0.store(0, Ordering::Relaxed));
    }

    /// What all listeners have added up since the last reset.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.all().fold(0, |sum, tally| {
            sum.wrapping_add(tally.0.load(Ordering::Relaxed))
        })
    }

    /// What they must have added up after the events 0 to `events` - 1.
    #[must_use]
    pub fn expected(&self, events: u64) -> u64 {
        let sum = sum_below(events);
        let of_each = self.kinds.iter().map(|kind| kind.expected(events, sum));
        of_each.fold(0, u64::wrapping_add)
    }

    fn all(&self) -> impl Iterator<Item = &Tally> {
        self.tallies.iter().chain([&self.events]).map(Arc::as_ref)
    }
}

impl Subscribe for Vec<Listener> {
    fn subscribe<F: Fn(&u64) + Send + Sync + 'static>(&mut self, listener: F) {
        self.push(Box::new(listener));
    }
}

impl SubscribeFallible for Vec<FallibleListener> {
    fn subscribe_fallible<F>(&mut self, listener: F)
    where
        F: Fn(&u64) -> Result<(), Refused> + Send + Sync + 'static,
    {
        self.push(Box::new(listener));
    }
}

/// Makes each listener that it is given fallible.
struct MadeFallible<'a, S>(&'a mut S);

impl<S: SubscribeFallible> Subscribe for MadeFallible<'_, S> {
    fn subscribe<F: Fn(&u64) + Send + Sync + 'static>(&mut self, listener: F) {
        self.0.subscribe_fallible(move |x| {
            if *x == REFUSED {
                return Err(Refused);
            }
            listener(x);
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_sum_is_what_calling_the_listeners_gives() {
        let listeners = Listeners::shuffled(23);
        let boxes = listeners.boxes();
        for event in 0..100 {
            boxes.iter().for_each(|listener| listener(&event));
        }
        assert_eq!(listeners.sum(), listeners.expected(100));
        listeners.reset();
        assert_eq!(listeners.sum(), listeners.expected(0));
    }

    #[test]
    fn every_box_of_either_kind_adds_to_the_same_tallies() {
        let listeners = Listeners::shuffled(5);
        let fallible = listeners.fallible_boxes();
        assert!(fallible.iter().all(|listener| listener(&7) == Ok(())));
        let with_fallible = listeners.sum();
        listeners.reset();
        listeners.boxes().iter().for_each(|listener| listener(&7));
        assert_eq!(listeners.sum(), with_fallible);
    }

    #[test]
    fn a_refused_event_adds_nothing() {
        let listeners = Listeners::shuffled(5);
        let fallible = listeners.fallible_boxes();
        assert!(
            fallible
                .iter()
                .all(|listener| listener(&REFUSED) == Err(Refused))
        );
        assert_eq!(listeners.sum(), 0);
    }

    #[test]
    fn ten_listeners_are_of_all_kinds_and_not_in_turn() {
        let kinds = Listeners::shuffled(10).kinds;
        let mut variants: Vec<_> = kinds.iter().map(std::mem::discriminant).collect();
        let in_turn = (0..10).map(|index| std::mem::discriminant(&Kind::of(index)));
        assert!(!variants.iter().copied().eq(in_turn));
        variants.dedup();
        for kind in (0..5).map(Kind::of) {
            assert!(
                variants.contains(&std::mem::discriminant(&kind)),
                "{kind:?}"
            );
        }
    }
}
