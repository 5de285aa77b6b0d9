//! Sleep and wake without a lost wake-up, and without a fence on the awake path.
//!
//! An event count: a sleeper announces itself, looks at its condition once more, and only then
//! sleeps; a waker changes the condition first and then looks for an announcement.
//!
//! | edge | release side                  | acquire side                 | protects                 | loom model                  |
//! | P1   | waker: condition; light; load `waiting` | sleeper: `waiting`; heavy; condition | the wake-up itself | parker::no_wakeup_is_lost |
//! | P2   | waker: `generation` under lock | sleeper: `generation` under lock | a wake between announcing and sleeping | parker::no_wakeup_is_lost |
//!
//! P1 in two cases: either the sleeper's second look sees the changed condition, and it does not
//! sleep; or the waker's load sees `waiting`, and it takes the lock. P2 then: either the sleeper
//! holds a ticket of an older generation and returns at once, or it is inside `wait` and is
//! notified. The design is the event count of folly and of Vyukov's `eventcount`, with the fence
//! made asymmetric.

use crate::fence::FencePair;
use crate::sync::{AtomicU32, Condvar, Mutex, Ordering, lock, wait_on};
use cache_padded::CachePadded;
use core::fmt;
use std::time::Instant;

/// One place where threads sleep until something changes.
///
/// Any number of sleepers and wakers. A wake-up reaches every sleeper. [`Idle`](crate::Idle) wraps
/// this in the loop that most callers want.
///
/// # Memory ordering
///
/// A sleeper looks at its condition between [`announce`](Parker::announce) and
/// [`park`](Parker::park); a waker changes the condition before [`wake`](Parker::wake). Then the
/// sleeper sees the change or the waker sees the sleeper, whatever orderings the condition itself is
/// written and read with.
///
/// ```
/// use corecast_ring::{Fences, Parked, Parker};
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// let (place, done) = (Parker::new(Fences::default().resolve()), AtomicBool::new(false));
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         done.store(true, Ordering::Relaxed);
///         place.wake();
///     });
///     while !done.load(Ordering::Relaxed) {
///         let ticket = place.announce().expect("the kernel still grants the fence");
///         if !done.load(Ordering::Relaxed) {
///             assert_eq!(place.park(ticket, None), Parked::Woken);
///         }
///     }
/// });
/// ```
pub struct Parker {
    /// 1 while somebody may be asleep. Written by sleepers and by the waker that clears it; read
    /// by every waker, so it has a line of its own.
    waiting: CachePadded<AtomicU32>,
    /// Counts wake-ups.
    generation: Mutex<u64>,
    condvar: Condvar,
    fences: FencePair,
}

#[cfg(target_arch = "x86_64")]
const _: () = {
    use core::mem::offset_of;
    // The word that every waker reads is two lines away from what sleepers take locks on.
    const WAITING: usize = offset_of!(Parker, waiting);
    assert!(WAITING.abs_diff(offset_of!(Parker, generation)) >= 128);
    assert!(WAITING.abs_diff(offset_of!(Parker, condvar)) >= 128);
};

/// Proof of an announcement; see [`Parker::announce`].
#[derive(Debug)]
#[must_use = "an announcement without a park only costs the next waker a lock"]
pub struct Ticket {
    generation: u64,
}

/// How a park ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parked {
    /// Somebody woke this place after the announcement.
    Woken,
    /// The deadline passed first.
    TimedOut,
}

impl Parker {
    /// A place with nobody asleep.
    #[must_use]
    pub fn new(fences: FencePair) -> Self {
        Self {
            waiting: CachePadded::new(AtomicU32::new(0)),
            generation: Mutex::new(0),
            condvar: Condvar::new(),
            fences,
        }
    }

    /// The fence pair that both sides of this place use.
    #[inline]
    #[must_use]
    pub fn fences(&self) -> FencePair {
        self.fences
    }

    /// Announces that the caller is about to sleep. It must look at its condition once more and
    /// call [`Parker::park`] only if that still does not hold.
    ///
    /// `None` means that the kernel refused the fence: sleeping without a time limit would risk a
    /// lost wake-up, so the caller must poll instead.
    ///
    /// # Complexity
    ///
    /// A lock and the heavy half of the fence: see [`FencePair::heavy`].
    #[must_use]
    pub fn announce(&self) -> Option<Ticket> {
        let generation = *lock(&self.generation);
        // Relaxed is enough (P1): the heavy fence below orders it before the second look.
        self.waiting.store(1, Ordering::Relaxed);
        self.fences.heavy().ok()?;
        Some(Ticket { generation })
    }

    /// Sleeps until somebody wakes this place or `deadline` passes. Spurious returns do not occur:
    /// `Woken` means that a wake-up came after the announcement.
    ///
    /// # Complexity
    ///
    /// Blocks. Returns at once when there has been a wake-up since the announcement.
    pub fn park(&self, ticket: Ticket, deadline: Option<Instant>) -> Parked {
        let mut generation = lock(&self.generation);
        // P2: a wake-up since the announcement has already changed the generation.
        while *generation == ticket.generation {
            let limit = match deadline {
                None => None,
                Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => Some(left),
                    _ => return Parked::TimedOut,
                },
            };
            (generation, _) = wait_on(&self.condvar, generation, limit);
        }
        Parked::Woken
    }

    /// Wakes every sleeper. The caller has changed the condition before.
    ///
    /// # Complexity
    ///
    /// With nobody asleep: a light fence and one load of a line that is rarely written. With a
    /// sleeper: a lock and a system call.
    #[inline(always)]
    pub fn wake(&self) {
        // F1/P1, the light side: the condition was stored before; see the table.
        self.fences.light();
        self.wake_announced();
    }

    /// As [`Parker::wake`], for a caller that has issued the light fence itself (one fence can
    /// serve several places).
    #[inline(always)]
    pub fn wake_announced(&self) {
        // Relaxed (P1): the fence before this load does the ordering; the slow path locks.
        if self.waiting.load(Ordering::Relaxed) != 0 {
            self.wake_all();
        }
    }

    /// Wakes every sleeper and every thread that has announced itself, without looking first.
    #[cold]
    #[inline(never)]
    pub fn wake_all(&self) {
        // Cleared before the generation changes: whoever announces after this store draws a
        // ticket that the line below either precedes (it returns at once) or follows (it set
        // `waiting` again).
        self.waiting.store(0, Ordering::Relaxed);
        let mut generation = lock(&self.generation);
        *generation = generation.wrapping_add(1);
        drop(generation);
        self.condvar.notify_all();
    }
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parker")
            .field("waiting", &self.waiting.load(Ordering::Relaxed))
            .field("fences", &self.fences)
            .finish_non_exhaustive()
    }
}
