//! What a fresh process sees: each scenario runs in a child of its own.
//!
//! The kernel's names for a thread and its process coincide for the main
//! thread, and what [`allowed_cpus`] first reads it keeps: neither can be tested
//! on a harness's threads, or twice in one process.

use std::env;
use std::process::Command;
use std::thread;

use core_affinity::CoreId;
use corecast_affinity::{
    AllowedCpus, Cores, CpuId, CpuSet, PinnedThread, Placement, ThreadConfig, ThreadError,
    allowed_cpus, pin_current,
};

/// Tells a child which scenario to run.
const SCENARIO: &str = "CORECAST_AFFINITY_SCENARIO";

fn main() {
    if !cfg!(target_os = "linux") {
        println!("skipped: masks are read on Linux only");
        return;
    }
    if let Ok(scenario) = env::var(SCENARIO) {
        return run(&scenario);
    }
    let allowed = AllowedCpus::read().expect("Linux says").cpus();
    let last = allowed.last().expect("a process has a CPU");

    expect("main_thread_pins_itself", &[], &allowed);
    expect("thread_is_pinned_by_other_means", &[], &allowed);
    expect(
        "thread_does_not_fit",
        &[("RUST_MIN_STACK", "140737488355328")],
        &allowed,
    );

    let taskset = Command::new("taskset").arg("--version").output();
    if taskset.is_err() {
        println!("skipped: there is no `taskset` here to narrow a mask with");
        return;
    }
    expect_under_taskset("narrowed_process_stays_within_its_mask", last);
    expect_under_taskset("main_thread_pins_itself", last);
    expect_under_taskset("thread_is_pinned_by_other_means", last);
}

/// In a child: prints what the process may use, as the scenario finds it.
fn run(scenario: &str) {
    let first = AllowedCpus::read().expect("Linux says").cpus().first();
    let first = first.expect("a process has a CPU");
    let found = match scenario {
        "main_thread_pins_itself" => {
            let pin = pin_current(first).expect("an allowed CPU");
            let now = AllowedCpus::read().expect("Linux says").mask;
            assert_eq!(
                now,
                CpuSet::from(first),
                "the main thread's mask is the process's"
            );
            assert!(pin.status().is_pinned());
            allowed_cpus().clone()
        }
        "thread_is_pinned_by_other_means" => {
            let id = first.get() as usize;
            let pinned_first = move || {
                assert!(core_affinity::set_for_current(CoreId { id }));
                allowed_cpus().clone()
            };
            thread::spawn(pinned_first).join().expect("no panic")
        }
        "thread_does_not_fit" => {
            let error = PinnedThread::spawn(ThreadConfig::new("huge"), |_| ())
                .expect_err("a stack larger than the address space");
            let named = matches!(&error, ThreadError::Spawn { name, .. } if name == "huge");
            assert!(named, "{error}");
            allowed_cpus().clone()
        }
        "narrowed_process_stays_within_its_mask" => {
            let placement = Placement::here(&Cores::default(), 1).expect("a default fits");
            assert_eq!(placement.workers(), [first]);
            assert_eq!(placement.spare(), []);
            assert!(Placement::here(&Cores::count(2), 1).is_err());
            outside_the_mask(first);
            allowed_cpus().clone()
        }
        _ => panic!("no scenario `{scenario}`"),
    };
    println!("{found}");
}

/// A CPU outside the mask may be listed, and pinned to within the cpuset.
fn outside_the_mask(only: CpuId) {
    let bounds = AllowedCpus::read().expect("Linux says");
    let mut others = bounds.cpuset.or(bounds.online).expect("Linux says");
    others.remove(only);
    let Some(other) = others.first() else {
        println!("skipped: one CPU leaves none outside the mask");
        return;
    };
    let placement = Placement::here(&Cores::list([other]), 1).expect("an online CPU");
    assert_eq!(placement.workers(), [other]);
    pin_current(other).expect("within the cpuset");
}

/// Runs a scenario and checks what it prints last.
fn expect(scenario: &str, environment: &[(&str, &str)], allowed: &CpuSet) {
    let mut child = Command::new(env::current_exe().expect("a path"));
    child.envs(environment.iter().copied());
    check(scenario, child, allowed);
}

fn expect_under_taskset(scenario: &str, cpu: CpuId) {
    let mut child = Command::new("taskset");
    child.args(["-c", &cpu.to_string()]);
    child.arg(env::current_exe().expect("a path"));
    check(scenario, child, &CpuSet::from(cpu));
}

fn check(scenario: &str, mut child: Command, allowed: &CpuSet) {
    let output = child.env(SCENARIO, scenario).output().expect("a child");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{scenario}: {}\n{out}{err}",
        output.status
    );
    let found = out.lines().last().unwrap_or_default();
    assert_eq!(found, allowed.to_string(), "{scenario}\n{out}{err}");
    println!("{scenario}: {out}");
}
