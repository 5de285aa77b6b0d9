//! The `corecast` command, as a user or a script meets it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use corecast_affinity::{CpuId, allowed_cpus, pin_current};
use corecast_lab::market::market_ticks;
use serde_json::Value;

use crate::files::{TempFile, compressed, metadata, plain};

fn corecast(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corecast"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the command can be started")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

fn name(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

/// Runs what must fail, and returns its one line on standard error, without the command's name.
fn complaint(arguments: &[&str]) -> String {
    let output = corecast(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    let errors = text(&output.stderr);
    let line = errors.strip_suffix('\n').expect("a whole line");
    assert!(!line.contains('\n'), "{arguments:?}: {errors}");
    line.strip_prefix("corecast: ")
        .expect("the command's name")
        .to_owned()
}

#[test]
fn replay_needs_no_file() {
    let output = corecast(&["replay", "--events", "50000"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stderr), "");
    let page = text(&output.stdout);
    for part in [
        "the built-in market, seed 42",
        "50,000",
        "best bid",
        "  sync",
        "  async",
        ", waits by park",
        "records per second",
        "p99.9",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn json_is_one_object_on_one_line() {
    let output = corecast(&["replay", "--json", "--events", "50000"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stderr), "");
    let line = text(&output.stdout)
        .strip_suffix('\n')
        .expect("a whole line");
    assert!(!line.contains('\n'));
    let json: Value = serde_json::from_str(line).expect("valid JSON");
    for key in [
        "records",
        "rejected",
        "actions",
        "traded_volume",
        "open_orders",
        "best_bid",
        "best_ask",
        "delivered",
        "dropped",
        "workers",
        "events_per_second",
        "latency_ns",
    ] {
        assert!(json.get(key).is_some(), "{key}");
    }
    for key in ["p50", "p99", "p999", "max"] {
        assert!(json["latency_ns"][key].is_u64(), "{key}");
    }
    assert_eq!(json["records"], 50_000);
    assert_eq!(json["delivered"], 7 * 50_000);
    assert_eq!(json["dropped"], 0);
}

/// Runs the command from a thread that may use one CPU only, as `taskset` would.
fn corecast_on(cpu: CpuId, arguments: &[&str]) -> Value {
    let output = std::thread::scope(|scope| {
        let confined = scope.spawn(|| {
            pin_current(cpu).expect("an allowed CPU");
            corecast(arguments)
        });
        confined.join().expect("no panic")
    });
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("valid JSON")
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_with_one_cpu_has_its_worker_there() {
    let cpu = allowed_cpus().last().expect("a process has a CPU");
    let json = corecast_on(cpu, &["replay", "--json", "--events", "20000"]);
    let worker = serde_json::json!({
        "worker": 0, "cpu": cpu.get(), "pinned": true, "wait": "park",
    });
    assert_eq!(json["workers"], serde_json::json!([worker]));
    assert_eq!(json["delivered"], 7 * 20_000);
}

#[cfg(target_os = "linux")]
#[test]
fn a_listed_cpu_may_lie_outside_the_processs_own() {
    let allowed = allowed_cpus();
    let (first, last) = (allowed.first(), allowed.last());
    let (first, last) = first.zip(last).expect("a process has a CPU");
    let cores = last.to_string();
    let arguments = [
        "replay", "--json", "--events", "20000", "--cores", &cores, "--wait", "backoff",
    ];
    let json = corecast_on(first, &arguments);
    let worker = serde_json::json!({
        "worker": 0, "cpu": last.get(), "pinned": true, "wait": "backoff",
    });
    assert_eq!(json["workers"], serde_json::json!([worker]));
    assert_eq!(json["dropped"], 0);
}

#[test]
fn a_file_may_be_plain_or_compressed() {
    let ticks = market_ticks(3_000, 8);
    let from_seed = corecast(&[
        "replay", "--manual", "--json", "--seed", "8", "--events", "3000",
    ]);
    let expected: Value = serde_json::from_slice(&from_seed.stdout).expect("valid JSON");
    for (file, bytes) in [("a.dbn", plain(&ticks)), ("a.dbn.zst", compressed(&ticks))] {
        let file = TempFile::new(file, &bytes);
        let output = corecast(&["replay", "--manual", "--json", "--input", name(file.path())]);
        let mut json: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
        assert_eq!(json["feed"], name(file.path()));
        json["feed"] = expected["feed"].clone();
        assert_eq!(json, expected);
    }
}

#[test]
fn manual_runs_print_the_same() {
    for arguments in [
        &["replay", "--manual"][..],
        &["replay", "--manual", "--json"],
    ] {
        let [one, two] = [corecast(arguments), corecast(arguments)];
        assert!(one.status.success());
        assert_eq!(text(&one.stdout), text(&two.stdout));
        assert!(!one.stdout.is_empty());
    }
}

#[test]
fn bad_files_are_one_line_and_exit_code_1() {
    let bytes = plain(&market_ticks(100, 1));
    let missing = complaint(&["replay", "--input", "no/such/file.dbn"]);
    assert!(
        missing.starts_with("no/such/file.dbn: cannot open the file: "),
        "{missing}"
    );
    for (bytes, what) in [
        (&b"hello, world"[..], "not a DBN file"),
        (b"", "the file is empty"),
        (
            &bytes[..bytes.len() - 1],
            "after 99 records come 55 bytes of an unfinished one",
        ),
    ] {
        let file = TempFile::new("bad.dbn", bytes);
        let line = complaint(&["replay", "--json", "--input", name(file.path())]);
        assert!(
            line.starts_with(name(file.path())) && line.ends_with(what),
            "{line}"
        );
    }
}

#[test]
fn a_file_of_another_schema_is_named_with_what_it_holds() {
    let mut bytes = Vec::new();
    let metadata = metadata(Some(dbn::Schema::Trades));
    dbn::encode::dbn::Encoder::new(&mut bytes, &metadata).expect("memory can be written");
    let file = TempFile::new("trades.dbn", &bytes);
    let line = complaint(&["replay", "--input", name(file.path())]);
    assert!(
        line.starts_with(name(file.path())) && line.contains("trades"),
        "{line}"
    );
}

#[test]
fn no_events_are_a_report_of_nothing() {
    for way in [&["--json"][..], &["--json", "--manual"]] {
        let output = corecast(&[&["replay", "--events", "0"], way].concat());
        assert!(output.status.success(), "{output:?}");
        let json: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
        assert_eq!(json["records"], 0);
        assert_eq!(json["delivered"], 0);
        assert_eq!(json["best_bid"], Value::Null);
    }
}

#[test]
fn bad_arguments_are_one_line_and_exit_code_1() {
    for (arguments, part) in [
        (&[][..], "subcommand"),
        (&["fly"], "'fly'"),
        (&["replay", "--events", "many"], "'many'"),
        (&["replay", "--events", "-1"], "'-1'"),
        (&["replay", "--seed", "1.5"], "'1.5'"),
        (&["replay", "--speed", "0"], "`0`"),
        (&["replay", "--wait", "nap"], "\"nap\""),
        (&["replay", "--cores", "0-x"], "0-x"),
        (&["replay", "--cores", "4294967295"], "CPU 4294967295"),
        (&["replay", "--cores", ""], "empty"),
        (&["replay", "--cores", "0,0"], "CPU 0 is named twice"),
        (&["replay", "--workers-per-core", "0"], "0 workers per core"),
        (&["replay", "--workers-per-core", "100000"], "100000"),
        (
            &["replay", "--manual", "--cores", "4294967295"],
            "CPU 4294967295",
        ),
        (&["replay", "--workers-per-core", "x"], "'x'"),
        (&["replay", "--input", "a", "--seed", "1"], "--seed"),
        (&["replay", "--manual", "--speed", "2"], "--speed"),
        (&["replay", "--input"], "--input"),
        (&["replay", "--no-such"], "--no-such"),
    ] {
        let line = complaint(arguments);
        assert!(line.contains(part), "{arguments:?}: {line}");
    }
}

#[test]
fn help_goes_to_standard_output() {
    for arguments in [&["--help"][..], &["replay", "--help"], &["--version"]] {
        let output = corecast(arguments);
        assert!(output.status.success(), "{arguments:?}");
        assert!(text(&output.stdout).contains("corecast"), "{arguments:?}");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_corecast"))
        .args(["replay", "--events", "1000"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .expect("the command can be started");
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success(), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::File::create("/dev/full").expect("every Linux has /dev/full");
    let output = Command::new(env!("CARGO_BIN_EXE_corecast"))
        .args(["replay", "--events", "1000"])
        .stdout(full)
        .output()
        .expect("the command can be started");
    assert_eq!(output.status.code(), Some(1));
    let line = text(&output.stderr);
    assert!(
        line.starts_with("corecast: cannot write to standard output: "),
        "{line}"
    );
}
