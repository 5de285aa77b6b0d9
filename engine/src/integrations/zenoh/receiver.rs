//! A receiver: the handle, its options, and events as they come.

use super::feeder::{Feeder, Shared};
use super::tracker::Tracker;
use super::{Incarnation, OpenError, Position, ReceiverMetrics, Reports, Session};
use crate::async_signal::{Emitter, Route};
use crate::context::{CancelToken, Context};
use crate::error::BoxError;
use crate::overflow::Overflow;
use ::zenoh::Wait;
use ::zenoh::key_expr::KeyExpr;
use ::zenoh::pubsub::Subscriber;
use core::fmt;
use corecast_ring::WaitStrategy;
use corecast_ring::sync::Ordering;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long dropping a receiver waits.
const DROP_LIMIT: Duration = Duration::from_secs(1);

/// Feeds a signal with what publishers on other machines send under a key.
///
/// The session's threads put frames into an inbox; a thread of the receiver's own decodes their
/// events and emits them. It owns the emitter, and the signal's
/// [`Overflow`](crate::Overflow) says what happens when a lane is full: under `Wait` the thread
/// waits, the inbox fills, and then **the session waits**, for every key that it receives, and
/// holds up the sender in turn. Where that must not be, take another overflow policy, or a session
/// of its own.
///
/// What is missing is counted, and is a fault of kind [`Gap`](crate::FaultKind::Gap) of the
/// signal's engine; events that cannot be decoded are counted, and are faults of kind
/// [`Error`](crate::FaultKind::Error) or [`Panic`](crate::FaultKind::Panic). Either has the first
/// sequence concerned; while a fault waits to be read, others of its kind and key are folded into
/// it.
///
/// It ends with the signal's engine. Dropping it waits for a second at most; see
/// [`Receiver::close`]. It remembers the 1024 incarnations heard of last; another one is new to it.
///
/// See the [module](super) for an example.
#[must_use = "dropping this ends it"]
pub struct Receiver {
    shared: Arc<Shared>,
    inlet: Option<Subscriber<()>>,
    cancel: CancelToken,
    thread: Option<JoinHandle<()>>,
    /// Without a handle the session would end.
    session: Session,
}

impl Receiver {
    /// A receiver of what is published under `key`, which may have wildcards: `*` for one piece
    /// between slashes, `**` for any number of them.
    pub fn builder(session: &Session, key: impl Into<String>) -> ReceiverBuilder {
        ReceiverBuilder {
            session: session.clone(),
            key: key.into(),
            inbox_bytes: 1 << 22,
            from_start: false,
            resume: Vec::new(),
        }
    }

    /// Counters of this moment.
    #[must_use]
    pub fn metrics(&self) -> ReceiverMetrics {
        ReceiverMetrics::of(&self.shared)
    }

    /// Whether it still feeds the signal: `false` once the engine has been shut down.
    #[must_use]
    pub fn is_running(&self) -> bool {
        // Acquire: the counters are seen with it.
        !self.shared.ended.load(Ordering::Acquire)
    }

    /// Ends it: nothing more is taken from the network, and what has come is emitted. Zero emits
    /// what can be emitted at once; `Duration::MAX` waits for ever. What is not emitted when the
    /// time is up is given up.
    pub fn close(mut self, limit: Duration) -> ReceiverMetrics {
        self.finish(limit);
        self.metrics()
    }

    fn finish(&mut self, limit: Duration) {
        let deadline = Instant::now().checked_add(limit);
        if let Some(inlet) = self.inlet.take() {
            // The session may be closed already.
            let _ = inlet.undeclare().wait();
        }
        self.shared.inbox.close();
        let Some(thread) = self.thread.take() else {
            return;
        };
        let ended = || self.shared.ended.load(Ordering::Acquire);
        let mut idle = WaitStrategy::park().idle();
        if idle.wait_until(&self.shared.progress, deadline, ended) {
            // Panics were caught inside.
            let _ = thread.join();
        } else {
            self.shared.inbox.abandon();
            self.cancel.cancel();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.finish(DROP_LIMIT);
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("session", &self.session.zid())
            .field("running", &self.is_running())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

/// An event as it came.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Record<'a> {
    /// What the publisher's `encode` wrote.
    pub bytes: &'a [u8],
    /// The key that it was published under.
    pub key: &'a str,
    /// Whose event it is.
    pub incarnation: Incarnation,
    /// Its place among that one's events.
    pub sequence: u64,
}

impl Record<'_> {
    /// Where a receiver stands that has dealt with this event.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            incarnation: self.incarnation,
            next: self.sequence.saturating_add(1),
        }
    }
}

