//! The CPUs that the process, rather than the calling thread, may use.

use std::path::Path;
use std::sync::OnceLock;

use crate::cgroup;
use crate::cpu_set::CpuSet;
use crate::error::ReadError;
use crate::sched::ThreadId;
use crate::topology::assumed_cpus;
use crate::tree::Tree;

/// The CPUs that the process may use.
///
/// The mask of the main thread within the cgroup's cpuset, as first read;
/// which CPU the calling thread is pinned to makes no difference. The first
/// call reads it, and [`pin_current`](crate::pin_current) and
/// [`PinnedThread::spawn`](crate::PinnedThread::spawn) do so before they pin
/// anything. A program that pins its *main* thread by other means should call
/// this first, or the main thread's one CPU is all that it will ever report.
/// [`AllowedCpus::read`] reads afresh.
///
/// Where the system does not say, it is as many CPUs as
/// [`available_parallelism`](std::thread::available_parallelism) counts.
///
/// # Complexity
///
/// The first call reads a few files; later ones are one load.
///
/// ```
/// use corecast_affinity::{allowed_cpus, pin_current};
///
/// let first = allowed_cpus().first().expect("a process has a CPU");
/// let before = allowed_cpus().len();
/// if let Ok(pin) = pin_current(first) {
///     assert_eq!(allowed_cpus().len(), before);
///     # let _ = pin.restore();
/// }
/// ```
pub fn allowed_cpus() -> &'static CpuSet {
    static FIRST_READ: OnceLock<CpuSet> = OnceLock::new();
    FIRST_READ.get_or_init(|| {
        AllowedCpus::read().map_or_else(|_| assumed_cpus(), |allowed| allowed.cpus())
    })
}

/// What bounds the CPUs of a process, each bound as it was when read.
///
/// ```no_run
/// use corecast_affinity::{AllowedCpus, allowed_cpus};
///
/// let now = AllowedCpus::read()?.cpus();
/// let lost = allowed_cpus().difference(&now);
/// if !lost.is_empty() {
///     eprintln!("the process may no longer use CPUs {lost}");
/// }
/// # Ok::<(), corecast_affinity::ReadError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllowedCpus {
    /// The main thread's affinity mask.
    pub mask: CpuSet,
    /// The cpuset of the process's cgroup, if it has one.
    pub cpuset: Option<CpuSet>,
    /// The CPUs that are online, where known.
    pub online: Option<CpuSet>,
}

impl AllowedCpus {
    /// Reads this process's bounds as they are now.
    ///
    /// They may be narrower than at the first reading, or wider: an
    /// administrator can move the process, and a main thread that has pinned
    /// itself has a mask of one CPU.
    ///
    /// # Errors
    ///
    /// [`ReadError::Malformed`] names a file that says something impossible;
    /// [`ReadError::Missing`] means that the system does not say.
    ///
    /// # Complexity
    ///
    /// Blocking: reads a few small files.
    pub fn read() -> Result<Self, ReadError> {
        let ask_kernel = || ThreadId::main().and_then(ThreadId::mask).ok();
        Self::read_tree(&Tree::new(Path::new("/")), ask_kernel)
    }

    /// Reads the bounds of the process whose `proc`, `sys` and cgroup
    /// directories lie in `root`, itself being `proc/self`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_root(root: &Path) -> Result<Self, ReadError> {
        Self::read_tree(&Tree::new(root), || None)
    }

    fn read_tree(tree: &Tree, ask: impl FnOnce() -> Option<CpuSet>) -> Result<Self, ReadError> {
        // `proc/self` is the process: its status is the main thread's,
        // whichever thread reads it.
        let Some(mask) = status_mask(tree, "proc/self/status")?.or_else(ask) else {
            return Err(ReadError::Missing {
                root: tree.root().to_owned(),
                what: "affinity mask",
            });
        };
        Ok(Self {
            mask,
            cpuset: cgroup::cpuset(tree)?,
            online: tree.parse("sys/devices/system/cpu/online")?,
        })
    }

    /// The CPUs within all of the bounds.
    ///
    /// The kernel keeps the mask of every thread within its cpuset, so a bound
    /// that leaves nothing of the mask belongs to somebody else (a foreign
    /// `/proc` or `/sys`, a change half seen) and is passed over.
    #[must_use]
    pub fn cpus(&self) -> CpuSet {
        let mut cpus = self.mask.clone();
        for bound in [&self.cpuset, &self.online].into_iter().flatten() {
            let within = cpus.intersection(bound);
            if !within.is_empty() {
                cpus = within;
            }
        }
        cpus
    }
}

/// The mask in a `status` file; none if the file or the line is not there.
fn status_mask(tree: &Tree, path: &str) -> Result<Option<CpuSet>, ReadError> {
    let status = tree.text(path).unwrap_or_default();
    let mut lines = status.lines();
    let Some(list) = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:")) else {
        return Ok(None);
    };
    let mask: CpuSet = list
        .parse()
        .map_err(|error| tree.malformed(path, list.trim(), &error))?;
    if mask.is_empty() {
        return Err(tree.malformed(path, list.trim(), &"a thread has at least one CPU"));
    }
    Ok(Some(mask))
}
