use corecast::{
    Context, Cores, EmitError, Engine, LimitReason, Limited, LimitedEmitError, Overflow, RateLimit,
    RateLimitError, RateRefusal, RejectReason, SyncSignal,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

fn manual() -> Engine {
    Engine::builder()
        .cores(Cores::count(1))
        .manual()
        .build()
        .unwrap()
}

#[test]
fn async_emitter_hands_back_what_the_limit_refuses_and_delivers_the_rest() {
    let engine = manual();
    let signal = engine.signal::<String>("orders").build().unwrap();
    let sum = Arc::new(AtomicU64::new(0));
    let _subscription = {
        let sum = Arc::clone(&sum);
        signal.subscribe(move |order: &String| {
            sum.fetch_add(order.parse().unwrap_or(0), Ordering::Relaxed);
        })
    };
    let limit = RateLimit::new(3, HOUR).unwrap();
    let mut out = Limited::new(signal.emitter().unwrap(), limit.clone());
    for n in 1..=3 {
        out.emit(n.to_string()).unwrap();
    }
    let refused = out.emit("4".to_owned()).unwrap_err();
    assert_eq!(refused.event, "4");
    let LimitReason::Rate(RateRefusal::Exceeded { retry_in }) = refused.reason else {
        panic!("{:?}", refused.reason);
    };
    assert!(retry_in > HOUR / 4 && retry_in <= HOUR / 3, "{retry_in:?}");
    assert_eq!(out.try_emit("5".to_owned()).unwrap_err().event, "5");

    engine.run_until_idle().unwrap();
    assert_eq!(sum.load(Ordering::Relaxed), 6);
    let metrics = limit.metrics();
    assert_eq!((metrics.admitted, metrics.refused), (3, 2));
    assert_eq!(signal.metrics().emitted, 3);
}

#[test]
fn emitters_that_share_a_limit_share_its_tokens() {
    let signal = SyncSignal::<u64>::new();
    let limit = RateLimit::new(4, HOUR).unwrap();
    let barrier = std::sync::Barrier::new(2);
    let admitted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let mut out = Limited::new(signal.emitter(), limit.clone());
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    (0..10).filter(|n| out.emit(n).is_ok()).count()
                })
            })
            .collect();
        threads.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(admitted, 4);
    assert_eq!(limit.metrics().refused, 16);
}

#[test]
fn waiting_emitter_keeps_the_rate_and_loses_nothing() {
    let engine = manual();
    let signal = engine.signal::<u64>("s").build().unwrap();
    let limit = RateLimit::with_burst(1, Duration::from_millis(2), 1).unwrap();
    let mut out = Limited::new(signal.emitter().unwrap(), limit.clone());
    let start = Instant::now();
    for n in 0..11 {
        out.emit_within(n, &Context::none()).unwrap();
    }
    assert!(
        start.elapsed() >= Duration::from_millis(20),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(out.into_inner().sequence(), 11);
    assert_eq!(limit.metrics().refused, 0);
}

#[test]
fn an_event_that_the_limit_would_admit_too_late_is_refused_at_once() {
    let engine = manual();
    let signal = engine.signal::<u64>("s").build().unwrap();
    let mut out = Limited::new(signal.emitter().unwrap(), RateLimit::new(1, HOUR).unwrap());
    out.emit(0).unwrap();
    let start = Instant::now();
    let refused = out
        .emit_within(1, &Context::with_timeout(HOUR / 2))
        .unwrap_err();
    assert!(start.elapsed() < HOUR / 4);
    assert_eq!(refused.event, 1);
    assert!(matches!(
        refused.reason,
        LimitReason::Rate(RateRefusal::Deadline { .. })
    ));
    assert!(refused.to_string().contains("before the deadline"));
}

#[test]
fn a_cancelled_context_ends_the_wait() {
    let signal = SyncSignal::<u64>::new();
    let mut out = Limited::new(signal.emitter(), RateLimit::new(1, HOUR).unwrap());
    out.emit(&0).unwrap();
    let context = Context::none();
    let token = context.cancel_token();
    let canceller = std::thread::spawn(move || token.cancel());
    let refused = out.emit_within(&1, &context).unwrap_err();
    canceller.join().unwrap();
    assert!(matches!(
        refused,
        LimitedEmitError::Rate(RateRefusal::Cancelled)
    ));
}

#[test]
fn sync_emitter_calls_no_listener_beyond_the_limit() {
    let signal = SyncSignal::<u64>::new();
    let _subscription =
        signal.subscribe_fallible(|n: &u64| if *n == 0 { Err("zero") } else { Ok(()) });
    let mut out = Limited::new(signal.emitter(), RateLimit::new(3, HOUR).unwrap());
    let none = Context::none();
    assert_eq!(out.emit(&1).unwrap().delivered, 1);
    assert_eq!(out.emit_within(&1, &none).unwrap().delivered, 1);
    let refused = out.try_emit(&0, &none).unwrap_err();
    assert!(matches!(
        refused,
        LimitedEmitError::Emit(EmitError::Listener { .. })
    ));
    let refused = out.try_emit(&1, &none).unwrap_err();
    assert!(matches!(
        refused,
        LimitedEmitError::Rate(RateRefusal::Exceeded { .. })
    ));
    assert_eq!(signal.metrics().emitted, 3);
    // Past the limit nothing is limited.
    assert_eq!(out.get_mut().emit(&1).delivered, 1);
}

#[test]
fn a_full_lane_refuses_what_the_limit_admitted() {
    let engine = manual();
    let signal = engine
        .signal::<u64>("s")
        .capacity(2)
        .overflow(Overflow::Reject)
        .build()
        .unwrap();
    let _subscription = signal.subscribe(|_| {});
    let mut out = Limited::new(
        signal.emitter().unwrap(),
        RateLimit::new(100, HOUR).unwrap(),
    );
    let refused = (0..5).find_map(|n| out.emit(n).err()).unwrap();
    assert_eq!(refused.reason, LimitReason::Emitter(RejectReason::Full));
    assert_eq!(out.limit().metrics().admitted, refused.event + 1);
}

#[test]
fn impossible_rates_are_refused_by_name() {
    let second = Duration::from_secs(1);
    let text = |result: Result<RateLimit, RateLimitError>| result.unwrap_err().to_string();
    assert!(text(RateLimit::new(0, second)).contains("a rate of 0 events"));
    assert!(text(RateLimit::with_burst(1, second, 0)).contains("a burst of 0 events"));
    assert!(text(RateLimit::new(5, Duration::ZERO)).contains("5 events in 0ns"));
    assert!(text(RateLimit::new(u32::MAX, second)).contains("4294967295 events in 1s"));
    assert!(text(RateLimit::new(1, Duration::MAX)).contains("with a burst of 1"));
    assert!(text(RateLimit::with_burst(1, HOUR, u32::MAX)).contains("burst of 4294967295"));
}
