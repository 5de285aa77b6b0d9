//! Emitters that go, among lanes whose worker has not come to let go of them yet.

use corecast::{AsyncSignal, Emitter, Engine};
use iai_callgrind::{library_benchmark, library_benchmark_group};

use crate::limits::{OPS, limited};
use crate::setup::manual_engine;

/// Emitters, and what they are of.
type Desk = (Engine, AsyncSignal<u64>, Vec<Emitter<u64>>);

/// Emitters of a signal that has the lanes left of `left` others.
fn among(left: usize) -> Desk {
    let engine = manual_engine(1);
    let signal = engine.signal("ticks").capacity(2).build();
    let signal: AsyncSignal<u64> = signal.expect("a capacity that is a power of two");
    let emitter = || signal.emitter().expect("an emitter on an open signal");
    (0..left).for_each(|_| drop(emitter()));
    let emitters = (0..OPS).map(|_| emitter()).collect();
    (engine, signal, emitters)
}

#[library_benchmark]
#[bench::left_1(args = (1), setup = among, config = limited("emitter/drop/left=1"))]
#[bench::left_1000(args = (1000), setup = among, config = limited("emitter/drop/left=1000"))]
fn emitter_drop((engine, signal, emitters): Desk) -> impl Sized {
    drop(emitters);
    (engine, signal)
}

library_benchmark_group!(
    name = emitter;
    benchmarks = emitter_drop
);
