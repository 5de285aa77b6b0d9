//! `corecast tune` as a user runs it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Thirty milliseconds for each configuration.
const BRIEF: [&str; 2] = ["--seconds", "0.03"];

/// Laps of more than thirty milliseconds: something is delivered however busy the machine is.
const CALM: [&str; 2] = ["--seconds", "0.3"];

/// Light listeners, flat out.
const FLAT: [&str; 4] = ["--rate", "max", "--listener-ns", "20"];

/// Two configurations.
const TWO: [&str; 8] = [
    "--workers-per-core",
    "1",
    "--wait",
    "spin-then-yield,park",
    "--capacity",
    "64",
    "--batch",
    "16",
];

struct Run {
    folder: TempDir,
    output: Output,
}

impl Run {
    fn page_path(&self) -> PathBuf {
        self.folder.path().join("page.html")
    }

    fn page(&self) -> String {
        fs::read_to_string(self.page_path()).expect("the report was written")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.output.stdout).expect("one JSON object")
    }

    fn stdout(&self) -> &str {
        std::str::from_utf8(&self.output.stdout).expect("text")
    }

    fn stderr(&self) -> &str {
        std::str::from_utf8(&self.output.stderr).expect("text")
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corecast"));
    command.arg("tune").args(arguments);
    command.arg("--report").arg(folder.join("page.html"));
    command.stdin(Stdio::null());
    command
}

fn tune(arguments: &[&str]) -> Run {
    let folder = TempDir::new().expect("a temporary folder");
    let output = command(folder.path(), arguments).output();
    Run {
        output: output.expect("the command can be started"),
        folder,
    }
}

/// Runs what must fail before anything is measured; its one line, without the command's name.
fn complaint(arguments: &[&str]) -> String {
    let run = tune(arguments);
    assert_eq!(
        run.output.status.code(),
        Some(1),
        "{arguments:?}: {:?}",
        run.output
    );
    assert_eq!(run.stdout(), "", "{arguments:?}");
    assert!(!run.page_path().exists(), "{arguments:?}");
    let line = run.stderr().strip_suffix('\n').expect("a whole line");
    assert!(!line.contains('\n'), "{arguments:?}: {line}");
    line.strip_prefix("corecast: ")
        .expect("the command's name")
        .to_owned()
}

fn assert_self_contained(page: &str) {
    for part in [
        "http://", "https://", "src=", "href=", "<script", "@import", "url(",
    ] {
        assert!(!page.contains(part), "{part} is in the page");
    }
    assert_eq!(page.matches("<svg ").count(), 3);
    assert_eq!(page.matches("</svg>").count(), 3);
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
}

