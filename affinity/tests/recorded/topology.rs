//! What a machine is.

use corecast_affinity::{CacheKind, CoreKind, CpuId, ReadError, Topology, TopologySource};

use crate::trees::{
    ARM, MIXED, OFFLINE, TWO_SOCKETS, machine, machine_of, machine_with, set, tree,
};

fn core_sets(machine: &Topology) -> Vec<String> {
    let cores = machine.cores().iter();
    cores.map(|core| core.cpus.to_string()).collect()
}

fn cache_sets(machine: &Topology, level: u32, kind: CacheKind) -> Vec<String> {
    let caches = machine.caches().iter();
    caches
        .filter(|cache| cache.level == level && cache.kind == kind)
        .map(|cache| cache.cpus.to_string())
        .collect()
}

#[test]
fn two_sockets_with_smt_on_two_nodes() {
    let machine = machine(TWO_SOCKETS);
    assert_eq!(machine.source(), &TopologySource::Sysfs);
    assert_eq!(
        machine.model(),
        Some("Intel(R) Xeon(R) Gold 5222 CPU @ 3.80GHz")
    );
    assert_eq!(machine.cpus().len(), 16);
    // Numbered alternately, and `core_id` repeats on the second package.
    let siblings = ["0,8", "1,9", "2,10", "3,11", "4,12", "5,13", "6,14", "7,15"];
    assert_eq!(core_sets(&machine), siblings);
    let (even, odd) = (set("0,2,4,6,8,10,12,14"), set("1,3,5,7,9,11,13,15"));
    let packages: Vec<_> = machine.packages().iter().map(|p| (p.id, &p.cpus)).collect();
    assert_eq!(packages, [(0, &even), (1, &odd)]);
    let nodes: Vec<_> = machine.nodes().iter().map(|n| (n.id, &n.cpus)).collect();
    assert_eq!(nodes, [(0, &even), (1, &odd)]);
    assert_eq!(cache_sets(&machine, 2, CacheKind::Unified), siblings);
    let l3 = machine.data_cache(CpuId::new(9), 3).expect("an L3 cache");
    assert_eq!((&l3.cpus, l3.size_bytes), (&odd, Some(16_896 << 10)));
    assert_eq!(l3.line_bytes, Some(64));
    assert!(!machine.is_heterogeneous());
}

#[test]
fn performance_and_efficiency_cores_are_told_apart_by_their_units() {
    let machine = machine(MIXED);
    assert!(machine.is_heterogeneous());
    assert_eq!(machine.cores().len(), 16);
    for cpu in machine.cpus() {
        let expected = if cpu.id.get() < 16 {
            (Some(CoreKind::Performance), 0)
        } else {
            (Some(CoreKind::Efficiency), 1)
        };
        assert_eq!((cpu.kind, cpu.tier), expected, "CPU {}", cpu.id);
    }
    let core = machine.core_of(CpuId::new(3)).expect("an online CPU");
    assert_eq!(core.cpus, set("2-3"));
    let clusters = machine.data_cache(CpuId::new(22), 2).expect("an L2 cache");
    assert_eq!(clusters.cpus, set("20-23"));
    assert_eq!(
        machine
            .data_cache(CpuId::new(0), 1)
            .expect("an L1 cache")
            .kind,
        CacheKind::Data
    );
}

#[test]
fn kinds_outrank_the_small_differences_of_capacity_within_one() {
    let favoured = [
        ("sys/devices/system/cpu/cpu0/cpu_capacity", "1009"),
        ("sys/devices/system/cpu/cpu4/cpu_capacity", "1024"),
    ];
    let directory = machine_with(MIXED, &favoured);
    let machine = Topology::from_root(directory.path()).expect("a faithful recording");
    assert_eq!(machine.cpu(CpuId::new(0)).map(|cpu| cpu.tier), Some(0));
    assert_eq!(machine.cpu(CpuId::new(4)).map(|cpu| cpu.tier), Some(0));
    assert_eq!(machine.cpu(CpuId::new(16)).map(|cpu| cpu.tier), Some(1));
}

