//! Recordings, unpacked into directories.
//!
//! A machine is a text file of lines `path<TAB>content`. `{0,8}` in a path
//! stands for each of the numbers; `\n`, `\t` and `\0` in a content for the
//! character; lines that begin with `#` say what the machine is.

use std::fs;
use std::path::Path;

use corecast_affinity::{CpuSet, ReadError, Topology};
use tempfile::TempDir;

pub(crate) const TWO_SOCKETS: &str = include_str!("../machines/two-sockets-smt.txt");
pub(crate) const MIXED: &str = include_str!("../machines/performance-and-efficiency.txt");
pub(crate) const ARM: &str = include_str!("../machines/little-and-big.txt");
pub(crate) const OFFLINE: &str = include_str!("../machines/offline-and-isolated.txt");

/// A directory with these files in it.
pub(crate) fn tree(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (path, content) in files {
        write(directory.path(), path, content);
    }
    directory
}

/// A recorded machine, and changes to it.
pub(crate) fn machine_with(recording: &str, changes: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let lines = recording.lines().filter(|line| !line.starts_with('#'));
    for (path, content) in lines.map(|line| line.split_once('\t').expect("a tab")) {
        for path in alternatives(path) {
            write(directory.path(), &path, &unescape(content));
        }
    }
    for (path, content) in changes {
        write(directory.path(), path, content);
    }
    directory
}

pub(crate) fn machine(recording: &str) -> Topology {
    let directory = machine_with(recording, &[]);
    Topology::from_root(directory.path()).expect("a faithful recording")
}

/// The machine described by a few files.
pub(crate) fn machine_of(files: &[(&str, &str)]) -> Result<Topology, ReadError> {
    Topology::from_root(tree(files).path())
}

pub(crate) fn set(list: &str) -> CpuSet {
    list.parse().expect("a well-formed list")
}

fn alternatives(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else {
        return vec![path.to_owned()];
    };
    let (numbers, after) = rest.split_once('}').expect("a closing brace");
    let with = |number| format!("{before}{number}{after}");
    numbers.split(',').map(with).collect()
}

fn unescape(content: &str) -> String {
    let plain = content.replace(r"\n", "\n").replace(r"\t", "\t");
    plain.replace(r"\0", "\0") + "\n"
}

fn write(root: &Path, path: &str, content: &str) {
    let file = root.join(path);
    let parent = file.parent().expect("a file in a directory");
    fs::create_dir_all(parent).expect("a directory");
    fs::write(file, content).expect("a file");
}
