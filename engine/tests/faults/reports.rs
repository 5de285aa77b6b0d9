//! What a fault says: who, where, what, when, how often.

use crate::support::*;
use corecast::{
    AsyncSignal, Batch, Engine, Fault, FaultKind, Listener, SyncSignal, WorkerId, WorkerListener,
};
use std::panic::panic_any;
use std::sync::mpsc;
use std::time::SystemTime;

/// The line of the call, for comparison with what a fault says.
macro_rules! here {
    ($call:expr) => {
        ($call, line!())
    };
}

#[track_caller]
fn assert_place(faults: &[Fault], lines: &[u32]) {
    let places = faults.iter().map(|fault| fault.place.expect("a place"));
    let places: Vec<_> = places.map(|place| (place.file(), place.line())).collect();
    let expected: Vec<_> = lines.iter().map(|line| (file!(), *line)).collect();
    assert_eq!(places, expected);
}

#[test]
fn a_fault_names_the_line_of_every_way_to_subscribe_on_a_synchronous_signal() {
    fn fails(_: &u64) -> Result<(), &'static str> {
        Err("bad")
    }
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        let (plain, a) = here!(signal.subscribe(|_| panic!("bad")));
        let (fallible, b) = here!(signal.subscribe_fallible(fails));
        // Where it is added, not where it is made.
        let made = Listener::fallible(fails);
        let (added, c) = here!(signal.add(made));
        let many = [Listener::new(|_| panic!("bad")), Listener::fallible(fails)];
        let (many, d) = here!(signal.add_many(many));
        assert_eq!(signal.emit(&7).failed, 5);
        assert_place(&read(signal.faults()), &[a, b, c, d, d]);
        drop((plain, fallible, added, many));
    });
}

#[test]
fn a_fault_names_the_line_of_every_way_to_subscribe_on_a_worker() {
    fn fails(_: &u64) -> Result<(), &'static str> {
        Err("bad")
    }
    fn breaks(_: Batch<'_, u64>) {
        panic!("bad")
    }
    watched(|| {
        let engine = engine(1, true);
        let signal = engine.signal::<u64>("broadcast").build().expect("possible");
        let (plain, a) = here!(signal.subscribe(|_| panic!("bad")));
        let (fallible, b) = here!(signal.subscribe_fallible(fails));
        let (batch, c) = here!(signal.subscribe_batch(breaks));
        let made = WorkerListener::fallible(fails);
        let (added, d) = here!(signal.add(made));
        emit_all(&signal, [7]);
        assert_place(&read(engine.faults()), &[a, b, c, d]);
        let sharded = engine.signal::<u64>("sharded").round_robin();
        let sharded = sharded.build().expect("possible");
        let (each, e) = here!(sharded.subscribe_sharded(|_| |_: &u64| panic!("bad")));
        let (runs, f) = here!(sharded.subscribe_sharded_batch(|_| breaks));
        let mut emitter = sharded.emitter().expect("open");
        emitter.emit(7).expect("room");
        emitter.flush(LONG).expect("delivered");
        assert_place(&read(engine.faults()), &[e, f]);
        drop((plain, fallible, batch, added, each, runs));
    });
}

#[test]
fn a_subscribing_function_of_ones_own_passes_its_callers_line_on() {
    #[track_caller]
    fn subscribe(signal: &SyncSignal<u64>) {
        signal.subscribe(|_| panic!("bad")).detach();
    }
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        let ((), line) = here!(subscribe(&signal));
        signal.emit(&7);
        assert_place(&read(signal.faults()), &[line]);
    });
}

