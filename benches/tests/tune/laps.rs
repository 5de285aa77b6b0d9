//! Laps: what is sent arrives, at the pace asked for, and is accounted for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corecast::Engine;
use corecast_affinity::Cores;
use corecast_lab::compare::event::Event;
use corecast_lab::replay::Clock;
use corecast_lab::tune::emitting::{Sent, Share, Times, emit_all};
use corecast_lab::tune::lap::{self, Figures, Plan, check_sums};
use corecast_lab::tune::{Configuration, Heard, Load, Rate, Work};
use corecast_ring::WaitStrategy;

const LOAD: Load = Load {
    event_bytes: 56,
    listeners: 3,
    listener_ns: 0,
    emitters: 3,
    rate: Rate::PerSecond(20_000.0),
};

const CONFIGURATION: Configuration = Configuration {
    workers_per_core: 2,
    wait: WaitStrategy::park(),
    capacity: 64,
    batch: 16,
};

fn plan<'a>(load: &'a Load, cores: &'a Cores, rate: Rate) -> Plan<'a> {
    Plan {
        load,
        work: Work::of(load.listener_ns, 1.0),
        configuration: CONFIGURATION,
        cores,
        rate,
        warm_up: Duration::from_millis(5),
        counted: Duration::from_millis(150),
    }
}

fn run(load: &Load, rate: Rate) -> Figures {
    let cores = Cores::default();
    lap::run(&plan(load, &cores, rate), &|| false)
        .expect("every sum is right")
        .expect("nobody interrupts")
}

#[test]
fn flat_out_every_event_reaches_every_listener() {
    let figures = run(&LOAD, Rate::Max);
    assert!(figures.accepted > 0 && figures.per_second > 0.0);
    assert_eq!(figures.abandoned, 0);
    assert_eq!(figures.calls, 3 * figures.accepted);
}

#[test]
fn at_a_rate_no_more_is_sent_than_is_due() {
    let figures = run(&LOAD, LOAD.rate);
    assert_eq!(figures.calls, 3 * figures.accepted);
    // What two workers have heard was timed from the warm-up on.
    let timed = figures.latency.percentiles().count;
    assert!(timed > 0 && timed <= 2 * figures.accepted, "{timed}");
    // However late the end of the lap was noticed, it lasted until then, and no longer than a minute.
    assert!(figures.accepted <= 60 * 20_000, "{}", figures.accepted);
}

#[test]
fn events_of_every_size_can_be_measured() {
    let mut accepted = 0;
    for &event_bytes in lap::EVENT_BYTES {
        let load = Load {
            event_bytes,
            ..LOAD
        };
        let cores = Cores::default();
        let short = Plan {
            counted: Duration::from_millis(5),
            ..plan(&load, &cores, Rate::Max)
        };
        let figures = lap::run(&short, &|| false).expect("every sum is right");
        accepted += figures.expect("nobody interrupts").accepted;
    }
    assert!(accepted > 0);
    let odd = Load {
        event_bytes: 9,
        ..LOAD
    };
    let cores = Cores::default();
    let error = lap::run(&plan(&odd, &cores, Rate::Max), &|| false).expect_err("no such event");
    assert!(error.to_string().contains("9 bytes"), "{error}");
}

#[test]
fn what_is_left_when_the_time_to_drain_is_over_is_counted() {
    // Each event takes 40 ms, and a lane holds more of them than two seconds are enough for.
    let load = Load {
        listeners: 1,
        emitters: 1,
        listener_ns: 40_000_000,
        ..LOAD
    };
    let cores = Cores::default();
    let slow = Plan {
        work: Work::calibrated(load.listener_ns),
        configuration: Configuration {
            capacity: 512,
            ..CONFIGURATION
        },
        ..plan(&load, &cores, Rate::Max)
    };
    let figures = lap::run(&slow, &|| false).expect("every sum is right");
    let figures = figures.expect("nobody interrupts");
    assert!(figures.abandoned > 0, "{figures:?}");
    assert!(
        figures.calls + figures.abandoned >= figures.accepted,
        "{figures:?}"
    );
    assert!(figures.calls <= figures.accepted, "{figures:?}");
}

