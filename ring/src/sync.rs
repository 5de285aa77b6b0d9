//! The one facade for atomics, cells, locks, threads, spinning and yielding.
//!
//! Everything concurrent in this crate and in the engine names these items and nothing else, so
//! that `--cfg loom` runs the very same code under the model checker. Under loom a spin is a
//! yield, because loom explores schedules and not time.

#[cfg(not(loom))]
mod imp {
    pub use core::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence, fence,
    };
    pub use std::hint::spin_loop;
    pub use std::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub use std::thread;
    pub use std::thread_local;

    /// How often a thread tries once more before it does what costs more: as often as asked for.
    pub const fn again(times: u32) -> u32 {
        times
    }

    /// `core::cell::UnsafeCell` behind loom's closure interface.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell that holds `value`.
        #[inline(always)]
        pub const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        /// Calls `f` with a pointer for reading.
        #[inline(always)]
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Calls `f` with a pointer for writing.
        #[inline(always)]
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(loom)]
mod imp {
    pub use loom::cell::UnsafeCell;
    pub use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    pub use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub use loom::thread;
    #[doc(hidden)]
    pub use loom::thread_local as loom_thread_local;

    pub use crate::__thread_local as thread_local;

    /// How often a thread tries once more before it does what costs more. Never: no time passes
    /// here, and to try again is to look at the same schedules again.
    pub const fn again(_: u32) -> u32 {
        0
    }

    /// A spin gives the other threads of the model their turn.
    pub fn spin_loop() {
        loom::thread::yield_now();
    }

    std::thread_local! {
        /// loom runs all threads of a model on one, so this is one switch for each model.
        static LIGHT_FENCES: core::cell::Cell<bool> = const { core::cell::Cell::new(true) };
    }

    /// Whether light fences order anything from here on. A model of an edge that must hold by
    /// release and acquire alone switches them off, so that it borrows no order from fences that
    /// are nothing to the processor outside the model checker.
    pub fn set_light_fences(on: bool) {
        LIGHT_FENCES.set(on);
    }

    /// loom does not model compiler fences: as the light half of an asymmetric fence this is a full
    /// one there.
    pub fn compiler_fence(order: Ordering) {
        if LIGHT_FENCES.get() {
            fence(order);
        }
    }
}

pub use imp::*;

/// loom's `thread_local!`, for initialisers that are `const` blocks as well.
#[cfg(loom)]
#[doc(hidden)]
#[macro_export]
macro_rules! __thread_local {
    ($($(#[$attr:meta])* $vis:vis static $name:ident: $type:ty = $init:expr;)*) => {
        $($crate::sync::loom_thread_local! {
            $(#[$attr])* $vis static $name: $type = { $init };
        })*
    };
}

use std::time::Duration;

/// Numbers that are given out once in the life of the process. Not a part of any model, which it
/// outlives: it orders nothing.
#[derive(Debug)]
pub struct Numbers(core::sync::atomic::AtomicU64);

impl Numbers {
    /// The first number will be `first`.
    #[must_use]
    pub const fn from(first: u64) -> Self {
        Self(core::sync::atomic::AtomicU64::new(first))
    }

    /// The next number.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, core::sync::atomic::Ordering::Relaxed)
    }
}

/// Locks `mutex` whether or not a thread panicked while it held it: no state behind a lock of
/// this project is left half changed by a panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits on `condvar`; `None` waits without limit. Returns the guard and whether time ran out.
pub fn wait_on<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Option<Duration>,
) -> (MutexGuard<'a, T>, bool) {
    match limit {
        None => {
            let guard = condvar
                .wait(guard)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            (guard, false)
        }
        Some(limit) => {
            let (guard, result) = condvar
                .wait_timeout(guard, limit)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            (guard, result.timed_out())
        }
    }
}
