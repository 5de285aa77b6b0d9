//! Pinning the calling thread, and seeing whether the pin holds.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::marker::PhantomData;

use core_affinity::CoreId;

use crate::allowed::allowed_cpus;
use crate::cpu_set::{CpuId, CpuSet};
use crate::error::PinError;
use crate::sched::{self, ThreadId};

/// How much a pin matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Pinning {
    /// A pin that fails, or that cannot be verified, is an error.
    Required,
    /// A pin that fails is reported and the thread runs unpinned.
    #[default]
    BestEffort,
    /// No pin is tried.
    Off,
}

/// What became of a pin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinStatus {
    /// Pinned: the mask was read back and is this CPU alone.
    Pinned(CpuId),
    /// The pin failed; the thread runs where the kernel puts it.
    Unpinned {
        /// Why, and which CPU was asked for.
        reason: PinError,
    },
    /// No pin was asked for.
    NotRequested,
    /// The pin was accepted, and the mask cannot be read back here.
    Unverified(CpuId),
}

impl PinStatus {
    /// The CPU that the thread was put on.
    #[must_use]
    pub fn cpu(&self) -> Option<CpuId> {
        match *self {
            Self::Pinned(cpu) | Self::Unverified(cpu) => Some(cpu),
            Self::Unpinned { .. } | Self::NotRequested => None,
        }
    }

    /// Whether the thread is pinned and that was verified.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        matches!(self, Self::Pinned(_))
    }
}

impl fmt::Display for PinStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned(cpu) => write!(f, "pinned to CPU {cpu}"),
            Self::Unpinned { reason } => write!(f, "not pinned ({reason})"),
            Self::NotRequested => f.write_str("not pinned"),
            Self::Unverified(cpu) => write!(f, "pinned to CPU {cpu}, unverified"),
        }
    }
}

/// Whether a pin still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinCheck {
    /// The thread's mask is the CPU asked for and no other.
    Held,
    /// The mask was changed: by an administrator, by a narrower cpuset, or
    /// because the CPU went off line.
    Changed {
        /// The mask now.
        now: CpuSet,
    },
    /// The mask cannot be read here.
    Unverified,
    /// The thread was never pinned.
    NotPinned,
    /// The thread has ended.
    Finished,
}

/// Whether the calling thread's mask is `cpu` and no other.
///
/// # Complexity
///
/// One system call; allocates. For a periodic look, not for every event.
///
/// ```
/// use corecast_affinity::{PinCheck, allowed_cpus, check_current, pin_current};
///
/// let cpu = allowed_cpus().first().expect("a process has a CPU");
/// let pin = pin_current(cpu)?;
/// if pin.status().is_pinned() {
///     assert_eq!(check_current(cpu), PinCheck::Held);
/// }
/// # Ok::<(), corecast_affinity::PinError>(())
/// ```
#[must_use]
pub fn check_current(cpu: CpuId) -> PinCheck {
    check(ThreadId::current(), cpu)
}

/// Whether the mask of a living thread is `cpu` and no other.
pub(crate) fn check(thread: ThreadId, cpu: CpuId) -> PinCheck {
    match thread.mask() {
        Ok(now) if now == CpuSet::from(cpu) => PinCheck::Held,
        Ok(now) => PinCheck::Changed { now },
        Err(_) => PinCheck::Unverified,
    }
}

/// Pins the calling thread to a CPU: for a thread that emits, or drains a ring
/// of its own.
///
/// The pin stays when the returned value is dropped;
/// [`CurrentPin::restore`] undoes it. The CPU may lie outside the process's
/// mask, but not outside its cpuset.
///
/// # Errors
///
/// [`PinError`] names the CPU. The thread's mask is then as it was, unless
/// somebody else changed it at that moment ([`PinError::Mismatch`]).
///
/// # Complexity
///
/// Three system calls; allocates.
///
/// ```
/// use corecast_affinity::{PinError, allowed_cpus, pin_current, CpuId};
///
/// let cpu = allowed_cpus().first().expect("a process has a CPU");
/// let pin = pin_current(cpu)?;
/// println!("this thread is {}", pin.status());
/// if pin.status().is_pinned() {
///     pin.restore()?;
/// }
///
/// let error = pin_current(CpuId::new(123_456)).unwrap_err();
/// assert_eq!(error.cpu(), CpuId::new(123_456));
/// # Ok::<(), PinError>(())
/// ```
pub fn pin_current(cpu: CpuId) -> Result<CurrentPin, PinError> {
    // Read before the first pin, so that a pinned main thread hides nothing.
    allowed_cpus();
    let former = ThreadId::current().mask().ok();
    let origin = ORIGIN.with_borrow(Clone::clone);
    let status = request(cpu)?;
    if origin.is_none() {
        ORIGIN.set(former.clone());
    }
    Ok(CurrentPin {
        status,
        cpu,
        former,
        origin,
        this_thread: PhantomData,
    })
}

