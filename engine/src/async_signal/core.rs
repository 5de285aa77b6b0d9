//! An asynchronous signal's shared state: where its listeners are, who emits, what was counted.
//!
//! | edge | release side                       | acquire side                           | protects | loom model |
//! | S1   | `word`: version counted up, Release | emitter: `word`, Acquire              | which workers have a listener | late::an_emitter_that_knows_of_the_first_listener_reaches_it |
//! | S2   | `close`: `word`; heavy; read claims | emitter: claim; light; read `word`    | no event is published unseen | shutdown::nothing_is_published_after_the_seal, nothing_of_a_broadcast_is_published_after_the_seal, nothing_staged_for_a_broadcast_is_published_after_the_seal, nothing_of_a_routed_emission_is_published_after_the_seal |
//!
//! S2 is the ring's R3: an emitter's claim is visible before it looks at the closed bit, so after
//! the closer's heavy fence either the emitter sees the bit and abandons its claim, or the closer
//! sees the claim and waits for its stamp. The lane events accepted are exact from then on.

use super::builder::SignalOptions;
use super::latency::{self, WorkerLatency};
use super::listener::{Lane, WorkerListener};
use super::post::Post;
use super::record::EmitterRecord;
use super::sampling::Sampler;
use super::shared::SharedCounters;
use crate::WorkerId;
use crate::engine::shared::{EngineShared, LaneEvents, SignalControl};
use crate::engine::wait_graph;
use crate::error::SubscribeError;
use crate::fault::{Fault, FaultKind};
use crate::listener::set::{Handle, OwnedListener};
use crate::metrics::SignalMetrics;
use crate::registry::Registry;
use crate::subscription::{Removal, Subscription};
use crate::walk::Depth;
use cache_padded::CachePadded;
use core::mem::needs_drop;
use core::panic::Location;
use corecast_ring::sync::{AtomicU64, Mutex, Ordering, lock, thread};
use corecast_ring::{Monitor, RingOptions};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// The bit of `word` that says that the engine is closing.
pub(crate) const CLOSED: u64 = 1;
/// The rest of `word` counts changes of the set of workers with a listener.
const VERSION: u64 = 2;

/// So much time at once: a worker may be in a listener that does not come back.
const CATCH_UP: Duration = Duration::from_millis(1);

pub(crate) struct SignalCore<T: Send + 'static> {
    pub(crate) engine: Arc<EngineShared>,
    pub(crate) options: SignalOptions<T>,
    /// How latency is sampled, if it is.
    pub(crate) sampler: Option<Sampler>,
    /// Which of the engine's signals this is.
    number: u64,
    /// Read by every emission (S1, S2); written under the lock, and when the engine closes.
    word: CachePadded<AtomicU64>,
    pub(crate) posts: Box<[Arc<Post<T>>]>,
    state: Mutex<State<T>>,
    pub(crate) shared: SharedCounters,
}

struct State<T> {
    emitters: Registry<Arc<EmitterRecord<T>>>,
    /// What emitters counted that are gone.
    folded: Counts,
}

/// What became of events, counted once each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) dropped: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.dropped += other.dropped;
    }
}

