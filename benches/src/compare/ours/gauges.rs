//! Rows of one figure: allocations, subscribing, an idle engine; and the caller's side of an
//! asynchronous emit.

use std::time::{Duration, Instant};

use corecast::{AsyncSignal, Context, Cores, Emitter, Engine, Listener, SyncSignal, WaitStrategy};
use corecast_affinity::CpuId;

use crate::compare::duel::Gauge;
use crate::compare::event::Event;
use crate::measure::alloc;
use crate::measure::cpu_time::CpuTime;
use crate::measure::{Lap, LapError, Pinned, Side};

use super::lanes::failed;

/// Events of a counted run.
const EVENTS: u64 = 10_000;

/// A way to emit, for counting what it allocates.
pub(super) type EmitOne = Box<dyn FnMut(u64)>;

/// What sets a path up.
pub(super) type SetUp = fn() -> Result<EmitOne, LapError>;

/// The paths whose allocations are counted: their names, and what sets each up.
pub(super) const PATHS: [(&str, SetUp); 8] = [
    ("emit/owned", sync_owned),
    ("emit/shared", sync_shared),
    ("try-emit/owned", sync_trying),
    ("async/emit", async_one),
    ("async/emit-batch", async_batch),
    ("async/emit-with", async_with),
    ("async/shared", async_shared),
    ("async/sharded", async_sharded),
];

fn keyed_signal() -> Result<SyncSignal<u64>, LapError> {
    let signal = SyncSignal::new();
    for index in 0..10 {
        let listener = Listener::new(|event: &u64| {
            std::hint::black_box(event);
        });
        let listener = listener.key(format!("key-{index}")).priority(index);
        signal.add(listener).map_err(failed)?.detach();
    }
    Ok(signal)
}

fn sync_owned() -> Result<EmitOne, LapError> {
    let mut emitter = keyed_signal()?.emitter();
    Ok(Box::new(move |event| {
        emitter.emit(&event);
    }))
}

fn sync_shared() -> Result<EmitOne, LapError> {
    let signal = keyed_signal()?;
    Ok(Box::new(move |event| {
        signal.emit(&event);
    }))
}

fn sync_trying() -> Result<EmitOne, LapError> {
    let mut emitter = keyed_signal()?.emitter();
    let context = Context::none();
    Ok(Box::new(move |event| {
        let _delivery = emitter.try_emit(&event, &context);
    }))
}

/// A manual engine of two workers, so that the workers' side is counted on this thread as well.
fn manual() -> Result<Engine, LapError> {
    let builder = Engine::builder()
        .cores(Cores::count(1))
        .workers_per_core(2)
        .manual();
    builder.build().map_err(failed)
}

fn listen(signal: &AsyncSignal<u64>) {
    for _ in 0..2 {
        signal
            .subscribe(|event| {
                std::hint::black_box(event);
            })
            .detach();
    }
}

/// Drains now and then, so that lanes do not fill.
fn drain(engine: &Engine, event: u64) {
    if event.is_multiple_of(64) {
        let _ = engine.run_until_idle();
    }
}

fn async_one() -> Result<EmitOne, LapError> {
    let engine = manual()?;
    let signal = engine.signal::<u64>("row").build().map_err(failed)?;
    listen(&signal);
    let mut emitter = signal.emitter().map_err(failed)?;
    Ok(Box::new(move |event| {
        let _ = emitter.emit(event);
        drain(&engine, event);
    }))
}

fn async_batch() -> Result<EmitOne, LapError> {
    let engine = manual()?;
    let signal = engine.signal::<u64>("row").build().map_err(failed)?;
    listen(&signal);
    let mut emitter = signal.emitter().map_err(failed)?;
    Ok(Box::new(move |event| {
        let _ = emitter.emit_batch(event..event + 4);
        drain(&engine, event);
    }))
}

fn async_with() -> Result<EmitOne, LapError> {
    let engine = manual()?;
    let make = || (Vec::with_capacity(64), String::with_capacity(64));
    let signal = engine.signal::<(Vec<u64>, String)>("row").recycled(make);
    let signal = signal.build().map_err(failed)?;
    let listener = |event: &(Vec<u64>, String)| {
        std::hint::black_box(event);
    };
    signal.subscribe(listener).detach();
    let mut emitter = signal.emitter().map_err(failed)?;
    Ok(Box::new(move |event| {
        let _ = emitter.emit_with(|(numbers, text)| {
            numbers.clear();
            numbers.extend([event; 16]);
            text.clear();
            text.push_str("an event that owns heap memory");
        });
        drain(&engine, event);
    }))
}

fn async_shared() -> Result<EmitOne, LapError> {
    let engine = manual()?;
    let signal = engine.signal::<u64>("row").build().map_err(failed)?;
    listen(&signal);
    Ok(Box::new(move |event| {
        let _ = signal.emit(event);
        drain(&engine, event);
    }))
}

