//! The three routes behind one trait: how a signal is built, and how a listener is subscribed.

use corecast::{
    AsyncSignal, AsyncSignalBuilder, Broadcast, OneWorker, RoundRobin, Route, Routing, Sharded,
    SubscribeError, Subscription, WorkerId, WorkerListener,
};

use crate::stress::event::Event;
use crate::stress::order::Numbering;
use crate::stress::part::Part;

/// Keys of a sharded signal.
const KEYS: u64 = 16;

/// How a listener takes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    Each,
    Fallible,
    Batch,
}

/// A listener to be subscribed.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) taking: Taking,
    /// Broadcast: the worker, or whichever has the fewest listeners.
    pub(super) worker: Option<WorkerId>,
    pub(super) priority: i32,
    pub(super) once: bool,
    pub(super) key: Option<String>,
}

/// A route that a round can take.
pub(super) trait Track<E: Event>: Route<E> + Send + Sync + 'static {
    /// Whether every worker gets every event.
    const EVERYWHERE: bool;

    fn route(builder: AsyncSignalBuilder<E>) -> AsyncSignalBuilder<E, Self>;

    /// How events are numbered on each of `workers`, emitted through an emitter or not.
    fn numbering(workers: usize, shared: bool) -> Numbering;

    fn subscribe(
        signal: &AsyncSignal<E, Self>,
        wish: &Wish,
        make: impl FnMut() -> Part,
    ) -> Result<Subscription, SubscribeError>;
}

impl<E: Event> Track<E> for Broadcast {
    const EVERYWHERE: bool = true;

    fn route(builder: AsyncSignalBuilder<E>) -> AsyncSignalBuilder<E, Self> {
        builder
    }

    fn numbering(_: usize, _: bool) -> Numbering {
        Numbering::EACH
    }

    fn subscribe(
        signal: &AsyncSignal<E, Self>,
        wish: &Wish,
        mut make: impl FnMut() -> Part,
    ) -> Result<Subscription, SubscribeError> {
        let mut part = make();
        let mut listener = match wish.taking {
            Taking::Each => WorkerListener::new(move |event: &E| part.take_or_panic(event)),
            Taking::Fallible => WorkerListener::fallible(move |event: &E| part.take(event)),
            Taking::Batch => WorkerListener::batch(move |batch| part.take_batch(&batch)),
        };
        listener = listener.priority(wish.priority);
        if let Some(worker) = wish.worker {
            listener = listener.on_worker(worker);
        }
        if wish.once {
            listener = listener.once();
        }
        if let Some(key) = &wish.key {
            listener = listener.key(key.as_str());
        }
        signal.add(listener)
    }
}

impl<E: Event> Track<E> for Sharded<E> {
    const EVERYWHERE: bool = false;

    fn route(builder: AsyncSignalBuilder<E>) -> AsyncSignalBuilder<E, Self> {
        builder.shard_by(|event| event.stamp().number % KEYS)
    }

    fn numbering(_: usize, _: bool) -> Numbering {
        Numbering {
            stride: KEYS,
            gaps: false,
        }
    }

    fn subscribe(
        signal: &AsyncSignal<E, Self>,
        wish: &Wish,
        make: impl FnMut() -> Part,
    ) -> Result<Subscription, SubscribeError> {
        subscribe_everywhere(signal, wish, make)
    }
}

impl<E: Event> Track<E> for RoundRobin {
    const EVERYWHERE: bool = false;

    fn route(builder: AsyncSignalBuilder<E>) -> AsyncSignalBuilder<E, Self> {
        builder.round_robin()
    }

    fn numbering(workers: usize, shared: bool) -> Numbering {
        // Threads that share lanes share the turns too: a thread's own events go anywhere.
        if shared {
            Numbering {
                stride: 1,
                gaps: true,
            }
        } else {
            Numbering {
                stride: workers as u64,
                gaps: false,
            }
        }
    }

    fn subscribe(
        signal: &AsyncSignal<E, Self>,
        wish: &Wish,
        make: impl FnMut() -> Part,
    ) -> Result<Subscription, SubscribeError> {
        subscribe_everywhere(signal, wish, make)
    }
}

fn subscribe_everywhere<E: Event, R: Routing<E> + OneWorker>(
    signal: &AsyncSignal<E, R>,
    wish: &Wish,
    mut make: impl FnMut() -> Part,
) -> Result<Subscription, SubscribeError> {
    let subscription = if wish.taking == Taking::Batch {
        signal.subscribe_sharded_batch(|_| {
            let mut part = make();
            move |batch| part.take_batch(&batch)
        })
    } else {
        signal.subscribe_sharded(|_| {
            let mut part = make();
            move |event: &E| part.take_or_panic(event)
        })
    };
    Ok(subscription)
}
