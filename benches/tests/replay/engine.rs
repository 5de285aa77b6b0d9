//! Whole runs through the engine, against the reference.

use corecast_affinity::{Cores, allowed_cpus};
use corecast_lab::market::{
    Action, DbnSource, MarketFeed, SourceError, Tick, TickFeed, market_ticks,
};
use corecast_lab::replay::{
    Outcome, Path, Plan, Progress, Report, Speed, WorkerArgs, run_direct, run_engine,
};
use corecast_ring::WaitStrategy;
use proptest::prelude::*;
use serde_json::Value;

use crate::sample;

const UNTIMED: Plan = Plan {
    events: None,
    speed: Speed::Max,
    timed: false,
};

/// Ticks that a test made.
#[derive(Debug)]
struct Made<'a>(&'a [Tick]);

impl TickFeed for Made<'_> {
    fn fill(&mut self, ticks: &mut Vec<Tick>, limit: usize) -> Result<usize, SourceError> {
        let (now, later) = self.0.split_at(limit.min(self.0.len()));
        ticks.extend_from_slice(now);
        self.0 = later;
        Ok(now.len())
    }
}

/// What a run reports, without what depends on who dispatched.
fn findings(outcome: &Outcome) -> Value {
    let report = Report::new("a feed".to_owned(), &UNTIMED, outcome);
    let mut json = serde_json::to_value(report).expect("a report is plain data");
    let findings = json.as_object_mut().expect("a report is an object");
    findings.remove("workers").expect("workers are reported");
    let listeners = findings["listeners"].as_array_mut().expect("a list");
    for listener in listeners {
        let path = listener.as_object_mut().and_then(|one| one.remove("path"));
        path.expect("each listener has a path");
    }
    json
}

fn through_engine(feed: &mut dyn TickFeed, workers: &WorkerArgs, manual: bool) -> Outcome {
    run_engine(feed, &UNTIMED, workers, manual, &Progress::hidden()).expect("a good feed")
}

fn directly(feed: &mut dyn TickFeed) -> Value {
    findings(&run_direct(feed, &UNTIMED, &Progress::hidden()).expect("a good feed"))
}

fn assert_real_day(manual: bool) {
    let Some(path) = sample::path() else { return };
    let source = || DbnSource::open(&path).expect("the sample is a good file");
    let outcome = through_engine(&mut source(), &WorkerArgs::default(), manual);
    let found = findings(&outcome);
    let expected = serde_json::json!({
        "records": 68_792,
        "rejected": 0,
        "actions": { "A": 29_216, "C": 17_999, "F": 6_371, "M": 12_233, "T": 2_973 },
        "traded_volume": 9_892,
        "open_orders": 11_217,
        "best_bid": { "price": 4_810_000_000_000_i64, "size": 22 },
        "best_ask": { "price": 4_810_250_000_000_i64, "size": 28 },
        "delivered": 7 * 68_792,
        "dropped": 0,
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&found[key], value, "{key}");
    }
    assert_eq!(found, directly(&mut source()));
}

#[test]
fn a_real_day_goes_through_the_engine_with_nothing_lost() {
    assert_real_day(false);
}

#[test]
fn a_real_day_goes_through_a_manual_engine_with_nothing_lost() {
    assert_real_day(true);
}

#[test]
fn every_listener_says_by_which_path_it_was_called() {
    let outcome = through_engine(&mut MarketFeed::new(1, 100), &WorkerArgs::default(), false);
    let paths: Vec<_> = outcome.listeners.iter().map(|one| one.path).collect();
    assert_eq!(paths[..3], [Path::Sync; 3]);
    assert_eq!(paths[3..], [Path::Async; 4]);
}

