//! A publisher: the listener's handle, and its options.

use super::{Incarnation, OpenError, PublisherMetrics, Reports, Session};
use crate::WorkerId;
use crate::async_signal::{AsyncSignal, WorkerListener};
use crate::integrations::relay::frame::{HEADER, Origin};
use crate::integrations::relay::outbox::{Encoded, FIRST_BYTES};
use crate::integrations::relay::{Outbox, Sender, Shared};
use crate::overflow::FlushError;
use crate::subscription::Subscription;
use ::zenoh::Wait;
use ::zenoh::key_expr::KeyExpr;
use ::zenoh::qos::CongestionControl;
use core::fmt;
use core::hash::BuildHasher;
use corecast_ring::{Parker, RingOptions, WaitStrategy};
use std::hash::RandomState;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long dropping a publisher waits.
const DROP_LIMIT: Duration = Duration::from_secs(1);
/// The longest event that any option permits.
const LONGEST_EVENT: usize = 1 << 30;
/// The highest sequence to begin with: what follows never comes to the end of 64 bits.
const LAST_START: u64 = 1 << 63;
/// How often somebody who waits for a receiver looks for one.
const LOOK: Duration = Duration::from_millis(10);

/// A listener that sends a signal's events to other machines, under a key.
///
/// The worker encodes each event into a queue of its own; a thread gathers what is there into
/// frames and hands them to the session. When the network is slower than the emitter, that thread
/// waits for the network, the queue fills, and then events are dropped, newest first, and counted:
/// **the worker never waits for the network**. Receivers see what was dropped as a gap.
///
/// A receiver that takes nothing for five seconds (the session's `wait_before_close`) is cut off by
/// the session, and connects again; until then it holds up the others under the same session.
///
/// Give each publisher a key of its own; one receiver can take several, as in `"ticks/*"`. Dropping
/// it removes the listener and waits for a second at most; see [`Publisher::close`].
///
/// # Complexity
///
/// For each event, on the worker: `encode`, and a slot of the queue. Allocates until each of the
/// queue's buffers has grown to the events' size, and then no more. The first event after an idle
/// time costs a system call to wake the thread. For each frame, on the thread: an allocation.
///
/// See the [module](super) for an example.
#[must_use = "dropping this removes the listener"]
pub struct Publisher {
    shared: Arc<Shared>,
    incarnation: Incarnation,
    outlet: Arc<::zenoh::pubsub::Publisher<'static>>,
    subscription: Option<Subscription>,
    thread: Option<JoinHandle<()>>,
    /// Without a handle the session would end.
    session: Session,
}

impl Publisher {
    /// A publisher under `key`, with options.
    pub fn builder(session: &Session, key: impl Into<String>) -> PublisherBuilder {
        PublisherBuilder {
            session: session.clone(),
            key: key.into(),
            queue: 1 << 14,
            event_bytes: 1 << 10,
            frame_bytes: 1 << 14,
            heartbeat: Duration::from_secs(1),
            resume: None,
            worker: None,
        }
    }

