//! A listener panics or errs: the first, one in the middle, the last.

use crate::support::*;
use corecast::{
    Context, Delivery, EmitError, FaultKind, FaultPolicy, Listener, SignalError, Subscription,
    SyncEmitter, SyncSignal, WorkerId, WorkerListener,
};

/// What the bad one of three listeners does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ill {
    Panics,
    Errs,
}

const ILLS: [Ill; 2] = [Ill::Panics, Ill::Errs];

impl Ill {
    fn strike(self, n: u64) -> Result<(), String> {
        match self {
            Self::Panics => panic!("no good: {n}"),
            Self::Errs => Err(format!("no good: {n}")),
        }
    }

    fn kind(self) -> FaultKind {
        match self {
            Self::Panics => FaultKind::Panic,
            Self::Errs => FaultKind::Error,
        }
    }
}

/// A synchronous signal with three listeners, of which one is bad, and both ways to emit on it.
struct Scene {
    signal: SyncSignal<u64>,
    emitter: SyncEmitter<u64>,
    calls: [Count; 3],
    bad: usize,
    ill: Ill,
    _subscriptions: Vec<Subscription>,
}

impl Scene {
    fn new(policy: FaultPolicy, bad: usize, ill: Ill) -> Self {
        let signal = SyncSignal::builder().fault_policy(policy).build();
        let signal = signal.expect("a possible policy");
        let calls: [Count; 3] = Default::default();
        let subscribe = |(index, count): (usize, &Count)| {
            let count = count.clone();
            signal.subscribe_fallible(move |n: &u64| {
                count.up();
                if index == bad { ill.strike(*n) } else { Ok(()) }
            })
        };
        let subscriptions = calls.iter().enumerate().map(subscribe).collect();
        Self {
            emitter: signal.emitter(),
            calls,
            bad,
            ill,
            _subscriptions: subscriptions,
            signal,
        }
    }

    fn emit(&mut self, owned: bool, n: u64) -> Delivery {
        if owned {
            self.emitter.emit(&n)
        } else {
            self.signal.emit(&n)
        }
    }

    fn try_emit(&mut self, owned: bool, n: u64) -> Result<Delivery, EmitError> {
        if owned {
            self.emitter.try_emit(&n, &Context::none())
        } else {
            self.signal.try_emit(&n, &Context::none())
        }
    }

    fn calls(&self) -> [usize; 3] {
        [0, 1, 2].map(|index| self.calls[index].get())
    }

    /// How often each was called, if those behind the bad one were called so often.
    fn expected(&self, all: usize, behind: usize) -> [usize; 3] {
        [0, 1, 2].map(|index| if index <= self.bad { all } else { behind })
    }
}

/// Every place of the bad one, every ill, both ways to emit.
fn scenes(policy: FaultPolicy, row: impl Fn(Scene, bool)) {
    for bad in 0..3 {
        for ill in ILLS {
            for owned in [false, true] {
                row(Scene::new(policy, bad, ill), owned);
            }
        }
    }
}

const FAILED: Delivery = Delivery {
    delivered: 2,
    failed: 1,
};

fn assert_stopped(scene: &Scene, error: &EmitError) {
    assert_eq!(error.delivered(), scene.bad);
    match (scene.ill, error) {
        (Ill::Panics, EmitError::Panicked { index, message, .. }) => {
            assert_eq!((*index, message.as_str()), (scene.bad, "no good: 8"));
        }
        (Ill::Errs, EmitError::Listener { index, source, .. }) => {
            assert_eq!(*index, scene.bad);
            assert_eq!(source.to_string(), "no good: 8");
        }
        _ => panic!("{error:?}"),
    }
}

