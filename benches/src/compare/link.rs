//! Queues that are polled: most peers, made into a [`Pipe`] by one consuming loop.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use corecast_affinity::CpuId;

use crate::measure::{LapError, start};

use super::event::Event;
use super::pipe::{Feed, Opened, Pipe, Plan, Waiting};
use super::sink::Sink;

/// A bounded queue whose consumer asks for events.
pub trait Link<const WORDS: usize> {
    /// The producer's end.
    type Sender: Feed<WORDS> + Send;
    /// The consumer's end.
    type Receiver: Drain<WORDS> + Send + 'static;

    /// What the report calls it.
    fn name(&self) -> &str;

    /// Makes a queue of `capacity` events with that many producers' ends, all of whose waits are
    /// `waiting`.
    ///
    /// # Errors
    ///
    /// [`LapError::Unsupported`] when it cannot have that many producers.
    fn connect(
        &self,
        capacity: usize,
        producers: usize,
        waiting: Waiting,
    ) -> Result<(Vec<Self::Sender>, Self::Receiver), LapError>;
}

/// The consumer's end of a [`Link`].
pub trait Drain<const WORDS: usize> {
    /// Hands what has arrived to `take`, and returns how many events that was: 0 when there was
    /// none.
    fn drain(&mut self, take: impl FnMut(&Event<WORDS>)) -> usize;
}

/// A [`Link`] as a [`Pipe`]: one consuming thread, which drains in a loop.
#[derive(Debug)]
pub struct Polled<L> {
    link: L,
    idle: u32,
}

impl<L> Polled<L> {
    /// Polls an empty queue without pause.
    #[must_use]
    pub fn eagerly(link: L) -> Self {
        Self { link, idle: 1 }
    }

    /// Lets `idle` spin hints pass before it polls an empty queue again.
    ///
    /// Each poll of an empty queue takes the producer's cursor line away from the producer; left
    /// alone for a moment, the producer gets further and the consumer finds more at once. Costs
    /// latency, wins throughput. Where consumers yield, they only yield.
    #[must_use]
    pub fn lazily(link: L, idle: u32) -> Self {
        Self { link, idle }
    }
}

impl<L: Link<WORDS>, const WORDS: usize> Pipe<WORDS> for Polled<L> {
    type Feed = L::Sender;

    fn name(&self) -> &str {
        self.link.name()
    }

    fn open(&self, plan: Plan) -> Result<Opened<Self::Feed>, LapError> {
        let sink = only(plan.sinks)?;
        let (feeds, receiver) = self
            .link
            .connect(plan.capacity, plan.producers, plan.waiting)?;
        let idle = Idle {
            waiting: plan.waiting,
            spins: self.idle,
        };
        let consumers = vec![Consumer::start(receiver, sink, plan.worker, idle)?];
        Ok(Opened {
            feeds,
            stop: Box::new(|| stop_all(consumers)),
        })
    }
}

/// One [`Link`] per consumer as a [`Pipe`]: a producer sends every event down each of them.
#[derive(Debug)]
pub struct FannedOut<L>(pub L);

/// A producer's ends of the queues to each consumer.
#[derive(Debug)]
pub struct Fan<S>(Vec<S>);

impl<L: Link<WORDS>, const WORDS: usize> Pipe<WORDS> for FannedOut<L> {
    type Feed = Fan<L::Sender>;

    fn name(&self) -> &str {
        self.0.name()
    }

    fn open(&self, plan: Plan) -> Result<Opened<Self::Feed>, LapError> {
        let mut feeds: Vec<Fan<L::Sender>> = (0..plan.producers).map(|_| Fan(Vec::new())).collect();
        let mut consumers = Vec::with_capacity(plan.sinks.len());
        for sink in plan.sinks {
            let (senders, receiver) =
                self.0
                    .connect(plan.capacity, plan.producers, plan.waiting)?;
            for (fan, sender) in feeds.iter_mut().zip(senders) {
                fan.0.push(sender);
            }
            let idle = Idle {
                waiting: plan.waiting,
                spins: 1,
            };
            consumers.push(Consumer::start(receiver, sink, plan.worker, idle)?);
        }
        Ok(Opened {
            feeds,
            stop: Box::new(|| stop_all(consumers)),
        })
    }
}

