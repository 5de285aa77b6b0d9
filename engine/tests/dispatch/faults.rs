//! Faults of listeners on workers: who, where, which event, and that everything else goes on.

use crate::support::{LONG, Log, engine, eventually, manual, tomb, worker};
use corecast::{Batch, Fault, FaultKind, FaultPolicy, Subscription, WorkerListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

#[test]
fn a_panic_is_a_fault_that_says_who_where_when_and_over_which_event() {
    let before = SystemTime::now();
    let engine = engine(2);
    let signal = engine.signal::<u64>("prices").build().unwrap();
    let listener = WorkerListener::new(|n: &u64| assert!(*n != 41 + 1, "not {n}"))
        .name("picky")
        .describe(|n| format!("<{n}>"))
        .on_worker(worker(1));
    let line = line!() + 1;
    let subscription = signal.add(listener).unwrap();
    let log = Log::new();
    let _other = signal
        .add(WorkerListener::new(log.listener()).on_worker(worker(1)))
        .unwrap();
    let mut out = signal.emitter().unwrap();
    (40..45).for_each(|n| out.emit(n).unwrap());
    out.flush(LONG).unwrap();
    assert_eq!(log.take(), [40, 41, 42, 43, 44], "the others go on");
    assert_eq!(signal.metrics().delivered, 9);

    let fault = engine.faults().pop().unwrap();
    assert!(engine.faults().is_empty());
    assert_eq!((fault.kind, fault.count), (FaultKind::Panic, 1));
    assert_eq!(fault.signal.as_deref(), Some("prices"));
    assert_eq!(fault.listener, Some(subscription.id()));
    assert_eq!(fault.listener_name.as_deref(), Some("picky"));
    let place = fault.place.unwrap();
    assert!(place.file().ends_with("faults.rs"), "{place}");
    assert_eq!(place.line(), line);
    assert_eq!(fault.worker, Some(worker(1)));
    assert_eq!(fault.thread, engine.workers()[1].thread);
    assert_eq!(fault.sequence, Some(2));
    assert_eq!(fault.message, "not 42");
    assert_eq!(fault.event.as_deref(), Some("<42>"));
    let payload = fault.payload.as_ref().unwrap();
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "not 42");
    assert!(fault.error.is_none());
    assert!((before..=SystemTime::now()).contains(&fault.first));
    assert_eq!(fault.first, fault.last);
    let text = fault.to_string();
    for part in [
        "panic",
        "prices",
        "picky",
        "faults.rs",
        "w1",
        "sequence 2",
        "not 42",
        "<42>",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn an_error_is_a_fault_with_the_error_itself() {
    #[derive(Debug, PartialEq)]
    struct Refused(u64);
    impl std::fmt::Display for Refused {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "refused {}", self.0)
        }
    }
    impl std::error::Error for Refused {}
    let engine = manual(1);
    let signal = engine.signal::<u64>("orders").build().unwrap();
    let line = line!() + 1;
    let subscription = signal.subscribe_fallible(|n: &u64| {
        if *n % 2 == 1 {
            Err(Refused(*n))
        } else {
            Ok(())
        }
    });
    let mut out = signal.emitter().unwrap();
    (0..4).for_each(|n| out.emit(n).unwrap());
    engine.run_until_idle().unwrap();
    for n in [1, 3] {
        let fault = engine.faults().pop().unwrap();
        assert_eq!((fault.kind, fault.sequence), (FaultKind::Error, Some(n)));
        assert_eq!(fault.listener, Some(subscription.id()));
        assert_eq!(fault.place.unwrap().line(), line);
        assert_eq!(fault.message, format!("refused {n}"));
        let error = fault.error.as_ref().unwrap();
        assert_eq!(error.downcast_ref(), Some(&Refused(n)));
        assert_eq!(
            (fault.event.as_deref(), fault.payload.is_none()),
            (None, true)
        );
    }
    assert!(engine.faults().is_empty());
    assert_eq!(signal.metrics().failed, 2);
}

