//! Corecast's lanes as contestants: from emitters to listeners on pinned workers.

use std::ops::Range;
use std::time::Duration;

use corecast::{Cores, Emitter, Engine, Pinning, WaitStrategy, WorkerId, WorkerListener};

use crate::compare::event::Event;
use crate::compare::pipe::{Feed, Opened, Pipe, Plan, Stop, Waiting};
use crate::measure::LapError;

/// How long a lap's last events and listeners may take.
const LIMIT: Duration = Duration::from_secs(20);

/// An engine whose workers are all on the worker's CPU, a broadcast signal, a listener for each
/// sink on a worker of its own, and an emitter for each producer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lanes {
    pub(super) name: &'static str,
    /// The workers' wait strategy; that of the plan if `None`.
    pub(super) wait: Option<WaitStrategy>,
    /// Listeners take whole runs.
    pub(super) batches: bool,
    /// Every how many events the latency is sampled; 0 for never.
    pub(super) sample: u32,
}

impl Lanes {
    pub(super) const SINGLY: Self = Self {
        name: "corecast",
        wait: None,
        batches: false,
        sample: 0,
    };
    pub(super) const IN_RUNS: Self = Self {
        name: "corecast, batch listener",
        batches: true,
        ..Self::SINGLY
    };
}

/// Any error of the engine, as a lap's.
pub(in crate::compare) fn failed<E: std::error::Error + Send + Sync + 'static>(
    error: E,
) -> LapError {
    LapError::Side(Box::new(error))
}

impl<const WORDS: usize> Pipe<WORDS> for Lanes {
    type Feed = Emitter<Event<WORDS>>;

    fn name(&self) -> &str {
        self.name
    }

    fn open(&self, plan: Plan) -> Result<Opened<Self::Feed>, LapError> {
        let waiting = match plan.waiting {
            Waiting::Spin => WaitStrategy::busy_spin(),
            Waiting::Yield => WaitStrategy::spin_then_yield(),
        };
        let engine = Engine::builder()
            .cores(Cores::list([plan.worker]))
            .workers_per_core(plan.sinks.len())
            .wait(self.wait.unwrap_or(waiting))
            .pinning(Pinning::Required)
            .build()
            .map_err(failed)?;
        let signal = engine
            .signal::<Event<WORDS>>("row")
            .capacity(plan.capacity)
            .sample_latency(self.sample)
            .build()
            .map_err(failed)?;
        let mut subscriptions = Vec::new();
        for (worker, mut sink) in (0..).zip(plan.sinks) {
            let listener = if self.batches {
                WorkerListener::batch(move |batch| batch.iter().for_each(|event| sink.take(event)))
            } else {
                WorkerListener::new(move |event| sink.take(event))
            };
            let listener = listener.on_worker(WorkerId::new(worker));
            subscriptions.push(signal.add(listener).map_err(failed)?);
        }
        let feeds = (0..plan.producers).map(|_| signal.emitter());
        let feeds = feeds.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let stop: Stop = Box::new(move || {
            // Everything was accepted; deliver it, then have the sinks dropped.
            let report = engine.shutdown(LIMIT);
            for subscription in subscriptions {
                subscription.unsubscribe_and_wait(LIMIT).map_err(failed)?;
            }
            match report.abandoned {
                0 => Ok(()),
                _ => Err(LapError::Lost {
                    arrived: report.delivered,
                    sent: report.accepted,
                }),
            }
        });
        Ok(Opened { feeds, stop })
    }
}

impl<const WORDS: usize> Feed<WORDS> for Emitter<Event<WORDS>> {
    #[inline]
    fn send(&mut self, seed: u64) {
        if let Err(rejected) = self.emit(Event::new(seed)) {
            panic!("{rejected}");
        }
    }

    #[inline]
    fn send_batch(&mut self, seeds: Range<u64>) {
        if let Err(rejected) = self.emit_batch(seeds.map(Event::new)) {
            panic!("{rejected}");
        }
    }
}
