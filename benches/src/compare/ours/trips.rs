//! Round trips through corecast: two workers, each of whose listeners owns the other's emitter.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use corecast::{
    AsyncSignal, Cores, Emitter, Engine, Fences, Pinning, WaitStrategy, WorkerId, WorkerListener,
};

use crate::compare::event::Event;
use crate::compare::trip::{CAPACITY, WARM_TRIPS};
use crate::measure::drift::TripClock;
use crate::measure::{CpuPair, Lap, LapError, Side};

use super::lanes::failed;

const LIMIT: Duration = Duration::from_secs(60);

/// Round trips between two busy-spinning workers, beside idle lanes.
#[derive(Debug)]
pub(in crate::compare) struct Trips<const WORDS: usize> {
    name: String,
    cpus: CpuPair,
    /// Lanes on each worker that nobody uses, beside the one that is used.
    idle_lanes: usize,
    /// Beside an engine with these fences, whose worker falls asleep all the time.
    sleeper: Option<Fences>,
}

impl<const WORDS: usize> Trips<WORDS> {
    pub(in crate::compare) fn new(cpus: CpuPair, lanes: usize) -> Self {
        let name = match lanes {
            1 => "corecast".to_owned(),
            _ => format!("corecast, {lanes} lanes"),
        };
        Self {
            name,
            cpus,
            idle_lanes: lanes - 1,
            sleeper: None,
        }
    }

    /// With one lane, beside a worker that falls asleep and is woken all the time.
    pub(in crate::compare) fn beside_a_sleeper(cpus: CpuPair, fences: Fences) -> Self {
        Self {
            name: "corecast, beside a sleeper".to_owned(),
            sleeper: Some(fences),
            ..Self::new(cpus, 1)
        }
    }

    fn signal(engine: &Engine, name: &'static str) -> Result<AsyncSignal<Event<WORDS>>, LapError> {
        engine
            .signal(name)
            .capacity(CAPACITY)
            .build()
            .map_err(failed)
    }
}

/// Sends, or ends the lap.
fn send<const WORDS: usize>(emitter: &mut Emitter<Event<WORDS>>, seed: u64) {
    if let Err(rejected) = emitter.try_emit(Event::new(seed)) {
        panic!("{rejected}");
    }
}

impl<const WORDS: usize> Side for Trips<WORDS> {
    fn name(&self) -> &str {
        &self.name
    }

    fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
        if !self.cpus.is_two() {
            return Err(LapError::Unsupported(
                "a spinning round trip on one CPU".to_owned(),
            ));
        }
        let engine = Engine::builder()
            .cores(Cores::list([self.cpus.emitter, self.cpus.worker]))
            .wait(WaitStrategy::busy_spin())
            .pinning(Pinning::Required)
            .build()
            .map_err(failed)?;
        let there = Self::signal(&engine, "there")?;
        let back = Self::signal(&engine, "back")?;
        let mut idle = Vec::new();
        for _ in 0..self.idle_lanes {
            idle.push(there.emitter().map_err(failed)?);
        }
        let (mut to_echo, mut to_caller) = (
            there.emitter().map_err(failed)?,
            back.emitter().map_err(failed)?,
        );
        let (echoed, echo_sum) = mpsc::channel();
        let mut sum = 0_u64;
        let trips = WARM_TRIPS + ops;
        let mut echoes = 0;
        let echo = WorkerListener::new(move |event: &Event<WORDS>| {
            sum = sum.wrapping_add(event.sum());
            echoes += 1;
            if echoes == trips {
                // The receiver is there until the lap has ended.
                let _ = echoed.send(sum);
            }
            send(&mut to_caller, event.seed() + 1);
        });
        let (done, result) = mpsc::channel();
        let (mut sum, mut answers) = (0_u64, 0);
        let mut clock: Option<TripClock> = None;
        let caller = WorkerListener::new(move |event: &Event<WORDS>| {
            // Seed 0 sets the trips going.
            if event.seed() > 0 {
                sum = sum.wrapping_add(event.sum());
                answers += 1;
                match &mut clock {
                    Some(clock) => clock.tick(),
                    None if answers == WARM_TRIPS => clock = Some(TripClock::start()),
                    None => {}
                }
            }
            if answers < trips {
                send(&mut to_echo, event.seed() + 1);
            } else if let Some(clock) = clock.take() {
                let _ = done.send((clock.stop(), sum));
            }
        });
        let _echo = there
            .add(echo.on_worker(WorkerId::new(1)))
            .map_err(failed)?;
        let _caller = back
            .add(caller.on_worker(WorkerId::new(0)))
            .map_err(failed)?;
        let sleeper = self.sleeper.map(Sleeper::start).transpose()?;
        let mut start = back.emitter().map_err(failed)?;
        send(&mut start, 0);
        let lost = |_| LapError::Lost {
            arrived: 0,
            sent: trips,
        };
        let ((elapsed, latency), sum) = result.recv_timeout(LIMIT).map_err(lost)?;
        let echoed = echo_sum.recv_timeout(LIMIT).map_err(lost)?;
        drop((idle, sleeper));
        engine.shutdown(LIMIT);
        Ok(Lap {
            elapsed,
            checksum: sum.wrapping_add(echoed),
            latency: Some(latency),
        })
    }
}

/// An engine whose worker parks after each of ten thousand events a second, as far as the CPUs let it.
struct Sleeper {
    over: Arc<AtomicBool>,
    emitting: Option<JoinHandle<()>>,
}

impl Sleeper {
    /// From one event to the next.
    const PERIOD: Duration = Duration::from_micros(100);

    fn start(fences: Fences) -> Result<Self, LapError> {
        let engine = Engine::builder()
            .cores(Cores::count(1))
            .wait(WaitStrategy::park())
            .pinning(Pinning::Off)
            .fences(fences)
            .build()
            .map_err(failed)?;
        let signal = engine.signal::<u64>("sleeper").build().map_err(failed)?;
        signal.subscribe(|_| {}).detach();
        let mut emitter = signal.emitter().map_err(failed)?;
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let emit = move || {
            // Relaxed: nothing but the flag is communicated.
            while !stop.load(Ordering::Relaxed) && emitter.emit(0).is_ok() {
                thread::sleep(Self::PERIOD);
            }
            engine.shutdown(LIMIT);
        };
        let emitting = thread::Builder::new()
            .spawn(emit)
            .map_err(LapError::Spawn)?;
        Ok(Self {
            over,
            emitting: Some(emitting),
        })
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It does not panic; if it did, the lap's own threads are none the worse.
        drop(self.emitting.take().map(JoinHandle::join));
    }
}