fn async_sharded() -> Result<EmitOne, LapError> {
    let engine = manual()?;
    let signal = engine.signal::<u64>("row").shard_by(|event| *event % 7);
    let signal = signal.build().map_err(failed)?;
    let listener = |_| {
        |event: &u64| {
            std::hint::black_box(event);
        }
    };
    signal.subscribe_sharded(listener).detach();
    let mut emitter = signal.emitter().map_err(failed)?;
    Ok(Box::new(move |event| {
        let _ = emitter.emit(event);
        drain(&engine, event);
    }))
}

/// Allocations and frees per event, after a warm-up.
pub(super) fn allocations(set_up: SetUp) -> Result<Gauge, LapError> {
    let mut emit = set_up()?;
    (0..EVENTS).for_each(&mut emit);
    let ((), counts) = alloc::on_this_thread(|| (0..EVENTS).for_each(&mut emit)).map_err(failed)?;
    let value = (counts.allocations + counts.frees) as f64 / EVENTS as f64;
    Ok(Gauge {
        value,
        unit: "allocations and frees per event",
    })
}

/// Microseconds to subscribe and unsubscribe beside `listeners` others: the median of many.
pub(super) fn subscribing(listeners: usize, cpu: CpuId) -> Result<Gauge, LapError> {
    let mut times = subscribe_times(listeners, 2001, cpu)?;
    times.sort();
    let value = times[times.len() / 2].as_nanos() as f64 / 1000.0;
    Ok(Gauge { value, unit: "µs" })
}

/// How long it took to subscribe and unsubscribe beside `listeners` others, so many times.
pub(in crate::compare) fn subscribe_times(
    listeners: usize,
    times: usize,
    cpu: CpuId,
) -> Result<Vec<Duration>, LapError> {
    let _pinned = Pinned::to(cpu)?;
    let signal = SyncSignal::<u64>::new();
    let others = (0..listeners).map(|_| Listener::new(|_: &u64| {}));
    signal
        .add_many(others)
        .map_err(failed)?
        .into_iter()
        .for_each(|one| one.detach());
    let _emitter = signal.emitter();
    let once = || {
        let start = Instant::now();
        signal.subscribe(|_| {}).unsubscribe();
        start.elapsed()
    };
    Ok((0..times).map(|_| once()).collect())
}

/// The share of a core that an idle, parked engine uses.
pub(super) fn idle(cpu: CpuId) -> Result<Gauge, LapError> {
    const SPAN: Duration = Duration::from_secs(2);
    let engine = Engine::builder()
        .cores(Cores::list([cpu]))
        .workers_per_core(4)
        .wait(WaitStrategy::park())
        .build()
        .map_err(failed)?;
    while engine.metrics().parked_workers() < 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let before = CpuTime::now().map_err(failed)?;
    std::thread::sleep(SPAN);
    let used = CpuTime::now().map_err(failed)?.since(before, "");
    Ok(Gauge {
        value: 100.0 * used.as_secs_f64() / SPAN.as_secs_f64(),
        unit: "% of a core",
    })
}

/// The caller's side of an asynchronous emit into lanes with room, whatever the number of
/// listeners; draining is not timed.
pub(super) struct EmitAlone {
    name: String,
    cpu: CpuId,
    engine: Engine,
    emitter: Emitter<Event<1>>,
    room: u64,
}

impl EmitAlone {
    pub(super) fn new(listeners: usize, cpu: CpuId) -> Result<Self, LapError> {
        let room = 1024;
        let builder = Engine::builder().cores(Cores::list([cpu])).manual();
        let engine = builder.build().map_err(failed)?;
        let signal = engine
            .signal::<Event<1>>("row")
            .capacity(room)
            .build()
            .map_err(failed)?;
        // They take whole runs, because draining is not what is timed: a thousand calls for each event
        // would take minutes.
        for _ in 0..listeners {
            signal
                .subscribe_batch(|batch| {
                    std::hint::black_box(batch.len());
                })
                .detach();
        }
        Ok(Self {
            name: format!("corecast, {listeners} listeners"),
            cpu,
            emitter: signal.emitter().map_err(failed)?,
            engine,
            room: room as u64,
        })
    }
}

impl std::fmt::Debug for EmitAlone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmitAlone")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Side for EmitAlone {
    fn name(&self) -> &str {
        &self.name
    }

    fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
        let _pinned = Pinned::to(self.cpu)?;
        let before = self.emitter.sequence();
        let mut elapsed = Duration::ZERO;
        let mut next = 0;
        while next < ops {
            let end = (next + self.room).min(ops);
            let start = Instant::now();
            for seed in next..end {
                self.emitter
                    .emit(Event::new(seed))
                    .map_err(|rejected| LapError::Unsupported(rejected.to_string()))?;
            }
            elapsed += start.elapsed();
            self.engine.run_until_idle().map_err(failed)?;
            next = end;
        }
        Ok(Lap {
            elapsed,
            checksum: self.emitter.sequence() - before,
            latency: None,
        })
    }
}
