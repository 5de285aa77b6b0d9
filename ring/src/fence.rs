//! The asymmetric fence: nearly free on the side that runs often, dear on the side that does not.
//!
//! A store-buffer handshake needs a full fence on both sides: *I store mine, then look at yours;
//! you store yours, then look at mine; at least one of us sees the other.* Where the kernel offers
//! `membarrier(PRIVATE_EXPEDITED)`, the rare side can impose the fence on every running thread of
//! the process, and the frequent side keeps nothing but a compiler fence.
//!
//! | edge | light side (often)                    | heavy side (rarely)                        |
//! | F1   | store mine; [`FencePair::light`]; load yours | store yours; [`FencePair::heavy`]; load mine |
//!
//! Two cases. If the light side's fence point comes before the barrier that the heavy side imposes
//! on that CPU, its store is visible to the heavy side's load. If it comes after, its load happens
//! after the barrier and sees the heavy side's store. The compiler fence keeps the compiler from
//! moving the load above the store; the barrier does the same for the CPU.
//!
//! The technique is known from hazard-pointer and RCU implementations (liburcu's `sys_membarrier`
//! flavour, folly's `asymmetricThreadFence`).
#![cfg_attr(
    all(target_os = "linux", not(loom), not(miri)),
    expect(unsafe_code, reason = "the membarrier system call has no safe binding")
)]

use crate::sync::{Ordering, fence};
use core::fmt;

/// Which fences a handshake uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fences {
    /// Compiler fence on the frequent side, `membarrier` on the rare side, where the kernel
    /// offers and permits it; otherwise as [`Fences::Full`].
    ///
    /// The rare side interrupts every other running thread of the process for about a
    /// microsecond. Install a seccomp filter *before* the first use: one that takes the call
    /// away later leaves the rare side without its fence, which is then reported and never
    /// ignored.
    #[default]
    Asymmetric,
    /// A sequentially consistent fence on both sides: no other thread is ever interrupted, and
    /// every emission pays for its fence (a few nanoseconds on x86-64).
    Full,
}

impl Fences {
    /// Decides, once, which pair this process uses. The first call of the asymmetric kind makes
    /// two system calls; later ones read a cached answer.
    #[must_use]
    pub fn resolve(self) -> FencePair {
        let asymmetric = self == Self::Asymmetric && membarrier::available();
        FencePair { asymmetric }
    }
}

/// The two halves of a fence, as decided by [`Fences::resolve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FencePair {
    asymmetric: bool,
}

impl FencePair {
    /// Whether the heavy side is a `membarrier` and the light side a compiler fence.
    #[must_use]
    pub fn is_asymmetric(self) -> bool {
        self.asymmetric
    }

    /// Whether the light side is a compiler fence.
    pub(crate) fn is_light_free(self) -> bool {
        self.asymmetric
    }

    /// The light half without the look at which pair it belongs to, if it is a compiler fence: for
    /// a hot path that is chosen once.
    #[must_use]
    pub fn free(self) -> Option<FreeFence> {
        self.asymmetric.then_some(FreeFence(()))
    }

    /// The frequent side's half.
    #[inline(always)]
    pub fn light(self) {
        if self.asymmetric {
            // SeqCst (F1): stops the compiler from sinking the store below the load that follows.
            crate::sync::compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    /// The rare side's half.
    ///
    /// # Errors
    ///
    /// [`FenceError`] when the kernel refuses a call it granted before. The light halves that
    /// already ran were not fenced against this side, so the caller must not conclude anything
    /// from what it reads next.
    ///
    /// # Complexity
    ///
    /// Asymmetric: one system call, about 0.4 µs on an idle machine and up to 11 µs with the
    /// other cores busy. Full: one fence.
    pub fn heavy(self) -> Result<(), FenceError> {
        if self.asymmetric {
            membarrier::issue()
        } else {
            fence(Ordering::SeqCst);
            Ok(())
        }
    }
}

impl FencePair {
    /// What [`FencePair::free`] has said before, for a caller that remembers that it was something.
    #[must_use]
    #[inline(always)]
    pub fn known_free(self) -> FreeFence {
        debug_assert!(self.asymmetric, "the light half is not free");
        FreeFence(())
    }
}

/// The light half of an asymmetric pair: a compiler fence, from [`FencePair::free`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeFence(());

/// The frequent side's half of a fence (F1): decided at run time, or known.
pub trait LightFence: Copy {
    /// Orders the store before it against the load after it.
    fn light(self);
}

impl LightFence for FencePair {
    #[inline(always)]
    fn light(self) {
        FencePair::light(self);
    }
}

impl LightFence for FreeFence {
    #[inline(always)]
    fn light(self) {
        // SeqCst (F1): as in `FencePair::light`.
        crate::sync::compiler_fence(Ordering::SeqCst);
    }
}

/// The kernel refused a fence that it granted earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FenceError {
    errno: i32,
}

impl fmt::Display for FenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "membarrier was refused with errno {} after it had been granted (was a seccomp filter installed later?)",
            self.errno
        )
    }
}

impl std::error::Error for FenceError {}

#[cfg(all(target_os = "linux", not(loom), not(miri)))]
mod membarrier {
    use super::FenceError;
    use std::sync::OnceLock;

    const PRIVATE_EXPEDITED: libc::c_long = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_long = 1 << 4;

    fn call(command: libc::c_long) -> Result<(), i32> {
        // SAFETY: membarrier(2) takes integers, touches no memory of ours and reports refusal
        // through errno; an unknown command is refused with EINVAL.
        let result = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
        if result == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
        }
    }

    pub(super) fn available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| {
            call(REGISTER_PRIVATE_EXPEDITED).is_ok() && call(PRIVATE_EXPEDITED).is_ok()
        })
    }

    pub(super) fn issue() -> Result<(), FenceError> {
        call(PRIVATE_EXPEDITED).map_err(|errno| FenceError { errno })
    }
}

/// The model checker's own: the facade's compiler fence is a full one, and so is this.
#[cfg(loom)]
mod membarrier {
    use super::FenceError;
    use crate::sync::{Ordering, fence};

    pub(super) fn available() -> bool {
        true
    }

    pub(super) fn issue() -> Result<(), FenceError> {
        fence(Ordering::SeqCst);
        Ok(())
    }
}

#[cfg(not(any(loom, all(target_os = "linux", not(miri)))))]
mod membarrier {
    use super::FenceError;

    pub(super) fn available() -> bool {
        false
    }

    pub(super) fn issue() -> Result<(), FenceError> {
        Err(FenceError { errno: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_is_never_asymmetric() {
        assert!(!Fences::Full.resolve().is_asymmetric());
        assert_eq!(Fences::Full.resolve().heavy(), Ok(()));
    }

    #[test]
    fn resolving_twice_gives_the_same_pair() {
        assert_eq!(Fences::Asymmetric.resolve(), Fences::Asymmetric.resolve());
        assert_eq!(Fences::Asymmetric.resolve().heavy(), Ok(()));
    }
}
