//! Bad input: an error whose kind says what is wrong, and whose message names the value.

use crate::support::{LONG, Log, engine, manual, worker, workers};
use corecast::{
    CapacityError, Context, Cores, CpuId, Engine, EngineBuilder, EngineError, FaultPolicy,
    FlushError, Overflow, PinError, Pinning, PlacementError, RejectReason, SignalError,
    SubscribeError, ThreadError, WaitError, WaitStrategy, WorkerListener,
};
use std::time::Duration;

/// The error that building a signal with this capacity gives, and its message.
fn capacity(slots: usize) -> (CapacityError, String) {
    let engine = manual(1);
    let error = engine
        .signal::<u64>("s")
        .capacity(slots)
        .build()
        .unwrap_err();
    match error {
        SignalError::Capacity(kind) => (kind, error.to_string()),
        other => panic!("{other}"),
    }
}

fn build_error(builder: EngineBuilder) -> EngineError {
    builder.build().unwrap_err()
}

fn placement_error(builder: EngineBuilder) -> (PlacementError, String) {
    let error = build_error(builder);
    let message = error.to_string();
    match error {
        EngineError::Placement(kind) => (kind, message),
        other => panic!("{other}"),
    }
}

/// A number that no CPU of this machine has.
const NO_CPU: u32 = 4321;

#[test]
fn a_capacity_of_zero_or_one_is_too_small() {
    for slots in [0, 1] {
        let (error, message) = capacity(slots);
        assert_eq!(error, CapacityError::TooSmall { capacity: slots });
        assert!(message.contains(&format!("capacity {slots}")), "{message}");
    }
}

#[test]
fn a_capacity_that_is_no_power_of_two_suggests_the_next_one() {
    for (slots, next) in [(3, 4), (1000, 1024), (1 << 20 | 1, 1 << 21)] {
        let (error, message) = capacity(slots);
        let expected = CapacityError::NotPowerOfTwo {
            capacity: slots,
            suggestion: next,
        };
        assert_eq!(error, expected);
        assert!(message.contains(&slots.to_string()), "{message}");
        assert!(message.contains(&next.to_string()), "{message}");
    }
}

#[test]
fn a_capacity_that_cannot_be_addressed_is_too_large() {
    let slots = 1 << 63;
    let (error, message) = capacity(slots);
    let CapacityError::TooLarge {
        capacity: asked,
        largest,
    } = error
    else {
        panic!("{message}");
    };
    assert_eq!(asked, slots);
    assert!(largest.is_power_of_two() && largest < slots);
    assert!(message.contains(&slots.to_string()), "{message}");
    let (_, message) = capacity(usize::MAX);
    assert!(message.contains(&usize::MAX.to_string()), "{message}");
}

#[test]
fn a_capacity_that_the_allocator_refuses_is_refused_when_the_lane_is_made() {
    // The largest of its kind: no address space has room for it.
    let engine = manual(1);
    let slots = 1 << 58;
    let signal = engine.signal::<u64>("s").capacity(slots).build().unwrap();
    let _kept = signal.subscribe(|_| {});
    let error = signal.emitter().unwrap_err();
    let corecast::EmitterError::Capacity(kind) = error.clone() else {
        panic!("{error}");
    };
    let expected = CapacityError::Refused {
        capacity: slots,
        bytes: slots * 16,
    };
    assert_eq!(kind, expected);
    assert!(error.to_string().contains(&slots.to_string()), "{error}");
    // A shared emission has no other way to say it.
    let rejected = signal.emit(7).unwrap_err();
    assert_eq!((rejected.event, rejected.reason), (7, RejectReason::Full));
}

#[test]
fn a_batch_of_zero_or_larger_than_the_ring_is_refused_also_when_it_is_the_default_number() {
    let engine = manual(1);
    for (batch, slots) in [(0, 16), (17, 16), (64, 16), (65, 64), (usize::MAX, 1024)] {
        let builder = engine.signal::<u64>("s").capacity(slots).batch(batch);
        let error = builder.build().unwrap_err();
        assert_eq!(
            error,
            SignalError::Batch {
                batch,
                capacity: slots
            }
        );
        assert!(
            error.to_string().contains(&format!("batch {batch}")),
            "{error}"
        );
        let names_both = error.to_string().contains(&slots.to_string());
        assert!(names_both || batch == 0, "{error}");
    }
    // The default adapts, and what fits is taken.
    for builder in [
        engine.signal::<u64>("s").capacity(2),
        engine.signal::<u64>("s").capacity(16).batch(16),
        engine.signal::<u64>("s").batch(64).capacity(64),
        engine.signal::<u64>("s").batch(1),
    ] {
        builder.build().unwrap();
    }
}

#[test]
fn a_quarantine_after_zero_faults_is_refused() {
    let engine = manual(1);
    let policy = FaultPolicy::Quarantine { after: 0 };
    let error = engine
        .signal::<u64>("s")
        .fault_policy(policy)
        .build()
        .unwrap_err();
    assert_eq!(error, SignalError::QuarantineAfterZero);
    assert!(error.to_string().contains("after: 0"), "{error}");
}

