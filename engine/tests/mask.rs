//! The CPUs that the process may use become fewer while its workers run. A mask is the process's, so
//! this is a process of its own.

use corecast::{Cores, Engine, Pinning, WorkerListener};
use std::fs;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// What the kernel says of each of this process's threads: its name and the CPUs it may run on.
fn masks() -> Vec<(String, String)> {
    let mut masks = Vec::new();
    for task in fs::read_dir("/proc/self/task").expect("Linux").flatten() {
        // A thread may end while one looks.
        let Ok(status) = fs::read_to_string(task.path().join("status")) else {
            continue;
        };
        let field = |name: &str| {
            let mut lines = status.lines();
            let value = lines.find_map(|line| line.strip_prefix(name));
            value.expect("a field").trim().to_owned()
        };
        masks.push((field("Name:"), field("Cpus_allowed_list:")));
    }
    masks
}

#[test]
fn workers_whose_cpu_is_taken_away_run_on_elsewhere() {
    if !cfg!(target_os = "linux") || Command::new("taskset").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `taskset` here to narrow a mask with");
        return;
    }
    let builder = Engine::builder()
        .cores(Cores::all())
        .pinning(Pinning::Required);
    let engine = builder.build().expect("CPUs that may be pinned to");
    let workers = engine.workers();
    if workers.len() < 2 {
        eprintln!("skipped: one CPU cannot become fewer");
        return;
    }
    let (sender, seen) = mpsc::channel();
    let signal = engine.signal::<u64>("numbers").build().expect("possible");
    for worker in &workers {
        assert!(worker.pinned);
        let (sender, id) = (sender.clone(), worker.id);
        let listener = WorkerListener::new(move |n| sender.send((id, *n)).expect("the test reads"));
        signal.add(listener.on_worker(id)).expect("open").detach();
    }
    let mut emitter = signal.emitter().expect("open");
    emitter.emit(1).expect("room");
    emitter.flush(LONG).expect("delivered");
    assert_eq!(seen.try_iter().count(), workers.len());

    // As an administrator would: every thread, the workers' too.
    let left = workers[0].cpu.expect("a CPU each").to_string();
    let process = std::process::id().to_string();
    let narrowed = Command::new("taskset")
        .args(["-acp", &left, &process])
        .output();
    assert!(narrowed.expect("it was there before").status.success());
    let masks = masks();
    for worker in &workers {
        let moved = (worker.thread.clone(), left.clone());
        assert!(masks.contains(&moved), "{moved:?} not in {masks:?}");
    }

    emitter.emit_batch(2..1000).expect("room");
    emitter.flush(LONG).expect("delivered on what is left");
    assert_eq!(seen.try_iter().count(), 998 * workers.len());

    // What may be used is known from before, and may still be asked for.
    let second = Engine::builder().cores(Cores::all()).thread_name("second");
    let second = second.pinning(Pinning::BestEffort).build();
    let second = second.expect("what cannot be pinned is reported");
    let masks = self::masks();
    for worker in second.workers() {
        let pinned = (worker.thread, worker.cpu.expect("a CPU each").to_string());
        assert_eq!(
            masks.contains(&pinned),
            worker.pinned,
            "{pinned:?} in {masks:?}"
        );
    }
    let numbers = second.signal::<u64>("numbers").build().expect("possible");
    numbers.subscribe(|_| {}).detach();
    numbers.emit(7).expect("room");
    assert_eq!(second.shutdown(LONG).delivered, 1);

    let report = engine.shutdown(LONG);
    assert_eq!(report.accepted, 999 * workers.len() as u64);
    assert_eq!(report.accepted, report.delivered);
    assert!(report.stuck.is_empty() && report.dead.is_empty());
}
