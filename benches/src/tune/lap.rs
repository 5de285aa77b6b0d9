//! One lap: an engine of some configuration under the load, for a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use corecast::{
    Emitter, Engine, Overflow, RejectReason, ShutdownReport, Subscription, WorkerId, WorkerListener,
};
use corecast_affinity::{Cores, Placement, allowed_cpus};

use crate::cli::Error;
use crate::compare::event::Event;
use crate::measure::cpu_time::CpuTime;
use crate::measure::latency::Latency;
use crate::measure::{LapError, start};
use crate::replay::Clock;

use super::configuration::Configuration;
use super::emitting::{Sent, Share, Times, due_within, emit_all};
use super::listener::{Ear, Heard};
use super::load::{Load, Rate};
use super::work::Work;

/// What workers' threads are called.
const WORKERS: &str = "tune";

/// How long what waits in the lanes may take at the end; what is left then is counted.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// Far more than a worker needs to drop a listener.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the measuring thread looks whether it is to stop.
const GLANCE: Duration = Duration::from_millis(20);

/// Between starting the threads and the first event: every thread has arrived by then.
const RUN_UP_NS: u64 = 1_000_000;

/// A worker may be behind its schedule by so much of it and still keep up: by a hundredth,
const BEHIND_SHARE: f64 = 0.01;
/// and by what is due in ten milliseconds, in which a machine may have done something else,
const BEHIND_NS: u64 = 10_000_000;
/// but not in more than a twentieth of the time.
const BEHIND_PART: u64 = 20;

/// What a lap is to be.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The load; its rate may differ from `rate`.
    pub load: &'a Load,
    /// What each listener does.
    pub work: Work,
    /// The engine.
    pub configuration: Configuration,
    /// The CPUs of its workers.
    pub cores: &'a Cores,
    /// The pace of this lap.
    pub rate: Rate,
    /// How long nothing is counted.
    pub warm_up: Duration,
    /// How long it is measured then.
    pub counted: Duration,
}

/// What a lap measured.
#[derive(Debug, Clone)]
pub struct Figures {
    /// What idle workers did: an engine lets workers that share a CPU yield where they were to spin.
    pub waited: &'static str,
    /// Events per second that went through all listeners, at the slowest worker.
    pub per_second: f64,
    /// Whether the workers kept up with the schedule; `true` where there is none.
    pub sustained: bool,
    /// From when an event was due to when a worker's last listener was done with it.
    pub latency: Latency,
    /// The CPU time used; `None` where the system does not tell.
    pub cpu: Option<CpuUse>,
    /// Calls of listeners, warm-up and all.
    pub calls: u64,
    /// Events that the engine took.
    pub accepted: u64,
    /// Events that were handed back at the end.
    pub rejected: u64,
    /// Events (one for each worker) that were still waiting when the time to drain was over.
    pub abandoned: u64,
}

/// CPUs kept busy.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct CpuUse {
    /// By the whole process, emitters that wait for the next event included.
    pub process: f64,
    /// By the workers alone.
    pub workers: f64,
}

macro_rules! sizes {
    ($($words:literal)+) => {
        /// The sizes that events can have, in bytes.
        pub const EVENT_BYTES: &[usize] = &[$(Event::<$words>::BYTES),+];

        /// Runs a lap; `None` if `interrupted` said so before its end.
        ///
        /// # Errors
        ///
        /// The engine cannot be built, a thread failed, or a sum is wrong: an event was neither
        /// delivered to a listener nor counted.
        pub fn run(
            plan: &Plan<'_>,
            interrupted: &dyn Fn() -> bool,
        ) -> Result<Option<Figures>, Error> {
            match plan.load.event_bytes {
                $(Event::<$words>::BYTES => lap::<$words>(plan, interrupted),)+
                other => Err(format!("no event has {other} bytes: {EVENT_BYTES:?}").into()),
            }
        }
    };
}

sizes!(1 2 3 4 5 6 7 8 10 12 16 24 32 48 64 128 256 512);

fn lap<const WORDS: usize>(
    plan: &Plan<'_>,
    interrupted: &dyn Fn() -> bool,
) -> Result<Option<Figures>, Error> {
    let clock = Clock::start();
    let mut stage = Stage::<WORDS>::build(plan, clock)?;
    let stop = AtomicBool::new(false);
    let (window, sent, report) = thread::scope(|scope| {
        let ended = stage.act(scope, plan, clock, &stop, interrupted);
        // Whatever happened: no thread is to wait for a signal or for room any more.
        stop.store(true, Ordering::Relaxed);
        let report = stage.engine.shutdown(DRAIN_LIMIT);
        let (window, threads) = ended?;
        let mut sent = Sent::default();
        for thread in threads {
            let one = start::finished(thread.join())?;
            sent = sent.and(one.map_err(|reason| LapError::Unsupported(reason.to_string()))?);
        }
        Ok::<_, Error>((window, sent, report))
    })?;
    let Some(window) = window else {
        return Ok(None);
    };
    let (waited, workers) = (stage.waited(), stage.active);
    let heard = stage.clear()?;
    check_sums::<WORDS>(&heard, sent, &report, plan.load.listeners, workers)?;
    let mut latency = Latency::new();
    for worker in heard.iter().filter_map(|heard| heard.latency.as_ref()) {
        latency.merge(worker);
    }
    Ok(Some(Figures {
        waited,
        per_second: window.per_second,
        sustained: window.sustained,
        latency,
        cpu: window.cpu,
        calls: heard.iter().map(|heard| heard.events).sum(),
        accepted: sent.accepted,
        rejected: sent.rejected,
        abandoned: report.abandoned,
    }))
}