#[test]
fn a_synchronous_fault_says_who_where_what_and_when() {
    watched(|| {
        let signal = SyncSignal::<u64>::builder().name("prices").build();
        let signal = signal.expect("possible");
        let listener = Listener::new(|_| panic_any(42_i32)).name("guard");
        let listener = listener.describe(|n| format!("price {n}"));
        let subscription = signal.add(listener).expect("no key");
        let before = SystemTime::now();
        assert_eq!(signal.emit(&7).failed, 1);
        let after = SystemTime::now();
        let mut fault = signal.faults().pop().expect("a fault");
        assert_eq!(fault.kind, FaultKind::Panic);
        assert_eq!(fault.signal.as_deref(), Some("prices"));
        assert_eq!(fault.listener, Some(subscription.id()));
        assert_eq!(fault.listener_name.as_deref(), Some("guard"));
        assert_eq!((fault.worker, fault.sequence), (None, None));
        assert_eq!(Some(fault.thread.as_str()), std::thread::current().name());
        assert_eq!(fault.event.as_deref(), Some("price 7"));
        assert_eq!(fault.count, 1);
        assert_eq!(fault.first, fault.last);
        assert!(before <= fault.first && fault.first <= after);
        let payload = fault.payload.take().expect("what it panicked with");
        assert_eq!(payload.downcast_ref::<i32>(), Some(&42));
        assert!(fault.backtrace.is_none(), "nobody asked for one");
    });
}

#[test]
fn an_asynchronous_fault_says_which_worker_and_which_event() {
    watched(|| {
        on_both(2, |engine| {
            let signal = engine.signal::<u64>("prices").capacity(16);
            let signal = signal.build().expect("possible");
            let second = WorkerId::new(1);
            let listener = WorkerListener::new(|n: &u64| {
                assert!(n % 4 != 3, "bad {n}");
            });
            let listener = listener.describe(|n| format!("price {n}"));
            let listener = listener.name("guard").on_worker(second);
            let subscription = signal.add(listener).expect("open");
            let mut emitter = signal.emitter().expect("open");
            for start in [0, 8, 16] {
                emitter.emit_batch(start..start + 8).expect("room");
                emitter.flush(LONG).expect("delivered");
            }
            let faults = read(engine.faults());
            assert_eq!(faults.len(), 6);
            let info = &engine.workers()[1];
            for (index, fault) in faults.iter().enumerate() {
                let number = 4 * index as u64 + 3;
                assert_eq!(fault.kind, FaultKind::Panic);
                assert_eq!(fault.signal.as_deref(), Some("prices"));
                assert_eq!(fault.listener, Some(subscription.id()));
                assert_eq!(fault.listener_name.as_deref(), Some("guard"));
                assert_eq!(fault.worker, Some(second));
                assert_eq!(fault.sequence, Some(number), "the lane's own");
                assert_eq!(fault.message, format!("bad {number}"));
                assert_eq!(fault.event, Some(format!("price {number}")));
                let own = std::thread::current();
                let expected = match info.thread.as_str() {
                    // A manual engine's listeners run here.
                    "" => own.name().expect("the row's"),
                    name => name,
                };
                assert_eq!(fault.thread, expected);
                let text = fault.to_string();
                for part in ["prices", "guard", "worker w1", "bad", "price", file!()] {
                    assert!(text.contains(part), "{part} in {text}");
                }
            }
        });
    });
}

/// An error of a user's own.
#[derive(Debug, PartialEq)]
struct Refusal(u64);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "refused {}", self.0)
    }
}

impl std::error::Error for Refusal {}

#[test]
fn a_listeners_error_comes_with_its_fault() {
    watched(|| {
        on_both(1, |engine| {
            let signal = engine.signal::<u64>("orders").build().expect("possible");
            signal
                .subscribe_fallible(|n: &u64| Err(Refusal(*n)))
                .detach();
            emit_all(&signal, [7]);
            let fault = engine.faults().pop().expect("a fault");
            assert_eq!(
                (fault.kind, fault.message.as_str()),
                (FaultKind::Error, "refused 7")
            );
            let error = fault.error.as_ref().expect("the error");
            assert_eq!(error.downcast_ref(), Some(&Refusal(7)));
            assert!(fault.payload.is_none());
        });
    });
}

#[test]
fn repetitions_are_folded_into_the_one_that_waits() {
    watched(|| {
        let signal = SyncSignal::<str>::new();
        let (first, second) = (
            signal.subscribe_fallible(|text: &str| Err(text.to_owned())),
            signal.subscribe_fallible(|_: &str| Err("same")),
        );
        let before = SystemTime::now();
        ["a", "b", "a", "a", "b"].iter().for_each(|text| {
            signal.emit(text);
        });
        let told = |fault: &Fault| (fault.listener, fault.message.clone(), fault.count);
        let faults = read(signal.faults());
        let expected = [
            (Some(first.id()), "a".to_owned(), 3),
            (Some(second.id()), "same".to_owned(), 5),
            (Some(first.id()), "b".to_owned(), 2),
        ];
        assert_eq!(faults.iter().map(told).collect::<Vec<_>>(), expected);
        for fault in &faults {
            assert!(before <= fault.first && fault.first <= fault.last);
        }
        // One that has been read waits no more.
        signal.emit("a");
        let counts: Vec<_> = read(signal.faults()).iter().map(|f| f.count).collect();
        assert_eq!(counts, [1, 1]);
        assert_eq!(signal.faults().lost(), 0);
    });
}