    /// This publisher's life.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The sequence of the next event: what a successor may
    /// [resume from](PublisherBuilder::resume_from).
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.shared.next()
    }

    /// Counters of this moment.
    #[must_use]
    pub fn metrics(&self) -> PublisherMetrics {
        PublisherMetrics::of(&self.shared)
    }

    /// Whether somebody receives the key now, as far as the session knows.
    #[must_use]
    pub fn has_receiver(&self) -> bool {
        let status = self.outlet.matching_status().wait();
        status.is_ok_and(|status| status.matching())
    }

    /// Waits until somebody receives the key; whether somebody does. What is published before is
    /// missing there. Zero looks once; `Duration::MAX` waits for ever.
    pub fn wait_for_receiver(&self, limit: Duration) -> bool {
        let deadline = Instant::now().checked_add(limit);
        let nothing = Parker::new(self.shared.work.fences());
        loop {
            if self.has_receiver() {
                return true;
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return false;
            }
            let look = deadline.map_or(now + LOOK, |deadline| deadline.min(now + LOOK));
            WaitStrategy::park()
                .idle()
                .wait_until(&nothing, Some(look), || false);
        }
    }

    /// Waits until every event that the listener has been called with is handed to the session, or
    /// dropped. That says nothing about who has received it. Zero looks once; `Duration::MAX` waits
    /// for ever. To flush what an emitter has emitted, flush the emitter first.
    ///
    /// # Errors
    ///
    /// [`FlushError::Timeout`].
    ///
    /// # Memory ordering
    ///
    /// After `Ok` the counters of [`Publisher::metrics`] have every such event.
    pub fn flush(&self, limit: Duration) -> Result<(), FlushError> {
        self.shared.flush(limit)
    }

    /// Removes the listener, sends what is queued, and tells receivers that no more will come. Zero
    /// sends what can be sent at once; `Duration::MAX` waits for ever. What is still queued when
    /// the time is up is given up: `queued` of the result.
    pub fn close(mut self, limit: Duration) -> PublisherMetrics {
        self.finish(limit);
        self.metrics()
    }

    fn finish(&mut self, limit: Duration) {
        let begun = Instant::now();
        if let Some(subscription) = self.subscription.take() {
            // Removed in every case; on a worker it cannot be waited for, and need not be.
            let _ = subscription.unsubscribe_and_wait(limit);
        }
        let Some(thread) = self.thread.take() else {
            return;
        };
        if self.shared.finish(limit.saturating_sub(begun.elapsed())) {
            // It runs no user code, and panics are not expected.
            let _ = thread.join();
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.finish(DROP_LIMIT);
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("key", &self.outlet.key_expr().as_str())
            .field("incarnation", &self.incarnation)
            .field("session", &self.session.zid())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

/// Options of a [`Publisher`].
#[derive(Debug, Clone)]
#[must_use = "nothing is published before `publish`"]
pub struct PublisherBuilder {
    session: Session,
    key: String,
    queue: usize,
    event_bytes: usize,
    frame_bytes: usize,
    heartbeat: Duration,
    resume: Option<u64>,
    worker: Option<WorkerId>,
}

impl PublisherBuilder {
    /// How many events wait for the network at most, before they are dropped: a power of two from 2
    /// on; 16,384 unless told.
    pub fn queue(mut self, events: usize) -> Self {
        self.queue = events;
        self
    }

    /// The longest encoding of an event; 1 KiB unless told, 1 GiB at most. A longer one is not
    /// sent, and is a fault. The queue holds so many bytes for each of its events at most.
    pub fn event_bytes(mut self, bytes: usize) -> Self {
        self.event_bytes = bytes;
        self
    }

    /// A frame that has so many bytes is sent, even if more events are waiting; 16 KiB unless told.
    pub fn frame_bytes(mut self, bytes: usize) -> Self {
        self.frame_bytes = bytes;
        self
    }

    /// How often an idle publisher says how far it has come; a second unless told. `Duration::MAX`
    /// is never: receivers then see a gap at the end only when something follows.
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.heartbeat = every;
        self
    }

    /// Goes on counting where an earlier publisher under this key had stopped: `sequence` events
    /// were emitted before. Then what that one had emitted and never sent shows as a gap, and
    /// events that it had sent already are not emitted again by receivers that have them. Whatever
    /// of the earlier one arrives later than the first of this one is not emitted either. For
    /// events that come from a journal, or that carry a count themselves.
    pub fn resume_from(mut self, sequence: u64) -> Self {
        self.resume = Some(sequence);
        self
    }

    /// The worker to encode on; else the one with the fewest listeners.
    pub fn on_worker(mut self, worker: WorkerId) -> Self {
        self.worker = Some(worker);
        self
    }

    /// Publishes every event whose emission begins after this returned. `encode` appends an event's
    /// bytes to the vector, which is empty; should it panic, that event is not sent, and is a fault.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    ///
    /// # Complexity
    ///
    /// Allocates the queue and starts a thread.
    #[track_caller]
    pub fn publish<T: Send + 'static>(
        self,
        signal: &AsyncSignal<T>,
        encode: impl FnMut(&T, &mut Vec<u8>) + Send + 'static,
    ) -> Result<Publisher, OpenError> {
        self.check()?;
        let key: Arc<str> = self.key.as_str().into();
        let outlet = Arc::new(self.outlet()?);
        let engine = &signal.core().engine;
        let reports = Reports {
            faults: Arc::clone(&engine.faults),
            signal: Arc::clone(&signal.core().options.name),
        };
        let (ring, events) = RingOptions::new()
            .fences(engine.fences)
            .ready(Arc::new(Parker::new(engine.fence_pair)))
            .spsc_recycled(self.queue, || Encoded {
                sequence: 0,
                bytes: Vec::with_capacity(FIRST_BYTES.min(self.event_bytes)),
            })
            .map_err(OpenError::Queue)?;
        let origin = Origin {
            incarnation: Incarnation {
                session: self.session.zid().to_le_bytes(),
                number: RandomState::new().hash_one(()),
            },
            start: self.resume.unwrap_or(0),
            resumed: self.resume.is_some(),
        };
        let shared = Arc::new(Shared::new(origin.start, Arc::clone(events.parker())));
        let mut outbox = Outbox {
            ring,
            shared: Arc::clone(&shared),
            reports: reports.clone(),
            encode,
            scratch: Vec::with_capacity(FIRST_BYTES),
            limit: self.event_bytes,
            key: Arc::clone(&key),
        };
        let sender = Sender {
            events,
            shared: Arc::clone(&shared),
            outlet: Arc::clone(&outlet),
            origin,
            reports,
            frame_bytes: self.frame_bytes,
            frame_capacity: HEADER + self.frame_bytes.min(1 << 20) + self.event_bytes.min(1 << 16),
            heartbeat: self.heartbeat,
            key,
        };
        let mut listener = WorkerListener::batch(move |run| outbox.take(run)).name(self.key);
        if let Some(worker) = self.worker {
            listener = listener.on_worker(worker);
        }
        // Should the thread not start, the subscription goes and the listener with it.
        let subscription = signal.add(listener).map_err(OpenError::Subscribe)?;
        let thread = std::thread::Builder::new()
            .name("corecast-publish".to_owned())
            .spawn(move || sender.run())
            .map_err(OpenError::Thread)?;
        Ok(Publisher {
            shared,
            incarnation: origin.incarnation,
            outlet,
            subscription: Some(subscription),
            thread: Some(thread),
            session: self.session,
        })
    }

    fn check(&self) -> Result<(), OpenError> {
        let out_of_range = |name, value, possible| {
            Err(OpenError::Option {
                name,
                value,
                possible,
            })
        };
        if self.event_bytes == 0 || self.event_bytes > LONGEST_EVENT {
            let value = self.event_bytes as u64;
            return out_of_range("event_bytes", value, "1 byte to 1 GiB");
        }
        if self.frame_bytes == 0 || self.frame_bytes > LONGEST_EVENT {
            let value = self.frame_bytes as u64;
            return out_of_range("frame_bytes", value, "1 byte to 1 GiB");
        }
        if let Some(first) = self.resume.filter(|first| *first > LAST_START) {
            return out_of_range("resume_from", first, "0 to 2^63");
        }
        if self.heartbeat.is_zero() {
            return out_of_range("heartbeat", 0, "more than no time");
        }
        Ok(())
    }

    fn outlet(&self) -> Result<::zenoh::pubsub::Publisher<'static>, OpenError> {
        let refused = |source| OpenError::Key {
            key: self.key.clone(),
            source,
        };
        let key = KeyExpr::try_from(self.key.clone()).map_err(refused)?;
        if key.is_wild() {
            let key = self.key.clone();
            return Err(OpenError::Wildcard { key });
        }
        self.session
            .declare_publisher(key)
            // The thread waits for the network; the queue takes what comes meanwhile.
            .congestion_control(CongestionControl::Block)
            .wait()
            .map_err(refused)
    }
}
