//! Workers on CPUs: how many on each, and what becomes of a pin.

use crate::support::{LONG, Log};
use corecast::{Cores, CpuId, Engine, PinError, PinStatus, Pinning, WorkerListener};
use std::process::Command;

/// The CPUs that the process may use, in the engine's order of preference.
fn cpus() -> Vec<CpuId> {
    let engine = Engine::builder().cores(Cores::all()).build().unwrap();
    engine
        .workers()
        .into_iter()
        .map(|info| info.cpu.unwrap())
        .collect()
}

#[test]
fn one_to_eight_workers_on_each_cpu_are_pinned_there_and_all_of_them_deliver() {
    let cpus = cpus();
    let cpus = &cpus[..cpus.len().min(2)];
    for per_core in 1..=8 {
        let engine = Engine::builder()
            .cores(Cores::list(cpus.iter().copied()))
            .workers_per_core(per_core)
            .pinning(Pinning::Required)
            .build()
            .unwrap();
        let infos = engine.workers();
        assert_eq!(infos.len(), per_core * cpus.len());
        for (index, info) in infos.iter().enumerate() {
            let cpu = cpus[index / per_core];
            assert_eq!(info.id.index(), index);
            assert_eq!(info.cpu, Some(cpu), "neighbours share a CPU");
            assert!(info.pinned);
            assert_eq!(info.pin, PinStatus::Pinned(cpu));
            assert_eq!(info.thread, format!("corecast-{index}"));
        }
        let signal = engine.signal::<u64>("s").capacity(64).build().unwrap();
        let log = Log::new();
        let kept: Vec<_> = infos
            .iter()
            .map(|info| {
                let (id, log) = (info.id, log.clone());
                let listener = WorkerListener::new(move |n: &u64| log.push((id, *n)));
                signal.add(listener.on_worker(id)).unwrap()
            })
            .collect();
        let mut out = signal.emitter().unwrap();
        (0..200).for_each(|n| out.emit(n).unwrap());
        out.flush(LONG).unwrap();
        let mut seen = log.take();
        seen.sort();
        let expected = infos.iter().flat_map(|info| (0..200).map(|n| (info.id, n)));
        assert!(seen.into_iter().eq(expected));
        assert_eq!(engine.shutdown(LONG).delivered, 200 * infos.len() as u64);
        drop(kept);
    }
}

#[test]
fn a_list_is_taken_in_its_own_order() {
    let mut cpus = cpus();
    cpus.reverse();
    let engine = Engine::builder()
        .cores(Cores::list(cpus.clone()))
        .build()
        .unwrap();
    let placed: Vec<_> = engine
        .workers()
        .iter()
        .map(|info| info.cpu.unwrap())
        .collect();
    assert_eq!(placed, cpus);
}

#[test]
fn by_default_one_cpu_is_left_for_who_emits() {
    let cpus = cpus();
    let engine = Engine::builder().build().unwrap();
    assert_eq!(engine.workers().len(), cpus.len().saturating_sub(1).max(1));
}

#[test]
fn without_pinning_workers_run_anywhere() {
    let builder = Engine::builder().cores(Cores::count(1)).workers_per_core(2);
    let engine = builder.pinning(Pinning::Off).build().unwrap();
    for info in engine.workers() {
        assert_eq!((info.cpu, info.pinned), (None, false));
        assert_eq!(info.pin, PinStatus::NotRequested);
    }
}

#[test]
fn the_users_set_up_runs_on_each_workers_own_thread_before_it_drains() {
    let log = Log::new();
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .workers_per_core(3)
        .thread_name("drain")
        .on_worker_start({
            let log = log.clone();
            move |info| {
                let thread = std::thread::current().name().unwrap_or_default().to_owned();
                log.push((info.id, info.thread.clone(), thread, info.pinned));
            }
        })
        .build()
        .unwrap();
    // Every worker is running when the engine is built.
    let infos = engine.workers();
    let expected: Vec<_> = infos
        .iter()
        .map(|info| {
            (
                info.id,
                info.thread.clone(),
                info.thread.clone(),
                info.pinned,
            )
        })
        .collect();
    assert_eq!(log.take(), expected);
    let names: Vec<_> = infos.iter().map(|info| info.thread.as_str()).collect();
    assert_eq!(names, ["drain-0", "drain-1", "drain-2"]);
}

