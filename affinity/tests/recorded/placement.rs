//! Which CPU each worker gets.

use corecast_affinity::{Cores, CpuId, MAX_WORKERS, Placement, PlacementError};

use crate::trees::{ARM, MIXED, OFFLINE, TWO_SOCKETS, machine, machine_of, set};

fn numbers(cpus: &[CpuId]) -> Vec<u32> {
    cpus.iter().map(|cpu| cpu.get()).collect()
}

fn plan(
    recording: &str,
    allowed: &str,
    cores: Cores,
    workers_per_core: usize,
) -> Result<Placement, PlacementError> {
    Placement::plan(&machine(recording), &set(allowed), &cores, workers_per_core)
}

fn workers(recording: &str, allowed: &str, cores: Cores) -> Vec<u32> {
    let placement = plan(recording, allowed, cores, 1).expect("a sound request");
    numbers(placement.workers())
}

#[test]
fn physical_cores_come_before_siblings_and_packages_in_turn() {
    assert_eq!(
        workers(TWO_SOCKETS, "0-15", Cores::all()),
        [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15]
    );
}

#[test]
fn count_takes_the_first_of_that_order() {
    assert_eq!(
        workers(TWO_SOCKETS, "0-15", Cores::count(6)),
        [0, 2, 4, 6, 1, 3]
    );
    assert_eq!(
        workers(MIXED, "0-23", Cores::count(9)),
        [0, 2, 4, 6, 8, 10, 12, 14, 16]
    );
}

#[test]
fn faster_cores_come_before_slower_ones() {
    assert_eq!(workers(ARM, "0-7", Cores::all()), [4, 5, 6, 7, 0, 1, 2, 3]);
}

#[test]
fn physical_is_one_allowed_cpu_of_each_core() {
    assert_eq!(
        workers(TWO_SOCKETS, "0-15", Cores::physical()),
        [0, 2, 4, 6, 1, 3, 5, 7]
    );
    // Only the second thread of core 0,8 may be used: it stands for its core.
    assert_eq!(workers(TWO_SOCKETS, "2,8,10", Cores::physical()), [2, 8]);
    assert_eq!(
        workers(OFFLINE, "0-3,10-11", Cores::physical()),
        [0, 1, 2, 3]
    );
}

#[test]
fn default_leaves_the_first_cpu_to_the_emitter() {
    let placement = plan(ARM, "0-7", Cores::default(), 1).expect("a sound request");
    assert_eq!(numbers(placement.workers()), [5, 6, 7, 0, 1, 2, 3]);
    assert_eq!(numbers(placement.spare()), [4]);
}

#[test]
fn default_on_one_cpu_is_that_cpu() {
    let placement = plan(ARM, "3", Cores::default(), 1).expect("a sound request");
    assert_eq!(numbers(placement.workers()), [3]);
    assert_eq!(placement.spare(), []);
}

#[test]
fn default_on_a_very_large_machine_stays_within_the_limit() {
    let files = [("sys/devices/system/cpu/online", "0-511")];
    let machine = machine_of(&files).expect("a description");
    let allowed = set("0-511");
    for per_core in [1, 3, MAX_WORKERS] {
        let placement = Placement::plan(&machine, &allowed, &Cores::default(), per_core)
            .expect("a default always fits");
        assert_eq!(placement.workers().len(), MAX_WORKERS / per_core * per_core);
    }
    assert_eq!(
        Placement::plan(&machine, &allowed, &Cores::all(), 1),
        Err(PlacementError::TooManyWorkers {
            cores: 512,
            workers_per_core: 1
        })
    );
}

#[test]
fn workers_on_one_core_are_neighbours() {
    let placement = plan(TWO_SOCKETS, "0-15", Cores::list([5, 3]), 3).expect("a sound request");
    assert_eq!(numbers(placement.workers()), [5, 5, 5, 3, 3, 3]);
}

#[test]
fn list_may_name_isolated_cpus_and_ones_outside_the_mask() {
    assert_eq!(workers(OFFLINE, "0-3", Cores::list([13, 4])), [13, 4]);
    let placement = plan(OFFLINE, "0-3", Cores::list([13, 1]), 1).expect("a sound request");
    assert_eq!(numbers(placement.spare()), [0, 2, 3]);
}

#[test]
fn bad_requests_are_errors_that_name_the_input() {
    let online = machine(OFFLINE).online().clone();
    let (eight, ninety) = (CpuId::new(8), CpuId::new(90));
    let allowed = set("0-3");
    for (cores, workers_per_core, error, says) in [
        (
            Cores::list([] as [u32; 0]),
            1,
            PlacementError::EmptyList,
            "empty",
        ),
        (
            Cores::list([0, 90]),
            1,
            PlacementError::NoSuchCpu {
                cpu: ninety,
                online,
            },
            "CPU 90 does not exist (online: 0-7,10-15)",
        ),
        (
            Cores::list([8]),
            1,
            PlacementError::Offline { cpu: eight },
            "CPU 8 is offline",
        ),
        (
            Cores::list([3, 2, 3]),
            1,
            PlacementError::NamedTwice { cpu: CpuId::new(3) },
            "CPU 3 is named twice",
        ),
        (
            Cores::count(0),
            1,
            PlacementError::ZeroCores,
            "a count of 0",
        ),
        (
            Cores::count(5),
            1,
            PlacementError::TooFewCpus { asked: 5, allowed },
            "5 CPUs asked for, and the process may use 4 (0-3)",
        ),
        (
            Cores::all(),
            0,
            PlacementError::ZeroWorkersPerCore,
            "0 workers per core",
        ),
        (
            Cores::all(),
            65,
            PlacementError::TooManyWorkers {
                cores: 4,
                workers_per_core: 65,
            },
            "65 workers on each of 4 CPUs: at most 256 workers",
        ),
        (
            Cores::physical(),
            usize::MAX,
            PlacementError::TooManyWorkers {
                cores: 4,
                workers_per_core: usize::MAX,
            },
            "at most 256 workers",
        ),
    ] {
        let found = plan(OFFLINE, "0-3", cores.clone(), workers_per_core).expect_err(says);
        assert_eq!(found, error, "{cores}");
        assert!(found.to_string().contains(says), "{found}");
    }
    assert_eq!(
        plan(OFFLINE, "", Cores::all(), 1),
        Err(PlacementError::NothingAllowed)
    );
}

#[test]
fn endless_list_is_refused_rather_than_collected() {
    let endless = Cores::list((0..4).map(CpuId::new).cycle());
    assert_eq!(endless.to_string().split(',').count(), MAX_WORKERS + 1);
    let error = plan(OFFLINE, "0-3", endless, 1).expect_err("endless");
    assert_eq!(error, PlacementError::NamedTwice { cpu: CpuId::new(0) });
}

#[test]
fn cores_are_read_from_text() {
    for (text, cores) in [
        ("all", Cores::all()),
        (" physical\n", Cores::physical()),
        ("3,1-2", Cores::list([3, 1, 2])),
        ("2,2", Cores::list([2, 2])),
    ] {
        assert_eq!(text.parse(), Ok(cores), "{text}");
    }
    let error = "0,most".parse::<Cores>().expect_err("not a list");
    assert_eq!(
        error.to_string(),
        "CPU list `0,most`: `most` is not a CPU number"
    );
    let huge: Cores = "0-4294967295".parse().expect("a well-formed list");
    assert!(plan(OFFLINE, "0-3", huge, 1).is_err());
}
