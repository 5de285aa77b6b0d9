//! The table: names, opponents, bars.

use std::rc::Rc;

use corecast::{Fences, WaitStrategy};

use crate::compare::duel::Duel;
use crate::compare::listeners::Listeners;
use crate::compare::peers::sides;
use crate::compare::pipe::{PipeSide, Shape};
use crate::compare::table::{Bar, Lab, Row};
use crate::compare::trip;
use crate::measure::drift::Lines;
use crate::measure::{CpuPair, Figure, Side};

use super::churn::Churned;
use super::crowd;
use super::emission;
use super::gauges::{self, EmitAlone};
use super::lanes::Lanes;
use super::trips::Trips;

/// What makes one side of a synchronous row.
type MakeSide = fn(&Rc<Listeners>, CpuPair) -> Box<dyn Side>;

/// A bar and its aim.
const fn bar(bar: f64, aim: f64) -> Bar {
    Bar::Ratio { bar, aim }
}

/// The rows.
pub(in crate::compare) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let owned: MakeSide = |listeners, cpus| emission::owned(listeners, cpus.emitter);
    let shared: MakeSide = |listeners, cpus| emission::shared(listeners, cpus.emitter);
    let trying: MakeSide = |listeners, cpus| emission::trying(listeners, cpus.emitter);
    rows.push(sync(
        "emit/owned",
        1,
        "bare loop",
        bar(1.5, 1.25),
        owned,
        sides::bare_loop,
    ));
    for listeners in [10, 100, 1000] {
        let bar = bar(1.1, 1.05);
        rows.push(sync(
            "emit/owned",
            listeners,
            "bare loop",
            bar,
            owned,
            sides::bare_loop,
        ));
    }
    let epoch = "epoch pin, load, bare loop";
    rows.push(sync(
        "emit/shared",
        1,
        epoch,
        bar(1.4, 1.2),
        shared,
        sides::loop_under_epoch,
    ));
    for listeners in [10, 100] {
        let against = sides::loop_under_epoch;
        rows.push(sync(
            "emit/shared",
            listeners,
            epoch,
            Bar::Reported,
            shared,
            against,
        ));
    }
    for (listeners, limit) in [(1, 2.5), (10, 1.25), (100, 1.1)] {
        let (bar, against) = (Bar::ratio(limit), sides::bare_fallible_loop);
        rows.push(sync(
            "try-emit/owned",
            listeners,
            "bare fallible loop",
            bar,
            trying,
            against,
        ));
    }
    rows.push(churn(10));
    rows.extend(one_way_rows());
    rows.push(round_trip::<1>("raw", bar(1.6, 1.3), raw_trips::<1>));
    rows.push(round_trip::<7>("raw", bar(1.6, 1.3), raw_trips::<7>));
    rows.push(round_trip::<1>("rings", Bar::ratio(0.75), ring_trips::<1>));
    rows.push(round_trip::<7>("rings", Bar::ratio(0.75), ring_trips::<7>));
    rows.push(idle_lanes(64, Bar::ratio(1.2)));
    rows.push(idle_lanes(1024, Bar::Reported));
    rows.push(beside_a_sleeper("asymmetric", Fences::default()));
    rows.push(beside_a_sleeper("full", Fences::Full));
    rows.push(emit_alone(1000, Bar::ratio(1.1)));
    rows.extend(gauge_rows());
    rows
}

fn sync(
    name: &str,
    count: usize,
    against: &'static str,
    bar: Bar,
    ours: MakeSide,
    peer: MakeSide,
) -> Row {
    let name = format!("{name}/listeners={count}");
    Row::duel(name, against, bar, move |lab| {
        let listeners = Rc::new(Listeners::shuffled(count));
        let (ours, peer) = (ours(&listeners, lab.cpus), peer(&listeners, lab.cpus));
        Ok(Duel::new(ours, vec![peer], move |ops| {
            listeners.expected(ops)
        }))
    })
}

fn lanes<const WORDS: usize>(lanes: Lanes, shape: Shape) -> Box<dyn Side> {
    Box::new(PipeSide::<_, WORDS>::new(lanes, shape))
}

/// A one-way row of events of `WORDS` words.
fn one_way<const WORDS: usize>(
    name: &str,
    against: &'static str,
    bar: Bar,
    shape: impl Fn(&Lab) -> Shape + 'static,
    ours: Lanes,
    peers: impl Fn(Shape) -> Vec<Box<dyn Side>> + 'static,
) -> Row {
    let name = format!("{name}/bytes={}", 8 * WORDS);
    Row::duel(name, against, bar, move |lab| {
        let shape = shape(lab);
        let expected = move |ops| shape.expected::<WORDS>(ops);
        let duel = Duel::new(lanes::<WORDS>(ours, shape), peers(shape), expected);
        Ok(duel.in_steps_of(shape.grain()))
    })
    .on_two_cpus()
}