#[test]
fn an_interrupted_lap_has_no_figures() {
    let cores = Cores::default();
    let long = Plan {
        counted: Duration::from_secs(3_600),
        ..plan(&LOAD, &cores, Rate::Max)
    };
    let looked = AtomicBool::new(false);
    let second_look = || looked.swap(true, Ordering::Relaxed);
    let figures = lap::run(&long, &second_look).expect("no error");
    assert!(figures.is_none());
}

#[test]
fn each_emitter_of_a_thread_has_one_event_in_each_round() {
    let engine = Engine::builder().build().expect("an engine");
    let signal = engine
        .signal::<Event<1>>("rounds")
        .capacity(1024)
        .build()
        .expect("a signal");
    // The first of two threads has the first and the third of three emitters.
    let emitters = vec![
        signal.emitter().expect("an emitter"),
        signal.emitter().expect("an emitter"),
    ];
    let stop = Arc::new(AtomicBool::new(false));
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let (stopping, noting) = (Arc::clone(&stop), Arc::clone(&numbers));
    let subscription = signal.subscribe(move |event: &Event<1>| {
        let mut numbers = noting.lock().expect("no panic");
        numbers.push(event.seed());
        if numbers.len() == 300 {
            stopping.store(true, Ordering::Relaxed);
        }
    });
    let clock = Clock::start();
    let times = Times {
        start_ns: clock.now_ns(),
        counted_ns: u64::MAX,
    };
    let share = Share {
        thread: 0,
        threads: 2,
        emitters: 3,
        alone: false,
    };
    let rate = Rate::PerSecond(1e6);
    let sent = emit_all(emitters, rate, share, times, clock, &stop).expect("room comes free");
    let report = engine.shutdown(Duration::from_secs(60));
    drop(subscription);
    assert_eq!(report.delivered, sent.accepted);
    let mut numbers = numbers.lock().expect("no panic").clone();
    assert_eq!(numbers.len() as u64, sent.accepted);
    assert_eq!(numbers.iter().sum::<u64>(), sent.seeds);
    // Two emitters have no order between them; together they have every number but the second's.
    numbers.sort_unstable();
    let expected: Vec<u64> = (0..)
        .filter(|number| number % 3 != 1)
        .take(numbers.len())
        .collect();
    assert_eq!(numbers, expected);
}

/// The sums of `events` events with the seeds 0, 1, …, as a listener hears them.
fn heard(events: u64) -> Heard {
    Heard {
        worker: 0,
        events,
        sum: Event::<7>::expected(events),
        latency: None,
    }
}

#[test]
fn a_lost_a_doubled_and_a_changed_event_are_found() {
    let engine = Engine::builder().build().expect("an engine");
    let signal = engine.signal::<Event<7>>("sums").build().expect("a signal");
    let subscription = signal.subscribe(|_| {});
    let mut emitter = signal.emitter().expect("an emitter");
    for seed in 0..10 {
        emitter.emit(Event::new(seed)).expect("room");
    }
    let report = engine.shutdown(Duration::from_secs(60));
    drop(subscription);
    let sent = Sent {
        accepted: 10,
        seeds: 45,
        rejected: 0,
    };
    let check = |heard: Heard| check_sums::<7>(&[heard], sent, &report, 1, 1);
    check(heard(10)).expect("all arrived");
    assert!(check(heard(9)).is_err());
    assert!(check(heard(11)).is_err());
    let changed = Heard {
        sum: heard(10).sum ^ 1,
        ..heard(10)
    };
    let error = check(changed).expect_err("a changed event");
    assert!(error.to_string().contains("add up"), "{error}");
    // A listener that never came back, and an event that the engine does not know of.
    assert!(check_sums::<7>(&[], sent, &report, 1, 1).is_err());
    let one_more = Sent {
        accepted: 11,
        ..sent
    };
    assert!(check_sums::<7>(&[heard(11)], one_more, &report, 1, 1).is_err());
}
