//! Counting allocations.
//!
//! [`CountingAllocator`] hands every request to the system's allocator. While somebody counts, it
//! also counts requests, per thread and in total; otherwise it costs one relaxed load of a shared,
//! never-written flag. A binary or test installs it:
//!
//! ```
//! use corecast_lab::measure::alloc::{self, CountingAllocator};
//!
//! #[global_allocator]
//! static ALLOCATOR: CountingAllocator = CountingAllocator;
//!
//! let (boxed, counts) = alloc::on_this_thread(|| Box::new(7_u32))?;
//! assert_eq!((*boxed, counts.allocations, counts.frees), (7, 1, 0));
//! # Ok::<(), alloc::NotInstalled>(())
//! ```

#![expect(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::hint;
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The system's allocator, counting while somebody asks it to.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

/// Requests made of an allocator. A reallocation is one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Blocks asked for.
    pub allocations: u64,
    /// Blocks given back.
    pub frees: u64,
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            allocations: self.allocations.wrapping_sub(earlier.allocations),
            frees: self.frees.wrapping_sub(earlier.frees),
        }
    }
}

/// [`CountingAllocator`] is not this program's global allocator, so there is nothing to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotInstalled;

impl fmt::Display for NotInstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "allocations cannot be counted: the counting allocator is not installed"
        )
    }
}

impl Error for NotInstalled {}

/// A number of its own cache lines, so that counting on one thread does not slow another's flag.
#[repr(align(128))]
struct Alone<T>(T);

/// How many counts are under way. Written when one starts or ends; read at every request.
static COUNTING: Alone<AtomicUsize> = Alone(AtomicUsize::new(0));
static ALLOCATIONS: Alone<AtomicU64> = Alone(AtomicU64::new(0));
static FREES: Alone<AtomicU64> = Alone(AtomicU64::new(0));
/// Bytes asked for and not given back, modulo 2^64.
static HELD: Alone<AtomicU64> = Alone(AtomicU64::new(0));

thread_local! {
    /// This thread's requests. Constant and without a destructor, so that reaching it allocates
    /// nothing and works until the thread's very end.
    static HERE: Cell<Counts> = const { Cell::new(Counts { allocations: 0, frees: 0 }) };
}

/// Runs `work` and counts what the calling thread asks of the allocator meanwhile.
///
/// # Errors
///
/// [`NotInstalled`], before `work` is run.
pub fn on_this_thread<R>(work: impl FnOnce() -> R) -> Result<(R, Counts), NotInstalled> {
    count(work, || HERE.get())
}

/// Runs `work` and counts what any thread of the process asks of the allocator meanwhile.
///
/// What other threads did just before or after may be counted too: let them be at rest, or compare
/// counts of long and short work.
///
/// # Errors
///
/// [`NotInstalled`], before `work` is run.
pub fn everywhere<R>(work: impl FnOnce() -> R) -> Result<(R, Counts), NotInstalled> {
    count(work, || Counts {
        // Relaxed: counters alone are read, and whoever wants a worker's count has synchronised
        // with that worker by other means.
        allocations: ALLOCATIONS.0.load(Ordering::Relaxed),
        frees: FREES.0.load(Ordering::Relaxed),
    })
}

/// Runs `work` and tells how many more bytes the process holds after it than before, by the sizes
/// that were asked for; fewer are a negative number.
///
/// What other threads do meanwhile counts as well.
///
/// # Errors
///
/// [`NotInstalled`], before `work` is run.
pub fn bytes_held<R>(work: impl FnOnce() -> R) -> Result<(R, i64), NotInstalled> {
    // Relaxed: as for `everywhere`. The difference is taken modulo 2^64, which is the sign's.
    let held = || Held(HELD.0.load(Ordering::Relaxed));
    count(work, held).map(|(result, Held(grown))| (result, grown.cast_signed()))
}

/// Bytes, whose differences wrap.
struct Held(u64);

impl Sub for Held {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self(self.0.wrapping_sub(earlier.0))
    }
}

fn count<R, C: Sub<Output = C>>(
    work: impl FnOnce() -> R,
    read: impl Fn() -> C,
) -> Result<(R, C), NotInstalled> {
    let _counting = Counting::start();
    let probed = HERE.get();
    drop(hint::black_box(Box::new(0_u8)));
    if HERE.get() == probed {
        return Err(NotInstalled);
    }
    let before = read();
    let result = work();
    Ok((result, read() - before))
}

/// Keeps the counters running; a guard, so that a panic in the counted work stops them too.
struct Counting;

impl Counting {
    fn start() -> Self {
        // Relaxed: the flag publishes nothing; a request that races with it may or may not count.
        COUNTING.0.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        COUNTING.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Adds to the counters if somebody counts; `grown` bytes more are held, modulo the size of a number.
#[inline]
fn note(allocations: u64, frees: u64, grown: usize) {
    if COUNTING.0.load(Ordering::Relaxed) != 0 {
        // Sign-extended, so that fewer are fewer on every target.
        note_counted(allocations, frees, grown.cast_signed() as u64);
    }
}

#[cold]
fn note_counted(allocations: u64, frees: u64, grown: u64) {
    let here = HERE.get();
    HERE.set(Counts {
        allocations: here.allocations + allocations,
        frees: here.frees + frees,
    });
    // Relaxed: see `everywhere`.
    ALLOCATIONS.0.fetch_add(allocations, Ordering::Relaxed);
    FREES.0.fetch_add(frees, Ordering::Relaxed);
    HELD.0.fetch_add(grown, Ordering::Relaxed);
}

// SAFETY: every request goes unchanged to `System`, which keeps the trait's promises; the counters
// neither allocate nor unwind.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, 0, layout.size());
        // SAFETY: the caller promises a layout of non-zero size; it is passed on as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, 0, layout.size());
        // SAFETY: the caller promises a layout of non-zero size; it is passed on as it came.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, 1, layout.size().wrapping_neg());
        // SAFETY: every block of this allocator came from `System` with the layout that the caller
        // promises to repeat.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, 1, size.wrapping_sub(layout.size()));
        // SAFETY: as for `dealloc`; the caller promises a `size` that is not zero and does not
        // overflow.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This crate's unit tests have the system's allocator.
    #[test]
    fn allocations_are_not_counted_without_the_counting_allocator() {
        let mut ran = false;
        assert_eq!(on_this_thread(|| ran = true), Err(NotInstalled));
        assert!(!ran, "work must not be run and then not be counted");
    }
}
