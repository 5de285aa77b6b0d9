use crate::LONG;
use corecast::{Context, Delivery, EmitError, Listener, SyncSignal};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const EVENTS: u64 = 5000;

/// The listeners' own counts: calls that went well, errors, panics.
#[derive(Default)]
struct Seen {
    well: AtomicU64,
    errors: AtomicU64,
    panics: AtomicU64,
}

/// What one emitter was told, summed up.
#[derive(Default)]
struct Told {
    delivered: u64,
    failed: u64,
}

impl Told {
    fn hear(&mut self, delivery: Delivery) {
        self.delivered += delivery.delivered as u64;
        self.failed += delivery.failed as u64;
    }

    fn hear_try(&mut self, tried: Result<Delivery, EmitError>) {
        match tried {
            Ok(delivery) => self.hear(delivery),
            Err(error) => {
                self.delivered += error.delivered() as u64;
                let failed = matches!(
                    error,
                    EmitError::Listener { .. } | EmitError::Panicked { .. }
                );
                self.failed += u64::from(failed);
            }
        }
    }
}

#[test]
fn every_call_of_every_listener_is_counted_whoever_emits() {
    let signal = SyncSignal::<u64>::builder().name("s").build().unwrap();
    let seen = Arc::new(Seen::default());
    let well = |seen: &Arc<Seen>| {
        let seen = Arc::clone(seen);
        move |_: &u64| {
            seen.well.fetch_add(1, Ordering::Relaxed);
        }
    };
    let eventful = {
        let seen = Arc::clone(&seen);
        move |event: &u64| match event % 11 {
            3 => {
                seen.errors.fetch_add(1, Ordering::Relaxed);
                Err("an error")
            }
            7 => {
                seen.panics.fetch_add(1, Ordering::Relaxed);
                resume_unwind(Box::new("a panic"))
            }
            _ => {
                seen.well.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    };
    let _before = signal.add(Listener::new(well(&seen)).priority(1)).unwrap();
    let _eventful = signal.subscribe_fallible(eventful);
    let _after = signal.subscribe(well(&seen));
    let gone_by = Context::with_timeout(std::time::Duration::ZERO);

    let told: Vec<Told> = std::thread::scope(|scope| {
        let signal = &signal;
        let gone_by = &gone_by;
        let ways: Vec<Box<dyn FnOnce() -> Told + Send>> = vec![
            Box::new(move || {
                let mut told = Told::default();
                (0..EVENTS).for_each(|event| told.hear(signal.emit(&event)));
                told
            }),
            Box::new(move || {
                let mut told = Told::default();
                let mut out = signal.emitter();
                (0..EVENTS).for_each(|event| told.hear(out.emit(&event)));
                told
            }),
            Box::new(move || {
                let (mut told, context) = (Told::default(), Context::none());
                (0..EVENTS).for_each(|event| told.hear_try(signal.try_emit(&event, &context)));
                told
            }),
            Box::new(move || {
                let (mut told, context) = (Told::default(), Context::with_timeout(LONG));
                let mut out = signal.emitter();
                (0..EVENTS).for_each(|event| told.hear_try(out.try_emit(&event, &context)));
                told
            }),
            Box::new(move || {
                let mut told = Told::default();
                (0..EVENTS).for_each(|event| told.hear_try(signal.try_emit(&event, gone_by)));
                assert_eq!((told.delivered, told.failed), (0, 0));
                told
            }),
        ];
        let threads: Vec<_> = ways.into_iter().map(|way| scope.spawn(way)).collect();
        let mut before = signal.metrics();
        while threads.iter().any(|one| !one.is_finished()) {
            let now = signal.metrics();
            assert!(before.emitted <= now.emitted && before.delivered <= now.delivered);
            assert!(before.failed <= now.failed && before.panicked <= now.panicked);
            before = now;
        }
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });

    let metrics = signal.metrics();
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(
        (metrics.emitted, metrics.accepted),
        (5 * EVENTS, 5 * EVENTS)
    );
    assert_eq!(metrics.delivered, read(&seen.well));
    assert_eq!(metrics.failed, read(&seen.errors) + read(&seen.panics));
    assert_eq!(metrics.panicked, read(&seen.panics));
    assert!(metrics.panicked > 0 && metrics.failed > metrics.panicked);
    assert_eq!(
        metrics.delivered,
        told.iter().map(|one| one.delivered).sum::<u64>()
    );
    assert_eq!(
        metrics.failed,
        told.iter().map(|one| one.failed).sum::<u64>()
    );
    assert_eq!((metrics.rejected, metrics.dropped), (0, 0));
}

fn emit_ten(mut emit: impl FnMut(&u64) -> Delivery) {
    for event in 0..10 {
        assert_eq!(emit(&event).delivered, 1);
    }
}

#[test]
fn what_a_thread_and_an_emitter_counted_stays_when_they_are_gone() {
    let signal = SyncSignal::<u64>::new();
    let _subscription = signal.subscribe(|_| {});
    for _ in 0..3 {
        std::thread::scope(|scope| {
            scope.spawn(|| emit_ten(|event| signal.emit(event)));
        });
        let mut out = signal.emitter();
        emit_ten(|event| out.emit(event));
    }
    let metrics = signal.metrics();
    assert_eq!((metrics.emitted, metrics.delivered), (60, 60));
}

#[test]
fn rates_are_those_between_the_two_snapshots() {
    let signal = SyncSignal::<u64>::new();
    let _subscription =
        signal.subscribe_fallible(|event| if *event < 3 { Err("low") } else { Ok(()) });
    signal.emit(&0);
    let before = signal.metrics();
    for event in 1..9 {
        signal.emit(&event);
    }
    let after = signal.metrics();
    let rates = after.since(&before);
    assert_eq!(rates.interval, after.at - before.at);
    let seconds = rates.interval.as_secs_f64();
    assert!((rates.events_per_second * seconds - 8.0).abs() < 1e-6);
    assert!((rates.deliveries_per_second * seconds - 6.0).abs() < 1e-6);
    assert!(
        (rates.error_rate - 0.25).abs() < 1e-9,
        "2 of 8 calls failed"
    );
    // The other way round, and over no time, nothing happened.
    assert_eq!(before.since(&after).events_per_second, 0.0);
    assert_eq!(after.since(&after).error_rate, 0.0);
}