#[test]
fn isolated_listeners_are_called_whichever_of_them_fails() {
    watched(|| {
        scenes(FaultPolicy::Isolate, |mut scene, owned| {
            assert_eq!(scene.emit(owned, 7), FAILED);
            assert_eq!(scene.emit(owned, 7), FAILED);
            assert_eq!(scene.calls(), [2, 2, 2]);
            let faults = read(scene.signal.faults());
            let [fault] = &faults[..] else {
                panic!("{faults:?}");
            };
            assert_eq!((fault.kind, fault.count), (scene.ill.kind(), 2));
            assert_eq!(fault.message, "no good: 7");
            let metrics = scene.signal.metrics();
            let panicked = if scene.ill == Ill::Panics { 2 } else { 0 };
            assert_eq!(
                (metrics.delivered, metrics.failed, metrics.panicked),
                (4, 2, panicked)
            );
        });
    });
}

#[test]
fn a_walk_that_may_stop_stops_at_whichever_listener_fails() {
    watched(|| {
        scenes(FaultPolicy::Isolate, |mut scene, owned| {
            let error = scene.try_emit(owned, 8).expect_err("a bad listener");
            assert_stopped(&scene, &error);
            assert_eq!(scene.calls(), scene.expected(1, 0));
            assert_eq!(scene.emit(owned, 7), FAILED);
            assert_eq!(scene.calls(), scene.expected(2, 1));
        });
    });
}

#[test]
fn a_listener_that_fails_twice_in_a_row_is_quarantined_wherever_it_stands() {
    watched(|| {
        let policy = FaultPolicy::Quarantine { after: 2 };
        scenes(policy, |mut scene, owned| {
            assert_eq!(scene.emit(owned, 7), FAILED);
            let error = scene.try_emit(owned, 8).expect_err("a bad listener");
            assert_stopped(&scene, &error);
            assert_eq!(scene.signal.len(), 2);
            let delivery = scene.emit(owned, 7);
            assert_eq!((delivery.delivered, delivery.failed), (2, 0));
            let kinds: Vec<_> = read(scene.signal.faults()).iter().map(|f| f.kind).collect();
            assert_eq!(kinds, [scene.ill.kind(), FaultKind::Quarantined]);
            assert_eq!(scene.calls[scene.bad].get(), 2);
        });
    });
}

#[test]
fn a_success_in_between_ends_the_row_of_failures() {
    watched(|| {
        let policy = FaultPolicy::Quarantine { after: 2 };
        let signal = SyncSignal::<u64>::builder().fault_policy(policy).build();
        let signal = signal.expect("a possible policy");
        let odd = |n: &u64| if n % 2 == 1 { Err("odd") } else { Ok(()) };
        let subscription = signal.subscribe_fallible(odd);
        [1, 2, 1, 2, 1].iter().for_each(|n| {
            signal.emit(n);
        });
        assert!(subscription.is_active());
        signal.emit(&1);
        assert!(!subscription.is_active());
    });
}

#[test]
fn a_propagated_panic_comes_after_the_walk_of_an_emit_and_at_once_of_a_try_emit() {
    watched(|| {
        scenes(FaultPolicy::Propagate, |mut scene, owned| {
            if scene.ill == Ill::Errs {
                assert_eq!(scene.emit(owned, 7), FAILED);
                let error = scene.try_emit(owned, 8).expect_err("a bad listener");
                assert_stopped(&scene, &error);
                return;
            }
            assert_eq!(panic_text(|| scene.emit(owned, 7)), "no good: 7");
            assert_eq!(scene.calls(), [1, 1, 1]);
            assert_eq!(panic_text(|| scene.try_emit(owned, 8)), "no good: 8");
            assert_eq!(scene.calls(), scene.expected(2, 1));
            // The walks were left in order: nothing of them is in the way.
            scene.signal.clear();
            assert_eq!(scene.signal.quiesce(LONG), Ok(()));
            assert_eq!(scene.emit(owned, 7), Delivery::default());
        });
    });
}

#[test]
fn the_first_of_several_panics_is_propagated_and_the_others_are_faults() {
    watched(|| {
        let policy = FaultPolicy::Propagate;
        let signal = SyncSignal::<u64>::builder().fault_policy(policy).build();
        let signal = signal.expect("a possible policy");
        let panicking = |text: &'static str| Listener::new(move |_| panic!("{text}"));
        let added = signal.add_many([panicking("first"), panicking("second")]);
        assert_eq!(panic_text(|| signal.emit(&7)), "first");
        let messages: Vec<_> = read(signal.faults())
            .iter()
            .map(|f| f.message.clone())
            .collect();
        assert_eq!(messages, ["first", "second"]);
        drop(added);
    });
}