fn single(lab: &Lab) -> Shape {
    Shape::single(lab.cpus)
}

fn singly<const WORDS: usize>(disruptor: Bar, queues: Bar) -> [Row; 2] {
    let (ours, by_one) = (Lanes::SINGLY, "async/one");
    let against = "the best of rtrb, crossbeam-channel, crossfire";
    [
        one_way::<WORDS>(by_one, "disruptor", disruptor, single, ours, |shape| {
            vec![sides::disruptor::<WORDS>(shape)]
        }),
        one_way::<WORDS>(
            "async/one-queues",
            against,
            queues,
            single,
            ours,
            sides::queues::<WORDS>,
        ),
    ]
}

fn in_batches<const WORDS: usize>(batch: u64) -> [Row; 2] {
    let shape = move |lab: &Lab| Shape {
        batch,
        ..Shape::single(lab.cpus)
    };
    let peers = |shape| vec![sides::disruptor::<WORDS>(shape)];
    let against = "disruptor, batch_publish";
    let name = format!("async/batch={batch}");
    let each = format!("async/batch={batch}/per-event-listener");
    [
        one_way::<WORDS>(&name, against, bar(1.15, 1.0), shape, Lanes::IN_RUNS, peers),
        one_way::<WORDS>(&each, against, Bar::Reported, shape, Lanes::SINGLY, peers),
    ]
}

fn multicast<const WORDS: usize>() -> Row {
    let shape = |lab: &Lab| Shape {
        consumers: 2,
        ..Shape::single(lab.cpus)
    };
    let peers = |shape| vec![sides::disruptor::<WORDS>(shape)];
    let name = "multicast/workers=2";
    one_way::<WORDS>(
        name,
        "disruptor, 2 consumers",
        Bar::ratio(1.0),
        shape,
        Lanes::SINGLY,
        peers,
    )
}

fn emitters(producers: usize) -> [Row; 2] {
    let shape = move |lab: &Lab| Shape {
        producers,
        ..Shape::single(lab.cpus)
    };
    let name = format!("emitters={producers}");
    let queues = format!("emitters={producers}-channel");
    let (multi, channel) = ("disruptor, multi-producer", "crossbeam-channel");
    [
        one_way::<7>(
            &name,
            multi,
            Bar::ratio(0.5),
            shape,
            Lanes::SINGLY,
            |shape| vec![sides::disruptor::<7>(shape)],
        ),
        one_way::<7>(
            &queues,
            channel,
            Bar::ratio(0.7),
            shape,
            Lanes::SINGLY,
            |shape| vec![sides::crossbeam::<7>(shape)],
        ),
    ]
}

fn one_way_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(singly::<1>(bar(1.0, 0.6), Bar::ratio(1.2)));
    rows.extend(singly::<7>(Bar::ratio(0.8), Bar::ratio(0.95)));
    rows.extend(singly::<32>(Bar::ratio(0.9), Bar::ratio(0.95)));
    rows.extend([16, 64].into_iter().flat_map(in_batches::<1>));
    rows.extend([16, 64].into_iter().flat_map(in_batches::<7>));
    rows.extend([multicast::<7>(), multicast::<32>()]);
    rows.extend([2, 4].into_iter().flat_map(emitters));
    let parked = Lanes {
        name: "corecast, park",
        wait: Some(WaitStrategy::park()),
        ..Lanes::SINGLY
    };
    let against = "the same under busy_spin";
    rows.push(one_way::<7>(
        "async/park",
        against,
        Bar::ratio(1.1),
        single,
        parked,
        |shape| vec![lanes::<7>(Lanes::SINGLY, shape)],
    ));
    let sampled = Lanes {
        name: "corecast, 1 in 64 sampled",
        sample: 64,
        ..Lanes::SINGLY
    };
    let against = "the same without sampling";
    rows.push(one_way::<7>(
        "async/sampled",
        against,
        Bar::ratio(1.05),
        single,
        sampled,
        |shape| vec![lanes::<7>(Lanes::SINGLY, shape)],
    ));
    rows
}

fn raw_trips<const WORDS: usize>(cpus: CpuPair) -> Vec<Box<dyn Side>> {
    vec![
        sides::raw_trip::<WORDS>(cpus, Lines::One),
        sides::raw_trip::<WORDS>(cpus, Lines::Two),
    ]
}

