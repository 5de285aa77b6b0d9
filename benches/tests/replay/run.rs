//! Whole runs of the reference, and what they report.

use corecast_lab::market::{Action, DbnSource, MarketFeed, Tick, TickFeed, market_ticks};
use corecast_lab::replay::{Outcome, Plan, Progress, Report, Speed, run_direct};
use serde_json::Value;

use crate::files::{TempFile, plain};
use crate::reference::ReferenceBook;
use crate::sample;

const UNTIMED: Plan = Plan {
    events: None,
    speed: Speed::Max,
    timed: false,
};
const TIMED: Plan = Plan {
    timed: true,
    ..UNTIMED
};

fn run(feed: &mut dyn TickFeed, plan: &Plan) -> Outcome {
    run_direct(feed, plan, &Progress::hidden()).expect("a good feed")
}

fn report(feed: &mut dyn TickFeed, plan: &Plan) -> (Report, Value) {
    let report = Report::new("a feed".to_owned(), plan, &run(feed, plan));
    let json = serde_json::to_value(&report).expect("a report is plain data");
    (report, json)
}

#[test]
fn a_report_counts_every_record_once_for_each_listener() {
    let (report, json) = report(&mut MarketFeed::new(4, 150_000), &TIMED);
    assert_eq!(
        (report.records, report.rejected, report.dropped),
        (150_000, 0, 0)
    );
    assert_eq!(report.listeners.len(), 7);
    assert!(
        report
            .listeners
            .iter()
            .all(|listener| listener.delivered == 150_000)
    );
    assert_eq!(report.delivered, 7 * 150_000);
    assert_eq!(report.actions.values().sum::<u64>(), 150_000);
    assert!(report.events_per_second.is_some_and(|rate| rate > 0.0));
    let latency = report.latency_ns;
    assert_eq!(latency.count, 150_000_u64.div_ceil(16));
    assert!(latency.p50 <= latency.p99 && latency.p99 <= latency.p999);
    assert!(latency.p999 <= latency.max && latency.max.is_some());
    for key in ["p50", "p99", "p999", "max"] {
        assert!(json["latency_ns"][key].is_u64(), "{key}");
    }
}

#[test]
fn a_report_agrees_with_a_naive_book() {
    let ticks = market_ticks(50_000, 9);
    let mut reference = ReferenceBook::default();
    for tick in &ticks {
        reference.apply(tick);
    }
    let volume: u64 = ticks
        .iter()
        .filter(|tick| tick.action == Action::Trade)
        .map(|tick| u64::from(tick.size))
        .sum();
    let (_, json) = report(&mut MarketFeed::new(9, 50_000), &UNTIMED);
    assert_eq!(json["open_orders"], reference.open_orders());
    assert_eq!(json["traded_volume"], volume);
    let sides = [
        ("best_bid", corecast_lab::market::Side::Bid),
        ("best_ask", corecast_lab::market::Side::Ask),
    ];
    for (key, side) in sides {
        let (price, size, _) = reference.levels(side)[0];
        assert_eq!(
            json[key],
            serde_json::json!({ "price": price, "size": size })
        );
    }
}

#[test]
fn an_untimed_run_prints_the_same_twice() {
    let page = || {
        let (report, json) = report(&mut MarketFeed::new(4, 70_000), &UNTIMED);
        (report.to_string(), json)
    };
    let (text, json) = page();
    assert_eq!(page(), (text.clone(), json.clone()));
    assert!(text.contains("not measured"), "{text}");
    assert_eq!(json["seconds"], Value::Null);
    assert_eq!(json["events_per_second"], Value::Null);
    assert_eq!(json["latency_ns"]["p50"], Value::Null);
}

#[test]
fn what_is_not_there_is_null() {
    let (report, json) = report(&mut MarketFeed::new(4, 0), &TIMED);
    for key in ["instrument", "best_bid", "best_ask", "events_per_second"] {
        assert_eq!(json[key], Value::Null, "{key}");
    }
    assert_eq!(json["actions"], serde_json::json!({}));
    assert_eq!(
        (report.records, report.delivered, report.open_orders),
        (0, 0, 0)
    );
    assert!(report.to_string().contains("Replayed a feed"));
}

#[test]
fn refused_records_reach_no_listener() {
    let mut ticks = market_ticks(1_000, 2);
    let good = ticks.clone();
    let place = good
        .iter()
        .position(|tick| tick.action == Action::Add)
        .expect("an add")
        + 1;
    let add = good[place - 1];
    ticks.splice(
        place..place,
        [
            Tick {
                order_id: 1,
                size: 0,
                ..add
            },
            Tick {
                order_id: 2,
                price: Tick::NO_PRICE,
                ..add
            },
            Tick {
                action: Action::Unknown,
                ..add
            },
            Tick {
                order_id: 3,
                sequence: add.sequence - 1,
                ..add
            },
        ],
    );
    let file = TempFile::new("feed.dbn", &plain(&ticks));
    let mut source = DbnSource::open(file.path()).expect("a readable file");
    let (with, json) = report(&mut source, &UNTIMED);
    assert_eq!((with.records, with.rejected), (1_004, 4));
    let reasons = serde_json::json!({
        "no_price": 1, "no_size": 1, "out_of_sequence": 1, "unknown_action": 1,
    });
    assert_eq!(json["refusals"], reasons);
    let (without, _) = report(&mut MarketFeed::new(2, 1_000), &UNTIMED);
    assert_eq!(with.delivered, without.delivered);
    assert_eq!(with.actions, without.actions);
    assert_eq!(with.best_bid, without.best_bid);
    assert_eq!(with.open_orders, without.open_orders);
}

#[test]
fn fewer_events_may_be_asked_for_than_there_are() {
    let plan = Plan {
        events: Some(70_001),
        ..UNTIMED
    };
    let outcome = run(&mut MarketFeed::new(4, 200_000), &plan);
    assert_eq!(outcome.totals.records, 70_001);
    let ticks = market_ticks(70_001, 4);
    let lasted = ticks[70_000].recorded_ns - ticks[0].recorded_ns;
    assert_eq!(outcome.totals.recorded_ns, lasted);
}

#[test]
fn an_open_loop_times_every_record_and_takes_as_long_as_recorded() {
    let plan = Plan {
        speed: Speed::Times(2.0),
        ..TIMED
    };
    let outcome = run(&mut MarketFeed::new(4, 2_000), &plan);
    assert_eq!(outcome.desk.latency.latency().percentiles().count, 2_000);
    // A record is never early, so the run cannot be shorter than half of what was recorded.
    let recorded = std::time::Duration::from_nanos(outcome.totals.recorded_ns);
    assert!(outcome.totals.busy >= recorded / 2, "{:?}", outcome.totals);
}

#[test]
fn a_real_day_is_reported_with_its_figures() {
    let Some(path) = sample::path() else { return };
    let mut source = DbnSource::open(&path).expect("the sample is a good file");
    let (_, json) = report(&mut source, &UNTIMED);
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
        assert_eq!(&json[key], value, "{key}");
    }
}