/// What was measured between the warm-up and the end.
struct Window {
    per_second: f64,
    sustained: bool,
    cpu: Option<CpuUse>,
}

/// An emitting thread.
type Sender<'scope> = ScopedJoinHandle<'scope, Option<Result<Sent, RejectReason>>>;

/// An engine with its listeners and emitters.
struct Stage<const WORDS: usize> {
    engine: Engine,
    subscriptions: Vec<Subscription>,
    homecoming: Receiver<Heard>,
    emitters: Vec<Emitter<Event<WORDS>>>,
    /// Workers with a listener: those before this one.
    active: usize,
}

impl<const WORDS: usize> Stage<WORDS> {
    fn build(plan: &Plan<'_>, clock: Clock) -> Result<Self, Error> {
        let Configuration {
            workers_per_core,
            wait,
            capacity,
            batch,
        } = plan.configuration;
        let engine = Engine::builder()
            .cores(plan.cores.clone())
            .workers_per_core(workers_per_core)
            .wait(wait)
            .thread_name(WORKERS)
            .build()?;
        let signal = engine
            .signal::<Event<WORDS>>("load")
            .capacity(capacity)
            .batch(batch)
            .overflow(Overflow::Wait)
            .build()?;
        let listeners = plan.load.listeners;
        let active = engine.workers().len().min(listeners);
        let (home, homecoming) = mpsc::channel();
        let mut subscriptions = Vec::with_capacity(listeners);
        for index in 0..listeners {
            // Where the engine would place it by itself; said, so that it is known who comes last.
            let worker = index % active;
            let is_last = index + active >= listeners;
            let mut ear = Ear::new(worker, is_last, plan.work, clock, home.clone());
            let listener = WorkerListener::new(move |event| ear.hear(event));
            let listener = listener.on_worker(WorkerId::new(worker as u32));
            subscriptions.push(signal.add(listener)?);
        }
        let emitters = (0..plan.load.emitters).map(|_| signal.emitter());
        Ok(Self {
            emitters: emitters.collect::<Result<_, _>>()?,
            engine,
            subscriptions,
            homecoming,
            active,
        })
    }

    /// Starts the emitting threads and watches for as long as the plan says; no window if
    /// `interrupted` said so.
    fn act<'scope>(
        &mut self,
        scope: &'scope thread::Scope<'scope, '_>,
        plan: &Plan<'_>,
        clock: Clock,
        stop: &'scope AtomicBool,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(Option<Window>, Vec<Sender<'scope>>), Error> {
        let placement = Placement::here(plan.cores, plan.configuration.workers_per_core)?;
        let spare = placement.spare();
        let places = if spare.is_empty() {
            allowed_cpus().len()
        } else {
            spare.len()
        };
        let threads = self.emitters.len().min(places).max(1);
        let mut parts: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
        let all = self.emitters.len();
        for (index, emitter) in self.emitters.drain(..).enumerate() {
            parts[index % threads].push(emitter);
        }
        let (mut running, mut signals) = (Vec::new(), Vec::new());
        for (thread, emitters) in parts.into_iter().enumerate() {
            let (signal, signalled) = mpsc::channel();
            let share = Share {
                thread,
                threads,
                emitters: all,
                alone: !spare.is_empty(),
            };
            let rate = plan.rate;
            let work = move || match signalled.recv() {
                Ok(times) => emit_all(emitters, rate, share, times, clock, stop),
                // Another thread could not be started.
                Err(mpsc::RecvError) => Ok(Sent::default()),
            };
            running.push(match spare.get(thread) {
                Some(&cpu) => start::scoped(scope, cpu, work)?,
                None => thread::Builder::new().spawn_scoped(scope, || Some(work()))?,
            });
            signals.push(signal);
        }
        let start_ns = clock.now_ns() + RUN_UP_NS;
        let times = Times {
            start_ns,
            counted_ns: start_ns + nanoseconds(plan.warm_up),
        };
        for signal in signals {
            // A thread that is gone already shows when it is joined.
            let _gone = signal.send(times);
        }
        let window = self.watch(plan.rate, plan.counted, clock, times, interrupted);
        Ok((window, running))
    }

    fn watch(
        &self,
        rate: Rate,
        counted: Duration,
        clock: Clock,
        times: Times,
        interrupted: &dyn Fn() -> bool,
    ) -> Option<Window> {
        sleep_until(clock, times.counted_ns, interrupted)?;
        let before = self.delivered();
        let (began, cpu_before) = (Instant::now(), CpuTime::now());
        sleep_until(clock, clock.now_ns() + nanoseconds(counted), interrupted)?;
        let after = self.delivered();
        let (now_ns, elapsed) = (clock.now_ns(), began.elapsed().as_secs_f64());
        let cpu = CpuTime::now().and_then(|after| {
            let before = cpu_before?;
            Ok(CpuUse {
                process: after.since(before.clone(), "").as_secs_f64() / elapsed,
                workers: after.since(before, WORKERS).as_secs_f64() / elapsed,
            })
        });
        let slowest = before
            .iter()
            .zip(&after)
            .map(|(before, after)| after - before);
        let through = after.iter().min().copied().unwrap_or(0);
        Some(Window {
            per_second: slowest.min().unwrap_or(0) as f64 / elapsed,
            sustained: match rate {
                Rate::Max => true,
                Rate::PerSecond(rate) => {
                    keeps_up(through, now_ns.saturating_sub(times.start_ns), rate)
                }
            },
            cpu: cpu.ok(),
        })
    }

    /// The events that each worker with a listener has delivered.
    fn delivered(&self) -> Vec<u64> {
        let workers = self.engine.metrics().workers;
        let active = workers.iter().take(self.active);
        active.map(|worker| worker.delivered).collect()
    }

    fn waited(&self) -> &'static str {
        let workers = self.engine.workers();
        workers.first().map_or("", |worker| worker.wait.name())
    }

    /// Takes the listeners off; what each has heard.
    fn clear(self) -> Result<Vec<Heard>, Error> {
        for subscription in self.subscriptions {
            subscription.unsubscribe_and_wait(PATIENCE)?;
        }
        if let Some(fault) = self.engine.faults().pop() {
            return Err(fault.to_string().into());
        }
        Ok(self.homecoming.try_iter().collect())
    }
}