#[test]
fn the_workers_are_reported_as_they_were_asked_for() {
    let cpu = allowed_cpus().last().expect("a process has a CPU");
    let workers = WorkerArgs {
        cores: Some(Cores::list([cpu])),
        workers_per_core: 2,
        wait: WaitStrategy::backoff(),
    };
    let threads = through_engine(&mut MarketFeed::new(1, 100), &workers, false).workers;
    let seen = |index: usize| {
        (
            threads[index].worker,
            threads[index].cpu,
            threads[index].wait,
        )
    };
    assert_eq!(threads.len(), 2);
    assert_eq!(seen(0), (0, Some(cpu.get()), Some("backoff")));
    assert_eq!(seen(1), (1, Some(cpu.get()), Some("backoff")));
    if cfg!(target_os = "linux") {
        assert!(threads.iter().all(|worker| worker.pinned));
    }
    let manual = through_engine(&mut MarketFeed::new(1, 100), &workers, true).workers;
    assert_eq!(manual.len(), 2);
    assert!(
        manual
            .iter()
            .all(|worker| { (worker.cpu, worker.pinned, worker.wait) == (None, false, None) })
    );
}

#[test]
fn workers_that_cannot_be_had_are_an_error_that_names_them() {
    let nowhere = WorkerArgs {
        cores: Some(Cores::list([123_456_u32])),
        ..WorkerArgs::default()
    };
    let none = WorkerArgs {
        workers_per_core: 0,
        ..WorkerArgs::default()
    };
    for (workers, part) in [(nowhere, "123456"), (none, "0 workers")] {
        for manual in [false, true] {
            let mut feed = MarketFeed::new(1, 100);
            let run = run_engine(&mut feed, &UNTIMED, &workers, manual, &Progress::hidden());
            let error = run.expect_err("no such workers").to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}

#[test]
fn a_timed_run_times_one_record_in_sixteen() {
    let plan = Plan {
        timed: true,
        ..UNTIMED
    };
    let mut feed = MarketFeed::new(3, 100_000);
    let workers = WorkerArgs::default();
    let outcome = run_engine(&mut feed, &plan, &workers, false, &Progress::hidden());
    let desk = outcome.expect("a good feed").desk;
    let percentiles = desk.latency.latency().percentiles();
    assert_eq!(percentiles.count, 100_000_u64.div_ceil(16));
    assert!(percentiles.p50 > 0);
}

/// A way to spoil a record; most of them a check refuses.
#[derive(Debug, Clone, Copy)]
enum Spoil {
    Size,
    Price,
    Action,
    Sequence,
    Side,
}

fn spoils() -> impl Strategy<Value = Vec<(prop::sample::Index, Spoil)>> {
    let spoil = prop::sample::select(vec![
        Spoil::Size,
        Spoil::Price,
        Spoil::Action,
        Spoil::Sequence,
        Spoil::Side,
    ]);
    prop::collection::vec((any::<prop::sample::Index>(), spoil), 0..40)
}

fn spoil(tick: &mut Tick, how: Spoil) {
    match how {
        Spoil::Size => tick.size = 0,
        Spoil::Price => tick.price = Tick::NO_PRICE,
        Spoil::Action => tick.action = Action::Unknown,
        Spoil::Sequence => tick.sequence = tick.sequence.wrapping_sub(1_000),
        Spoil::Side => tick.side = corecast_lab::market::Side::None,
    }
}

fn waits() -> impl Strategy<Value = WaitStrategy> {
    // No busy spin: on a machine with one CPU each hand-over would cost a time slice.
    prop::sample::select(vec![
        WaitStrategy::park(),
        WaitStrategy::backoff(),
        WaitStrategy::spin_then_yield(),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whoever dispatches, the listeners learn the same, refusals included.
    #[test]
    fn the_engine_comes_to_what_the_reference_comes_to(
        seed: u64,
        events in 1_usize..20_000,
        spoilt in spoils(),
        workers_per_core in 1_usize..5,
        wait in waits(),
    ) {
        let mut ticks = market_ticks(events, seed);
        for (place, how) in spoilt {
            spoil(&mut ticks[place.index(events)], how);
        }
        let expected = directly(&mut Made(&ticks));
        let workers = WorkerArgs { workers_per_core, wait, ..WorkerArgs::default() };
        for manual in [false, true] {
            let found = findings(&through_engine(&mut Made(&ticks), &workers, manual));
            prop_assert_eq!(&found, &expected, "manual: {}", manual);
        }
    }
}
