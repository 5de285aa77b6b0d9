//! Synchronous emissions: the walk over the listeners, in the emitting thread.

use std::hint::black_box;
use std::time::Duration;

use corecast::Context;
use corecast_lab::compare::emit::Emit;
use corecast_lab::compare::listeners::Listeners;
use corecast_lab::compare::peers::loops::{
    Bare, BareFallible, UnderArcSwapCache, UnderEpoch, UnderRwLock,
};
use criterion::{Criterion, Throughput};

use crate::Group;
use crate::setup::{fallible_signal, signal};

const COUNTS: [usize; 4] = [1, 10, 100, 1000];

/// Times `emit` with an event that the optimiser does not know.
fn each<R>(group: &mut Group<'_>, case: &str, listeners: usize, mut emit: impl FnMut(&u64) -> R) {
    group.throughput(Throughput::Elements(listeners as u64));
    let mut event = 0_u64;
    group.bench_function(format!("{case}/listeners={listeners}"), |bencher| {
        bencher.iter(|| {
            event = event.wrapping_add(1) >> 1;
            emit(black_box(&event))
        });
    });
}

/// Times one of the designs that `corecast compare` has as peers.
fn peer(group: &mut Group<'_>, case: &str, listeners: usize, mut peer: impl Emit) {
    each(group, case, listeners, |event| peer.emit(event).is_ok());
}

pub(crate) fn emit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("emit");
    for count in COUNTS {
        let boxes = || Listeners::shuffled(count).boxes();
        peer(&mut group, "bare", count, Bare(boxes()));
        peer(&mut group, "epoch", count, UnderEpoch::new(boxes()));
        peer(
            &mut group,
            "arc-swap",
            count,
            UnderArcSwapCache::new(boxes()),
        );
        peer(&mut group, "rwlock", count, UnderRwLock::new(boxes()));
        let mut emitter = signal(count).emitter();
        each(&mut group, "owned", count, |event| emitter.emit(event));
        let shared = signal(count);
        each(&mut group, "shared", count, |event| shared.emit(event));
    }
    group.finish();
}

pub(crate) fn try_emit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("try_emit");
    for count in COUNTS {
        let boxes = Listeners::shuffled(count).fallible_boxes();
        peer(&mut group, "bare", count, BareFallible(boxes));
        let none = Context::none();
        let mut emitter = fallible_signal(count).emitter();
        each(&mut group, "owned", count, |event| {
            emitter.try_emit(event, &none).is_ok()
        });
        let shared = fallible_signal(count);
        each(&mut group, "shared", count, |event| {
            shared.try_emit(event, &none).is_ok()
        });
        // The clock is read before each listener and after the last.
        let hour = Context::with_timeout(Duration::from_secs(3600));
        each(&mut group, "deadline", count, |event| {
            emitter.try_emit(event, &hour).is_ok()
        });
    }
    group.finish();
}
