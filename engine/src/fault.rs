//! Faults: a listener's panic or error, kept for whoever wants to know.

use crate::WorkerId;
use crate::listener::{ListenerId, Meta};
use crate::walk::discard;
use core::any::Any;
use core::fmt;
use core::panic::Location;
use corecast_ring::Parker;
use corecast_ring::sync::{AtomicU64, Mutex, Ordering, lock};
use crossbeam_queue::ArrayQueue;
use std::backtrace::Backtrace;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// What a panic carried.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Faults that wait to be read.
const CAPACITY: usize = 256;
/// Recent faults that a repetition is folded into.
const RECENT: usize = 16;

/// What happens to a listener that panics or errs.
///
/// Whatever the policy, `try_emit` on a synchronous signal stops at the first fault. With
/// `panic = "abort"` a panic ends the process, and no policy helps.
///
/// ```
/// use corecast::{FaultKind, FaultPolicy, SyncSignal};
///
/// let policy = FaultPolicy::Quarantine { after: 2 };
/// let signal = SyncSignal::<u64>::builder().fault_policy(policy).build()?;
/// let subscription = signal.subscribe_fallible(|_| Err::<(), _>("no"));
/// assert_eq!(signal.emit(&1).failed, 1);
/// assert!(subscription.is_active());
/// assert_eq!(signal.emit(&2).failed, 1);
/// assert!(!subscription.is_active(), "removed after the second in a row");
/// let kinds = [(); 2].map(|()| signal.faults().pop().map(|fault| fault.kind));
/// assert_eq!(kinds, [Some(FaultKind::Error), Some(FaultKind::Quarantined)]);
/// # Ok::<(), corecast::BuildError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FaultPolicy {
    /// A fault is reported; the others run, and the listener is called again next time.
    #[default]
    Isolate,
    /// As `Isolate`, and the listener is removed after this many faults in a row. Approximate
    /// under concurrent emitters.
    Quarantine {
        /// At least 1.
        after: u32,
    },
    /// Synchronous signals only: `emit` finishes the walk and then resumes the first panic,
    /// `try_emit` resumes it at once. Errors are handled as under `Isolate`.
    Propagate,
}

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// A listener panicked.
    Panic,
    /// A listener returned an error.
    Error,
    /// The captured state of a removed listener panicked when it was dropped.
    ListenerDrop,
    /// An event panicked when it was dropped.
    EventDrop,
    /// A listener was removed after too many faults in a row.
    Quarantined,
    /// `emit` was refused because too many walks are nested on the thread.
    ReentrancyLimit,
    /// The fault handler itself panicked.
    Handler,
    /// Events are missing in a sequence that came from elsewhere.
    Gap,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::ListenerDrop => "panic in a listener's drop",
            Self::EventDrop => "panic in an event's drop",
            Self::Quarantined => "quarantined",
            Self::ReentrancyLimit => "reentrancy limit",
            Self::Handler => "panic in the fault handler",
            Self::Gap => "gap",
        })
    }
}