#[test]
fn on_a_worker_there_is_nobody_to_propagate_to() {
    watched(|| {
        let engine = engine(1, true);
        let signal = engine
            .signal::<u64>("three")
            .fault_policy(FaultPolicy::Propagate);
        assert_eq!(signal.build().map(drop), Err(SignalError::Propagate));
    });
}

/// Three listeners on one worker, the bad one failing at every third event; what each has seen.
fn asynchronous(bad: usize, ill: Ill, policy: FaultPolicy, manual: bool) -> [Vec<u64>; 3] {
    let engine = engine(1, manual);
    let signal = engine.signal::<u64>("three").capacity(64);
    let signal = signal.fault_policy(policy).build().expect("possible");
    let seen: [_; 3] = std::array::from_fn(|_| std::sync::mpsc::channel());
    for (index, (sender, _)) in seen.iter().enumerate() {
        let sender = sender.clone();
        let subscription = signal.subscribe_fallible(move |n: &u64| {
            sender.send(*n).expect("the row reads");
            if index == bad && n.is_multiple_of(3) {
                ill.strike(*n)
            } else {
                Ok(())
            }
        });
        subscription.detach();
    }
    let mut emitter = signal.emitter().expect("open");
    // One run of several events, so that a panic is in the middle of it.
    assert_eq!(emitter.emit_batch(0..9).expect("room"), 9);
    emitter.flush(LONG).expect("the sequence advances");
    assert_eq!(emitter.sequence(), 9);
    let report = engine.shutdown(LONG);
    assert_eq!((report.accepted, report.delivered), (9, 9));
    let faults = read(engine.faults());
    let failed: Vec<_> = faults
        .iter()
        .filter(|fault| fault.kind == ill.kind())
        .map(|fault| (fault.sequence, fault.worker))
        .collect();
    let at = |sequence| (Some(sequence), Some(WorkerId::new(0)));
    assert_eq!(failed, [at(0), at(3), at(6)]);
    seen.map(|(_, receiver)| receiver.try_iter().collect())
}

#[test]
fn on_a_worker_every_listener_sees_every_event_whichever_of_them_fails() {
    watched(|| {
        for bad in 0..3 {
            for ill in ILLS {
                for manual in [true, false] {
                    let seen = asynchronous(bad, ill, FaultPolicy::Isolate, manual);
                    let all: Vec<u64> = (0..9).collect();
                    assert_eq!(seen, [all.clone(), all.clone(), all]);
                }
            }
        }
    });
}

#[test]
fn on_a_worker_faults_that_are_not_in_a_row_do_not_quarantine() {
    watched(|| {
        for ill in ILLS {
            let policy = FaultPolicy::Quarantine { after: 2 };
            let [_, seen, _] = asynchronous(1, ill, policy, true);
            assert_eq!(seen, (0..9).collect::<Vec<u64>>());
        }
    });
}

#[test]
fn on_a_worker_a_quarantined_listener_sees_no_further_event_even_of_the_same_run() {
    watched(|| {
        on_both(1, |engine| {
            for bad in 0..3 {
                let signal = engine.signal::<u64>("three").capacity(64);
                let signal = signal.fault_policy(FaultPolicy::Quarantine { after: 3 });
                let signal = signal.build().expect("possible");
                let calls: [Count; 3] = Default::default();
                for (index, count) in calls.iter().enumerate() {
                    let count = count.clone();
                    let listener = WorkerListener::new(move |_| {
                        count.up();
                        assert!(index != bad, "no good");
                    });
                    signal.add(listener).expect("open").detach();
                }
                let mut emitter = signal.emitter().expect("open");
                emitter.emit_batch(0..10).expect("room");
                emitter.flush(LONG).expect("the sequence advances");
                let expected = [0, 1, 2].map(|index| if index == bad { 3 } else { 10 });
                assert_eq!([0, 1, 2].map(|index| calls[index].get()), expected);
                assert_eq!(signal.len(), 2);
                let kinds: Vec<_> = read(engine.faults())
                    .iter()
                    .map(|f| (f.kind, f.count))
                    .collect();
                assert_eq!(kinds, [(FaultKind::Panic, 3), (FaultKind::Quarantined, 1)]);
            }
        });
    });
}

