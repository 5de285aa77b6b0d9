//! `corecast compare` as a user runs it.

use std::process::{Command, Output};

use serde_json::Value;

fn compare(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corecast"))
        .arg("compare")
        .args(args)
        .output()
        .expect("the command starts")
}

/// The exit code and what was written to standard error.
fn failure(args: &[&str]) -> (Option<i32>, String) {
    let output = compare(args);
    assert!(output.stdout.is_empty(), "{output:?}");
    let message = String::from_utf8(output.stderr).expect("text");
    (output.status.code(), message)
}

#[test]
fn json_tells_machine_drift_rows_and_sums() {
    let output = compare(&["--rounds", "3", "--json", "--rows", "peer/emit/epoch/*=1"]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert!(report["machine"]["platform"].is_string());
    assert_eq!(report["rounds"], 3);
    assert_eq!(
        report["two_cpus"] == Value::Bool(true),
        report["drift"].is_object()
    );
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row["name"], "peer/emit/epoch/listeners=1");
    assert_eq!(
        (&row["bar"], &row["verdict"]),
        (&Value::Null, &Value::from("reported"))
    );
    for figures in [&row["ours"]["ns"], &row["peer"]["ns"], &row["ratio"]] {
        for quartile in ["q1", "median", "q3"] {
            assert!(
                figures[quartile].as_f64().is_some_and(|ns| ns > 0.0),
                "{row}"
            );
        }
    }
    assert!(
        row["checksum"]
            .as_str()
            .is_some_and(|sum| sum.starts_with("0x")),
        "{row}"
    );
}

#[test]
fn the_table_names_rows_sides_and_the_machine() {
    let output = compare(&["--rounds", "1", "--rows", "peer/try-emit/bare/listeners=10"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    for part in [
        "kernel",
        "peer/try-emit/bare/listeners=100",
        "bare loop",
        "no row is over its bar",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn list_shows_rows_and_measures_nothing() {
    let output = compare(&["--list", "--rows", "round-trip"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.is_empty());
    assert!(
        text.lines()
            .all(|line| line.contains("round-trip") && line.contains("against"))
    );
    assert!(output.stderr.is_empty(), "{:?}", output.stderr);
}

#[test]
fn bad_arguments_are_named() {
    for (args, named) in [
        (&["--rows", "no/such/row"][..], "no/such/row"),
        (&["--rounds", "0"], "--rounds"),
        (&["--rounds", "many"], "many"),
        (&["--cpus", "1"], "--cpus"),
        (&["--cpus", "a,b"], "a,b"),
        (&["--cpus", "123456,0", "--rows", "subscribe"], "123456"),
        (&["--check", "--rounds", "3"], "not of 3"),
    ] {
        let (code, message) = failure(args);
        assert_eq!(code, Some(1), "{args:?}: {message}");
        assert!(message.contains(named), "{args:?}: {message}");
    }
}

#[test]
fn check_passes_when_no_row_is_over_its_bar() {
    let output = compare(&["--check", "--rounds", "9", "--rows", "peer/emit/epoch/*=1"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn allocations_are_counted_and_there_are_none() {
    let output = compare(&["--rows", "alloc/*", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let rows = report["rows"].as_array().expect("rows");
    assert!(rows.len() >= 8, "{report}");
    for row in rows {
        assert_eq!(
            (&row["value"], &row["verdict"]),
            (&Value::from(0.0), &Value::from("pass")),
            "{row}"
        );
    }
    assert!(output.status.success(), "{output:?}");
}
