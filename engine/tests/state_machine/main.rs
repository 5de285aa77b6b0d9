//! Random lives of a manual engine, compared step by step with a straightforward reference.
//!
//! One broadcast signal and one whose events go to one worker each share the engine's workers.
//! `model.rs` says what should happen, with queues and lists; `world.rs` does it with the engine and
//! compares.

mod model;
mod world;

use corecast::{Engine, Overflow};
use model::{KEYS, Kind, SHARED, Setup, Step, Way, Wish};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use world::{Event, World};

fn wish() -> impl Strategy<Value = Wish> {
    let kind = prop_oneof![
        4 => Just(Kind::Plain),
        1 => Just(Kind::Errs),
        1 => Just(Kind::Panics),
        1 => Just(Kind::Batch),
    ];
    let key = prop_oneof![4 => Just(None), 3 => (0..3_u8).prop_map(Some), 1 => Just(Some(9))];
    let worker = prop_oneof![3 => Just(None), 1 => (0..4_u32).prop_map(Some)];
    let once = prop::bool::weighted(0.2);
    (kind, key, -1..2_i32, once, worker).prop_map(|(kind, key, priority, once, worker)| Wish {
        kind,
        key,
        priority,
        once,
        worker,
    })
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        5 => Just(Way::Emit),
        1 => Just(Way::Try),
        1 => Just(Way::Within),
        2 => Just(Way::With),
        2 => (0..150_usize).prop_map(Way::Batch),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..2_usize;
    prop_oneof![
        4 => wish().prop_map(Step::Subscribe),
        2 => any::<bool>().prop_map(Step::SubscribeSharded),
        2 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(index, wait)| Step::Unsubscribe(index, wait)),
        1 => any::<prop::sample::Index>().prop_map(Step::Detach),
        1 => (0..3_u8).prop_map(Step::RemoveKey),
        1 => which.clone().prop_map(Step::Clear),
        2 => which.clone().prop_map(Step::Emitter),
        1 => any::<prop::sample::Index>().prop_map(Step::DropEmitter),
        12 => (any::<prop::sample::Index>(), way()).prop_map(|(index, way)| Step::Emit(index, way)),
        4 => (which, any::<bool>()).prop_map(|(signal, tries)| Step::Shared(signal, tries)),
        3 => Just(Step::Run),
        1 => any::<prop::sample::Index>().prop_map(Step::Flush),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let overflow =
        prop::sample::select(vec![Overflow::Wait, Overflow::Reject, Overflow::DropNewest]);
    let capacity = prop::sample::select(vec![2_usize, 4, 16, 128]);
    let batch = prop::option::of(1..3_usize);
    let flags = any::<(bool, bool)>();
    (1..4_usize, capacity, batch, overflow, flags).prop_map(
        |(workers, capacity, batch, overflow, (recycled, full_fences))| Setup {
            workers,
            capacity,
            batch,
            overflow: match overflow {
                // Without full fences only what comes back says what happened.
                Overflow::DropNewest if !full_fences => Overflow::Reject,
                overflow => overflow,
            },
            recycled,
            full_fences,
        },
    )
}

/// The worker of each key, on an engine of as many workers: as an engine of its own shows it.
fn workers_of_keys(workers: usize) -> Vec<usize> {
    let setup = Setup {
        workers,
        capacity: 16,
        batch: None,
        overflow: Overflow::Reject,
        recycled: false,
        full_fences: false,
    };
    let engine = setup.engine();
    let signal = engine.signal::<Event>("keys").shard_by(Event::key).build();
    let signal = signal.expect("possible");
    let seen = Arc::new(Mutex::new(vec![usize::MAX; KEYS]));
    let log = Arc::clone(&seen);
    let subscription = signal.subscribe_sharded(move |worker| {
        let log = Arc::clone(&log);
        move |event: &Event| log.lock().expect("no panic")[event.key()] = worker.index()
    });
    for number in 0..KEYS as u64 {
        let event = Event::probe(number);
        signal.emit(event).expect("room");
    }
    engine.run_until_idle().expect("not nested");
    drop(subscription);
    let seen = seen.lock().expect("no panic").clone();
    assert!(seen.iter().all(|worker| *worker < workers));
    seen
}

fn live(setup: Setup, steps: &[Step], keyed: bool) {
    let engine: Engine = setup.engine();
    let one = setup.options(engine.signal::<Event>("one"));
    if keyed {
        let keys = workers_of_keys(setup.workers);
        let signal = setup.recycle(one).shard_by(Event::key).build();
        let choose = move |number: u64, _: u64| keys[number as usize % KEYS];
        World::new(setup, engine, signal.expect("possible"), Box::new(choose)).live(steps);
    } else {
        let signal = setup.recycle(one).round_robin().build();
        let choose = move |_: u64, turn: u64| turn as usize % setup.workers;
        World::new(setup, engine, signal.expect("possible"), Box::new(choose)).live(steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_manual_engine_does_what_the_reference_says(
        setup in setup(),
        steps in vec(step(), 0..60),
        keyed in any::<bool>(),
    ) {
        live(setup, &steps, keyed);
    }
}

#[test]
fn the_shared_lanes_are_a_source_like_an_emitter() {
    // One that proptest's steps come to seldom: full shared lanes, a late listener, a removal.
    let setup = Setup {
        workers: 2,
        capacity: 2,
        batch: None,
        overflow: Overflow::Reject,
        recycled: false,
        full_fences: false,
    };
    let plain = |worker| {
        Step::Subscribe(Wish {
            kind: Kind::Plain,
            key: Some(worker as u8),
            priority: 0,
            once: false,
            worker: Some(worker),
        })
    };
    let emit = Step::Shared(0, false);
    let steps = [
        plain(0),
        emit.clone(),
        plain(1),
        emit.clone(),
        emit.clone(),
        Step::RemoveKey(0),
        emit.clone(),
        Step::Run,
        emit,
    ];
    assert_ne!(SHARED, 0);
    live(setup, &steps, false);
}