#[test]
fn a_batch_listener_that_panics_loses_its_batch_and_nobody_elses() {
    watched(|| {
        on_both(1, |engine| {
            let signal = engine.signal::<u64>("batches").capacity(16).build();
            let signal = signal.expect("possible");
            let (sender, seen) = std::sync::mpsc::channel();
            signal
                .subscribe_batch(|batch| panic!("{} events", batch.len()))
                .detach();
            signal
                .subscribe(move |n| sender.send(*n).expect("the row reads"))
                .detach();
            let mut emitter = signal.emitter().expect("open");
            for start in [0, 8] {
                emitter.emit_batch(start..start + 8).expect("room");
                emitter.flush(LONG).expect("the sequence advances");
            }
            assert_eq!(
                seen.try_iter().collect::<Vec<u64>>(),
                (0..16).collect::<Vec<_>>()
            );
            let metrics = signal.metrics();
            assert_eq!(metrics.delivered, 16);
            assert!(metrics.panicked > 0 && metrics.failed == metrics.panicked);
        });
    });
}

#[test]
fn a_once_listener_that_panics_is_spent() {
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        let once = Listener::new(|_: &u64| panic!("once")).once().key("once");
        signal.add(once).expect("a free key").detach();
        assert_eq!(signal.emit(&7).failed, 1);
        assert_eq!(signal.emit(&7), Delivery::default());
        assert!(!signal.contains_key("once"));
        on_both(1, |engine| {
            let signal = engine.signal::<u64>("once").build().expect("possible");
            let calls = Count::default();
            let counted = calls.clone();
            let once = WorkerListener::new(move |_| panic!("call {}", counted.next())).once();
            signal.add(once).expect("open").detach();
            emit_all(&signal, 0..5);
            assert_eq!(calls.get(), 1);
            assert!(signal.is_empty());
        });
    });
}

#[test]
fn a_sharded_listener_that_panics_leaves_the_other_shards_alone() {
    watched(|| {
        on_both(3, |engine| {
            let signal = engine.signal::<u64>("turns").round_robin().build();
            let signal = signal.expect("possible");
            let calls: [Count; 3] = Default::default();
            let counts = calls.clone();
            let subscription = signal.subscribe_sharded(|worker| {
                let count = counts[worker.index()].clone();
                move |_: &u64| {
                    count.up();
                    assert!(worker.index() != 1, "no good");
                }
            });
            let mut emitter = signal.emitter().expect("open");
            (0..30).for_each(|n| emitter.emit(n).expect("room"));
            emitter.flush(LONG).expect("the sequences advance");
            assert_eq!([0, 1, 2].map(|index| calls[index].get()), [10, 10, 10]);
            let metrics = signal.metrics();
            assert_eq!((metrics.delivered, metrics.panicked), (20, 10));
            drop(subscription);
        });
    });
}

#[test]
fn the_key_of_a_spent_listener_goes_with_the_listener() {
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        for _ in 0..20 {
            let once = Listener::new(|_: &u64| panic!("once")).once().key("once");
            signal.add(once).expect("a free key").detach();
            assert!(signal.contains_key("once"));
            assert_eq!(signal.emit(&7).failed, 1);
            // The first of these takes the spent one out, and the next may get its memory.
            let others: Vec<_> = (0..4).map(|_| signal.subscribe(|_| {})).collect();
            assert!(!signal.contains_key("once"));
            assert!(!signal.unsubscribe("once"));
            assert_eq!(signal.emit(&7).delivered, others.len());
        }
    });
}
