//! Does with an engine what the model says should happen, and compares.

use crate::model::{
    BROADCAST, Call, Choose, KEYS, Kind, Listener, Model, ONE, SHARED, Setup, Step, Way, Wish,
    at_worker,
};
use corecast::{
    AsyncSignal, AsyncSignalBuilder, Batch, Context, Cores, Emitter, Engine, Fences, OneWorker,
    Overflow, RejectReason, Rejected, Route, SubscribeError, Subscription, WorkerId,
    WorkerListener,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// An event, and a share of what tells that it is gone.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    number: u64,
    _alive: Arc<()>,
}

impl Event {
    pub(crate) fn probe(number: u64) -> Self {
        let _alive = Arc::new(());
        Self { number, _alive }
    }

    pub(crate) fn key(&self) -> usize {
        self.number as usize % KEYS
    }
}

impl Setup {
    pub(crate) fn engine(&self) -> Engine {
        let builder = Engine::builder().manual().cores(Cores::count(1));
        let builder = builder.workers_per_core(self.workers);
        let builder = if self.full_fences {
            builder.fences(Fences::Full)
        } else {
            builder
        };
        let engine = builder.build();
        engine.expect("one CPU")
    }

    pub(crate) fn options(&self, signal: AsyncSignalBuilder<Event>) -> AsyncSignalBuilder<Event> {
        let signal = signal.capacity(self.capacity).overflow(self.overflow);
        match self.batch {
            Some(batch) => signal.batch(batch),
            None => signal,
        }
    }

    pub(crate) fn recycle(&self, signal: AsyncSignalBuilder<Event>) -> AsyncSignalBuilder<Event> {
        if self.recycled {
            signal.recycled(|| Event::probe(u64::MAX))
        } else {
            signal
        }
    }
}

/// An emitter of either signal.
enum Either<R> {
    Broadcast(Emitter<Event>),
    One(Emitter<Event, R>),
}

pub(crate) struct World<R> {
    setup: Setup,
    engine: Engine,
    broadcast: AsyncSignal<Event>,
    one: AsyncSignal<Event, R>,
    model: Model,
    emitters: Vec<(usize, Either<R>)>,
    subscriptions: Vec<(usize, u64, Subscription)>,
    /// The calls made since the last look.
    log: Arc<Mutex<Vec<Call>>>,
    /// Where each event came from.
    sources: HashMap<u64, usize>,
    next: u64,
    /// Shared by every event that is alive, and by every listener.
    events: Arc<()>,
    listeners: Arc<()>,
}

/// A reason, and the event if it came back.
type Refusal = (RejectReason, Option<u64>);

fn refusal(rejected: Rejected<Event>) -> Refusal {
    (rejected.reason, Some(rejected.event.number))
}

impl<R: Route<Event> + OneWorker> World<R> {
    pub(crate) fn new(
        setup: Setup,
        engine: Engine,
        one: AsyncSignal<Event, R>,
        choose: Choose,
    ) -> Self {
        let broadcast = setup.options(engine.signal::<Event>("broadcast"));
        let broadcast = setup.recycle(broadcast).build().expect("possible");
        Self {
            model: Model::new(setup, choose),
            setup,
            engine,
            broadcast,
            one,
            emitters: Vec::new(),
            subscriptions: Vec::new(),
            log: Arc::default(),
            sources: HashMap::new(),
            next: 0,
            events: Arc::new(()),
            listeners: Arc::new(()),
        }
    }

    pub(crate) fn live(mut self, steps: &[Step]) {
        for step in steps {
            self.take(step);
            self.compare();
        }
        self.end();
    }

