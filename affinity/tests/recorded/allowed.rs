//! What a process may use.

use corecast_affinity::{AllowedCpus, ReadError};

use crate::trees::{set, tree};

const STATUS: &str = "Name:\tfeed\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\nMems_allowed:\t1\n";
const V1_MOUNT: &str =
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime shared:9 - cgroup cgroup rw,cpuset\n";
const V2_MOUNT: &str = "41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

fn read(files: &[(&str, &str)]) -> Result<AllowedCpus, ReadError> {
    let mut all = vec![("proc/self/status", STATUS)];
    all.extend(files);
    AllowedCpus::from_root(tree(&all).path())
}

fn allowed(files: &[(&str, &str)]) -> String {
    read(files)
        .expect("a well-formed process")
        .cpus()
        .to_string()
}

#[test]
fn mask_alone_is_enough() {
    assert_eq!(allowed(&[]), "0-7");
}

#[test]
fn cpus_that_are_not_online_are_left_out() {
    assert_eq!(
        allowed(&[("sys/devices/system/cpu/online", "0-3\n")]),
        "0-3"
    );
}

#[test]
fn cpuset_of_the_first_version_narrows_the_mask() {
    let cgroup = "4:memory:/m\n3:cpuset,cpu:/feeds/a\n0::/unified\n";
    let files = [
        ("proc/self/cgroup", cgroup),
        ("proc/self/mountinfo", V1_MOUNT),
        ("sys/fs/cgroup/cpuset/feeds/a/cpuset.cpus", "0-6\n"),
    ];
    assert_eq!(
        allowed(&files),
        "0-6",
        "kernels before 3.17 have this file alone"
    );
    let mut files = files.to_vec();
    files.push((
        "sys/fs/cgroup/cpuset/feeds/a/cpuset.effective_cpus",
        "2-5\n",
    ));
    assert_eq!(allowed(&files), "2-5");
}

#[test]
fn cpuset_of_the_second_version_narrows_the_mask() {
    let files = [
        ("proc/self/cgroup", "0::/system.slice/feed.service\n"),
        ("proc/self/mountinfo", V2_MOUNT),
        (
            "sys/fs/cgroup/system.slice/feed.service/cpuset.cpus.effective",
            "4-9\n",
        ),
    ];
    assert_eq!(allowed(&files), "4-7");
    assert_eq!(read(&files).expect("well formed").cpuset, Some(set("4-9")));
}

#[test]
fn cpuset_is_inherited_where_the_controller_is_enabled_above() {
    let files = [
        ("proc/self/cgroup", "0::/system.slice/feed.service\n"),
        ("proc/self/mountinfo", V2_MOUNT),
        ("sys/fs/cgroup/cpuset.cpus.effective", "0-3\n"),
    ];
    assert_eq!(allowed(&files), "0-3");
}

#[test]
fn container_that_mounts_its_own_group_finds_it() {
    let mounts = V1_MOUNT.replace(" / ", " /docker/ab12 ");
    let files = [
        ("proc/self/cgroup", "3:cpuset:/docker/ab12/inner\n"),
        ("proc/self/mountinfo", mounts.as_str()),
        ("sys/fs/cgroup/cpuset/cpuset.effective_cpus", "0-5\n"),
        ("sys/fs/cgroup/cpuset/inner/cpuset.effective_cpus", "1,3\n"),
    ];
    assert_eq!(allowed(&files), "1,3");
}

#[test]
fn group_that_cannot_be_seen_is_taken_to_be_the_mounted_one() {
    for group in ["/../../elsewhere", "/kubepods/pod7"] {
        let cgroup = format!("0::{group}\n");
        let files = [
            ("proc/self/cgroup", cgroup.as_str()),
            ("proc/self/mountinfo", V2_MOUNT),
            ("sys/fs/cgroup/cpuset.cpus.effective", "2\n"),
        ];
        assert_eq!(allowed(&files), "2", "{group}");
    }
}

#[test]
fn mount_of_another_controller_is_not_taken_for_the_cpuset() {
    let memory = V1_MOUNT.replace("cpuset", "memory");
    let mounts = format!("{memory}{V1_MOUNT}");
    let files = [
        ("proc/self/cgroup", "3:cpuset:/a\n"),
        ("proc/self/mountinfo", mounts.as_str()),
        ("sys/fs/cgroup/memory/a/cpuset.effective_cpus", "7\n"),
        ("sys/fs/cgroup/cpuset/a/cpuset.effective_cpus", "6\n"),
    ];
    assert_eq!(allowed(&files), "6");
}

#[test]
fn bound_that_leaves_nothing_of_the_mask_is_passed_over() {
    let files = [
        ("proc/self/cgroup", "0::/\n"),
        ("proc/self/mountinfo", V2_MOUNT),
        ("sys/fs/cgroup/cpuset.cpus.effective", "32-39\n"),
    ];
    assert_eq!(allowed(&files), "0-7");
}

#[test]
fn impossible_files_are_errors_that_name_them() {
    let status = "Cpus_allowed_list:\t0-x\n";
    let directory = tree(&[("proc/self/status", status)]);
    let error = AllowedCpus::from_root(directory.path())
        .expect_err("not a list")
        .to_string();
    assert!(error.contains("proc/self/status` says `0-x`"), "{error}");

    let directory = tree(&[("proc/self/status", "Cpus_allowed_list:\t\n")]);
    let error = AllowedCpus::from_root(directory.path())
        .expect_err("no CPU")
        .to_string();
    assert!(error.contains("at least one CPU"), "{error}");

    let files = [
        ("proc/self/cgroup", "0::/a\n"),
        ("proc/self/mountinfo", V2_MOUNT),
        ("sys/fs/cgroup/a/cpuset.cpus.effective", "all\n"),
    ];
    let error = read(&files).expect_err("not a list").to_string();
    assert!(
        error.contains("a/cpuset.cpus.effective` says `all`"),
        "{error}"
    );
}

#[test]
fn process_without_a_mask_is_an_error_that_names_the_root() {
    let directory = tree(&[]);
    let error = AllowedCpus::from_root(directory.path()).expect_err("nothing there");
    let root = directory.path().display().to_string();
    assert!(error.to_string().contains(&root), "{error}");
}

#[test]
fn malformed_membership_and_mounts_are_no_cpuset() {
    let files = [
        ("proc/self/cgroup", "cpuset\n3:cpuset\n:::::\n"),
        ("proc/self/mountinfo", "- - -\n1 2 3 - cgroup2\n\n"),
    ];
    assert_eq!(read(&files).expect("a mask").cpuset, None);
}