#[test]
fn propagation_is_for_synchronous_signals() {
    let engine = manual(1);
    let builder = engine
        .signal::<u64>("s")
        .fault_policy(FaultPolicy::Propagate);
    let error = builder.build().unwrap_err();
    assert_eq!(error, SignalError::Propagate);
    assert!(error.to_string().contains("Propagate"), "{error}");
}

#[test]
fn no_workers_or_too_many_are_refused() {
    let one = || Engine::builder().cores(Cores::count(1));
    let (error, message) = placement_error(one().workers_per_core(0));
    assert_eq!(error, PlacementError::ZeroWorkersPerCore);
    assert!(message.contains("0 workers"), "{message}");
    for per_core in [257, 100_000, usize::MAX] {
        for builder in [one(), one().manual()] {
            let (error, message) = placement_error(builder.workers_per_core(per_core));
            let expected = PlacementError::TooManyWorkers {
                cores: 1,
                workers_per_core: per_core,
            };
            assert_eq!(error, expected);
            assert!(message.contains(&per_core.to_string()), "{message}");
        }
    }
    let (error, message) = placement_error(Engine::builder().cores(Cores::count(0)));
    assert_eq!(error, PlacementError::ZeroCores);
    assert!(message.contains('0'), "{message}");
    let (error, message) = placement_error(Engine::builder().cores(Cores::count(5000)));
    assert!(
        matches!(error, PlacementError::TooFewCpus { asked: 5000, .. }),
        "{message}"
    );
    assert!(message.contains("5000"), "{message}");
}

#[test]
fn a_cpu_that_does_not_exist_or_is_named_twice_is_refused() {
    let (error, message) = placement_error(Engine::builder().cores(Cores::list([NO_CPU])));
    let no_such =
        matches!(&error, PlacementError::NoSuchCpu { cpu, .. } if *cpu == CpuId::new(NO_CPU));
    assert!(no_such, "{message}");
    assert!(message.contains(&format!("CPU {NO_CPU}")), "{message}");

    let first = engine(1).workers()[0].cpu.unwrap();
    let (error, message) = placement_error(Engine::builder().cores(Cores::list([first, first])));
    assert_eq!(error, PlacementError::NamedTwice { cpu: first });
    assert!(message.contains(&format!("CPU {first}")), "{message}");

    let none: [u32; 0] = [];
    let (error, _) = placement_error(Engine::builder().cores(Cores::list(none)));
    assert_eq!(error, PlacementError::EmptyList);

    let error = build_error(workers(1).wait_on(NO_CPU, WaitStrategy::park()));
    assert_eq!(
        error,
        EngineError::WaitOn {
            cpu: CpuId::new(NO_CPU)
        }
    );
    assert!(error.to_string().contains(&NO_CPU.to_string()), "{error}");
}

/// A CPU that is offline cannot be had here; that it is an error of its own is shown with recorded
/// machines in the affinity package. This is its message.
#[test]
fn the_error_for_a_cpu_that_is_offline_names_it() {
    let error = EngineError::Placement(PlacementError::Offline { cpu: CpuId::new(7) });
    assert_eq!(error.to_string(), "CPU 7 is offline");
}

#[test]
fn the_error_for_a_pin_that_is_required_and_refused_names_the_cpu() {
    let cpu = CpuId::new(3);
    let source = PinError::Refused {
        cpu,
        os_error: Some(22),
    };
    let error = EngineError::Thread(ThreadError::Pin {
        name: "corecast-0".to_owned(),
        source,
    });
    let message = error.to_string();
    assert!(
        message.contains("CPU 3") && message.contains("corecast-0"),
        "{message}"
    );
    let source = PinError::Unverified { cpu };
    let error = EngineError::Thread(ThreadError::Pin {
        name: "corecast-0".to_owned(),
        source,
    });
    assert!(error.to_string().contains("CPU 3"), "{error}");
    // On a CPU that may be had, it is pinned and says so.
    let engine = workers(1).pinning(Pinning::Required).build().unwrap();
    assert!(engine.workers()[0].pinned);
}

#[test]
fn a_thread_name_with_a_nul_is_refused() {
    let name = "work\0er".to_owned();
    for builder in [workers(1), workers(1).manual()] {
        let error = build_error(builder.thread_name(name.clone()));
        assert_eq!(error, EngineError::ThreadName { name: name.clone() });
        assert!(error.to_string().contains(r"work\0er"), "{error}");
    }
}

#[test]
fn a_set_up_that_panics_is_the_builders_error_and_leaves_no_thread() {
    let done = Log::new();
    let error = build_error(workers(3).on_worker_start({
        let done = done.clone();
        move |info| {
            done.push(info.id);
            assert!(info.id != worker(1), "no scheduler class");
        }
    }));
    let expected = EngineError::WorkerStart {
        worker: worker(1),
        message: "no scheduler class".to_owned(),
    };
    assert_eq!(error, expected);
    let message = error.to_string();
    assert!(
        message.contains("w1") && message.contains("no scheduler class"),
        "{message}"
    );
    assert_eq!(
        done.take(),
        [worker(0), worker(1)],
        "the third was never started"
    );
}