    fn event(&mut self, source: usize) -> Event {
        self.next += 1;
        self.sources.insert(self.next, source);
        Event {
            number: self.next,
            _alive: Arc::clone(&self.events),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Subscribe(wish) => self.subscribe(wish),
            Step::SubscribeSharded(batch) => self.subscribe_sharded(*batch),
            Step::Unsubscribe(index, wait) if !self.subscriptions.is_empty() => {
                let at = index.index(self.subscriptions.len());
                let (signal, tag, subscription) = self.subscriptions.swap_remove(at);
                let removed = self.model.remove(signal, |one| one.is_of(tag));
                if *wait {
                    assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
                } else {
                    assert_eq!(subscription.unsubscribe(), removed);
                }
            }
            Step::Detach(index) if !self.subscriptions.is_empty() => {
                let at = index.index(self.subscriptions.len());
                self.subscriptions.swap_remove(at).2.detach();
            }
            Step::RemoveKey(key) => {
                let is_it = |one: &Listener| one.key == Some(*key) && !one.spent;
                let removed = self.model.remove(BROADCAST, is_it);
                assert_eq!(self.broadcast.unsubscribe(&key.to_string()), removed);
            }
            Step::Clear(signal) => {
                self.model.remove(*signal, |_| true);
                if *signal == BROADCAST {
                    self.broadcast.clear();
                } else {
                    self.one.clear();
                }
            }
            Step::Emitter(signal) => {
                self.next += 1;
                let emitter = if *signal == BROADCAST {
                    Either::Broadcast(self.broadcast.emitter().expect("open"))
                } else {
                    Either::One(self.one.emitter().expect("open"))
                };
                self.emitters.push((self.next as usize, emitter));
            }
            Step::DropEmitter(index) if !self.emitters.is_empty() => {
                let at = index.index(self.emitters.len());
                drop(self.emitters.swap_remove(at));
            }
            Step::Emit(index, way) if !self.emitters.is_empty() => {
                let at = index.index(self.emitters.len());
                self.emit(at, *way);
            }
            Step::Shared(signal, tries) => {
                let event = self.event(SHARED);
                let number = event.number;
                let was = match (*signal, tries) {
                    (BROADCAST, true) => self.broadcast.try_emit(event),
                    (BROADCAST, false) => self.broadcast.emit(event),
                    (_, true) => self.one.try_emit(event),
                    (_, false) => self.one.emit(event),
                };
                let was = was.map_err(refusal);
                let overflow = if *tries {
                    Overflow::Reject
                } else {
                    self.setup.overflow
                };
                let at = (*signal, SHARED);
                let should = self.model.emit(at, number, overflow, was.is_err());
                assert_eq!(was, should.map_err(|reason| (reason, Some(number))));
            }
            Step::Run => {
                let delivered = self.engine.run_until_idle().expect("not nested");
                assert_eq!(delivered, self.deliver());
            }
            Step::Flush(index) if !self.emitters.is_empty() => {
                let at = index.index(self.emitters.len());
                let (source, emitter) = &mut self.emitters[at];
                let idle = self.model.is_empty(*source);
                let slack = self.model.slack(*source);
                let flushed = match emitter {
                    Either::Broadcast(emitter) => emitter.flush(LONG),
                    Either::One(emitter) => emitter.flush(LONG),
                };
                assert_eq!(flushed, Ok(()));
                // With nothing of its own to wait for, nothing is run; but an abandoned claim is.
                if slack > 0 {
                    self.engine.run_until_idle().expect("not nested");
                }
                if !idle || slack > 0 {
                    self.deliver();
                }
            }
            // Nothing there to do it with.
            _ => {}
        }
    }

    /// Has the model deliver what the engine has, and compares the calls.
    fn deliver(&mut self) -> u64 {
        let seen = core::mem::take(&mut *self.log.lock().expect("no panic"));
        let sources = &self.sources;
        self.model.run(&seen, |number| sources[&number])
    }

    /// A listener that logs its calls.
    fn listener(&self, tag: u64, kind: Kind) -> WorkerListener<Event> {
        let (log, alive) = (Arc::clone(&self.log), Arc::clone(&self.listeners));
        let call = move |event: &Event| {
            assert!(Arc::strong_count(&alive) > 0);
            log.lock().expect("no panic").push((tag, event.number));
        };
        let fails = |event: &Event| event.number.is_multiple_of(3);
        match kind {
            Kind::Plain => WorkerListener::new(call),
            Kind::Errs => WorkerListener::fallible(move |event| {
                call(event);
                if fails(event) { Err("third") } else { Ok(()) }
            }),
            Kind::Panics => WorkerListener::new(move |event| {
                call(event);
                // Without the hook: thousands of these are nobody's business.
                if fails(event) {
                    std::panic::resume_unwind(Box::new("third"));
                }
            }),
            Kind::Batch => WorkerListener::batch(self.batch_call(call)),
        }
    }

    fn batch_call(
        &self,
        call: impl Fn(&Event) + Send + 'static,
    ) -> impl FnMut(Batch<'_, Event>) + Send + 'static {
        let limit = self.setup.batch.unwrap_or(64).min(self.setup.capacity);
        move |batch: Batch<'_, Event>| {
            assert!((1..=limit).contains(&batch.len()));
            for (index, event) in batch.iter().enumerate() {
                assert_eq!(batch.sequence(index), batch.sequence(0) + index as u64);
                assert_eq!(batch[index].number, event.number);
                call(event);
            }
        }
    }

