use crate::scene::{ODD_NAME, scene};
use corecast::{Cores, Engine};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn engine_snapshots_serialise_with_every_field() {
    let scene = scene();
    let engine = serde_json::to_value(&scene.engine).unwrap();
    let metrics = &scene.engine;
    assert_eq!(engine["faults_waiting"], json!(metrics.faults_waiting));
    assert_eq!(engine["faults_lost"], json!(0));
    assert_eq!(engine["bytes"], json!(metrics.bytes));
    assert_eq!(
        engine["workers"],
        json!([{
            "id": 0,
            "state": "active",
            "delivered": metrics.workers[0].delivered,
            "parks": 0,
            "listeners": 3,
        }])
    );
    let ticks = &metrics.signals[0];
    let latency = ticks.latency.unwrap();
    let lane = &ticks.lanes[0];
    assert_eq!(
        engine["signals"][0],
        json!({
            "name": "ticks",
            "emitted": 15, "accepted": 11, "rejected": 0, "dropped": 4,
            "delivered": 19, "failed": 1, "panicked": 0,
            "listeners": 2,
            "retired_arrays": ticks.retired_arrays,
            "bytes": ticks.bytes,
            "lanes": [{
                "worker": 0,
                "capacity": 8,
                "depth": 1,
                "high_water": lane.high_water,
                "bytes": lane.bytes,
                "shared": false,
            }],
            "latency": {
                "p50_ns": latency.p50.as_nanos() as u64,
                "p90_ns": latency.p90.as_nanos() as u64,
                "p99_ns": latency.p99.as_nanos() as u64,
                "p999_ns": latency.p999.as_nanos() as u64,
                "max_ns": latency.max.as_nanos() as u64,
                "count": latency.count,
            },
        })
    );
    assert_eq!(engine["signals"][2]["name"], json!(ODD_NAME));
    assert_eq!(engine["signals"][2]["latency"], Value::Null);
}

#[test]
fn breakers_rates_and_reports_serialise() {
    let scene = scene();
    assert_eq!(
        serde_json::to_value(&scene.breaker).unwrap(),
        json!({"name": "gateway", "state": "open", "admitted": 1, "failed": 1, "refused": 2, "opened": 1})
    );
    let rates = scene.orders.since(&scene.orders);
    assert_eq!(
        serde_json::to_value(rates).unwrap(),
        json!({"interval_ns": 0, "events_per_second": 0.0, "deliveries_per_second": 0.0, "error_rate": 0.0})
    );
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .manual()
        .build()
        .unwrap();
    let signal = engine.signal::<u64>("s").build().unwrap();
    let _subscription = signal.subscribe(|_| {});
    signal.emit(1).unwrap();
    let report = engine.shutdown(Duration::from_secs(10));
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        json!({"accepted": 1, "delivered": 1, "abandoned": 0, "stuck": [], "dead": []})
    );
}
