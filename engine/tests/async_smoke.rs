//! First light of the asynchronous half.
use corecast::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_million_events_arrive_in_order() {
    for wait in [
        WaitStrategy::park(),
        WaitStrategy::spin_then_yield(),
        WaitStrategy::backoff(),
    ] {
        let engine = Engine::builder()
            .cores(Cores::all())
            .wait(wait)
            .build()
            .unwrap();
        let signal = engine.signal::<u64>("s").capacity(256).build().unwrap();
        let mut subs = Vec::new();
        let sums: Vec<_> = (0..3).map(|_| Arc::new(AtomicU64::new(0))).collect();
        for sum in &sums {
            let sum = sum.clone();
            let mut next = 0;
            subs.push(signal.subscribe(move |n| {
                assert_eq!(*n, next);
                next += 1;
                sum.fetch_add(*n, Ordering::Relaxed);
            }));
        }
        let mut out = signal.emitter().unwrap();
        for n in 0..1_000_000 {
            out.emit(n).unwrap();
        }
        out.flush(LONG).unwrap();
        for sum in &sums {
            assert_eq!(sum.load(Ordering::Relaxed), 999_999 * 500_000);
        }
        let m = signal.metrics();
        assert_eq!(
            (m.emitted, m.accepted, m.delivered),
            (1_000_000, 1_000_000, 3_000_000)
        );
        let report = engine.shutdown(LONG);
        assert_eq!(report.accepted, report.delivered);
        assert_eq!(report.abandoned, 0);
        assert!(engine.faults().is_empty(), "{:?}", engine.faults().pop());
    }
}

#[test]
fn shared_emission_from_eight_threads() {
    let engine = Engine::builder().cores(Cores::all()).build().unwrap();
    let signal = engine.signal::<u64>("s").capacity(64).build().unwrap();
    let sum = Arc::new(AtomicU64::new(0));
    let subs: Vec<_> = (0..2)
        .map(|_| {
            let sum = sum.clone();
            signal.subscribe(move |n| {
                sum.fetch_add(*n, Ordering::Relaxed);
            })
        })
        .collect();
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                for n in 0..10_000 {
                    signal.emit(n).unwrap();
                }
            });
        }
    });
    let report = engine.shutdown(LONG);
    assert_eq!(report.abandoned, 0);
    assert_eq!(sum.load(Ordering::Relaxed), 2 * 8 * 9_999 * 5_000);
    drop(subs);
}
