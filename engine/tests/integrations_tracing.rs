//! The engine's `tracing` events, as a subscriber sees them: a process of its own, because workers
//! tell theirs to the process's subscriber.
#![cfg(feature = "tracing")]

use corecast::{
    Cores, Engine, FaultPolicy, Overflow, Pinning, WaitStrategy, WorkerListener, trace,
};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

const LONG: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
struct Event {
    target: String,
    level: tracing::Level,
    fields: BTreeMap<&'static str, String>,
}

impl Event {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl tracing::field::Visit for Event {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

/// Keeps every event of the process.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Event>>>);

impl<S: tracing::Subscriber> Layer<S> for Kept {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut kept = Event {
            target: metadata.target().to_owned(),
            level: *metadata.level(),
            fields: BTreeMap::new(),
        };
        event.record(&mut kept);
        self.0.lock().unwrap().push(kept);
    }
}

/// One test at a time has the subscriber to itself; the events so far are forgotten.
fn recording() -> (MutexGuard<'static, ()>, Kept) {
    static TURN: Mutex<()> = Mutex::new(());
    static KEPT: std::sync::OnceLock<Kept> = std::sync::OnceLock::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = KEPT.get_or_init(|| {
        let kept = Kept::default();
        tracing_subscriber::registry().with(kept.clone()).init();
        kept
    });
    kept.0.lock().unwrap().clear();
    (turn, kept.clone())
}

impl Kept {
    fn of(&self, target: &str) -> Vec<Event> {
        let all = self.0.lock().unwrap();
        all.iter()
            .filter(|event| event.target == target)
            .cloned()
            .collect()
    }
}

#[test]
fn an_engines_life_is_told_and_its_events_are_not() {
    let (_turn, kept) = recording();
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .workers_per_core(2)
        .wait(WaitStrategy::park())
        .pinning(Pinning::Off)
        .build()
        .unwrap();
    let signal = engine.signal::<u64>("ticks").build().unwrap();
    let subscriptions = [signal.subscribe(|_| {}), signal.subscribe(|_| {})];
    let mut out = signal.emitter().unwrap();
    for n in 0..10_000 {
        out.emit(n).unwrap();
    }
    out.flush(LONG).unwrap();
    engine.shutdown(LONG);
    drop(subscriptions);

    let told: Vec<_> = kept
        .of("corecast::engine")
        .iter()
        .map(|event| event.field("message").to_owned())
        .collect();
    assert_eq!(
        told,
        [
            "worker started",
            "worker started",
            "engine built",
            "shutdown began",
            "engine shut down"
        ]
    );
    let events = kept.of("corecast::engine");
    assert_eq!(events[1].field("worker"), "1");
    assert_eq!(events[1].field("wait"), "park");
    assert_eq!(events[1].field("pinned"), "false");
    assert_eq!(events[2].field("workers"), "2");
    assert_eq!(events[4].field("accepted"), "20000");
    assert_eq!(events[4].field("delivered"), "20000");
    // Ten thousand events, and nothing else was told.
    assert_eq!(kept.0.lock().unwrap().len(), told.len());
}

#[test]
fn a_shutdown_that_leaves_something_undone_is_a_warning() {
    let (_turn, kept) = recording();
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .pinning(Pinning::Off)
        .build()
        .unwrap();
    let signal = engine.signal::<u64>("slow").build().unwrap();
    let (entered, leave) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let subscription = {
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        signal.subscribe(move |_| {
            entered.wait();
            leave.wait();
        })
    };
    signal.emit(1).unwrap();
    entered.wait();
    let report = engine.shutdown(Duration::ZERO);
    leave.wait();
    assert_eq!(report.abandoned, 1);
    drop(subscription);
    let last = kept.of("corecast::engine").pop().unwrap();
    assert_eq!(last.level, tracing::Level::WARN);
    assert_eq!((last.field("abandoned"), last.field("stuck")), ("1", "w0"));
}

#[test]
fn faults_are_told_with_all_that_is_known_of_them() {
    let (_turn, kept) = recording();
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .pinning(Pinning::Off)
        .on_fault(trace::faults())
        .build()
        .unwrap();
    let signal = engine
        .signal::<u64>("orders")
        .fault_policy(FaultPolicy::Quarantine { after: 2 })
        .build()
        .unwrap();
    let listener = WorkerListener::fallible(|n: &u64| match n {
        0 => Ok(()),
        1 => Err("refused"),
        _ => panic!("out of hand"),
    });
    let listener = listener.name("risk").describe(|n| format!("order {n}"));
    let subscription = signal.add(listener).unwrap();
    let mut out = signal.emitter().unwrap();
    for n in 0..3 {
        out.emit(n).unwrap();
    }
    out.flush(LONG).unwrap();
    // The reporter reads what is queued before the engine is gone.
    engine.shutdown(LONG);

    let told = kept.of("corecast::fault");
    let kinds: Vec<_> = told
        .iter()
        .map(|event| (event.field("kind"), event.level))
        .collect();
    assert_eq!(
        kinds,
        [
            ("error", tracing::Level::WARN),
            ("panic", tracing::Level::ERROR),
            ("quarantined", tracing::Level::ERROR),
        ]
    );
    let fault = &told[0];
    assert_eq!(fault.field("message"), "refused");
    assert_eq!(fault.field("signal"), "orders");
    assert_eq!(fault.field("listener"), subscription.id().get().to_string());
    assert_eq!(fault.field("listener_name"), "risk");
    assert_eq!((fault.field("worker"), fault.field("sequence")), ("0", "1"));
    assert_eq!(
        (fault.field("event"), fault.field("count")),
        ("order 1", "1")
    );
    assert!(fault.field("place").contains("integrations_tracing.rs"));
    assert_eq!(fault.field("thread"), "corecast-0");
    assert_eq!(told[1].field("message"), "out of hand");
}

#[test]
fn overflow_is_told_once_for_what_came_since_the_last_look() {
    let (_turn, kept) = recording();
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .manual()
        .build()
        .unwrap();
    let build = |name: &str, overflow| {
        engine
            .signal::<u64>(name)
            .capacity(2)
            .overflow(overflow)
            .build()
            .unwrap()
    };
    let dropping = build("dropping", Overflow::DropNewest);
    let rejecting = build("rejecting", Overflow::Reject);
    let _calm = build("calm", Overflow::Wait);
    let _subscriptions = [dropping.subscribe(|_| {}), rejecting.subscribe(|_| {})];
    let mut drops = dropping.emitter().unwrap();
    let mut rejects = rejecting.emitter().unwrap();
    let mut watch = trace::Watch::new();
    let told = |watch: &mut trace::Watch| -> Vec<_> {
        watch.observe(&engine.metrics());
        let told = kept.of("corecast::overflow");
        kept.0.lock().unwrap().clear();
        told.iter()
            .map(|event| {
                let field = |name| event.field(name).to_owned();
                (field("signal"), field("dropped"), field("rejected"))
            })
            .collect()
    };
    let row = |signal: &str, dropped: &str, rejected: &str| {
        (signal.to_owned(), dropped.to_owned(), rejected.to_owned())
    };
    assert_eq!(told(&mut watch), []);
    for n in 0..5 {
        drops.emit(n).unwrap();
        let _ = rejects.emit(n);
    }
    assert_eq!(
        told(&mut watch),
        [row("dropping", "3", "0"), row("rejecting", "0", "3")]
    );
    assert_eq!(told(&mut watch), []);
    drops.emit(9).unwrap();
    assert_eq!(told(&mut watch), [row("dropping", "1", "0")]);
}
