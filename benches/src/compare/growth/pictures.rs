//! What is measured for each picture.

use std::rc::Rc;

use crate::compare::listeners::Listeners;
use crate::compare::ours::{emission, trips::Trips};
use crate::compare::trip;
use crate::measure::{CpuPair, Side};

use super::curve::{Ask, Chart, Curve, Point};
use super::{Extent, Fabric, changes};

/// The pictures.
pub(super) fn charts(extent: Extent, cpus: CpuPair) -> Vec<Chart> {
    let one = Fabric::<7>::single(cpus);
    vec![
        listeners(extent, cpus),
        Chart {
            file: "workers",
            title: "Cost of an event, one listener on each worker",
            x_label: "workers, all on one CPU",
            even: true,
            curves: vec![curve("asynchronous", extent, &[1, 2, 4, 8], |workers| {
                fabric(Fabric {
                    workers,
                    listeners: workers,
                    ..one
                })
            })],
            ..chart()
        },
        Chart {
            file: "emitters",
            title: "Cost of an event, emitters in turn",
            x_label: "emitters to one worker",
            even: true,
            curves: vec![curve(
                "asynchronous",
                extent,
                &[1, 2, 4, 8, 16],
                |emitters| fabric(Fabric { emitters, ..one }),
            )],
            ..chart()
        },
        Chart {
            file: "signals",
            title: "Cost of an event, signals in turn",
            x_label: "signals, one listener each",
            curves: vec![curve(
                "asynchronous",
                extent,
                &[1, 3, 10, 30, 100, 300, 1000],
                |signals| {
                    fabric(Fabric {
                        signals,
                        capacity: 64,
                        ..one
                    })
                },
            )],
            ..chart()
        },
        idle_lanes(extent, cpus),
        Chart {
            file: "size",
            title: "Cost of an event by its size",
            x_label: "bytes of an event",
            zero: 4.0,
            curves: vec![sizes(extent, cpus)],
            ..chart()
        },
        subscribing(extent, cpus),
        adding(extent, cpus),
    ]
}

fn chart() -> Chart {
    Chart {
        file: "",
        title: "",
        x_label: "",
        unit: "ns per event",
        unit_ns: 1.0,
        zero: 1.0,
        even: false,
        curves: Vec::new(),
    }
}

fn curve(
    name: &'static str,
    extent: Extent,
    places: &[usize],
    ask: impl Fn(usize) -> Ask,
) -> Curve {
    let within = places.iter().filter(|at| **at <= extent.most);
    Curve {
        name,
        points: within.map(|&at| Point { at, ask: ask(at) }).collect(),
    }
}

fn fabric<const WORDS: usize>(fabric: Fabric<WORDS>) -> Ask {
    let expected = move |ops| fabric.expected(ops);
    Ask::Operation(Box::new(fabric), Box::new(expected))
}

fn listeners(extent: Extent, cpus: CpuPair) -> Chart {
    type MakeSide = fn(&Rc<Listeners>, corecast_affinity::CpuId) -> Box<dyn Side>;
    const PLACES: [usize; 7] = [1, 3, 10, 30, 100, 300, 1000];
    let sync = |make: MakeSide| {
        move |count| {
            let listeners = Rc::new(Listeners::shuffled(count));
            let side = make(&listeners, cpus.emitter);
            Ask::Operation(side, Box::new(move |ops| listeners.expected(ops)))
        }
    };
    Chart {
        file: "listeners",
        title: "Cost of an event by the number of its listeners",
        x_label: "listeners",
        curves: vec![
            curve(
                "synchronous, owned emitter",
                extent,
                &PLACES,
                sync(emission::owned),
            ),
            curve(
                "synchronous, shared handle",
                extent,
                &PLACES,
                sync(emission::shared),
            ),
            curve("asynchronous, one worker", extent, &PLACES, |listeners| {
                fabric(Fabric::<7> {
                    listeners,
                    ..Fabric::single(cpus)
                })
            }),
        ],
        ..chart()
    }
}

fn idle_lanes(extent: Extent, cpus: CpuPair) -> Chart {
    const PLACES: [usize; 6] = [1, 4, 16, 64, 256, 1024];
    let mut curves = vec![curve("an event, flat out", extent, &PLACES, |idle| {
        fabric(Fabric::<7> {
            idle,
            capacity: 256,
            ..Fabric::single(cpus)
        })
    })];
    if cpus.is_two() {
        curves.push(curve("round trip, 8 bytes, p50", extent, &PLACES, |idle| {
            let side = Trips::<1>::new(cpus, 1 + idle);
            Ask::Median(Box::new(side), Box::new(trip::expected::<1>))
        }));
    }
    Chart {
        file: "idle-lanes",
        title: "Cost beside lanes that nobody uses",
        x_label: "idle lanes on the worker",
        unit: "ns",
        curves,
        ..chart()
    }
}

macro_rules! sizes {
    ($cpus:expr, $most:expr, $($words:literal)+) => {
        vec![$((8 * $words, fabric(Fabric::<$words>::single($cpus)))),+]
            .into_iter()
            .filter(|(at, _)| *at <= $most)
            .map(|(at, ask)| Point { at, ask })
            .collect()
    };
}

fn sizes(extent: Extent, cpus: CpuPair) -> Curve {
    Curve {
        name: "asynchronous",
        points: sizes!(cpus, extent.most, 0 1 2 4 7 8 16 32 64 128 256 512),
    }
}

fn subscribing(extent: Extent, cpus: CpuPair) -> Chart {
    const PLACES: [usize; 6] = [1, 10, 100, 1_000, 10_000, 100_000];
    Chart {
        file: "subscribe",
        title: "Subscribing and unsubscribing one listener",
        x_label: "listeners that are there already",
        unit: "µs",
        unit_ns: 1_000.0,
        curves: vec![curve("both together", extent, &PLACES, |listeners| {
            let work = move || changes::one_by_one(listeners, cpus.emitter);
            Ask::Durations(Box::new(work), 1)
        })],
        ..chart()
    }
}

fn adding(extent: Extent, cpus: CpuPair) -> Chart {
    const PLACES: [usize; 6] = [1, 10, 100, 1_000, 10_000, 100_000];
    Chart {
        file: "add-many",
        title: "Adding many listeners together",
        x_label: "listeners added",
        unit: "ns per listener",
        curves: vec![curve("add_many", extent, &PLACES, |listeners| {
            let work = move || changes::together(listeners, cpus.emitter);
            Ask::Durations(Box::new(work), listeners as u64)
        })],
        ..chart()
    }
}
