//! The peers as sides, ready to be put into a row: corecast's rows and the peers' own take them
//! from here, so that a peer is configured in one place.

use std::rc::Rc;

use crate::compare::emit::EmitSide;
use crate::compare::link::{FannedOut, Link, Polled};
use crate::compare::listeners::Listeners;
use crate::compare::pipe::{Pipe, PipeSide, Shape};
use crate::compare::trip::TripSide;
use crate::measure::drift::Lines;
use crate::measure::{CpuPair, Side};

use super::atomics::RawTrip;
use super::channels::{self, Crossbeam, Crossfire};
use super::disruptor::{Multi, Multicast, Polling, Single};
use super::loops::{Bare, BareFallible, UnderEpoch};
use super::registry::{ChurnSide, Locked};
use super::rtrb::{self, Rtrb};

/// A bare loop over these listeners.
#[must_use]
pub fn bare_loop(listeners: &Rc<Listeners>, cpus: CpuPair) -> Box<dyn Side> {
    let bare = Bare(listeners.boxes());
    Box::new(EmitSide::new(bare, Rc::clone(listeners), cpus.emitter))
}

/// A bare loop over these listeners, made fallible, that stops at the first error.
#[must_use]
pub fn bare_fallible_loop(listeners: &Rc<Listeners>, cpus: CpuPair) -> Box<dyn Side> {
    let bare = BareFallible(listeners.fallible_boxes());
    Box::new(EmitSide::new(bare, Rc::clone(listeners), cpus.emitter))
}

/// A bare loop over these listeners, loaded under an epoch pin.
#[must_use]
pub fn loop_under_epoch(listeners: &Rc<Listeners>, cpus: CpuPair) -> Box<dyn Side> {
    let pinned = UnderEpoch::new(listeners.boxes());
    Box::new(EmitSide::new(pinned, Rc::clone(listeners), cpus.emitter))
}

/// disruptor in whichever of its forms fits the shape, busy spinning where threads have CPUs of
/// their own. With batches, `batch_publish`.
#[must_use]
pub fn disruptor<const WORDS: usize>(shape: Shape) -> Box<dyn Side> {
    match (shape.producers, shape.consumers) {
        (1, 1) => one_way::<_, WORDS>(Single::Busy, shape),
        (1, _) => one_way::<_, WORDS>(Multicast, shape),
        _ => one_way::<_, WORDS>(Multi, shape),
    }
}

/// disruptor, one producer and one consumer, which polls lazily.
#[must_use]
pub fn disruptor_lazy<const WORDS: usize>(shape: Shape) -> Box<dyn Side> {
    one_way::<_, WORDS>(Single::Lazy, shape)
}

/// The queues that dispatch nothing, one producer and one consumer, events sent singly.
#[must_use]
pub fn queues<const WORDS: usize>(shape: Shape) -> Vec<Box<dyn Side>> {
    vec![
        rtrb::<WORDS>(Rtrb::ByValue, shape),
        rtrb::<WORDS>(Rtrb::InPlace, shape),
        crossbeam::<WORDS>(shape),
        one_way::<_, WORDS>(Polled::lazily(Crossfire, channels::IDLE), shape),
    ]
}

/// rtrb, one producer and one consumer; batches as chunks.
#[must_use]
pub fn rtrb<const WORDS: usize>(how: Rtrb, shape: Shape) -> Box<dyn Side> {
    let idle = if shape.batch > 1 {
        rtrb::IDLE_IN_BATCHES
    } else {
        rtrb::IDLE
    };
    one_way::<_, WORDS>(Polled::lazily(how, idle), shape)
}

/// A ring of rtrb to each consumer.
#[must_use]
pub fn rtrb_to_each<const WORDS: usize>(shape: Shape) -> Box<dyn Side> {
    one_way::<_, WORDS>(FannedOut(Rtrb::ByValue), shape)
}

/// crossbeam-channel, with any number of producers.
#[must_use]
pub fn crossbeam<const WORDS: usize>(shape: Shape) -> Box<dyn Side> {
    one_way::<_, WORDS>(Polled::lazily(Crossbeam, channels::IDLE), shape)
}

/// The raw round trip through one cache line, or through one for each direction.
#[must_use]
pub fn raw_trip<const WORDS: usize>(cpus: CpuPair, lines: Lines) -> Box<dyn Side> {
    Box::new(RawTrip::<WORDS>::new(cpus, lines))
}

/// Round trips over two disruptors.
#[must_use]
pub fn disruptor_trip<const WORDS: usize>(cpus: CpuPair) -> Box<dyn Side> {
    trip::<_, WORDS>(Polling, cpus)
}

/// Round trips over two rings of rtrb.
#[must_use]
pub fn rtrb_trip<const WORDS: usize>(cpus: CpuPair) -> Box<dyn Side> {
    trip::<_, WORDS>(Rtrb::ByValue, cpus)
}

/// Adding to and removing from `Arc<RwLock<Vec>>`, beside that many listeners.
#[must_use]
pub fn locked_registry(listeners: u64, cpus: CpuPair) -> Box<dyn Side> {
    Box::new(ChurnSide::new(Locked::default(), listeners, cpus.emitter))
}

fn one_way<P: Pipe<WORDS> + 'static, const WORDS: usize>(pipe: P, shape: Shape) -> Box<dyn Side> {
    Box::new(PipeSide::<P, WORDS>::new(pipe, shape))
}

fn trip<L: Link<WORDS> + 'static, const WORDS: usize>(link: L, cpus: CpuPair) -> Box<dyn Side> {
    Box::new(TripSide::<L, WORDS>::new(link, cpus))
}
