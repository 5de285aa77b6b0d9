//! `corecast stress` as a user runs it.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use serde_json::Value;

fn stress(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corecast"))
        .arg("stress")
        .args(args)
        .output()
        .expect("the command starts")
}

fn report(args: &[&str]) -> Value {
    let output = stress(args);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn names() -> Vec<String> {
    let output = stress(&["--list"]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let text = String::from_utf8(output.stdout).expect("text");
    let name = |line: &str| line.split_whitespace().next().map(str::to_owned);
    text.lines().filter_map(name).collect()
}

#[test]
fn list_names_every_configuration_once_and_runs_nothing() {
    let names = names();
    let unique: BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len());
    for name in [
        "broadcast-1",
        "sharded",
        "recycled",
        "shared",
        "sync",
        "park",
        "wake",
    ] {
        assert!(
            names.iter().any(|known| known == name),
            "{name} is not in {names:?}"
        );
    }
}

#[test]
fn five_seconds_of_every_configuration_find_nothing() {
    let report = report(&["--minutes", "0.083", "--json"]);
    let names = names();
    assert_eq!(report["mismatches"], 0, "{report}");
    assert_eq!(report["configurations"], names.len());
    let rows = report["rows"].as_array().expect("rows");
    let ran: Vec<_> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(ran, names);
    let number = |value: &Value, key: &str| value[key].as_u64().expect("a number");
    for row in rows {
        assert!(
            number(row, "events") > 0 && number(row, "rounds") > 0,
            "{row}"
        );
    }
    for key in ["events", "lane_events", "calls", "faults", "faults_seen"] {
        let sum: u64 = rows.iter().map(|row| number(row, key)).sum();
        assert!(sum > 0, "{key}");
        assert_eq!(number(&report, key), sum, "{key}");
    }
}

#[test]
fn events_are_a_number_for_each_configuration() {
    let report = report(&[
        "--only",
        "broadcast-2",
        "--events",
        "30000",
        "--seed",
        "9",
        "--json",
    ]);
    assert_eq!(
        (&report["seed"], &report["mismatches"]),
        (&Value::from(9), &Value::from(0))
    );
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(
        (rows.len(), &rows[0]["name"]),
        (1, &Value::from("broadcast-2"))
    );
    assert!(rows[0]["events"].as_u64() >= Some(30_000), "{report}");
}

#[test]
fn park_reports_the_cpu_time_of_an_idle_engine() {
    let report = report(&["--only", "park", "--minutes", "0.005", "--json"]);
    let row = &report["rows"][0];
    if cfg!(target_os = "linux") {
        assert!(
            row["idle_percent"]
                .as_f64()
                .is_some_and(|percent| percent >= 0.0),
            "{row}"
        );
    }
}

#[test]
fn wake_counts_how_often_the_worker_slept() {
    let report = report(&["--only", "wake", "--events", "100", "--json"]);
    let row = &report["rows"][0];
    assert!(row["events"].as_u64() >= Some(100), "{row}");
}

#[test]
fn the_table_names_configurations_and_totals() {
    let output = stress(&["--only", "manual", "--events", "1000"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    for part in [
        "configuration",
        "mismatches",
        "manual",
        "total",
        "1 configurations",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn bad_arguments_are_named_in_one_line() {
    for (args, named) in [
        (&["--only", "no-such-thing"][..], "no-such-thing"),
        (&["--minutes", "0"], "--minutes"),
        (&["--minutes", "NaN"], "NaN"),
        (&["--minutes", "-1"], "-1"),
        (&["--minutes", "1e9"], "1e9"),
        (&["--events", "0"], "--events"),
        (&["--events", "many"], "many"),
        (&["--events", "1", "--minutes", "1"], "--minutes"),
        (&["--seed", "-"], "--seed"),
        (&["--patience", "0"], "--patience"),
        (&["--what"], "--what"),
    ] {
        let output = stress(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{args:?}: {output:?}");
        let message = String::from_utf8(output.stderr).expect("text");
        assert!(message.contains(named), "{args:?}: {message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{args:?}: {message}");
    }
}
