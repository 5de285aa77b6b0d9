//! Synchronous emissions: the walk over the listeners, in the emitting thread.

use std::hint::black_box;

use corecast::{Context, SyncEmitter, SyncSignal};
use corecast_lab::compare::emit::Emit;
use corecast_lab::compare::listeners::Listeners;
use corecast_lab::compare::peers::loops::{Bare, BareFallible, UnderEpoch};
use iai_callgrind::{library_benchmark, library_benchmark_group};

use crate::limits::{OPS, limited, unlimited};
use crate::setup::{fallible_signal, signal};

/// Emits once, so that what a first emission sets up is there.
fn warm<E>(mut emit: E, once: impl FnOnce(&mut E)) -> E {
    once(&mut emit);
    emit
}

fn bare(listeners: usize) -> Bare {
    Bare(Listeners::shuffled(listeners).boxes())
}

fn bare_fallible(listeners: usize) -> BareFallible {
    BareFallible(Listeners::shuffled(listeners).fallible_boxes())
}

fn under_epoch(listeners: usize) -> UnderEpoch {
    let peer = UnderEpoch::new(Listeners::shuffled(listeners).boxes());
    warm(peer, |peer| assert!(peer.emit(&0).is_ok()))
}

fn emitter(listeners: usize) -> SyncEmitter<u64> {
    warm(signal(listeners).emitter(), |emitter| {
        assert_eq!(emitter.emit(&0).delivered, listeners);
    })
}

fn handle(listeners: usize) -> SyncSignal<u64> {
    warm(signal(listeners), |signal| {
        assert_eq!(signal.emit(&0).delivered, listeners);
    })
}

fn fallible_emitter(listeners: usize) -> SyncEmitter<u64> {
    warm(fallible_signal(listeners).emitter(), |emitter| {
        assert_eq!(emitter.emit(&0).delivered, listeners);
    })
}

fn fallible_handle(listeners: usize) -> SyncSignal<u64> {
    warm(fallible_signal(listeners), |signal| {
        assert_eq!(signal.emit(&0).delivered, listeners);
    })
}

/// Does `emit` with each event and returns what it was done to, so that its drop is not counted.
#[inline(always)]
fn each<E, R>(mut to: E, mut emit: impl FnMut(&mut E, &u64) -> R) -> E {
    for event in 0..OPS {
        black_box(emit(&mut to, black_box(&event)));
    }
    to
}

#[library_benchmark]
#[bench::listeners_1(args = (1), setup = bare, config = unlimited())]
#[bench::listeners_10(args = (10), setup = bare, config = unlimited())]
fn emit_bare(listeners: Bare) -> Bare {
    each(listeners, |listeners, event| listeners.emit(event).is_ok())
}

#[library_benchmark]
#[bench::listeners_1(args = (1), setup = under_epoch, config = unlimited())]
#[bench::listeners_10(args = (10), setup = under_epoch, config = unlimited())]
fn emit_epoch(listeners: UnderEpoch) -> UnderEpoch {
    each(listeners, |listeners, event| listeners.emit(event).is_ok())
}

#[library_benchmark]
#[bench::listeners_0(args = (0), setup = emitter, config = limited("emit/owned/listeners=0"))]
#[bench::listeners_1(args = (1), setup = emitter, config = limited("emit/owned/listeners=1"))]
#[bench::listeners_10(args = (10), setup = emitter, config = limited("emit/owned/listeners=10"))]
fn emit_owned(emitter: SyncEmitter<u64>) -> SyncEmitter<u64> {
    each(emitter, |emitter, event| emitter.emit(event))
}

#[library_benchmark]
#[bench::listeners_0(args = (0), setup = handle, config = limited("emit/shared/listeners=0"))]
#[bench::listeners_1(args = (1), setup = handle, config = limited("emit/shared/listeners=1"))]
#[bench::listeners_10(args = (10), setup = handle, config = limited("emit/shared/listeners=10"))]
fn emit_shared(signal: SyncSignal<u64>) -> SyncSignal<u64> {
    each(signal, |signal, event| signal.emit(event))
}

library_benchmark_group!(
    name = emit;
    benchmarks = emit_bare, emit_epoch, emit_owned, emit_shared
);

#[library_benchmark]
#[bench::listeners_1(args = (1), setup = bare_fallible, config = unlimited())]
#[bench::listeners_10(args = (10), setup = bare_fallible, config = unlimited())]
fn try_emit_bare(listeners: BareFallible) -> BareFallible {
    each(listeners, |listeners, event| listeners.emit(event).is_ok())
}

#[library_benchmark]
#[bench::listeners_0(
    args = (0), setup = fallible_emitter, config = limited("try_emit/owned/listeners=0")
)]
#[bench::listeners_1(
    args = (1), setup = fallible_emitter, config = limited("try_emit/owned/listeners=1")
)]
#[bench::listeners_10(
    args = (10), setup = fallible_emitter, config = limited("try_emit/owned/listeners=10")
)]
fn try_emit_owned(emitter: SyncEmitter<u64>) -> SyncEmitter<u64> {
    each(emitter, |emitter, event| {
        emitter.try_emit(event, &Context::none()).is_ok()
    })
}

#[library_benchmark]
#[bench::listeners_1(
    args = (1), setup = fallible_handle, config = limited("try_emit/shared/listeners=1")
)]
#[bench::listeners_10(
    args = (10), setup = fallible_handle, config = limited("try_emit/shared/listeners=10")
)]
fn try_emit_shared(signal: SyncSignal<u64>) -> SyncSignal<u64> {
    each(signal, |signal, event| {
        signal.try_emit(event, &Context::none()).is_ok()
    })
}

library_benchmark_group!(
    name = try_emit;
    benchmarks = try_emit_bare, try_emit_owned, try_emit_shared
);