/// One fault, or several of the same in a row. `Display` tells it in one line.
#[non_exhaustive]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// The signal's name, if it has one.
    pub signal: Option<Arc<str>>,
    /// The listener.
    pub listener: Option<ListenerId>,
    /// The listener's name, if it has one.
    pub listener_name: Option<Arc<str>>,
    /// Where the listener was subscribed.
    pub place: Option<&'static Location<'static>>,
    /// The worker on which it happened.
    pub worker: Option<WorkerId>,
    /// The name of the thread on which it happened, or its id.
    pub thread: String,
    /// The event's sequence in its lane.
    pub sequence: Option<u64>,
    /// What the error or the panic says.
    pub message: String,
    /// What the panic carried.
    pub payload: Option<Box<dyn Any + Send>>,
    /// The error itself.
    pub error: Option<crate::BoxError>,
    /// The event as the listener's `describe` renders it.
    pub event: Option<String>,
    /// Where the panic arose, when [`capture_backtraces`](crate::capture_backtraces) is on.
    pub backtrace: Option<Backtrace>,
    /// When it happened first.
    pub first: SystemTime,
    /// When it happened last.
    pub last: SystemTime,
    /// How often it happened between the two: the same kind, listener and message, while this one
    /// was waiting to be read. The other fields are of the first time.
    pub count: u64,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, message: String) -> Box<Self> {
        let now = SystemTime::now();
        let thread = std::thread::current();
        Box::new(Self {
            kind,
            signal: None,
            listener: None,
            listener_name: None,
            place: None,
            worker: None,
            thread: thread
                .name()
                .map_or_else(|| format!("{:?}", thread.id()), ToOwned::to_owned),
            sequence: None,
            message,
            payload: None,
            error: None,
            event: None,
            backtrace: None,
            first: now,
            last: now,
            count: 1,
        })
    }

    /// A fault from a panic's payload.
    pub(crate) fn from_panic(kind: FaultKind, payload: Payload) -> Box<Self> {
        let mut fault = Self::new(kind, panic_message(&*payload));
        fault.payload = Some(payload);
        fault.backtrace = crate::backtrace::take();
        fault
    }

    /// A fault from a listener's error. The error's own `Display` may panic.
    pub(crate) fn from_error(error: crate::BoxError) -> Box<Self> {
        let mut fault = Self::new(FaultKind::Error, guarded(|| error.to_string()));
        fault.error = Some(error);
        fault
    }

    pub(crate) fn of_listener(mut self: Box<Self>, info: ListenerInfo) -> Box<Self> {
        self.listener = Some(info.id);
        self.listener_name = info.name;
        self.place = Some(info.place);
        self
    }

    fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.listener == other.listener
            && self.message == other.message
            && self.signal == other.signal
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        if let Some(payload) = self.payload.take() {
            discard(payload);
        }
        // A listener's error is user code as well.
        if let Some(error) = self.error.take()
            && let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(error)))
        {
            discard(payload);
        }
    }
}

/// Runs user code that renders something for a fault; its own panic must not add another.
pub(crate) fn guarded(render: impl FnOnce() -> String) -> String {
    catch_unwind(AssertUnwindSafe(render)).unwrap_or_else(|payload| {
        let message = format!("(rendering it panicked: {})", panic_message(&*payload));
        discard(payload);
        message
    })
}

/// The text of a panic, where it has one.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(a panic without a text)".to_owned())
}

/// A listener as faults name it.
#[derive(Debug, Clone)]
pub(crate) struct ListenerInfo {
    pub(crate) id: ListenerId,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) place: &'static Location<'static>,
}

impl<I: ?Sized> Meta<I> {
    pub(crate) fn info(&self) -> ListenerInfo {
        ListenerInfo {
            id: self.id,
            name: self.name.clone(),
            place: self.place,
        }
    }

