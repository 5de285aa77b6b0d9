//! Listeners of asynchronous signals: `FnMut`, owned by one worker.

use super::batch::Batch;
use crate::WorkerId;
use crate::engine::worker_shared::WorkerShared;
use crate::error::BoxError;
use crate::listener::set::{OwnedListener, Spec};
use crate::listener::{Meta, Options, listener_options};
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::panic::Location;
use corecast_ring::Consumer;
use std::sync::Arc;

/// What a worker's listeners are called with: a lane whose ready events they may look at, and
/// which of those to take.
pub(crate) struct Lane<T>(PhantomData<fn(&T)>);

impl<T: 'static> Spec for Lane<T> {
    type Arg = Consumer<T>;
    type Ctx<'a> = &'a Step;
    type Item = T;
    const EXCLUSIVE: bool = true;
}

/// Ready events `next..end` of a lane. A listener moves `next` past each event before it looks at
/// it, so that after a panic `next` says where to go on.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) next: Cell<usize>,
    pub(crate) end: Cell<usize>,
    /// The worker's interrupts as of the last look (I1): when there is another, the listener
    /// returns between two events.
    pub(crate) seen: Cell<u64>,
}

type Make<T> = Box<dyn FnOnce(Meta<T>, &Arc<WorkerShared>) -> OwnedListener<Lane<T>> + Send>;

/// A listener for an [`AsyncSignal`](crate::AsyncSignal), with its options.
///
/// It is `FnMut` and owned by one worker, so its state needs no lock and no atomics, and what it
/// captured is dropped there as well.
///
/// ```
/// use corecast::{Engine, WorkerListener};
/// use std::time::Duration;
///
/// let engine = Engine::builder().build()?;
/// let ticks = engine.signal::<u64>("ticks").build()?;
/// let last = engine.workers().last().expect("an engine has a worker").id;
/// let mut previous = 0;
/// let rising = WorkerListener::fallible(move |tick: &u64| {
///     let before = std::mem::replace(&mut previous, *tick);
///     if *tick > before { Ok(()) } else { Err(format!("{tick} after {before}")) }
/// });
/// let _subscription = ticks.add(rising.key("rising").on_worker(last))?;
/// let mut emitter = ticks.emitter()?;
/// emitter.emit_batch([1, 5, 3])?;
/// emitter.flush(Duration::from_secs(60))?;
/// let fault = engine.faults().pop().expect("3 is below 5");
/// assert_eq!((&*fault.message, fault.worker), ("3 after 5", Some(last)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a listener does nothing until it is added to a signal"]
pub struct WorkerListener<T: 'static> {
    options: Options<T>,
    pub(crate) worker: Option<WorkerId>,
    make: Make<T>,
}

impl<T: 'static> WorkerListener<T> {
    /// A listener that cannot fail.
    pub fn new(mut f: impl FnMut(&T) + Send + 'static) -> Self {
        Self::each(move |event| {
            f(event);
            Ok(())
        })
    }

    /// A listener that may return an error, which is a fault.
    pub fn fallible<E: Into<BoxError>>(
        mut f: impl FnMut(&T) -> Result<(), E> + Send + 'static,
    ) -> Self {
        Self::each(move |event| f(event).map_err(Into::into))
    }

    /// A listener that takes whole runs of events. The listeners before it finish a run first.
    pub fn batch(mut f: impl FnMut(Batch<'_, T>) + Send + 'static) -> Self {
        let make: Make<T> = Box::new(move |meta, _| {
            let once = meta.once;
            OwnedListener::exclusive(meta, move |lane: &Consumer<T>, step: &Step| {
                let start = step.next.get();
                if once {
                    step.end.set(step.end.get().min(start + 1));
                }
                let end = step.end.get();
                step.next.set(end);
                f(Batch::new(lane, start, end));
                Ok(())
            })
        });
        let options = Options {
            batch: true,
            ..Options::default()
        };
        Self {
            options,
            worker: None,
            make,
        }
    }

    /// Calls `f` with each event of a step. The loop is inside the listener, so that a run costs
    /// one indirect call.
    fn each(mut f: impl FnMut(&T) -> Result<(), BoxError> + Send + 'static) -> Self {
        let make: Make<T> = Box::new(move |meta, worker| {
            let once = meta.once;
            let worker = Arc::clone(worker);
            OwnedListener::exclusive(meta, move |lane: &Consumer<T>, step: &Step| {
                let end = step.end.get();
                let mut next = step.next.get();
                while next < end {
                    let Some(event) = lane.get(next) else { break };
                    next += 1;
                    step.next.set(next);
                    if once {
                        step.end.set(next);
                        return f(event);
                    }
                    f(event)?;
                    if worker.interrupts() != step.seen.get() {
                        break;
                    }
                }
                Ok(())
            })
        });
        Self {
            options: Options::default(),
            worker: None,
            make,
        }
    }

    listener_options!(T);

    /// The worker to run on; else the one with the fewest listeners in the engine, ties to the
    /// lowest id.
    pub fn on_worker(mut self, worker: WorkerId) -> Self {
        self.worker = Some(worker);
        self
    }

    pub(crate) fn options(&self) -> &Options<T> {
        &self.options
    }

    pub(crate) fn build(
        self,
        place: &'static Location<'static>,
        worker: &Arc<WorkerShared>,
    ) -> OwnedListener<Lane<T>> {
        (self.make)(Meta::new(self.options, place), worker)
    }
}

impl<T> fmt::Debug for WorkerListener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerListener")
            .field("options", &self.options)
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}