/// What a cpuset that shrinks, or an administrator, does to a worker: its mask becomes another one
/// while it runs.
#[test]
fn a_mask_that_changes_under_a_worker_is_reported_and_not_fatal() {
    let cpus = cpus();
    let [first, second, ..] = cpus[..] else {
        println!("skipped: one CPU leaves no other mask to change to");
        return;
    };
    let engine = Engine::builder()
        .cores(Cores::list([first]))
        .build()
        .unwrap();
    assert!(engine.workers()[0].pinned);
    let signal = engine.signal::<u64>("s").capacity(16).build().unwrap();
    let log = Log::new();
    let _kept = signal.subscribe({
        let log = log.clone();
        move |n| {
            if *n == 10 {
                corecast_affinity::pin_current(second).unwrap();
            } else if *n == 20 {
                corecast_affinity::pin_current(first).unwrap();
            }
            log.push(*n);
        }
    });
    let mut out = signal.emitter().unwrap();
    (0..=10).for_each(|n| out.emit(n).unwrap());
    out.flush(LONG).unwrap();
    let info = engine.workers().remove(0);
    assert_eq!((info.cpu, info.pinned), (Some(first), false));
    let PinStatus::Unpinned { reason } = &info.pin else {
        panic!("{}", info.pin);
    };
    let mismatch = PinError::Mismatch {
        cpu: first,
        mask: second.into(),
    };
    assert_eq!(*reason, mismatch);
    let message = info.pin.to_string();
    assert!(message.contains(&format!("CPU {first}")), "{message}");
    assert!(message.contains(&format!("`{second}`")), "{message}");
    // It goes on, and when the mask is right again so is the report.
    (11..=20).for_each(|n| out.emit(n).unwrap());
    out.flush(LONG).unwrap();
    assert!(engine.workers()[0].pinned);
    assert_eq!(engine.shutdown(LONG).delivered, 21);
    assert_eq!(log.take(), (0..=20).collect::<Vec<_>>());
    assert!(engine.workers()[0].pinned, "what was, once it is over");
}

/// In a child of its own: what it may use is read once in a process.
#[test]
fn a_process_confined_to_one_cpu_runs_on_that_one_and_may_name_another() {
    const CONFINED: &str = "CORECAST_TEST_CONFINED_TO";
    let name = "affinity::a_process_confined_to_one_cpu_runs_on_that_one_and_may_name_another";
    if let Ok(cpu) = std::env::var(CONFINED) {
        let own: CpuId = CpuId::new(cpu.parse().unwrap());
        for cores in [
            Cores::all(),
            Cores::default(),
            Cores::physical(),
            Cores::count(1),
        ] {
            let builder = Engine::builder().cores(cores.clone()).workers_per_core(2);
            let engine = builder.pinning(Pinning::Required).build().unwrap();
            let placed: Vec<_> = engine.workers().iter().map(|info| info.cpu).collect();
            assert_eq!(placed, [Some(own), Some(own)], "{cores}");
        }
        // A list may name any CPU that the kernel grants, outside the mask too.
        for cpu in corecast_affinity::Topology::detect().online().iter() {
            let builder = Engine::builder().cores(Cores::list([cpu]));
            match builder.pinning(Pinning::Required).build() {
                Ok(engine) => assert_eq!(engine.workers()[0].pin, PinStatus::Pinned(cpu)),
                Err(error) => assert!(error.to_string().contains(&format!("CPU {cpu}")), "{error}"),
            }
        }
        return;
    }
    if Command::new("taskset").arg("--version").output().is_err() {
        println!("skipped: there is no `taskset` here to narrow a mask with");
        return;
    }
    for cpu in cpus() {
        let output = Command::new("taskset")
            .args(["-c", &cpu.to_string()])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CONFINED, cpu.to_string())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(text.contains("1 passed"), "{text}");
    }
}