impl<S: Feed<WORDS>, const WORDS: usize> Feed<WORDS> for Fan<S> {
    #[inline]
    fn send(&mut self, seed: u64) {
        for sender in &mut self.0 {
            sender.send(seed);
        }
    }

    #[inline]
    fn send_batch(&mut self, seeds: std::ops::Range<u64>) {
        for sender in &mut self.0 {
            sender.send_batch(seeds.clone());
        }
    }
}

/// The one sink of a plan.
pub(super) fn only(sinks: Vec<Sink>) -> Result<Sink, LapError> {
    let consumers = sinks.len();
    match <[Sink; 1]>::try_from(sinks) {
        Ok([sink]) => Ok(sink),
        Err(_) => Err(LapError::Unsupported(format!(
            "{consumers} consumers, where one is possible"
        ))),
    }
}

/// What a consumer does when there is nothing to drain.
#[derive(Debug, Clone, Copy)]
struct Idle {
    waiting: Waiting,
    spins: u32,
}

impl Idle {
    fn pause(self) {
        match self.waiting {
            Waiting::Spin => (0..self.spins).for_each(|_| Waiting::Spin.pause()),
            Waiting::Yield => Waiting::Yield.pause(),
        }
    }
}

/// Refuses a plan of several producers, for queues that can have one.
pub(super) fn one_producer(producers: usize) -> Result<(), LapError> {
    match producers {
        1 => Ok(()),
        _ => Err(LapError::Unsupported(format!(
            "{producers} producers, where one is possible"
        ))),
    }
}

/// A consuming thread. Told to end when dropped, so that a half-opened pipe leaves none behind.
struct Consumer {
    handle: std::thread::JoinHandle<Option<()>>,
    closing: Closing,
}

/// Set when nothing more will be sent.
struct Closing(Arc<AtomicBool>);

impl Drop for Closing {
    fn drop(&mut self) {
        // Release: the consumer that sees it has every event before it in sight.
        self.0.store(true, Ordering::Release);
    }
}

impl Consumer {
    /// Starts a thread on `worker` that drains `receiver` into `sink`.
    fn start<const WORDS: usize>(
        receiver: impl Drain<WORDS> + Send + 'static,
        sink: Sink,
        worker: CpuId,
        idle: Idle,
    ) -> Result<Self, LapError> {
        let flag = Arc::new(AtomicBool::new(false));
        let closing = Closing(Arc::clone(&flag));
        let handle = start::owned(worker, move || consume(receiver, sink, idle, &flag))?;
        Ok(Self { handle, closing })
    }

    /// Lets the thread drain what is left, and waits for its end.
    fn stop(self) -> Result<(), LapError> {
        drop(self.closing);
        start::finished(self.handle.join())
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}

fn stop_all(consumers: Vec<Consumer>) -> Result<(), LapError> {
    consumers.into_iter().try_for_each(Consumer::stop)
}

/// The consuming loop: drains until nothing is left and nothing more will come.
fn consume<const WORDS: usize>(
    mut receiver: impl Drain<WORDS>,
    mut sink: Sink,
    idle: Idle,
    closing: &AtomicBool,
) {
    loop {
        if receiver.drain(|event| sink.take(event)) > 0 {
            continue;
        }
        // Acquire: pairs with `Closing::drop`; the drain after it finds what was sent before it.
        if closing.load(Ordering::Acquire) {
            while receiver.drain(|event| sink.take(event)) > 0 {}
            return;
        }
        idle.pause();
    }
}