impl<T: Send + 'static> SignalCore<T> {
    pub(crate) fn new(engine: Arc<EngineShared>, options: SignalOptions<T>) -> Arc<Self> {
        let sampler = Sampler::of_every(options.sample);
        let core = Arc::new_cyclic(|this: &Weak<Self>| {
            let post = |worker: &Arc<_>| {
                let faults = Arc::clone(&engine.faults);
                let name = Arc::clone(&options.name);
                Post::new(
                    this.clone(),
                    Arc::clone(worker),
                    engine.fence_pair,
                    name,
                    faults,
                    sampler,
                )
            };
            Self {
                posts: engine.workers.iter().map(post).collect(),
                number: engine.number_signal(),
                engine,
                options,
                sampler,
                word: CachePadded::new(AtomicU64::new(0)),
                state: Mutex::new(State {
                    emitters: Registry::default(),
                    folded: Counts::default(),
                }),
                shared: SharedCounters::default(),
            }
        });
        let control: Weak<dyn SignalControl> = Arc::<Self>::downgrade(&core) as _;
        lock(&core.engine.signals).push(control);
        if !core.engine.is_open() {
            // The engine closed before it could know of this signal.
            core.close();
        }
        core
    }

    /// Which workers have a listener, as a number that changes with it, and the closed bit (S1).
    #[inline(always)]
    pub(crate) fn word(&self) -> u64 {
        // Acquire (S1).
        self.word.load(Ordering::Acquire)
    }

    /// Whether emission is still allowed, after a claim and a light fence (S2).
    #[inline(always)]
    pub(crate) fn admits(&self) -> bool {
        // Relaxed (S2): the fence before this load does the ordering.
        self.word.load(Ordering::Relaxed) & CLOSED == 0
    }

    /// Whether the word is `seen`, after a claim and a light fence (S1, S2).
    #[inline(always)]
    pub(crate) fn is_still(&self, seen: u64) -> bool {
        // Relaxed: as `admits`. A word that has not changed has nothing to acquire.
        self.word.load(Ordering::Relaxed) == seen
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.word() & CLOSED != 0
    }

    /// Sets whether there are listeners at `post`. The caller holds the lock.
    fn update(&self, post: &Post<T>, _state: &mut State<T>) {
        let active = post.set.array_len() > 0;
        if post.is_active() != active {
            post.set_active(active);
            // Release (S1).
            self.word.fetch_add(VERSION, Ordering::Release);
        }
    }

    /// The worker that a listener is placed on.
    fn place(&self, wanted: Option<WorkerId>) -> Result<usize, SubscribeError> {
        match wanted {
            Some(id) if id.index() < self.posts.len() => Ok(id.index()),
            Some(id) => Err(SubscribeError::UnknownWorker(id)),
            // `min_by_key` takes the first of equals: the lowest id.
            None => (0..self.posts.len())
                .min_by_key(|&index| self.posts[index].worker.listeners.load(Ordering::Relaxed))
                .ok_or(SubscribeError::Closed),
        }
    }

    /// Adds a listener on one worker.
    pub(crate) fn add(
        &self,
        listener: WorkerListener<T>,
        place: &'static Location<'static>,
    ) -> Result<Subscription, SubscribeError> {
        let worker = listener.worker;
        let mut state = lock(&self.state);
        if self.is_closed() {
            return Err(SubscribeError::Closed);
        }
        if let Some(key) = &listener.options().key {
            if key.is_empty() {
                return Err(SubscribeError::EmptyKey);
            }
            if self.contains_key(key) {
                return Err(SubscribeError::DuplicateKey(Arc::clone(key)));
            }
        }
        let _placement = lock(&self.engine.placement);
        let index = self.place(worker)?;
        let post = &self.posts[index];
        self.add_at(&mut state, post, listener.build(place, &post.worker))
    }

    fn add_at(
        &self,
        state: &mut State<T>,
        post: &Arc<Post<T>>,
        listener: OwnedListener<Lane<T>>,
    ) -> Result<Subscription, SubscribeError> {
        let added = self.counting(post, state, || {
            post.expect(listener.meta().id);
            post.set.add(vec![listener])
        })?;
        let removal: Weak<dyn Removal> = Arc::<Post<T>>::downgrade(post) as _;
        let subscribe = |handle| Subscription::new(removal, handle, post.set.readers());
        added
            .into_iter()
            .next()
            .map(subscribe)
            .ok_or(SubscribeError::Closed)
    }

    /// Adds one listener for each worker.
    pub(crate) fn add_everywhere(
        &self,
        mut make: impl FnMut(WorkerId) -> WorkerListener<T>,
        place: &'static Location<'static>,
    ) -> Subscription {
        // User code runs before anything is locked.
        let built: Vec<_> = self
            .posts
            .iter()
            .map(|post| make(post.worker.id).build(place, &post.worker))
            .collect();
        let mut state = lock(&self.state);
        if self.is_closed() {
            return Subscription::inactive();
        }
        let _placement = lock(&self.engine.placement);
        // Listeners without keys cannot be refused.
        let add = |(post, listener)| self.add_at(&mut state, post, listener).ok();
        Subscription::group(self.posts.iter().zip(built).filter_map(add).collect())
    }

    pub(crate) fn remove(&self, post: &Post<T>, handle: Handle) -> bool {
        let removed = {
            let mut state = lock(&self.state);
            self.counting(post, &mut state, || post.set.remove(handle))
        };
        if removed {
            self.removed_at(post);
        }
        removed
    }

    pub(crate) fn remove_key(&self, key: &str) -> bool {
        let removed = {
            let mut state = lock(&self.state);
            let mut posts = self.posts.iter();
            posts.find(|post| self.counting(post, &mut state, || post.set.remove_key(key)))
        };
        removed.is_some_and(|post| {
            self.removed_at(post);
            true
        })
    }

    pub(crate) fn clear(&self) {
        {
            let mut state = lock(&self.state);
            for post in &self.posts {
                self.counting(post, &mut state, || post.set.clear());
            }
        }
        self.posts.iter().for_each(|post| self.removed_at(post));
    }

    /// A listener has been removed at `post`, and the lock let go: what it had captured is dropped
    /// here if its worker is gone, and that is user code.
    fn removed_at(&self, post: &Post<T>) {
        post.worker.interrupt();
        post.set.collect_if_orphaned();
    }

    /// Runs a change and keeps the counts and the active flag in step with it.
    fn counting<R>(&self, post: &Post<T>, state: &mut State<T>, change: impl FnOnce() -> R) -> R {
        let before = post.set.array_len();
        let result = change();
        let after = post.set.array_len();
        if after < before {
            post.forget_joins();
        }
        post.count_listeners(after.wrapping_sub(before));
        self.update(post, state);
        result
    }

    pub(crate) fn contains_key(&self, key: &str) -> bool {
        self.posts.iter().any(|post| post.set.contains_key(key))
    }

    /// Live listeners' keys, in call order: higher priority first, then as subscribed.
    pub(crate) fn keys(&self) -> Vec<Arc<str>> {
        let mut keys = Vec::new();
        for post in &self.posts {
            post.set.for_each(|meta| {
                keys.extend(
                    meta.key
                        .clone()
                        .map(|key| (-i64::from(meta.priority), meta.id, key)),
                );
            });
        }
        keys.sort();
        keys.into_iter().map(|(_, _, key)| key).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.posts.iter().map(|post| post.set.len()).sum()
    }

    /// Runs `connect` under the lock that makes new lanes and subscriptions see each other.
    pub(crate) fn while_nobody_subscribes<R>(&self, connect: impl FnOnce() -> R) -> R {
        let _state = lock(&self.state);
        connect()
    }

    /// Gives workers that are far behind with letting go of lanes time to catch up, for whoever is about
    /// to make new ones: their memory would have no bound where emitters come and go faster than that.
    /// Not inside a listener, of which a worker may be waiting for the end.
    pub(crate) fn let_workers_catch_up(&self) {
        let are_behind = || self.posts.iter().any(|post| post.worker.is_behind());
        if !are_behind() || self.engine.manual.is_some() || Depth::is_inside() {
            return;
        }
        let begin = Instant::now();
        while are_behind() && begin.elapsed() < CATCH_UP {
            thread::yield_now();
        }
    }

    /// An emitter with lanes of these monitors comes.
    pub(crate) fn register_emitter(
        &self,
        lanes: Box<[Monitor<T>]>,
        fans_out: bool,
    ) -> Arc<EmitterRecord<T>> {
        let mut state = lock(&self.state);
        let enter = |number| Arc::new(EmitterRecord::new(number, lanes, fans_out));
        Arc::clone(state.emitters.enter(enter))
    }

    /// Forgets an emitter and keeps its counts.
    pub(crate) fn deregister_emitter(&self, record: &EmitterRecord<T>) {
        let mut state = lock(&self.state);
        if let Some(record) = state.emitters.leave(record.number) {
            state.folded.add(record.counts());
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = lock(&self.state);
        let mut counts = state.folded;
        state
            .emitters
            .iter()
            .for_each(|record| counts.add(record.counts()));
        counts.add(self.shared.counts());
        counts
    }

    /// How the rings of lanes to `post` are made. Values that panic when they go with their ring are
    /// faults of the signal, of the worker where it is the worker that lets go of the ring last.
    pub(crate) fn ring_options(&self, post: &Post<T>) -> RingOptions {
        let options = RingOptions::new()
            .fences(self.engine.fences)
            .ready(Arc::clone(&post.worker.parker));
        if !needs_drop::<T>() {
            return options;
        }
        let (faults, name) = (
            Arc::clone(&self.engine.faults),
            Arc::clone(&self.options.name),
        );
        let (key, id) = (post.worker.key, post.worker.id);
        options.on_drop_panic(move |payload| {
            let mut fault = Fault::from_panic(FaultKind::EventDrop, payload);
            fault.signal = Some(Arc::clone(&name));
            fault.worker = (wait_graph::current() == Some(key)).then_some(id);
            faults.push(fault);
        })
    }

    pub(crate) fn report(&self, mut fault: Box<Fault>, worker: WorkerId) {
        fault.worker = Some(worker);
        self.report_from_outside(fault);
    }

    /// Reports a fault on a thread that is no worker's.
    pub(crate) fn report_from_outside(&self, mut fault: Box<Fault>) {
        fault.signal = Some(Arc::clone(&self.options.name));
        self.engine.faults.push(fault);
    }

    /// In a manual engine nobody but the caller can drop what a removed listener had captured.
    pub(crate) fn collect_if_manual(&self, post: &Post<T>, deadline: Option<Instant>) {
        if let Some(manual) = &self.engine.manual
            && !Depth::is_inside()
        {
            manual.while_idle(&self.engine, deadline, || post.set.collect_as_owner());
        }
    }
}

