//! Asynchronous signals of any number of everything, as a side.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corecast::{Cores, Emitter, Engine, Pinning, WaitStrategy, WorkerId, WorkerListener};

use crate::compare::event::Event;
use crate::compare::ours::lanes::failed;
use crate::measure::{CpuPair, Lap, LapError, Pinned, Side};

/// How long the events of a lap may take to arrive.
const LIMIT: Duration = Duration::from_secs(60);

/// One thread emits on one CPU, its emitters in turn; the workers are on the other CPU.
#[derive(Debug, Clone, Copy)]
pub struct Fabric<const WORDS: usize> {
    /// Where it runs.
    pub cpus: CpuPair,
    /// Workers; those that share the CPU yield to one another.
    pub workers: usize,
    /// Signals.
    pub signals: usize,
    /// Listeners of each signal, on the workers in turn.
    pub listeners: usize,
    /// Emitters of each signal.
    pub emitters: usize,
    /// Emitters of the first signal that emit nothing.
    pub idle: usize,
    /// Slots of each lane.
    pub capacity: usize,
}

impl<const WORDS: usize> Fabric<WORDS> {
    /// One of everything.
    #[must_use]
    pub fn single(cpus: CpuPair) -> Self {
        Self {
            cpus,
            workers: 1,
            signals: 1,
            listeners: 1,
            emitters: 1,
            idle: 0,
            capacity: 1024,
        }
    }

    /// The events that come before the counted ones: enough to use every slot.
    fn warm(&self) -> u64 {
        (self.capacity * self.signals * self.emitters) as u64
    }

    /// What the listeners must have summed up and counted after a lap of `ops` events.
    #[must_use]
    pub fn expected(&self, ops: u64) -> u64 {
        let events = self.warm() + ops;
        let each = Event::<WORDS>::expected(events).wrapping_add(events);
        each.wrapping_mul(self.listeners as u64)
    }

    fn wait(&self) -> WaitStrategy {
        if self.cpus.is_two() && self.workers == 1 {
            WaitStrategy::busy_spin()
        } else {
            WaitStrategy::spin_then_yield()
        }
    }
}

/// Adds up events, and when its worker drops it, adds the sum and their number to the total.
struct Adding {
    sum: u64,
    total: Arc<AtomicU64>,
}

impl Adding {
    /// Adds an event, and one more for itself: there are events without words.
    #[inline]
    fn add<const WORDS: usize>(&mut self, event: &Event<WORDS>) {
        self.sum = self.sum.wrapping_add(event.sum()).wrapping_add(1);
    }
}

impl Drop for Adding {
    fn drop(&mut self) {
        // Relaxed: whoever reads the total has waited for this drop.
        self.total.fetch_add(self.sum, Ordering::Relaxed);
    }
}

impl<const WORDS: usize> Side for Fabric<WORDS> {
    fn name(&self) -> &str {
        "corecast"
    }

    fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
        let _pinned = Pinned::to(self.cpus.emitter)?;
        let engine = Engine::builder()
            .cores(Cores::list([self.cpus.worker]))
            .workers_per_core(self.workers)
            .wait(self.wait())
            .pinning(Pinning::Required)
            .build()
            .map_err(failed)?;
        let total = Arc::new(AtomicU64::new(0));
        let (mut subscriptions, mut emitters, mut idle) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..self.signals {
            let signal = engine.signal::<Event<WORDS>>("growth");
            let signal = signal.capacity(self.capacity).build().map_err(failed)?;
            for listener in 0..self.listeners {
                let mut adding = Adding {
                    sum: 0,
                    total: Arc::clone(&total),
                };
                let add = WorkerListener::new(move |event| adding.add(event));
                let worker = WorkerId::new((listener % self.workers) as u32);
                subscriptions.push(signal.add(add.on_worker(worker)).map_err(failed)?);
            }
            for _ in 0..self.emitters {
                emitters.push(signal.emitter().map_err(failed)?);
            }
            if number == 0 {
                for _ in 0..self.idle {
                    idle.push(signal.emitter().map_err(failed)?);
                }
            }
        }
        let warm = self.warm();
        emit_in_turn(&mut emitters, 0, warm)?;
        let start = Instant::now();
        emit_in_turn(&mut emitters, warm, warm + ops)?;
        let elapsed = start.elapsed();
        let report = engine.shutdown(LIMIT);
        for subscription in subscriptions {
            subscription.unsubscribe_and_wait(LIMIT).map_err(failed)?;
        }
        if report.abandoned > 0 {
            return Err(LapError::Lost {
                arrived: report.delivered,
                sent: report.accepted,
            });
        }
        Ok(Lap {
            elapsed,
            checksum: total.load(Ordering::Relaxed),
            latency: None,
        })
    }
}

/// Emits the events of these seeds, and returns when every listener is done with them.
fn emit_in_turn<const WORDS: usize>(
    emitters: &mut [Emitter<Event<WORDS>>],
    first: u64,
    end: u64,
) -> Result<(), LapError> {
    let mut turn = 0;
    for seed in first..end {
        emitters[turn]
            .emit(Event::new(seed))
            .map_err(|rejected| LapError::Unsupported(rejected.reason.to_string()))?;
        turn += 1;
        if turn == emitters.len() {
            turn = 0;
        }
    }
    for emitter in emitters {
        emitter.flush(LIMIT).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_every_shape_arrives() {
        let one = Fabric::<7> {
            capacity: 16,
            ..Fabric::single(CpuPair::choose())
        };
        for mut fabric in [
            one,
            Fabric {
                workers: 3,
                listeners: 5,
                ..one
            },
            Fabric { signals: 4, ..one },
            Fabric {
                emitters: 3,
                idle: 2,
                ..one
            },
        ] {
            let lap = fabric.lap(500).expect("a lap");
            assert_eq!(lap.checksum, fabric.expected(500), "{fabric:?}");
        }
    }

    #[test]
    fn events_without_words_are_counted() {
        let mut fabric = Fabric::<0>::single(CpuPair::choose());
        let lap = fabric.lap(100).expect("a lap");
        assert_eq!(lap.checksum, 1024 + 100);
    }
}