fn ring_trips<const WORDS: usize>(cpus: CpuPair) -> Vec<Box<dyn Side>> {
    vec![
        sides::disruptor_trip::<WORDS>(cpus),
        sides::rtrb_trip::<WORDS>(cpus),
    ]
}

fn round_trip<const WORDS: usize>(
    peer: &str,
    bar: Bar,
    peers: fn(CpuPair) -> Vec<Box<dyn Side>>,
) -> Row {
    let name = format!("round-trip/p50/{peer}/bytes={}", 8 * WORDS);
    let against = if peer == "raw" {
        "raw atomics"
    } else {
        "disruptor, rtrb"
    };
    Row::duel(name, against, bar, move |lab| {
        let ours = Box::new(Trips::<WORDS>::new(lab.cpus, 1));
        let duel = Duel::new(ours, peers(lab.cpus), trip::expected::<WORDS>);
        Ok(duel.by(Figure::Percentile(50.0)))
    })
    .on_two_cpus()
}

fn idle_lanes(lanes: usize, bar: Bar) -> Row {
    let name = format!("round-trip/p50/lanes={lanes}");
    Row::duel(name, "itself with one lane", bar, move |lab| {
        let ours = Box::new(Trips::<1>::new(lab.cpus, lanes));
        let one: Box<dyn Side> = Box::new(Trips::<1>::new(lab.cpus, 1));
        Ok(Duel::new(ours, vec![one], trip::expected::<1>).by(Figure::Percentile(50.0)))
    })
    .on_two_cpus()
}

fn churn(listeners: usize) -> Row {
    let name = format!("emit/churn/listeners={listeners}");
    Row::duel(name, "itself undisturbed", Bar::ratio(4.0), move |lab| {
        let listeners = Rc::new(Listeners::shuffled(listeners));
        let side = |is_disturbed| -> Box<dyn Side> {
            Box::new(Churned::new(&listeners, lab.cpus, is_disturbed))
        };
        let (ours, peer) = (side(true), side(false));
        Ok(Duel::new(ours, vec![peer], move |ops| {
            listeners.expected(ops)
        }))
    })
    .on_two_cpus()
}

fn beside_a_sleeper(name: &str, fences: Fences) -> Row {
    let name = format!("round-trip/p99.9/sleeper/fences={name}");
    Row::duel(name, "itself undisturbed", Bar::Reported, move |lab| {
        let ours = Box::new(Trips::<7>::beside_a_sleeper(lab.cpus, fences));
        let one: Box<dyn Side> = Box::new(Trips::<7>::new(lab.cpus, 1));
        let duel = Duel::new(ours, vec![one], trip::expected::<7>);
        Ok(duel.by(Figure::Percentile(99.9)))
    })
    .on_two_cpus()
}

fn emit_alone(listeners: usize, bar: Bar) -> Row {
    let name = format!("async/emit-alone/listeners={listeners}");
    Row::duel(name, "itself with one listener", bar, move |lab| {
        let ours = Box::new(EmitAlone::new(listeners, lab.cpus.emitter)?);
        let one: Box<dyn Side> = Box::new(EmitAlone::new(1, lab.cpus.emitter)?);
        Ok(Duel::new(ours, vec![one], |ops| ops))
    })
}

fn gauge_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (path, set_up) in gauges::PATHS {
        let name = format!("alloc/{path}");
        let none = Bar::AtMost { bar: 0.0 };
        rows.push(Row::gauge(name, "nothing", none, move |_| {
            gauges::allocations(set_up)
        }));
    }
    for (listeners, bar) in [(1, Bar::Reported), (1000, Bar::AtMost { bar: 5.0 })] {
        let name = format!("subscribe-unsubscribe/listeners={listeners}");
        rows.push(Row::gauge(name, "nothing", bar, move |lab| {
            gauges::subscribing(listeners, lab.cpus.emitter)
        }));
    }
    let (lineage, none) = ("the lineage's 1 ms, 2 ms", Bar::Reported);
    rows.push(Row::gauge(
        "crowd/sync/emitters=1000",
        lineage,
        none,
        |_| crowd::synchronous(),
    ));
    rows.push(Row::gauge(
        "crowd/async/emitters=1000",
        lineage,
        none,
        |lab| crowd::asynchronous(lab.cpus),
    ));
    let limit = Bar::AtMost { bar: 0.1 };
    rows.push(Row::gauge("idle/park", "nothing", limit, |lab| {
        gauges::idle(lab.cpus.worker)
    }));
    rows
}