impl<T: Send + 'static> SignalControl for SignalCore<T> {
    fn close(&self) {
        let _state = lock(&self.state);
        // Release (S2): the heavy fence that follows orders it before the look at the claims.
        self.word.fetch_or(CLOSED, Ordering::Release);
    }

    fn wake_emitters(&self) {
        self.posts.iter().for_each(|post| post.wake_emitters());
    }

    fn is_settled(&self) -> bool {
        self.shared.is_settled() && self.posts.iter().all(|post| post.is_settled())
    }

    fn lanes_changed(&self) {
        self.word.fetch_add(VERSION, Ordering::Release);
    }

    fn collect(&self, worker: WorkerId) {
        if let Some(post) = self.posts.get(worker.index()) {
            post.set.collect_as_owner();
        }
    }

    fn orphan(&self, worker: WorkerId) {
        if let Some(post) = self.posts.get(worker.index()) {
            post.set.orphan();
        }
    }

    fn lane_events(&self) -> LaneEvents {
        let mut events = LaneEvents::default();
        self.posts
            .iter()
            .for_each(|post| events.add(post.lane_events()));
        events
    }

    fn settled_events(&self) -> Option<LaneEvents> {
        let mut events = LaneEvents::default();
        for post in &self.posts {
            events.add(post.settled_events()?);
        }
        Some(events)
    }

    fn metrics(&self) -> SignalMetrics {
        let counts = self.counts();
        let mut metrics = SignalMetrics {
            name: Some(Arc::clone(&self.options.name)),
            number: self.number,
            emitted: counts.accepted + counts.rejected + counts.dropped,
            accepted: counts.accepted,
            rejected: counts.rejected,
            dropped: counts.dropped,
            listeners: self.len(),
            bytes: size_of::<Self>(),
            latency: latency::merged(self.posts.iter().filter_map(|post| post.latency.as_ref())),
            ..SignalMetrics::at_this_moment()
        };
        for post in &self.posts {
            let totals = post.set.totals();
            metrics.delivered += totals.delivered;
            metrics.failed += totals.failed;
            metrics.panicked += totals.panicked;
            let (arrays, bytes) = post.set.retired();
            metrics.retired_arrays += arrays;
            metrics.bytes += bytes + post.set.bytes() + size_of::<Post<T>>();
            metrics.bytes += post.latency.as_ref().map_or(0, WorkerLatency::bytes);
            metrics.lanes.extend(post.lane_metrics());
        }
        metrics.bytes += metrics.lanes.iter().map(|lane| lane.bytes).sum::<usize>();
        metrics
    }
}

impl<T: Send + 'static> Drop for SignalCore<T> {
    fn drop(&mut self) {
        let this: *const Self = self;
        self.engine.fold(this, self.lane_events());
        self.posts.iter().for_each(|post| post.discount_listeners());
    }
}

#[cfg(target_arch = "x86_64")]
const _: () = {
    use core::mem::{offset_of, size_of};
    // The word that every emission reads is two lines away from what others write.
    const WORD: usize = offset_of!(SignalCore<u64>, word);
    assert!(WORD.abs_diff(offset_of!(SignalCore<u64>, state)) >= 128);
    assert!(WORD.abs_diff(offset_of!(SignalCore<u64>, shared)) >= 128);
    // So are the shared emissions' counters from what emitters register at.
    const SHARED: usize = offset_of!(SignalCore<u64>, shared);
    assert!(SHARED.abs_diff(offset_of!(SignalCore<u64>, state)) >= 128);
    assert!(size_of::<CachePadded<AtomicU64>>() >= 128);
};