    fn subscribe(&mut self, wish: &Wish) {
        self.next += 1;
        let tag = self.next;
        let mut listener = self.listener(tag, wish.kind).priority(wish.priority);
        if let Some(key) = wish.key {
            let key = if key == 9 {
                String::new()
            } else {
                key.to_string()
            };
            listener = listener.key(key);
        }
        if wish.once {
            listener = listener.once();
        }
        if let Some(worker) = wish.worker {
            listener = listener.on_worker(WorkerId::new(worker));
        }
        let added = self.broadcast.add(listener);
        let unknown = wish.worker.filter(|id| *id as usize >= self.setup.workers);
        let error = match (wish.key, unknown) {
            (Some(9), _) => Some(SubscribeError::EmptyKey),
            (Some(key), _) if self.model.has_key(key) => {
                Some(SubscribeError::DuplicateKey(key.to_string().into()))
            }
            (_, Some(worker)) => Some(SubscribeError::UnknownWorker(WorkerId::new(worker))),
            _ => None,
        };
        match (added, error) {
            (Err(error), expected) => assert_eq!(Some(error), expected),
            (Ok(_), Some(expected)) => panic!("no {expected:?}"),
            (Ok(subscription), None) => {
                let emptiest = self.model.emptiest();
                let worker = wish.worker.map_or(emptiest, |worker| worker as usize);
                self.model.add(BROADCAST, worker, tag, wish);
                self.subscriptions.push((BROADCAST, tag, subscription));
            }
        }
    }

    fn subscribe_sharded(&mut self, batch: bool) {
        self.next += 1;
        let tag = self.next;
        let kind = if batch { Kind::Batch } else { Kind::Plain };
        let call = |worker: WorkerId| {
            let (log, alive) = (Arc::clone(&self.log), Arc::clone(&self.listeners));
            let tag = at_worker(tag, worker.index());
            move |event: &Event| {
                assert!(Arc::strong_count(&alive) > 0);
                log.lock().expect("no panic").push((tag, event.number));
            }
        };
        let subscription = if batch {
            self.one
                .subscribe_sharded_batch(|worker| self.batch_call(call(worker)))
        } else {
            self.one.subscribe_sharded(call)
        };
        let wish = Wish {
            kind,
            key: None,
            priority: 0,
            once: false,
            worker: None,
        };
        for worker in 0..self.setup.workers {
            self.model.add(ONE, worker, at_worker(tag, worker), &wish);
        }
        self.subscriptions.push((ONE, tag, subscription));
    }

    fn emit(&mut self, at: usize, way: Way) {
        let source = self.emitters[at].0;
        let signal = match self.emitters[at].1 {
            Either::Broadcast(_) => BROADCAST,
            Either::One(_) => ONE,
        };
        if let Way::Batch(count) = way {
            return self.emit_batch(at, source, signal, count);
        }
        let event = self.event(source);
        let number = event.number;
        let was = match &mut self.emitters[at].1 {
            Either::Broadcast(emitter) => emit_by(emitter, event, way),
            Either::One(emitter) => emit_by(emitter, event, way),
        };
        let overflow = match way {
            Way::Try => Overflow::Reject,
            // It waits whatever the policy, and here that is not possible.
            Way::Within => Overflow::Wait,
            _ => self.setup.overflow,
        };
        let should = if matches!(way, Way::With) && !self.setup.recycled {
            // Refused before anything is looked at, and counted like every refusal.
            self.model.counts[signal].rejected += 1;
            Err((RejectReason::NotRecycled, None))
        } else {
            let back = Some(number).filter(|_| !matches!(way, Way::With));
            let emitted = self
                .model
                .emit((signal, source), number, overflow, was.is_err());
            emitted.map_err(|reason| (reason, back))
        };
        assert_eq!(was, should, "{way:?}");
    }