#[test]
fn capacity_orders_cores_where_kinds_are_not_named() {
    let machine = machine(ARM);
    assert_eq!(machine.model(), Some("Radxa ROCK 5B"));
    let tiers: Vec<usize> = machine.cpus().iter().map(|cpu| cpu.tier).collect();
    assert_eq!(tiers, [1, 1, 1, 1, 0, 0, 0, 0]);
    assert_eq!(machine.nodes().len(), 1);
}

#[test]
fn offline_and_isolated_cpus_are_known() {
    let machine = machine(OFFLINE);
    assert_eq!(machine.online(), &set("0-7,10-15"));
    // The 16 that could be plugged in and are not there do not count.
    assert_eq!(machine.offline(), &set("8-9"));
    assert_eq!(machine.isolated(), &set("4-7,12-15"));
    assert!(machine.cpu(CpuId::new(8)).is_none());
    assert_eq!(core_sets(&machine)[..3], ["0", "1", "2,10"]);
    assert_eq!(
        machine.nodes().len(),
        1,
        "a node of memory alone has no CPUs"
    );
}

#[test]
fn summaries_are_what_a_person_would_want() {
    assert_eq!(
        machine(TWO_SOCKETS).to_string(),
        "\
Intel(R) Xeon(R) Gold 5222 CPU @ 3.80GHz
2 packages, 2 NUMA nodes, 8 cores, 16 CPUs online
package 0, node 0: 4 cores, CPUs 0,2,4,6,8,10,12,14
package 1, node 1: 4 cores, CPUs 1,3,5,7,9,11,13,15
L1d 32 KiB × 8: CPUs 0,8 | 1,9 | 2,10 | 3,11 | 4,12 | 5,13 | 6,14 | 7,15
L1i 32 KiB × 8: CPUs 0,8 | 1,9 | 2,10 | 3,11 | 4,12 | 5,13 | 6,14 | 7,15
L2 1 MiB × 8: CPUs 0,8 | 1,9 | 2,10 | 3,11 | 4,12 | 5,13 | 6,14 | 7,15
L3 16896 KiB × 2: CPUs 0,2,4,6,8,10,12,14 | 1,3,5,7,9,11,13,15"
    );
    let mixed = machine(MIXED).to_string();
    assert!(mixed.contains("\ntier 0, performance: CPUs 0-15\ntier 1, efficiency: CPUs 16-23\n"));
    assert!(
        mixed.contains("\nL2 2 MiB × 2: CPUs 16-19 | 20-23\n"),
        "{mixed}"
    );
    let arm = machine(ARM).to_string();
    assert!(arm.contains("\ntier 1, capacity 530: CPUs 0-3"), "{arm}");
    let offline = machine(OFFLINE).to_string();
    assert!(offline.ends_with("\noffline: CPUs 8-9\nisolated: CPUs 4-7,12-15"));
}

#[test]
fn cpuinfo_stands_in_for_a_missing_sysfs() {
    let paragraph = |cpu: u32, package: u32, core: u32| {
        format!(
            "processor\t: {cpu}\nmodel name\t: Old Faithful\n\
             physical id\t: {package}\ncore id\t\t: {core}\n"
        )
    };
    let text = [(0, 0, 0), (1, 1, 0), (2, 0, 0), (3, 1, 0)]
        .map(|(cpu, package, core)| paragraph(cpu, package, core))
        .join("\n");
    let machine = machine_of(&[("proc/cpuinfo", &text)]).expect("a description");
    assert_eq!(machine.source(), &TopologySource::CpuInfo);
    assert_eq!(core_sets(&machine), ["0,2", "1,3"]);
    assert_eq!(machine.packages().len(), 2);
    assert_eq!(
        machine.to_string(),
        "\
Old Faithful
2 packages, 1 NUMA node, 2 cores, 4 CPUs online
package 0, node 0: 1 core, CPUs 0,2
package 1, node 0: 1 core, CPUs 1,3
NUMA nodes and caches are not known"
    );
}

#[test]
fn bare_minimum_of_sysfs_gives_separate_cores() {
    let files = [("sys/devices/system/cpu/online", "0,2\n")];
    let machine = machine_of(&files).expect("a description");
    assert_eq!(core_sets(&machine), ["0", "2"]);
    assert!(machine.caches().is_empty());
}