#[test]
fn every_way_of_subscribing_says_where_it_was_done() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let sharded = engine.signal::<u64>("t").round_robin().build().unwrap();
    fn fail(n: &u64) {
        panic!("{n}");
    }
    let mut lines = Vec::new();
    let mut kept: Vec<Subscription> = Vec::new();
    lines.push(line!() + 1);
    kept.push(signal.subscribe(fail));
    lines.push(line!() + 1);
    kept.push(signal.subscribe_fallible(|_: &u64| Err::<(), _>("no")));
    lines.push(line!() + 1);
    kept.push(signal.subscribe_batch(|run: Batch<'_, u64>| fail(&run[0])));
    lines.push(line!() + 1);
    kept.push(signal.add(WorkerListener::new(fail)).unwrap());
    lines.push(line!() + 1);
    kept.push(sharded.subscribe_sharded(|_| fail));
    lines.push(line!() + 1);
    kept.push(sharded.subscribe_sharded_batch(|_| |run: Batch<'_, u64>| fail(&run[0])));
    signal.emit(1).unwrap();
    sharded.emit(2).unwrap();
    engine.run_until_idle().unwrap();
    let mut seen: Vec<_> = std::iter::from_fn(|| engine.faults().pop())
        .map(|fault| fault.place.unwrap().line())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, lines);
}

#[test]
fn after_a_panic_a_listener_goes_on_with_the_next_event_and_sequences_advance() {
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").capacity(16).build().unwrap();
    let (log, alone) = (Log::new(), Log::new());
    let flaky = |log: &Log<u64>| {
        let log = log.clone();
        move |n: &u64| {
            assert!(n % 3 != 1, "one in three");
            log.push(*n);
        }
    };
    let first = signal.subscribe(flaky(&alone));
    let mut out = signal.emitter().unwrap();
    // Alone it takes a run in one call; with others it takes turns.
    for second in [false, true] {
        let _second = second.then(|| signal.subscribe(flaky(&log)));
        (0..300).for_each(|n| out.emit(n).unwrap());
        out.flush(LONG).unwrap();
    }
    let whole: Vec<_> = (0..300).filter(|n| n % 3 != 1).collect();
    assert_eq!(log.take(), whole);
    assert_eq!(alone.take(), [whole.clone(), whole].concat());
    assert_eq!((signal.metrics().panicked, out.sequence()), (300, 600));
    drop(first);
}

#[test]
fn repetitions_of_a_fault_are_folded_and_what_does_not_fit_is_counted() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").capacity(2048).build().unwrap();
    let same = signal.subscribe(|_| panic!("the same again"));
    let mut out = signal.emitter().unwrap();
    (0..100).for_each(|n| out.emit(n).unwrap());
    engine.run_until_idle().unwrap();
    assert_eq!(engine.faults().len(), 1);
    let fault = engine.faults().pop().unwrap();
    assert_eq!((fault.count, fault.sequence), (100, Some(0)));
    assert!(fault.first <= fault.last && fault.to_string().contains("100 times"));
    drop(same);

    let _each = signal.subscribe(|n| panic!("event {n}"));
    (0..1000).for_each(|n| out.emit(n).unwrap());
    engine.run_until_idle().unwrap();
    let waiting = engine.faults().len() as u64;
    assert!((1..1000).contains(&waiting));
    assert_eq!(
        waiting + engine.faults().lost(),
        1000,
        "none waits for a reader"
    );
    let metrics = engine.metrics();
    assert_eq!(
        (metrics.faults_waiting as u64, metrics.faults_lost),
        (waiting, 1000 - waiting)
    );
    assert_eq!(signal.metrics().panicked, 1100);
}

#[test]
fn under_quarantine_a_listener_goes_after_that_many_faults_in_a_row() {
    let engine = manual(1);
    let builder = engine.signal::<u64>("s");
    let policy = FaultPolicy::Quarantine { after: 3 };
    let signal = builder.fault_policy(policy).build().unwrap();
    let calls = Log::new();
    let (tomb, buried) = tomb();
    let listener = WorkerListener::new({
        let calls = calls.clone();
        move |n: &u64| {
            tomb.lies();
            calls.push(*n);
            assert!(matches!(n, 2 | 5), "no good");
        }
    });
    let subscription = signal.add(listener.name("rogue").key("rogue")).unwrap();
    let id = subscription.id();
    let log = Log::new();
    let _other = signal.subscribe(log.listener());
    let mut out = signal.emitter().unwrap();
    (0..20).for_each(|n| out.emit(n).unwrap());
    engine.run_until_idle().unwrap();
    // 0 and 1 fail, 2 does not; 3 and 4 fail, 5 does not; then three in a row.
    assert_eq!(calls.take(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(log.len(), 20);
    assert!(!subscription.is_active() && !signal.contains_key("rogue"));
    assert!(buried.try_recv().is_ok());
    let faults: Vec<_> = std::iter::from_fn(|| engine.faults().pop()).collect();
    let last = faults.last().unwrap();
    assert_eq!(
        (last.kind, last.listener),
        (FaultKind::Quarantined, Some(id))
    );
    assert!(last.message.contains('3'), "{last}");
    assert_eq!(faults.iter().map(|fault| fault.count).sum::<u64>(), 7 + 1);
}

#[test]
fn an_event_whose_drop_panics_is_dropped_once_and_the_lane_goes_on() {
    #[derive(Clone)]
    struct Mine(u64, Arc<AtomicU64>);
    impl Drop for Mine {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::Relaxed);
            assert!(self.0 % 4 != 1, "it goes off");
        }
    }
    let engine = engine(2);
    let signal = engine.signal::<Mine>("mines").capacity(8).build().unwrap();
    let log = Log::new();
    let _kept = [0, 1].map(|index| {
        let log = log.clone();
        let listener = WorkerListener::new(move |mine: &Mine| log.push(mine.0));
        signal.add(listener.on_worker(worker(index))).unwrap()
    });
    let drops = Arc::new(AtomicU64::new(0));
    let mut out = signal.emitter().unwrap();
    for n in 0..100 {
        out.emit(Mine(n, Arc::clone(&drops))).unwrap();
    }
    out.flush(LONG).unwrap();
    assert_eq!((log.len(), drops.load(Ordering::Relaxed)), (200, 200));
    let faults: Vec<_> = std::iter::from_fn(|| engine.faults().pop()).collect();
    assert!(
        faults
            .iter()
            .all(|fault| fault.kind == FaultKind::EventDrop && fault.message == "it goes off")
    );
    assert!(
        faults
            .iter()
            .all(|fault| fault.signal.as_deref() == Some("mines") && fault.worker.is_some())
    );
    assert_eq!(faults.iter().map(|fault| fault.count).sum::<u64>(), 50);
    let report = engine.shutdown(LONG);
    assert_eq!((report.delivered, report.dead), (200, vec![]));
}

#[test]
fn payloads_errors_and_descriptions_that_panic_in_turn_are_survived() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            std::panic::panic_any(Payload);
        }
    }
    #[derive(Debug)]
    struct Odd;
    impl std::fmt::Display for Odd {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it will not be shown");
        }
    }
    impl std::error::Error for Odd {}
    let engine = engine(1);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let log = Log::new();
    let _kept = [
        signal.subscribe(|_| std::panic::panic_any(Payload)),
        signal.subscribe_fallible(|_: &u64| Err::<(), _>(Odd)),
        signal
            .add(WorkerListener::new(|_: &u64| panic!("plain")).describe(|_| panic!("nor this")))
            .unwrap(),
        signal.subscribe(log.listener()),
    ];
    let mut out = signal.emitter().unwrap();
    (0..3).for_each(|n| out.emit(n).unwrap());
    out.flush(LONG).unwrap();
    assert_eq!(log.take(), [0, 1, 2]);
    let faults: Vec<_> = std::iter::from_fn(|| engine.faults().pop()).collect();
    let counts: Vec<_> = faults
        .iter()
        .map(|fault| (fault.kind, fault.count))
        .collect();
    assert_eq!(
        counts,
        [
            (FaultKind::Panic, 3),
            (FaultKind::Error, 3),
            (FaultKind::Panic, 3)
        ]
    );
    assert!(
        faults[1].message.contains("it will not be shown"),
        "{}",
        faults[1].message
    );
    assert!(faults[2].event.as_ref().unwrap().contains("nor this"));
    // Dropping the payload here panics again, inside, and not into the test.
    drop(faults);
    assert_eq!(engine.shutdown(LONG).dead, []);
}

