//! Rows that compare peers with one another: how far apart they are on this machine, which of them
//! is the best at what, and that the measuring itself works. They have no bars.

use std::rc::Rc;

use crate::compare::duel::Duel;
use crate::compare::emit::{Emit, EmitSide};
use crate::compare::listeners::{Listener, Listeners};
use crate::compare::pipe::Shape;
use crate::compare::table::{Bar, Lab, Row};
use crate::compare::trip;
use crate::measure::drift::Lines;
use crate::measure::{Figure, Side};

use super::loops::{UnderArcSwap, UnderArcSwapCache, UnderEpoch, UnderRwLock};
use super::registry::{self, ChurnSide, Copied};
use super::rtrb::Rtrb;
use super::sides;

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for listeners in [1, 10, 100, 1000] {
        rows.push(emit("epoch", listeners, UnderEpoch::new));
        rows.push(emit("arc-swap", listeners, UnderArcSwap::new));
        rows.push(emit("arc-swap-cache", listeners, UnderArcSwapCache::new));
        rows.push(emit("rwlock", listeners, UnderRwLock::new));
    }
    rows.extend([fallible(1), fallible(10), fallible(100)]);
    rows.extend([singly::<1>(), singly::<7>(), singly::<32>()]);
    rows.extend([16, 64].map(batches::<1>));
    rows.extend([16, 64].map(batches::<7>));
    rows.extend([multicast::<7>(), multicast::<32>()]);
    rows.extend([2, 4].map(producers::<1>));
    rows.extend([2, 4].map(producers::<7>));
    rows.extend([round_trip::<1>(), round_trip::<7>()]);
    rows.extend([1, 1000].map(subscribe));
    rows
}

fn emit<E: Emit + 'static>(
    name: &str,
    count: usize,
    emit: impl Fn(Vec<Listener>) -> E + 'static,
) -> Row {
    let name = format!("peer/emit/{name}/listeners={count}");
    Row::duel(name, "bare loop", Bar::Reported, move |lab| {
        let listeners = Rc::new(Listeners::shuffled(count));
        let emit = emit(listeners.boxes());
        let side = Box::new(EmitSide::new(emit, Rc::clone(&listeners), lab.cpus.emitter));
        let bare = sides::bare_loop(&listeners, lab.cpus);
        Ok(Duel::new(side, vec![bare], move |ops| {
            listeners.expected(ops)
        }))
    })
}

fn fallible(count: usize) -> Row {
    let name = format!("peer/try-emit/bare/listeners={count}");
    Row::duel(
        name,
        "bare loop that cannot fail",
        Bar::Reported,
        move |lab| {
            let listeners = Rc::new(Listeners::shuffled(count));
            let side = sides::bare_fallible_loop(&listeners, lab.cpus);
            let bare = sides::bare_loop(&listeners, lab.cpus);
            Ok(Duel::new(side, vec![bare], move |ops| {
                listeners.expected(ops)
            }))
        },
    )
}

/// A one-way row on two CPUs: the sides that `sides` makes of its shape, the first of them being
/// the row's subject.
fn one_way<const WORDS: usize>(
    name: String,
    against: &'static str,
    shape: impl Fn(&Lab) -> Shape + 'static,
    sides: impl Fn(Shape) -> (Box<dyn Side>, Vec<Box<dyn Side>>) + 'static,
) -> Row {
    let name = format!("peer/{name}/bytes={}", 8 * WORDS);
    Row::duel(name, against, Bar::Reported, move |lab| {
        let shape = shape(lab);
        let (subject, peers) = sides(shape);
        let expected = move |ops| shape.expected::<WORDS>(ops);
        Ok(Duel::new(subject, peers, expected).in_steps_of(shape.grain()))
    })
    .on_two_cpus()
}

fn singly<const WORDS: usize>() -> Row {
    let shape = |lab: &Lab| Shape::single(lab.cpus);
    one_way::<WORDS>(
        "async/one".to_owned(),
        "the best of the queues",
        shape,
        |shape| {
            let mut peers = sides::queues::<WORDS>(shape);
            peers.push(sides::disruptor_lazy::<WORDS>(shape));
            (sides::disruptor::<WORDS>(shape), peers)
        },
    )
}

fn batches<const WORDS: usize>(batch: u64) -> Row {
    let shape = move |lab: &Lab| Shape {
        batch,
        ..Shape::single(lab.cpus)
    };
    one_way::<WORDS>(
        format!("async/batch={batch}"),
        "rtrb in chunks",
        shape,
        |shape| {
            let rtrb = sides::rtrb::<WORDS>(Rtrb::InPlace, shape);
            let lazy = sides::disruptor_lazy::<WORDS>(shape);
            (sides::disruptor::<WORDS>(shape), vec![rtrb, lazy])
        },
    )
}

fn multicast<const WORDS: usize>() -> Row {
    let shape = |lab: &Lab| Shape {
        consumers: 2,
        ..Shape::single(lab.cpus)
    };
    one_way::<WORDS>(
        "multicast/workers=2".to_owned(),
        "two rings of rtrb",
        shape,
        |shape| {
            (
                sides::disruptor::<WORDS>(shape),
                vec![sides::rtrb_to_each::<WORDS>(shape)],
            )
        },
    )
}

fn producers<const WORDS: usize>(producers: usize) -> Row {
    let shape = move |lab: &Lab| Shape {
        producers,
        ..Shape::single(lab.cpus)
    };
    one_way::<WORDS>(
        format!("emitters={producers}"),
        "crossbeam-channel",
        shape,
        |shape| {
            (
                sides::disruptor::<WORDS>(shape),
                vec![sides::crossbeam::<WORDS>(shape)],
            )
        },
    )
}

fn round_trip<const WORDS: usize>() -> Row {
    let name = format!("peer/round-trip/p50/bytes={}", 8 * WORDS);
    Row::duel(name, "raw atomics", Bar::Reported, |lab| {
        let subject = sides::disruptor_trip::<WORDS>(lab.cpus);
        let peers = vec![
            sides::raw_trip::<WORDS>(lab.cpus, Lines::One),
            sides::raw_trip::<WORDS>(lab.cpus, Lines::Two),
            sides::rtrb_trip::<WORDS>(lab.cpus),
        ];
        Ok(Duel::new(subject, peers, trip::expected::<WORDS>).by(Figure::Percentile(50.0)))
    })
    .on_two_cpus()
}

fn subscribe(listeners: u64) -> Row {
    let name = format!("peer/subscribe-unsubscribe/listeners={listeners}");
    Row::duel(name, "rwlock, vec", Bar::Reported, move |lab| {
        let copied = ChurnSide::new(Copied::default(), listeners, lab.cpus.emitter);
        let locked = sides::locked_registry(listeners, lab.cpus);
        let expected = move |ops| registry::expected(listeners, ops);
        Ok(Duel::new(Box::new(copied), vec![locked], expected))
    })
}