#[test]
fn what_does_not_fit_is_counted_and_nothing_waits() {
    watched(|| {
        on_both(1, |engine| {
            let signal = engine.signal::<u64>("many").capacity(1024);
            let signal = signal.build().expect("possible");
            signal
                .subscribe_fallible(|n: &u64| Err(n.to_string()))
                .detach();
            emit_all(&signal, 0..1000);
            let lost = engine.faults().lost();
            let faults = read(engine.faults());
            assert!(lost > 0);
            assert_eq!(faults.len() as u64 + lost, 1000);
            // The oldest are kept, in order.
            for (index, fault) in faults.iter().enumerate() {
                assert_eq!(fault.message, index.to_string());
            }
            emit_all(&signal, [7]);
            assert_eq!(read(engine.faults()).len(), 1, "there is room again");
            assert_eq!(signal.metrics().failed, 1001);
        });
    });
}

#[test]
fn a_reporter_thread_sees_every_fault_and_is_no_worker_and_no_emitter() {
    watched(|| {
        let (sender, seen) = mpsc::channel();
        let builder = Engine::builder().cores(corecast::Cores::count(1));
        let engine = builder.on_fault(move |fault| {
            let thread = std::thread::current().id();
            sender
                .send((fault.message.clone(), thread))
                .expect("the row reads");
        });
        let engine = engine.build().expect("one CPU");
        let signal: AsyncSignal<u64> = engine.signal("many").build().expect("possible");
        let (worker, worker_thread) = mpsc::channel();
        signal
            .subscribe_fallible(move |n: &u64| {
                worker
                    .send(std::thread::current().id())
                    .expect("the row reads");
                Err(n.to_string())
            })
            .detach();
        emit_all(&signal, 0..100);
        engine.shutdown(LONG);
        let (messages, threads): (Vec<_>, Vec<_>) = seen.try_iter().unzip();
        let expected: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(messages, expected);
        let worker = worker_thread.recv().expect("it was called");
        let elsewhere = [worker, std::thread::current().id()];
        assert!(threads.iter().all(|thread| *thread == threads[0]));
        assert!(!elsewhere.contains(&threads[0]));
        assert!(engine.faults().is_empty());
        assert_eq!(engine.faults().lost(), 0);
    });
}

#[test]
fn a_quarantine_is_a_fault_of_its_own_with_the_listeners_identity() {
    watched(|| {
        on_both(1, |engine| {
            let policy = corecast::FaultPolicy::Quarantine { after: 3 };
            let signal = engine.signal::<u64>("watched").fault_policy(policy);
            let signal = signal.build().expect("possible");
            let listener = WorkerListener::fallible(|_: &u64| Err("bad")).name("guard");
            let (subscription, line) = here!(signal.add(listener.key("guard")));
            let subscription = subscription.expect("a free key");
            emit_all(&signal, 0..10);
            let faults = read(engine.faults());
            let told: Vec<_> = faults.iter().map(|f| (f.kind, f.count)).collect();
            assert_eq!(told, [(FaultKind::Error, 3), (FaultKind::Quarantined, 1)]);
            for fault in &faults {
                assert_eq!(fault.listener, Some(subscription.id()));
                assert_eq!(fault.listener_name.as_deref(), Some("guard"));
                assert_eq!(fault.worker, Some(WorkerId::new(0)));
                assert_eq!(fault.signal.as_deref(), Some("watched"));
            }
            assert_place(&faults, &[line, line]);
            assert!(faults[1].message.contains("3 faults in a row"));
            assert!(!subscription.is_active());
            assert!(!signal.contains_key("guard"));
        });
    });
}