/// Options of a [`Receiver`].
#[derive(Debug)]
#[must_use = "nothing is received before `feed`"]
pub struct ReceiverBuilder {
    session: Session,
    key: String,
    inbox_bytes: usize,
    from_start: bool,
    resume: Vec<(String, Position)>,
}

impl ReceiverBuilder {
    /// How many bytes wait to be decoded at most; 4 MiB unless told, and at least as many as the
    /// publishers' longest frame has.
    pub fn inbox_bytes(mut self, bytes: usize) -> Self {
        self.inbox_bytes = bytes;
        self
    }

    /// What a publisher had emitted before this receiver first heard of it is missing too. Else
    /// counting begins with the first frame that comes.
    pub fn from_start(mut self) -> Self {
        self.from_start = true;
        self
    }

    /// Continues where an earlier receiver had stopped: what was published under `key` since then
    /// and does not come any more is missing. One for each key; the position is a
    /// [`Record::position`] that was kept when its event had been dealt with.
    pub fn resume(mut self, key: impl Into<String>, position: Position) -> Self {
        self.resume.push((key.into(), position));
        self
    }

    /// Feeds `emitter` with what `decode` makes of each event's bytes.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    ///
    /// # Complexity
    ///
    /// Starts a thread. For each frame, an allocation and a copy; for each event, `decode` and an
    /// emission.
    pub fn feed<T, R, E>(
        self,
        emitter: Emitter<T, R>,
        decode: impl FnMut(Record<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<Receiver, OpenError>
    where
        T: Send + 'static,
        R: Route<T>,
        E: Into<BoxError>,
    {
        if self.inbox_bytes == 0 {
            return Err(OpenError::Option {
                name: "inbox_bytes",
                value: 0,
                possible: "1 byte or more",
            });
        }
        let mut tracker = Tracker::new(self.from_start);
        for (key, position) in &self.resume {
            tracker.resume(key, *position);
        }
        let engine = &emitter.core.engine;
        let shared = Arc::new(Shared::new(self.inbox_bytes, engine.fence_pair));
        let reports = Reports {
            faults: Arc::clone(&engine.faults),
            signal: Arc::clone(&emitter.core.options.name),
        };
        let context = Context::none();
        let cancel = context.cancel_token();
        let inlet = self.inlet(&shared, &reports)?;
        let feeder = Feeder {
            shared: Arc::clone(&shared),
            tracker,
            waits: emitter.core.options.overflow == Overflow::Wait,
            emitter,
            decode,
            context,
            reports,
        };
        // Should the thread not start, the subscriber goes.
        let thread = std::thread::Builder::new()
            .name("corecast-receive".to_owned())
            .spawn(move || feeder.run())
            .map_err(OpenError::Thread)?;
        Ok(Receiver {
            shared,
            inlet: Some(inlet),
            cancel,
            thread: Some(thread),
            session: self.session,
        })
    }

    fn inlet(&self, shared: &Arc<Shared>, reports: &Reports) -> Result<Subscriber<()>, OpenError> {
        let refused = |source| OpenError::Key {
            key: self.key.clone(),
            source,
        };
        let key = KeyExpr::try_from(self.key.clone()).map_err(refused)?;
        let (shared, reports) = (Arc::clone(shared), reports.clone());
        self.session
            .declare_subscriber(key)
            .callback(move |sample| shared.arrive(&sample, &reports))
            .wait()
            .map_err(refused)
    }
}
