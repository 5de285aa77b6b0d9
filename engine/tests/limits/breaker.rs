use corecast::{
    BreakerBuildError, BreakerError, BreakerState, CircuitBreaker, Context, Cores, EmitError,
    Engine, FaultKind, SyncSignal, WhenOpen, WorkerListener,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const FOREVER: Duration = Duration::MAX;

/// A gateway whose health a test sets, and the calls that reached it.
#[derive(Clone, Default)]
struct Gateway {
    is_down: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
}

impl Gateway {
    fn send(&self) -> Result<(), &'static str> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_down.load(Ordering::Relaxed) {
            Err("connection reset")
        } else {
            Ok(())
        }
    }

    fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

#[test]
fn open_breaker_keeps_a_sync_listener_from_being_called_and_stops_try_emit() {
    let gateway = Gateway::default();
    let breaker = CircuitBreaker::builder("gateway")
        .failures(3)
        .cool_down(FOREVER)
        .build()
        .unwrap();
    let signal = SyncSignal::<u64>::new();
    let guarded = {
        let gateway = gateway.clone();
        breaker.guard(move |_| gateway.send())
    };
    let _subscription = signal.subscribe_fallible(guarded);
    let emit = || signal.try_emit(&7, &Context::none());

    assert_eq!(emit().unwrap().delivered, 1);
    gateway.set_down(true);
    for _ in 0..3 {
        let error = emit().unwrap_err();
        assert!(error.to_string().contains("connection reset"), "{error}");
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    gateway.set_down(false);
    let EmitError::Listener { source, .. } = emit().unwrap_err() else {
        panic!("the listener refuses");
    };
    assert_eq!(source.to_string(), "circuit breaker \"gateway\" is open");
    assert_eq!(gateway.calls(), 4);

    let metrics = breaker.metrics();
    assert_eq!(&*metrics.name, "gateway");
    assert_eq!(metrics.state, BreakerState::Open);
    assert_eq!((metrics.admitted, metrics.failed), (4, 3));
    assert_eq!((metrics.refused, metrics.opened), (1, 1));
}

#[test]
fn a_probe_that_succeeds_closes_the_breaker_and_one_that_fails_opens_it_again() {
    let gateway = Gateway::default();
    let breaker = CircuitBreaker::builder("gateway")
        .failures(1)
        .successes(2)
        .cool_down(Duration::ZERO)
        .build()
        .unwrap();
    let signal = SyncSignal::<u64>::new();
    let guarded = {
        let gateway = gateway.clone();
        breaker.guard(move |_| gateway.send())
    };
    let _subscription = signal.subscribe_fallible(guarded);
    let mut emitter = signal.emitter();
    gateway.set_down(true);
    for opened in 1..=2 {
        assert!(emitter.try_emit(&0, &Context::none()).is_err());
        assert_eq!(breaker.metrics().opened, opened);
    }
    gateway.set_down(false);
    emitter.try_emit(&0, &Context::none()).unwrap();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    emitter.try_emit(&0, &Context::none()).unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(breaker.metrics().refused, 0);
}

#[test]
fn no_call_gets_through_before_the_cool_down_is_over() {
    const COOL_DOWN: Duration = Duration::from_millis(20);
    let breaker = CircuitBreaker::builder("b")
        .failures(1)
        .cool_down(COOL_DOWN)
        .build()
        .unwrap();
    let before = std::time::Instant::now();
    assert!(breaker.call(|| Err::<(), _>("down")).is_err());
    let mut refused = 0;
    let retry_in = loop {
        match breaker.call(|| Ok::<_, ()>(())) {
            Ok(()) => break before.elapsed(),
            Err(BreakerError::Open { name, retry_in }) => {
                assert_eq!(&*name, "b");
                assert!(retry_in.unwrap() <= COOL_DOWN + Duration::from_micros(1));
                refused += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    };
    assert!(retry_in >= COOL_DOWN, "{retry_in:?}");
    assert_eq!(breaker.metrics().refused, refused);
}

#[test]
fn skipping_breaker_lets_try_emit_go_on() {
    let breaker = CircuitBreaker::builder("b")
        .failures(1)
        .cool_down(FOREVER)
        .when_open(WhenOpen::Skip)
        .build()
        .unwrap();
    let signal = SyncSignal::<u64>::new();
    let _subscription = signal.subscribe_fallible(breaker.guard(|_| Err("down")));
    assert!(signal.try_emit(&0, &Context::none()).is_err());
    for _ in 0..3 {
        assert_eq!(signal.try_emit(&0, &Context::none()).unwrap().delivered, 1);
    }
    assert_eq!(breaker.metrics().refused, 3);
}

#[test]
fn errors_that_are_not_counted_are_passed_on_and_change_nothing() {
    let breaker = CircuitBreaker::builder("b")
        .failures(2)
        .cool_down(Duration::ZERO)
        .build()
        .unwrap();
    let signal = SyncSignal::<&str>::new();
    let guarded =
        breaker.guard_counting(|event: &&'static str| Err(*event), |error| *error == "down");
    let _subscription = signal.subscribe_fallible(guarded);
    for _ in 0..10 {
        assert!(
            signal
                .try_emit(&"over the limit", &Context::none())
                .is_err()
        );
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    signal.emit(&"down");
    // Neither a failure nor a success: the count of failures in a row stands.
    signal.emit(&"over the limit");
    signal.emit(&"down");
    assert_eq!(breaker.state(), BreakerState::Open);
    // A probe without an opinion leaves room for the next one.
    signal.emit(&"over the limit");
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    signal.emit(&"down");
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn a_panic_is_a_failure_and_does_not_leave_a_probe_behind() {
    let breaker = CircuitBreaker::builder("b")
        .failures(1)
        .cool_down(Duration::ZERO)
        .build()
        .unwrap();
    let signal = SyncSignal::<bool>::new();
    let guarded = breaker.guard(|well: &bool| {
        assert!(*well, "not well");
        Ok::<_, std::fmt::Error>(())
    });
    let _subscription = signal.subscribe_fallible(guarded);
    assert_eq!(signal.emit(&false).failed, 1);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(signal.emit(&false).failed, 1);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(signal.emit(&true).delivered, 1);
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(breaker.metrics().failed, 2);
}

#[test]
fn a_breaker_inside_its_own_probe_refuses() {
    let breaker = CircuitBreaker::builder("b")
        .failures(1)
        .cool_down(Duration::ZERO)
        .build()
        .unwrap();
    assert!(breaker.call(|| Err::<(), _>(())).is_err());
    let inner = breaker.call(|| Ok::<_, ()>(breaker.call(|| Ok::<_, ()>(()))));
    let refused = inner.unwrap().unwrap_err();
    assert!(matches!(refused, BreakerError::Open { retry_in: None, .. }));
}

#[test]
fn open_breaker_keeps_a_worker_listener_from_being_called_and_the_engine_reports_it() {
    let gateway = Gateway::default();
    gateway.set_down(true);
    let breaker = CircuitBreaker::builder("disk")
        .failures(2)
        .cool_down(FOREVER)
        .build()
        .unwrap();
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .manual()
        .build()
        .unwrap();
    let signal = engine.signal::<u64>("writes").build().unwrap();
    let guarded = {
        let gateway = gateway.clone();
        breaker.guard_mut(move |_: &u64| gateway.send())
    };
    let _subscription = signal
        .add(WorkerListener::fallible(guarded).name("writer"))
        .unwrap();
    let mut emitter = signal.emitter().unwrap();
    for n in 0..10 {
        emitter.emit(n).unwrap();
    }
    emitter.flush(Duration::ZERO).unwrap();
    assert_eq!(gateway.calls(), 2);
    assert_eq!(breaker.metrics().refused, 8);
    let faults: Vec<_> = std::iter::from_fn(|| engine.faults().pop()).collect();
    let told: Vec<_> = faults
        .iter()
        .map(|fault| (fault.kind, fault.message.as_str(), fault.count))
        .collect();
    assert_eq!(
        told,
        [
            (FaultKind::Error, "connection reset", 2),
            (FaultKind::Error, "circuit breaker \"disk\" is open", 8),
        ]
    );
}

#[test]
fn thresholds_of_zero_are_refused_by_name() {
    let error = CircuitBreaker::builder("x")
        .failures(0)
        .build()
        .unwrap_err();
    assert!(matches!(error, BreakerBuildError::ZeroFailures { .. }));
    assert_eq!(
        error.to_string(),
        "circuit breaker \"x\": failures 0 is not possible: at least 1"
    );
    let error = CircuitBreaker::builder("x")
        .successes(0)
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("successes 0"));
}

#[test]
fn calls_from_many_threads_are_all_counted() {
    let breaker = CircuitBreaker::builder("b")
        .failures(u32::MAX)
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let breaker = &breaker;
            scope.spawn(move || {
                for n in 0..1000 {
                    let _ = breaker.call(|| if n % 4 == thread { Err(()) } else { Ok(()) });
                }
            });
        }
    });
    let metrics = breaker.metrics();
    assert_eq!((metrics.admitted, metrics.failed), (4000, 1000));
}
