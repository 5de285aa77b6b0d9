//! Where there is no call to read a thread's mask: every answer is "unsupported".

use std::io;

use crate::cpu_set::CpuSet;

/// One thread; nothing can be asked of it here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadId;

/// CPUs that `core_affinity` takes on every system: one word of mask.
pub(crate) const CPU_SET_SIZE: u32 = 64;

impl ThreadId {
    pub(crate) fn current() -> Self {
        Self
    }

    pub(crate) fn main() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn mask(self) -> io::Result<CpuSet> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(crate) fn set_mask(_cpus: &CpuSet) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
