//! A listener's identity, options and state.

use core::fmt;
use core::panic::Location;
use corecast_ring::sync::{AtomicU32, Numbers, Ordering};
use std::sync::Arc;

/// Identifies a listener within the process. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(u64);

impl ListenerId {
    pub(crate) fn next() -> Self {
        static NEXT: Numbers = Numbers::from(1);
        Self(NEXT.next())
    }

    /// The number behind the id: higher for listeners made later.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ListenerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What a user may say about a listener.
pub(crate) struct Options<I: ?Sized> {
    pub(crate) key: Option<Arc<str>>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) priority: i32,
    pub(crate) once: bool,
    pub(crate) describe: Option<fn(&I) -> String>,
    /// It takes runs of events: asynchronous signals only.
    pub(crate) batch: bool,
}

impl<I: ?Sized> Default for Options<I> {
    fn default() -> Self {
        Self {
            key: None,
            name: None,
            priority: 0,
            once: false,
            describe: None,
            batch: false,
        }
    }
}

/// What a set keeps of a listener beside its closure.
pub(crate) struct Meta<I: ?Sized> {
    pub(crate) id: ListenerId,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) priority: i32,
    pub(crate) once: bool,
    /// Where it was subscribed.
    pub(crate) place: &'static Location<'static>,
    pub(crate) describe: Option<fn(&I) -> String>,
    pub(crate) batch: bool,
    pub(crate) state: State,
    /// Faults since the last success. Kept by walks of signals with a quarantine; approximate
    /// under concurrent emitters.
    faults_in_a_row: AtomicU32,
}

impl<I: ?Sized> Meta<I> {
    pub(crate) fn new(options: Options<I>, place: &'static Location<'static>) -> Self {
        Self {
            id: ListenerId::next(),
            key: options.key,
            name: options.name,
            priority: options.priority,
            once: options.once,
            place,
            describe: options.describe,
            batch: options.batch,
            state: State::new(),
            faults_in_a_row: AtomicU32::new(0),
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.state.is_active()
    }

    /// Counts a fault; how many there were in a row, this one included.
    pub(crate) fn count_fault(&self) -> u32 {
        // Relaxed: a counter.
        self.faults_in_a_row
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1)
    }

    #[inline]
    pub(crate) fn forget_faults(&self) {
        // Relaxed: a counter; the load keeps the line shared while all goes well.
        if self.faults_in_a_row.load(Ordering::Relaxed) != 0 {
            self.faults_in_a_row.store(0, Ordering::Relaxed);
        }
    }
}

/// The life of a listener in one word.
///
/// | state   | meaning                                   | next             |
/// | ACTIVE  | subscribed                                | SPENT, REMOVED   |
/// | SPENT   | a `once` listener that was called         | REMOVED          |
/// | REMOVED | taken out of its set by somebody          |                  |
///
/// | edge | one caller                              | another                | loom model |
/// | L3   | `transition_to_spent`: compare-exchange | the same, which fails  | listener_set::a_once_listener_is_called_by_one_of_two_emitters |
#[derive(Debug)]
pub(crate) struct State(AtomicU32);

const ACTIVE: u32 = 0;
const SPENT: u32 = 1;
const REMOVED: u32 = 2;

impl State {
    fn new() -> Self {
        Self(AtomicU32::new(ACTIVE))
    }

    pub(crate) fn is_active(&self) -> bool {
        // Relaxed: says what was; whoever acts on it holds the set's lock.
        self.0.load(Ordering::Relaxed) == ACTIVE
    }

    /// One caller of all gets `true`: the one that may call a `once` listener.
    pub(crate) fn transition_to_spent(&self) -> bool {
        // Relaxed: atomicity alone makes it one caller; the closure was published with its array.
        self.0
            .compare_exchange(ACTIVE, SPENT, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether the listener was still active.
    pub(crate) fn transition_to_removed(&self) -> bool {
        // Relaxed: as above.
        self.0.swap(REMOVED, Ordering::Relaxed) == ACTIVE
    }
}

impl<I: ?Sized> fmt::Debug for Options<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("key", &self.key)
            .field("name", &self.name)
            .field("priority", &self.priority)
            .field("once", &self.once)
            .finish_non_exhaustive()
    }
}