#[test]
fn an_empty_key_or_one_that_is_taken_is_refused_and_changes_nothing() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let error = signal.add(WorkerListener::new(|_| {}).key("")).unwrap_err();
    assert_eq!(error, SubscribeError::EmptyKey);
    assert!(error.to_string().contains("\"\""), "{error}");
    let first = WorkerListener::new(|_: &u64| {})
        .key("audit")
        .on_worker(worker(0));
    let _kept = signal.add(first).unwrap();
    // On another worker, and of another kind, too.
    let again = WorkerListener::batch(|_| {})
        .key("audit")
        .on_worker(worker(1));
    let error = signal.add(again).unwrap_err();
    assert_eq!(error, SubscribeError::DuplicateKey("audit".into()));
    assert!(error.to_string().contains("\"audit\""), "{error}");
    assert_eq!(signal.len(), 1);
    // A key belongs to its signal.
    let other = engine.signal::<u64>("t").build().unwrap();
    let _other = other.add(WorkerListener::new(|_| {}).key("audit")).unwrap();
}

#[test]
fn stale_and_foreign_handles_and_keys_are_answered_and_harm_nobody() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let log = Log::new();
    let stays = signal.subscribe(log.listener());
    // Stale: removed by other means, and others have come since.
    let stale = signal.add(WorkerListener::new(|_| {}).key("k")).unwrap();
    assert!(signal.unsubscribe("k"));
    let successors: Vec<_> = (0..50).map(|_| signal.subscribe(log.listener())).collect();
    assert!(!stale.is_active());
    assert_eq!(stale.unsubscribe_and_wait(LONG), Ok(()));
    assert_eq!(signal.len(), 51);
    assert!(!signal.unsubscribe("k") && !signal.unsubscribe("") && !signal.unsubscribe("nobody"));
    // Foreign: a worker of another engine's numbers, a subscription of a signal that is gone.
    let foreign = crate::support::manual(8).workers()[7].id;
    let error = signal
        .add(WorkerListener::new(|_| {}).on_worker(foreign))
        .unwrap_err();
    assert_eq!(error, SubscribeError::UnknownWorker(foreign));
    assert!(error.to_string().contains("w7"), "{error}");
    let other = engine.signal::<u64>("t").build().unwrap();
    let orphan = other.subscribe(|_| {});
    let waiting = other.subscribe(|_| {});
    drop(other);
    engine.run_until_idle().unwrap();
    assert!(!orphan.is_active() && !orphan.unsubscribe());
    assert_eq!(waiting.unsubscribe_and_wait(Duration::ZERO), Ok(()));
    signal.emit(1).unwrap();
    engine.run_until_idle().unwrap();
    assert_eq!(log.len(), 51);
    drop((stays, successors));
}

#[test]
fn a_timeout_of_zero_tries_once_everywhere() {
    let engine = engine(1);
    let builder = engine.signal::<u64>("s").capacity(2);
    let signal = builder
        .overflow(Overflow::WaitFor(Duration::ZERO))
        .build()
        .unwrap();
    let (door, mut stand) = crate::support::door();
    let gate = signal.subscribe(move |_| stand());
    let mut out = signal.emitter().unwrap();
    assert_eq!(out.flush(Duration::ZERO), Ok(()));
    out.emit(0).unwrap();
    door.wait();
    out.emit(1).unwrap();
    assert_eq!(out.emit(2).unwrap_err().reason, RejectReason::Timeout);
    let context = Context::with_timeout(Duration::ZERO);
    assert_eq!(
        out.emit_within(2, &context).unwrap_err().reason,
        RejectReason::Timeout
    );
    assert_eq!(out.flush(Duration::ZERO), Err(FlushError::Timeout));
    assert_eq!(
        gate.unsubscribe_and_wait(Duration::ZERO),
        Err(WaitError::Timeout)
    );
    let report = engine.shutdown(Duration::ZERO);
    assert_eq!(report.stuck, [worker(0)]);
    drop(door);
}

#[test]
fn an_enormous_timeout_is_for_ever() {
    for limit in [
        Duration::MAX,
        Duration::from_secs(u64::MAX),
        Duration::from_secs(u64::MAX / 4),
    ] {
        let engine = engine(1);
        let builder = engine.signal::<u64>("s").capacity(2);
        let signal = builder.overflow(Overflow::WaitFor(limit)).build().unwrap();
        let subscription = signal.subscribe(|_| {});
        let done = crate::support::in_time(move || {
            let mut out = signal.emitter().unwrap();
            (0..100).for_each(|n| out.emit(n).unwrap());
            let context = Context::with_timeout(limit);
            (0..100).for_each(|n| out.emit_within(n, &context).unwrap());
            out.flush(limit).unwrap();
            subscription.unsubscribe_and_wait(limit).unwrap();
            engine.shutdown(limit)
        });
        assert_eq!((done.delivered, done.abandoned), (200, 0));
    }
}
