//! A publisher and a receiver on one session, which hands over within the process.

use corecast::zenoh::{
    Publisher, PublisherBuilder, Receiver, ReceiverBuilder, ReceiverMetrics, Record, Session, peer,
};
use corecast::{AsyncSignal, Emitter, Engine, Fault};
use std::sync::OnceLock;
use std::sync::mpsc::Receiver as Channel;
use std::time::{Duration, Instant};

/// How long something may take that takes no time: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// One session for all tests of this process: their keys are different.
pub(crate) fn session() -> &'static Session {
    static SESSION: OnceLock<Session> = OnceLock::new();
    SESSION.get_or_init(|| peer(&[], &[]).unwrap())
}

pub(crate) fn encode(number: &u64, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

pub(crate) fn decode(record: Record<'_>) -> Result<u64, std::array::TryFromSliceError> {
    record.bytes.try_into().map(u64::from_le_bytes)
}

/// A publisher under a key, of a manual engine's signal: events are encoded by `Source::drain`, on
/// the test's thread.
pub(crate) struct Source {
    pub(crate) engine: Engine,
    pub(crate) signal: AsyncSignal<u64>,
    pub(crate) emitter: Emitter<u64>,
    pub(crate) publisher: Option<Publisher>,
}

impl Source {
    pub(crate) fn new(
        key: &str,
        options: impl FnOnce(PublisherBuilder) -> PublisherBuilder,
    ) -> Self {
        Self::with(key, options, encode)
    }

    pub(crate) fn with(
        key: &str,
        options: impl FnOnce(PublisherBuilder) -> PublisherBuilder,
        encode: impl FnMut(&u64, &mut Vec<u8>) + Send + 'static,
    ) -> Self {
        let engine = Engine::builder().manual().build().unwrap();
        let signal = engine.signal("source").build().unwrap();
        let emitter = signal.emitter().unwrap();
        let publisher = options(Publisher::builder(session(), key))
            .publish(&signal, encode)
            .unwrap();
        Self {
            engine,
            signal,
            emitter,
            publisher: Some(publisher),
        }
    }

    pub(crate) fn publisher(&self) -> &Publisher {
        self.publisher.as_ref().unwrap()
    }

    /// Emits and has the listener called.
    pub(crate) fn emit(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.emitter.emit(number).unwrap();
            self.engine.run_until_idle().unwrap();
        }
    }

    /// As [`Source::emit`], and has everything sent that is not dropped.
    pub(crate) fn send(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.emit([number]);
            self.publisher().flush(PATIENCE).unwrap();
        }
    }
}

/// A receiver of a key, and what its signal's listener sees.
pub(crate) struct Sink {
    pub(crate) engine: Engine,
    pub(crate) signal: AsyncSignal<u64>,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) seen: Channel<u64>,
}

impl Sink {
    pub(crate) fn new(key: &str) -> Self {
        Self::with(key, ReceiverBuilder::from_start, decode)
    }

    pub(crate) fn with<E: Into<corecast::BoxError>>(
        key: &str,
        options: impl FnOnce(ReceiverBuilder) -> ReceiverBuilder,
        decode: impl FnMut(Record<'_>) -> Result<u64, E> + Send + 'static,
    ) -> Self {
        let engine = Engine::builder().build().unwrap();
        let signal = engine.signal("sink").build().unwrap();
        let (tell, seen) = std::sync::mpsc::channel();
        // The test may be over.
        signal
            .subscribe(move |number| {
                let _ = tell.send(*number);
            })
            .detach();
        let emitter = signal.emitter().unwrap();
        let receiver = options(Receiver::builder(session(), key))
            .feed(emitter, decode)
            .unwrap();
        Self {
            engine,
            signal,
            receiver: Some(receiver),
            seen,
        }
    }

    pub(crate) fn metrics(&self) -> ReceiverMetrics {
        self.receiver.as_ref().unwrap().metrics()
    }

    /// The next numbers that the listener sees.
    pub(crate) fn take(&self, count: usize) -> Vec<u64> {
        let next = || self.seen.recv_timeout(PATIENCE).unwrap();
        (0..count).map(|_| next()).collect()
    }

    /// Waits until the counters are as `done` wants them.
    pub(crate) fn wait(&self, done: impl Fn(&ReceiverMetrics) -> bool) -> ReceiverMetrics {
        wait_for(|| Some(self.metrics()).filter(&done))
    }

    pub(crate) fn fault(&self) -> Fault {
        wait_for(|| self.engine.faults().pop())
    }
}

/// Looks again and again, until `look` sees something.
pub(crate) fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it does not come");
        std::thread::yield_now();
    }
}