#[test]
fn root_that_describes_nothing_is_an_error_that_names_it() {
    let directory = tree(&[]);
    let error = Topology::from_root(directory.path()).expect_err("nothing there");
    assert!(matches!(error, ReadError::Missing { .. }));
    let root = directory.path().display().to_string();
    assert!(error.to_string().contains(&root), "{error}");
}

#[test]
fn impossible_files_are_errors_that_name_file_and_content() {
    const CPU: &str = "sys/devices/system/cpu";
    for (path, content, reason) in [
        ("online", "0-3,x", "`x` is not a CPU number"),
        ("online", "", "between 1 and 65536 CPUs"),
        ("online", "0-4294967295", "between 1 and 65536 CPUs"),
        ("present", "3-0", "`3-0` runs backwards"),
        ("cpu0/topology/physical_package_id", "zero", "invalid digit"),
        ("cpu0/topology/core_cpus_list", "0;1", "not a CPU number"),
        ("cpu0/cpu_capacity", "-5", "invalid digit"),
        ("cpu0/cache/index0/type", "Victim", "Unified expected"),
        (
            "cpu0/cache/index0/size",
            "99999999999999999999K",
            "kibibytes",
        ),
        (
            "cpu0/cache/index0/size",
            "18446744073709551615K",
            "kibibytes",
        ),
        ("cpu0/cache/index0/level", "two", "invalid digit"),
    ] {
        let path = format!("{CPU}/{path}");
        let directory = tree(&[
            ("sys/devices/system/cpu/online", "0"),
            ("sys/devices/system/cpu/cpu0/cache/index0/level", "1"),
            ("sys/devices/system/cpu/cpu0/cache/index0/type", "Data"),
            (&path, content),
        ]);
        let error = Topology::from_root(directory.path())
            .expect_err(content)
            .to_string();
        let says = format!("{path}` says `{content}`: ");
        assert!(error.contains(&says) && error.contains(reason), "{error}");
    }
}

#[test]
fn siblings_that_disagree_still_put_every_cpu_on_one_core() {
    let files = [
        ("sys/devices/system/cpu/online", "0-2"),
        ("sys/devices/system/cpu/cpu0/topology/core_cpus_list", "0"),
        ("sys/devices/system/cpu/cpu1/topology/core_cpus_list", "0-1"),
        ("sys/devices/system/cpu/cpu2/topology/core_cpus_list", "7"),
    ];
    let machine = machine_of(&files).expect("a description");
    assert_eq!(core_sets(&machine), ["0-1", "2"]);
    for cpu in machine.cpus() {
        assert!(machine.cores()[cpu.core].cpus.contains(cpu.id));
    }
}

#[test]
fn cache_that_also_lists_an_offline_cpu_is_shared_by_the_online_ones() {
    let files = [
        ("sys/devices/system/cpu/online", "0-1"),
        ("sys/devices/system/cpu/cpu0/cache/index2/level", "2"),
        ("sys/devices/system/cpu/cpu0/cache/index2/type", "Unified"),
        (
            "sys/devices/system/cpu/cpu0/cache/index2/shared_cpu_list",
            "0-3",
        ),
    ];
    let machine = machine_of(&files).expect("a description");
    assert_eq!(cache_sets(&machine, 2, CacheKind::Unified), ["0-1"]);
    assert_eq!(machine.caches()[0].size_bytes, None);
}

#[test]
fn package_without_a_number_counts_as_the_first() {
    let files = [
        ("sys/devices/system/cpu/online", "0"),
        (
            "sys/devices/system/cpu/cpu0/topology/physical_package_id",
            "-1",
        ),
    ];
    let machine = machine_of(&files).expect("a description");
    assert_eq!(machine.cpus()[0].package, 0);
}

#[test]
fn this_machine_describes_itself() {
    let machine = Topology::detect();
    assert!(!machine.cpus().is_empty());
    let grouped: usize = machine.cores().iter().map(|core| core.cpus.len()).sum();
    assert_eq!(grouped, machine.cpus().len());
    if cfg!(target_os = "linux") {
        assert_eq!(machine.source(), &TopologySource::Sysfs);
    }
}