    /// The event, as this listener's `describe` renders it.
    pub(crate) fn render(&self, event: &I) -> Option<String> {
        self.describe.map(|describe| guarded(|| describe(event)))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("kind", &self.kind)
            .field("signal", &self.signal)
            .field("listener", &self.listener)
            .field("listener_name", &self.listener_name)
            .field("worker", &self.worker)
            .field("sequence", &self.sequence)
            .field("message", &self.message)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(signal) = &self.signal {
            write!(f, " in signal {signal}")?;
        }
        if let Some(listener) = self.listener {
            write!(f, ", listener {listener}")?;
        }
        if let Some(name) = &self.listener_name {
            write!(f, " ({name})")?;
        }
        if let Some(place) = self.place {
            write!(f, " subscribed at {}:{}", place.file(), place.line())?;
        }
        if let Some(worker) = self.worker {
            write!(f, ", worker {worker}")?;
        }
        if let Some(sequence) = self.sequence {
            write!(f, ", sequence {sequence}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(event) = &self.event {
            write!(f, " [event {event}]")?;
        }
        if self.count > 1 {
            write!(f, " ({} times)", self.count)?;
        }
        Ok(())
    }
}

/// A fault in the queue: taken by the reader, or still open for repetitions.
type Slot = Arc<Mutex<Option<Box<Fault>>>>;

/// A bounded queue of faults. What does not fit is counted, and nothing ever waits for a reader.
///
/// It holds 256 faults; repetitions of one of the last few that still wait are folded into its
/// `count`. Its memory is allocated by the first fault. Any number of threads may read it; an engine
/// built with [`EngineBuilder::on_fault`](crate::EngineBuilder::on_fault) has a thread that does.
///
/// ```
/// use corecast::{FaultKind, Listener, SyncSignal};
///
/// let signal = SyncSignal::<u64>::builder().name("ticks").build()?;
/// let check = |n: &u64| if *n < 3 { Ok(()) } else { Err("too large") };
/// let check = Listener::fallible(check).name("check").describe(|n| format!("tick {n}"));
/// let _subscription = signal.add(check)?;
/// for n in 0..5 {
///     signal.emit(&n);
/// }
/// let fault = signal.faults().pop().expect("the listener refused two events");
/// assert_eq!((fault.kind, &*fault.message, fault.count), (FaultKind::Error, "too large", 2));
/// assert_eq!(fault.event.as_deref(), Some("tick 3")); // of the first time
/// assert!(fault.place.is_some_and(|place| place.line() > 0)); // where it was subscribed
/// assert!(signal.faults().is_empty() && signal.faults().lost() == 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FaultQueue {
    queue: OnceLock<ArrayQueue<Slot>>,
    /// The latest faults, for folding.
    recent: Mutex<VecDeque<Slot>>,
    lost: AtomicU64,
    /// Where a reporter thread waits.
    reporter: OnceLock<Arc<Parker>>,
}

impl FaultQueue {
    pub(crate) fn new() -> Self {
        Self {
            queue: OnceLock::new(),
            recent: Mutex::new(VecDeque::new()),
            lost: AtomicU64::new(0),
            reporter: OnceLock::new(),
        }
    }

    /// Takes the oldest fault, if there is one.
    ///
    /// # Complexity
    ///
    /// A short lock that only faults and their readers take.
    #[must_use]
    pub fn pop(&self) -> Option<Fault> {
        let slot = self.queue.get()?.pop()?;
        lock(&self.recent).retain(|recent| !Arc::ptr_eq(recent, &slot));
        let fault = lock(&slot).take();
        fault.map(|fault| *fault)
    }

    /// Faults that wait to be read; repetitions count as one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.get().map_or(0, ArrayQueue::len)
    }

    /// Whether no fault waits to be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Faults that found the queue full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        // Relaxed: a counter.
        self.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn count_lost(&self) {
        // Relaxed: a counter.
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_reporter(&self, parker: Arc<Parker>) {
        // Set once, by the engine's builder.
        let _ = self.reporter.set(parker);
    }

    /// Adds a fault, or counts it: into a waiting one of the same kind, or as lost.
    pub(crate) fn push(&self, fault: Box<Fault>) {
        let mut recent = lock(&self.recent);
        for slot in recent.iter() {
            if let Some(waiting) = &mut *lock(slot)
                && waiting.is_same(&fault)
            {
                waiting.count += fault.count;
                waiting.last = fault.last;
                return;
            }
        }
        let slot: Slot = Arc::new(Mutex::new(Some(fault)));
        let queue = self.queue.get_or_init(|| ArrayQueue::new(CAPACITY));
        let refused = queue.push(Arc::clone(&slot)).err();
        if refused.is_none() {
            if recent.len() == RECENT {
                recent.pop_front();
            }
            recent.push_back(slot);
        } else {
            // Relaxed: a counter.
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        // What did not fit is dropped outside the lock: a payload's drop is user code.
        drop(recent);
        drop(refused);
        if let Some(parker) = self.reporter.get() {
            parker.wake();
        }
    }
}

impl fmt::Debug for FaultQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultQueue")
            .field("len", &self.len())
            .field("lost", &self.lost())
            .finish()
    }
}