    fn emit_batch(&mut self, at: usize, source: usize, signal: usize, count: usize) {
        let events: Vec<_> = (0..count).map(|_| self.event(source)).collect();
        let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
        let was = match &mut self.emitters[at].1 {
            Either::Broadcast(emitter) => emitter.emit_batch(events),
            Either::One(emitter) => emitter.emit_batch(events),
        };
        let was = was.map_err(|refused| {
            let event = refused.event.map(|event| event.number);
            (refused.accepted, refused.reason, event, refused.dropped)
        });
        let refused_at = was.as_ref().map_or_else(|refused| refused.0, |_| count);
        let mut should = Ok(count);
        for (index, number) in numbers.into_iter().enumerate() {
            let was_refused = index == refused_at;
            let at = (signal, source);
            let emitted = self
                .model
                .emit(at, number, self.setup.overflow, was_refused);
            if let Err(reason) = emitted {
                should = Err((index, reason, Some(number), 0));
                break;
            }
        }
        assert_eq!(was, should);
    }

    /// What can be seen between two steps.
    fn compare(&self) {
        assert!(
            self.log.lock().expect("no panic").is_empty(),
            "a call outside a run"
        );
        let keys: Vec<_> = self.model.keys().iter().map(ToString::to_string).collect();
        let found: Vec<_> = self
            .broadcast
            .keys()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, keys);
        assert_eq!(self.broadcast.len(), self.model.len(BROADCAST));
        assert_eq!(self.one.len(), self.model.len(ONE));
        for key in 0..3 {
            let found = self.broadcast.contains_key(&key.to_string());
            assert_eq!(found, self.model.has_key(key));
        }
        for (signal, tag, subscription) in &self.subscriptions {
            assert_eq!(
                subscription.is_active(),
                self.model.is_active(*signal, *tag)
            );
        }
        for (signal, metrics) in [self.broadcast.metrics(), self.one.metrics()]
            .iter()
            .enumerate()
        {
            let counts = self.model.counts[signal];
            let emitted = counts.accepted + counts.rejected + counts.dropped;
            assert_eq!(metrics.emitted, emitted);
            let found = crate::model::Counts {
                accepted: metrics.accepted,
                rejected: metrics.rejected,
                dropped: metrics.dropped,
                delivered: metrics.delivered,
                failed: metrics.failed,
                panicked: metrics.panicked,
            };
            assert_eq!(found, counts);
            assert_eq!(metrics.listeners, self.model.len(signal));
            let depth: usize = metrics.lanes.iter().map(|lane| lane.depth).sum();
            let least = self.model.depth(signal);
            let most = least + self.model.slack_of_all();
            assert!((least..=most).contains(&depth), "{depth} {least} {most}");
        }
    }

    /// Shuts the engine down: what waits is delivered, then everything is refused, and nothing is
    /// left of anything.
    fn end(mut self) {
        let report = self.engine.shutdown(LONG);
        self.deliver();
        self.compare();
        let sums = (report.accepted, report.delivered, report.abandoned);
        assert_eq!(sums, (self.model.lane_events, self.model.lane_events, 0));
        let event = self.event(SHARED);
        let refused = self.broadcast.emit(event).map_err(refusal);
        assert_eq!(refused, Err((RejectReason::Closed, Some(self.next))));
        for at in 0..self.emitters.len() {
            let event = self.event(0);
            let refused = match &mut self.emitters[at].1 {
                Either::Broadcast(emitter) => emitter.emit(event).map_err(refusal),
                Either::One(emitter) => emitter.emit(event).map_err(refusal),
            };
            assert_eq!(refused, Err((RejectReason::Closed, Some(self.next))));
        }
        let late = self.broadcast.add(self.listener(0, Kind::Plain));
        assert_eq!(late.map(drop), Err(SubscribeError::Closed));
        assert!(!self.broadcast.subscribe(|_| {}).is_active());
        let (events, listeners) = (self.events, self.listeners);
        drop((self.emitters, self.broadcast, self.one, self.engine));
        drop(self.subscriptions);
        assert_eq!(Arc::strong_count(&events), 1, "an event is left");
        assert_eq!(Arc::strong_count(&listeners), 1, "a listener is left");
    }
}

/// Emits one event, or fills a slot with it.
fn emit_by<R: Route<Event>>(
    emitter: &mut Emitter<Event, R>,
    event: Event,
    way: Way,
) -> Result<(), Refusal> {
    match way {
        Way::Try => emitter.try_emit(event).map_err(refusal),
        Way::Within => emitter
            .emit_within(event, &Context::none())
            .map_err(refusal),
        Way::With => {
            let filled = emitter.emit_with(|slot| slot.clone_from(&event));
            filled.map_err(|reason| (reason, None))
        }
        _ => emitter.emit(event).map_err(refusal),
    }
}
