//! Round trips between two CPUs, one event under way at a time.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use corecast::{AsyncSignal, Cores, Engine, Overflow, Pinning, WaitStrategy, WorkerListener};
use corecast_lab::compare::event::Event;
use corecast_lab::compare::peers::sides;
use corecast_lab::compare::trip::WARM_TRIPS;
use corecast_lab::measure::drift::Lines;
use corecast_lab::measure::{CpuPair, Side};
use criterion::Criterion;

use crate::Group;

/// No trip takes this long.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn latency(criterion: &mut Criterion) {
    let cpus = CpuPair::choose();
    if !cpus.is_two() {
        println!("latency: nothing was timed: this process may use one CPU only");
        return;
    }
    let mut group = criterion.benchmark_group("latency");
    trips::<1>(&mut group, cpus);
    trips::<7>(&mut group, cpus);
    group.finish();
}

/// The same trips over everything, for one size of event.
fn trips<const WORDS: usize>(group: &mut Group<'_>, cpus: CpuPair) {
    peer(
        group,
        "raw",
        WORDS,
        sides::raw_trip::<WORDS>(cpus, Lines::Two),
    );
    peer(group, "rtrb", WORDS, sides::rtrb_trip::<WORDS>(cpus));
    peer(
        group,
        "disruptor",
        WORDS,
        sides::disruptor_trip::<WORDS>(cpus),
    );
    group.bench_function(name("corecast", WORDS), |bencher| {
        bencher.iter_custom(|trips| between_listeners::<WORDS>(cpus, trips));
    });
}

fn peer(group: &mut Group<'_>, case: &str, words: usize, mut side: Box<dyn Side>) {
    group.bench_function(name(case, words), |bencher| {
        bencher.iter_custom(|trips| side.lap(trips).expect("a lap of round trips").elapsed);
    });
}

fn name(case: &str, words: usize) -> String {
    format!("{case}/bytes={}", words * size_of::<u64>())
}

/// Two workers with a listener each, which owns an emitter to the other.
fn between_listeners<const WORDS: usize>(cpus: CpuPair, trips: u64) -> Duration {
    let engine = Engine::builder()
        .cores(Cores::list([cpus.emitter, cpus.worker]))
        .wait(WaitStrategy::busy_spin())
        .pinning(Pinning::Required);
    let engine = engine.build().expect("a worker on each CPU");
    let signal = |name| -> AsyncSignal<Event<WORDS>> {
        let signal = engine.signal(name).capacity(64);
        signal
            .overflow(Overflow::Reject)
            .build()
            .expect("a capacity that is a power of two")
    };
    let (there, back) = (signal("there"), signal("back"));
    let workers = engine.workers();
    let mut answer = back.emitter().expect("an emitter on an open signal");
    let answers = there.add(
        WorkerListener::new(move |event: &Event<WORDS>| {
            // Refused only when it is over.
            let _refused = answer.emit(Event::new(event.seed() + 1));
        })
        .on_worker(workers[1].id),
    );
    let (done, finished) = mpsc::channel();
    let mut ask = there.emitter().expect("an emitter on an open signal");
    let (mut trip, mut start) = (0, Instant::now());
    let questions = back.add(
        WorkerListener::new(move |event: &Event<WORDS>| {
            if trip == WARM_TRIPS {
                start = Instant::now();
            }
            if trip == WARM_TRIPS + trips {
                let _unread = done.send(start.elapsed());
            } else {
                let _refused = ask.emit(Event::new(event.seed() + 1));
            }
            trip += 1;
        })
        .on_worker(workers[0].id),
    );
    back.emit(Event::new(0)).expect("room for the first event");
    let elapsed = finished.recv_timeout(LIMIT).expect("every answer");
    // The listeners own emitters on each other's signals: they must go for the signals to go.
    drop((answers, questions));
    engine.shutdown(LIMIT);
    elapsed
}