#[test]
fn a_handler_reads_faults_on_a_thread_of_its_own_and_its_panic_is_one() {
    let log = Log::new();
    let engine = crate::support::workers(2)
        .on_fault({
            let log = log.clone();
            move |fault: Fault| {
                let thread = std::thread::current().name().unwrap_or_default().to_owned();
                log.push((fault.kind, fault.message.clone(), thread));
                assert!(
                    fault.kind != FaultKind::Panic || !fault.message.contains('1'),
                    "too much for me"
                );
            }
        })
        .build()
        .unwrap();
    let signal = engine.signal::<u64>("s").build().unwrap();
    let _kept = signal.subscribe(|n| panic!("event {n}"));
    let mut out = signal.emitter().unwrap();
    (0..3).for_each(|n| out.emit(n).unwrap());
    out.flush(LONG).unwrap();
    eventually("all are read", || log.len() == 4);
    engine.shutdown(LONG);
    let seen = log.take();
    let workers: Vec<_> = engine
        .workers()
        .into_iter()
        .map(|info| info.thread)
        .collect();
    assert!(
        seen.iter()
            .all(|(.., thread)| !workers.contains(thread) && thread == "corecast-faults")
    );
    let mut messages: Vec<_> = seen
        .iter()
        .map(|(kind, message, _)| (*kind, message.as_str()))
        .collect();
    messages.sort_by_key(|(_, message)| *message);
    let panic = FaultKind::Panic;
    let expected = [
        (panic, "event 0"),
        (panic, "event 1"),
        (panic, "event 2"),
        (FaultKind::Handler, "too much for me"),
    ];
    assert_eq!(messages, expected);
    assert!(engine.faults().is_empty());
}

#[test]
fn a_handler_that_does_not_return_holds_up_nobody() {
    let (door, mut stand) = crate::support::door();
    let engine = crate::support::workers(1)
        .on_fault(move |_| stand())
        .build()
        .unwrap();
    let signal = engine.signal::<u64>("s").build().unwrap();
    let log = Log::new();
    let _kept = [
        signal.subscribe(|n| panic!("event {n}")),
        signal.subscribe(log.listener()),
    ];
    let mut out = signal.emitter().unwrap();
    out.emit(0).unwrap();
    door.wait();
    (1..1000).for_each(|n| out.emit(n).unwrap());
    out.flush(LONG).unwrap();
    assert_eq!(log.len(), 1000);
    let waiting = engine.faults().len() as u64;
    assert_eq!(waiting + engine.faults().lost(), 999);
    let report = crate::support::in_time(move || engine.shutdown(std::time::Duration::ZERO));
    assert_eq!((report.delivered, report.stuck), (1000, vec![]));
    drop(door);
}