thread_local! {
    /// The mask that this thread had before this crate first pinned it, while
    /// it is pinned. New threads inherit their parent's mask; this is how an
    /// unpinned child of a pinned thread gets off its parent's CPU.
    static ORIGIN: RefCell<Option<CpuSet>> = const { RefCell::new(None) };
}

/// The mask that an unpinned child of the calling thread should have; none if
/// the one it inherits is right.
pub(crate) fn mask_for_children() -> Option<CpuSet> {
    ORIGIN.with_borrow(Clone::clone)
}

/// Pins the calling thread and verifies it.
fn request(cpu: CpuId) -> Result<PinStatus, PinError> {
    ask(cpu).map_err(|error| PinError::Refused {
        cpu,
        os_error: error.raw_os_error(),
    })?;
    verdict(cpu, check_current(cpu))
}

/// What the mask read back says of a pin that the kernel accepted.
fn verdict(cpu: CpuId, read_back: PinCheck) -> Result<PinStatus, PinError> {
    match read_back {
        PinCheck::Held => Ok(PinStatus::Pinned(cpu)),
        PinCheck::Changed { now } => Err(PinError::Mismatch { cpu, mask: now }),
        _ => Ok(PinStatus::Unverified(cpu)),
    }
}

fn ask(cpu: CpuId) -> io::Result<()> {
    // `core_affinity` indexes a mask of fixed length, and where that panics the
    // process aborts.
    if cpu.get() >= sched::CPU_SET_SIZE {
        return sched::set_mask(&CpuSet::from(cpu));
    }
    let id = cpu.get() as usize;
    if core_affinity::set_for_current(CoreId { id }) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A pin of the calling thread.
///
/// Dropping it leaves the thread pinned. It is not `Send`, because another
/// thread could only restore its own mask:
///
/// ```compile_fail,E0277
/// # use corecast_affinity::{allowed_cpus, pin_current};
/// let pin = pin_current(allowed_cpus().first().expect("a CPU")).expect("pinned");
/// std::thread::spawn(move || pin.restore());
/// ```
///
/// ```
/// # use corecast_affinity::{allowed_cpus, pin_current};
/// std::thread::spawn(move || {
///     let pin = pin_current(allowed_cpus().first().expect("a CPU")).expect("pinned");
///     pin.restore()
/// });
/// ```
#[derive(Debug)]
pub struct CurrentPin {
    status: PinStatus,
    cpu: CpuId,
    /// The mask just before.
    former: Option<CpuSet>,
    /// The thread's `ORIGIN` just before.
    origin: Option<CpuSet>,
    this_thread: PhantomData<*const ()>,
}

impl CurrentPin {
    /// [`PinStatus::Pinned`], or [`PinStatus::Unverified`] where masks cannot
    /// be read.
    #[must_use]
    pub fn status(&self) -> &PinStatus {
        &self.status
    }

    /// Whether the pin still holds.
    ///
    /// # Complexity
    ///
    /// As [`check_current`].
    #[must_use]
    pub fn check(&self) -> PinCheck {
        check_current(self.cpu)
    }

    /// Gives the thread the mask it had before the pin.
    ///
    /// # Errors
    ///
    /// [`PinError::NotRestored`] if that mask is not known (masks cannot be
    /// read here) or is refused; the thread then stays where it is.
    pub fn restore(self) -> Result<(), PinError> {
        let failed = |os_error| PinError::NotRestored {
            cpu: self.cpu,
            os_error,
        };
        let former = self.former.as_ref().ok_or_else(|| failed(None))?;
        sched::set_mask(former).map_err(|error| failed(error.raw_os_error()))?;
        ORIGIN.set(self.origin);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_pin_counts_only_as_far_as_the_mask_read_back_bears_it_out() {
        let cpu = CpuId::new(3);
        let mask: CpuSet = "0-1".parse().expect("a list");
        let elsewhere = PinCheck::Changed { now: mask.clone() };
        let mismatch = PinError::Mismatch { cpu, mask };
        assert_eq!(
            mismatch.to_string(),
            "CPU 3: the thread's mask reads back as `0-1`"
        );
        assert_eq!(verdict(cpu, elsewhere), Err(mismatch));
        assert_eq!(verdict(cpu, PinCheck::Held), Ok(PinStatus::Pinned(cpu)));
        let unread = verdict(cpu, PinCheck::Unverified);
        assert_eq!(unread, Ok(PinStatus::Unverified(cpu)));
    }
}