#[test]
fn json_tells_the_load_the_figures_and_the_recommendation() {
    let run = tune(&[&CALM[..], &FLAT, &TWO, &["--json", "--listeners", "3"]].concat());
    assert!(run.output.status.success(), "{:?}", run.output);
    let json = run.json();
    assert_eq!(json["load"]["listeners"], 3);
    assert_eq!(json["load"]["rate"], "max");
    assert!(json["machine"]["platform"].is_string());
    assert_eq!(
        (&json["planned"], &json["interrupted"]),
        (&2.into(), &false.into())
    );
    let all = json["configurations"].as_array().expect("configurations");
    assert_eq!(all.len(), 2);
    for one in all {
        for key in ["workers_per_core", "capacity", "batch", "delivered"] {
            assert!(
                one[key].as_u64().is_some_and(|number| number > 0),
                "{key}: {one}"
            );
        }
        assert!(one["events_per_second"].is_f64(), "{one}");
        assert_eq!(
            (&one["paced"], &one["abandoned"]),
            (&Value::Null, &0.into())
        );
        for key in ["p50", "p99", "p999", "max"] {
            assert!(one["latency_ns"][key].is_u64(), "{key}: {one}");
        }
        assert!(one["latency_ns"]["curve"].is_array());
        let laps = one["laps"].as_array().expect("laps");
        assert_eq!(laps.len(), corecast_lab::tune::LAPS);
        for lap in laps {
            assert!(lap["events_per_second"].is_f64(), "{lap}");
            assert!(lap["latency_ns"]["p99"].is_u64(), "{lap}");
            assert_eq!(lap["kept_up"], true);
        }
    }
    let advice = &json["recommendation"];
    let best = advice["index"].as_u64().expect("a place") as usize;
    let worst = advice["worst"].as_u64().expect("a place") as usize;
    assert_ne!(best, worst);
    // If throughput does not tell them apart, CPU time may.
    assert!(["throughput", "cpu"].contains(&advice["criterion"].as_str().expect("a name")));
    assert!(
        advice["reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty())
    );
    let wait = all[best]["wait"]
        .as_str()
        .expect("a name")
        .replace('-', "_");
    let code = json["builder_code"].as_str().expect("code");
    assert!(code.contains(&format!("WaitStrategy::{wait}()")), "{code}");
    assert_eq!(json["verdict"], Value::Null);
}

#[test]
fn the_table_and_the_page_hold_the_recommendation_and_the_pictures() {
    let run = tune(&[&BRIEF[..], &TWO, &["--rate", "2000", "--listeners", "1"]].concat());
    let (table, page) = (run.stdout(), run.page());
    // Where the machine had no time for two thousand events in a second, it says so instead.
    let advice = match run.output.status.code() {
        Some(0) => &["Recommended: ", "Engine::builder()"][..],
        Some(1) => {
            assert!(run.stderr().contains("no configuration sustained 2,000"));
            assert!(page.contains("Nothing to recommend"));
            &[]
        }
        _ => panic!("{:?}", run.output),
    };
    for part in ["kernel", "spin-then-yield", "park", "p99.9", "page.html"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert_self_contained(&page);
    for part in [
        "workers per core",
        "Throughput, flat out",
        "Latency from when an event was due",
        "CPU use at the stated rate",
        "<table>",
        "kernel",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for part in advice {
        assert!(table.contains(part) && page.contains(part), "{part}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_what_is_done() {
    let folder = TempDir::new().expect("a temporary folder");
    // Thousands of laps, if nobody stopped it.
    let workers: Vec<String> = (1..=64).map(|count| count.to_string()).collect();
    let mut child = command(folder.path(), &BRIEF)
        .args(FLAT)
        .args(["--workers-per-core", &workers.join(",")])
        .args([
            "--capacity",
            "64,128,256,512",
            "--batch",
            "1,2,4,8,16,32,64",
            "--json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be started");
    let mut errors = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    // Once the third lap has begun, two are done.
    while !line.starts_with("[3/") {
        line.clear();
        assert!(
            errors.read_line(&mut line).expect("text") > 0,
            "it ended early"
        );
    }
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.expect("kill can be started").success());
    let mut rest = String::new();
    errors.read_to_string(&mut rest).expect("text");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{rest}");
    assert!(
        rest.contains("interrupted: the report has what was done"),
        "{rest}"
    );
    let json: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(json["interrupted"], true);
    let measured = json["configurations"]
        .as_array()
        .expect("configurations")
        .len() as u64;
    let planned = json["planned"].as_u64().expect("a number");
    assert!((2..planned).contains(&measured), "{measured} of {planned}");
    assert!(json["recommendation"].is_object());
    let page = fs::read_to_string(folder.path().join("page.html")).expect("the report");
    assert_self_contained(&page);
    assert!(page.contains("The sweep was interrupted"));
}

#[test]
fn verify_runs_both_again_and_its_exit_code_is_its_verdict() {
    // A lane of two slots and single events, where each event waits for the one before it, against
    // plenty of room: whichever wins, command and verdict agree.
    let sweep = [
        "--workers-per-core",
        "1",
        "--wait",
        "park",
        "--capacity",
        "2,1024",
        "--batch",
        "1",
    ];
    let run = tune(&[&BRIEF[..], &FLAT, &sweep, &["--verify", "--json"]].concat());
    let json = run.json();
    let verdict = &json["verdict"];
    let rounds = verdict["rounds"].as_array().expect("rounds");
    assert_eq!(rounds.len(), corecast_lab::tune::ROUNDS);
    let won = rounds.iter().filter(|round| {
        // Nothing where a lap delivered nothing.
        let cost = |side: &str| round[side].as_f64();
        match (cost("recommended"), cost("worst")) {
            (Some(recommended), Some(worst)) => recommended < worst,
            (recommended, _) => recommended.is_some(),
        }
    });
    assert_eq!(verdict["won"], won.count());
    let code = if verdict["holds"] == true { 0 } else { 1 };
    assert_eq!(run.output.status.code(), Some(code), "{:?}", run.output);
    assert_eq!(code == 1, run.stderr().contains("does not hold"));
}

#[test]
fn a_rate_that_nobody_sustained_is_one_line_and_still_a_report() {
    // Listeners that do nothing are no impossible load, but not even their calls fit into 100 ns.
    let load = [
        "--rate",
        "10000000",
        "--listener-ns",
        "0",
        "--listeners",
        "100",
        "--json",
    ];
    let run = tune(&[&BRIEF[..], &load, &TWO].concat());
    assert_eq!(run.output.status.code(), Some(1), "{:?}", run.output);
    let last = run.stderr().lines().last().expect("a line");
    assert!(
        last.starts_with("corecast: no configuration sustained 10,000,000 events per second"),
        "{last}"
    );
    let json = run.json();
    assert_eq!(json["recommendation"], Value::Null);
    assert!(
        json["refused"]
            .as_str()
            .is_some_and(|line| last.ends_with(line))
    );
    assert_self_contained(&run.page());
}

#[test]
fn bad_arguments_are_one_line_and_exit_code_1() {
    for (arguments, part) in [
        (&["--event-bytes", "57"][..], "--event-bytes"),
        (&["--event-bytes", "big"], "big"),
        (&["--listeners", "0"], "from 1 to 10000"),
        (&["--listener-ns", "-1"], "'-1' for '--listener-ns"),
        (&["--emitters", "0"], "from 1 to 1024"),
        (&["--rate", "0"], "`0`"),
        (&["--rate", "fast"], "`fast`"),
        (&["--rate", "-5"], "'-5' for '--rate"),
        (&["--seconds", "0"], "from 0.01 to 3600"),
        (&["--cores", "4294967295"], "CPU 4294967295"),
        (&["--cores", ""], "empty"),
        (&["--workers-per-core", "1,0"], "'0'"),
        (&["--workers-per-core", ""], "--workers-per-core"),
        (&["--wait", "park,nap"], "nap"),
        (&["--capacity", "1000"], "1024"),
        (&["--capacity", "0"], "--capacity"),
        (&["--batch", "0"], "'0'"),
        (
            &["--capacity", "32", "--batch", "8,64"],
            "a batch of 64 does not fit into a lane of 32 slots",
        ),
        (&["--by", "luck"], "luck"),
        (
            &[
                "--verify",
                "--workers-per-core",
                "1",
                "--wait",
                "park",
                "--capacity",
                "64",
                "--batch",
                "8",
            ],
            "--verify compares two",
        ),
        (&["--no-such"], "--no-such"),
    ] {
        let line = complaint(arguments);
        assert!(line.contains(part), "{arguments:?}: {line}");
    }
}

#[test]
fn impossible_loads_are_named_before_anything_is_measured() {
    for (arguments, part) in [
        (
            &["--rate", "1e7", "--listener-ns", "1000", "--cores", "0"][..],
            "4 listeners of 1000 ns on one CPU, 10000000 times a second, are 40.0 s of work",
        ),
        (
            &[
                "--listeners",
                "1000",
                "--listener-ns",
                "1000000",
                "--rate",
                "max",
            ],
            "the listeners of one event take 1000 ms",
        ),
        (
            &[
                "--emitters",
                "1024",
                "--capacity",
                "65536",
                "--event-bytes",
                "4096",
            ],
            "MiB is the most",
        ),
    ] {
        let line = complaint(arguments);
        assert!(
            line.starts_with("impossible load: ") && line.contains(part),
            "{arguments:?}: {line}"
        );
    }
}

#[test]
fn a_page_that_cannot_be_written_is_known_at_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_corecast"))
        .args(["tune", "--report", "no/such/folder/page.html"])
        .output()
        .expect("the command can be started");
    assert_eq!(output.status.code(), Some(1));
    let line = String::from_utf8(output.stderr).expect("text");
    assert!(
        line.starts_with("corecast: no/such/folder/page.html: cannot be written: "),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1);
}
