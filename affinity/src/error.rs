//! What can go wrong: plain values, each naming the input that was wrong.

mod show;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use crate::cpu_set::{CpuId, CpuSet};
use crate::placement::MAX_WORKERS;
use show::{Excerpt, OsCause};

/// A list of CPUs that is not in the kernel's format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseCpuListError {
    pub(crate) list: String,
    pub(crate) part: String,
    pub(crate) fault: ListFault,
}

/// What is wrong with one part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListFault {
    NotANumber,
    TooLarge,
    Reversed,
}

impl ParseCpuListError {
    /// The part between two commas that could not be read.
    #[must_use]
    pub fn part(&self) -> &str {
        &self.part
    }
}

impl fmt::Display for ParseCpuListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            ListFault::NotANumber => "is not a CPU number",
            ListFault::TooLarge => "is too large for a CPU number",
            ListFault::Reversed => "runs backwards",
        };
        let (list, part) = (Excerpt(&self.list), Excerpt(&self.part));
        write!(f, "CPU list `{list}`: `{part}` {fault}")
    }
}

impl Error for ParseCpuListError {}

/// The files that describe the machine or the process cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing under `root` says what was asked for.
    Missing {
        /// Where the files were looked for.
        root: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// A file is there and says something that cannot be true.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it says.
        content: String,
        /// What is wrong with that.
        reason: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { root, what } => {
                write!(f, "no {what} found under `{}`", root.display())
            }
            Self::Malformed {
                path,
                content,
                reason,
            } => {
                let content = Excerpt(content);
                write!(f, "`{}` says `{content}`: {reason}", path.display())
            }
        }
    }
}

impl Error for ReadError {}

/// Workers cannot be placed as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlacementError {
    /// The list of CPUs is empty.
    EmptyList,
    /// A listed CPU does not exist.
    NoSuchCpu {
        /// The CPU.
        cpu: CpuId,
        /// The CPUs that are online.
        online: CpuSet,
    },
    /// A listed CPU exists and is switched off.
    Offline {
        /// The CPU.
        cpu: CpuId,
    },
    /// A CPU is listed more than once.
    NamedTwice {
        /// The CPU.
        cpu: CpuId,
    },
    /// A count of zero CPUs.
    ZeroCores,
    /// More CPUs than the process may use.
    TooFewCpus {
        /// How many were asked for.
        asked: usize,
        /// The CPUs the process may use.
        allowed: CpuSet,
    },
    /// Zero workers on each CPU.
    ZeroWorkersPerCore,
    /// More than [`MAX_WORKERS`] workers in total.
    TooManyWorkers {
        /// CPUs chosen; of a longer list, those that were looked at.
        cores: usize,
        /// Workers on each.
        workers_per_core: usize,
    },
    /// No CPU that the process may use is known.
    NothingAllowed,
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyList => f.write_str("the list of CPUs is empty"),
            Self::NoSuchCpu { cpu, online } => {
                write!(f, "CPU {cpu} does not exist (online: {online})")
            }
            Self::Offline { cpu } => write!(f, "CPU {cpu} is offline"),
            Self::NamedTwice { cpu } => write!(f, "CPU {cpu} is named twice"),
            Self::ZeroCores => f.write_str("a count of 0 CPUs leaves no worker"),
            Self::TooFewCpus { asked, allowed } => write!(
                f,
                "{asked} CPUs asked for, and the process may use {} ({allowed})",
                allowed.len()
            ),
            Self::ZeroWorkersPerCore => f.write_str("0 workers per core leave no worker"),
            Self::TooManyWorkers {
                cores,
                workers_per_core,
            } => write!(
                f,
                "{workers_per_core} workers on each of {cores} CPUs: at most {MAX_WORKERS} workers in total"
            ),
            Self::NothingAllowed => f.write_str("the process may use no CPU"),
        }
    }
}

impl Error for PlacementError {}

/// A thread is not pinned as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinError {
    /// The kernel refused.
    Refused {
        /// The CPU.
        cpu: CpuId,
        /// The kernel's error number, where it gave one.
        os_error: Option<i32>,
    },
    /// The kernel agreed, and the mask read back is another.
    Mismatch {
        /// The CPU.
        cpu: CpuId,
        /// The mask read back.
        mask: CpuSet,
    },
    /// The mask cannot be read here, so nobody knows whether the pin holds.
    Unverified {
        /// The CPU.
        cpu: CpuId,
    },
    /// The mask from before the pin cannot be put back.
    NotRestored {
        /// The CPU the thread stays on.
        cpu: CpuId,
        /// The kernel's error number; none if the former mask was never known.
        os_error: Option<i32>,
    },
}

impl PinError {
    /// The CPU asked for.
    #[must_use]
    pub fn cpu(&self) -> CpuId {
        match *self {
            Self::Refused { cpu, .. }
            | Self::Mismatch { cpu, .. }
            | Self::Unverified { cpu }
            | Self::NotRestored { cpu, .. } => cpu,
        }
    }
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { cpu, os_error } => {
                write!(f, "CPU {cpu}: the pin was refused{}", OsCause(*os_error))?;
                // All that Linux says of these three is EINVAL.
                if cfg!(target_os = "linux") && *os_error == Some(22) {
                    f.write_str("; it does not exist, is offline or is outside the cpuset")?;
                }
                Ok(())
            }
            Self::Mismatch { cpu, mask } => {
                write!(f, "CPU {cpu}: the thread's mask reads back as `{mask}`")
            }
            Self::Unverified { cpu } => {
                write!(f, "CPU {cpu}: pins cannot be verified on this system")
            }
            Self::NotRestored { cpu, os_error } => {
                let cause = OsCause(*os_error);
                write!(
                    f,
                    "CPU {cpu}: the mask before the pin was not restored{cause}"
                )
            }
        }
    }
}

impl Error for PinError {}

/// A thread was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThreadError {
    /// A thread's name must not contain a NUL byte.
    NulInName {
        /// The name.
        name: String,
    },
    /// A pin is required and no CPU was given.
    NoCpu {
        /// The thread's name.
        name: String,
    },
    /// The system would not start another thread.
    Spawn {
        /// The thread's name.
        name: String,
        /// The system's error number, where it gave one.
        os_error: Option<i32>,
    },
    /// The required pin failed; the closure did not run.
    Pin {
        /// The thread's name.
        name: String,
        /// Why.
        source: PinError,
    },
    /// The thread panicked before it could say how its pin went.
    Died {
        /// The thread's name.
        name: String,
    },
}

impl fmt::Display for ThreadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NulInName { name } => {
                write!(f, "thread name `{}` contains a NUL byte", Excerpt(name))
            }
            Self::NoCpu { name } => {
                let name = Excerpt(name);
                write!(f, "thread `{name}`: a pin is required and no CPU is named")
            }
            Self::Spawn { name, os_error } => {
                let (name, cause) = (Excerpt(name), OsCause(*os_error));
                write!(f, "thread `{name}` could not be started{cause}")
            }
            Self::Pin { name, source } => write!(f, "thread `{}`: {source}", Excerpt(name)),
            Self::Died { name } => {
                write!(f, "thread `{}` panicked before it started", Excerpt(name))
            }
        }
    }
}

impl Error for ThreadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Pin { source, .. } => Some(source),
            _ => None,
        }
    }
}