/// Whether `through` events in `passed_ns` are as many as a schedule of `rate` has, but for a few
/// that are on their way.
#[must_use]
pub fn keeps_up(through: u64, passed_ns: u64, rate: f64) -> bool {
    let due = due_within(passed_ns, rate);
    let elsewhere_ns = BEHIND_NS.min(passed_ns / BEHIND_PART);
    let on_their_way = due as f64 * BEHIND_SHARE + due_within(elsewhere_ns, rate) as f64;
    due.saturating_sub(through) as f64 <= on_their_way
}

/// Compares what was sent with what arrived at the listeners and with the engine's own account.
///
/// # Errors
///
/// What does not add up.
pub fn check_sums<const WORDS: usize>(
    heard: &[Heard],
    sent: Sent,
    report: &ShutdownReport,
    listeners: usize,
    workers: usize,
) -> Result<(), Error> {
    if heard.len() != listeners {
        return Err(format!("of {listeners} listeners {} came back", heard.len()).into());
    }
    let lane_events = sent.accepted * workers as u64;
    if report.accepted != lane_events || report.delivered + report.abandoned != lane_events {
        return Err(format!(
            "{} events were accepted for {workers} workers, but the engine reports {report:?}",
            sent.accepted
        )
        .into());
    }
    let sum = Event::<WORDS>::sum_of(sent.accepted, sent.seeds);
    for one in heard {
        let (events, worker) = (one.events, one.worker);
        let complete = events == sent.accepted && one.sum == sum;
        let partial = report.abandoned > 0 && events <= sent.accepted;
        if !complete && !partial {
            return Err(format!(
                "{} events were accepted; a listener on worker {worker} heard {events}, which add up \
                 to {:#x} instead of {sum:#x}",
                sent.accepted, one.sum
            )
            .into());
        }
    }
    Ok(())
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Sleeps until `clock` shows `until_ns`; `None` if `interrupted` says so before.
fn sleep_until(clock: Clock, until_ns: u64, interrupted: &dyn Fn() -> bool) -> Option<()> {
    loop {
        if interrupted() {
            return None;
        }
        let left = Duration::from_nanos(until_ns.saturating_sub(clock.now_ns()));
        if left.is_zero() {
            return Some(());
        }
        thread::sleep(left.min(GLANCE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundredth_and_ten_milliseconds_behind_is_still_keeping_up() {
        let second = 1_000_000_000;
        // 1 % of 100,001 and the 1,001 of ten milliseconds.
        assert!(keeps_up(98_000, second, 100_000.0));
        assert!(!keeps_up(97_990, second, 100_000.0));
        assert!(keeps_up(2_000_000, second, 100_000.0));
    }

    #[test]
    fn a_short_lap_is_no_excuse() {
        let lap = 40_000_000;
        // A hundredth of 400,001 and the 20,001 of two milliseconds.
        assert!(keeps_up(376_000, lap, 1e7));
        assert!(!keeps_up(375_990, lap, 1e7));
    }

    #[test]
    fn a_slow_schedule_is_kept_up_with_or_not() {
        assert!(keeps_up(99, 100_000_000_000, 1.0));
        assert!(!keeps_up(90, 100_000_000_000, 1.0));
    }
}
