use crate::LONG;
use corecast::{Cores, Engine, Latency, Pinning, WorkerListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn manual(workers: usize) -> Engine {
    let builder = Engine::builder().cores(Cores::count(1)).manual();
    builder.workers_per_core(workers).build().unwrap()
}

fn is_ordered(latency: &Latency) -> bool {
    let points = [
        latency.p50,
        latency.p90,
        latency.p99,
        latency.p999,
        latency.max,
    ];
    points.is_sorted()
}

#[test]
fn every_nth_event_is_sampled_and_none_where_sampling_is_off() {
    let engine = manual(1);
    for (every, samples) in [(0, None), (1, Some(40)), (4, Some(10)), (100, Some(0))] {
        let builder = engine.signal::<u64>("s").sample_latency(every);
        let signal = builder.build().unwrap();
        let _subscription = signal.subscribe(|_| {});
        let mut out = signal.emitter().unwrap();
        (0..40).for_each(|event| out.emit(event).unwrap());
        engine.run_until_idle().unwrap();
        let latency = signal.metrics().latency;
        assert_eq!(
            latency.map(|latency| latency.count),
            samples,
            "every {every}"
        );
        assert!(latency.is_none_or(|latency| is_ordered(&latency)));
    }
}

#[test]
fn every_nth_event_is_sampled_also_when_listeners_come_and_go() {
    let engine = manual(2);
    let workers: Vec<_> = engine.workers().iter().map(|info| info.id).collect();
    let builder = engine.signal::<u64>("s").sample_latency(4);
    let signal = builder.build().unwrap();
    let listen = |worker| {
        let listener = WorkerListener::new(|_: &u64| {}).on_worker(worker);
        signal.add(listener).unwrap()
    };
    let mut out = signal.emitter().unwrap();
    let mut count = |events| {
        (0..events).for_each(|event| out.emit(event).unwrap());
        engine.run_until_idle().unwrap();
        signal.metrics().latency.map(|latency| latency.count)
    };
    let _second = listen(workers[1]);
    assert_eq!(count(6), Some(1), "the 4th");
    // Another lane is the first one now.
    let first = listen(workers[0]);
    assert_eq!(count(1), Some(1));
    assert_eq!(count(1), Some(3), "the 8th, at both workers");
    drop(first);
    assert_eq!(count(7), Some(4), "the 12th");
}

#[test]
fn samples_of_all_workers_are_merged() {
    let engine = manual(3);
    let builder = engine.signal::<u64>("s").sample_latency(1);
    let signal = builder.round_robin().build().unwrap();
    let _subscription = signal.subscribe_sharded(|_| |_: &u64| {});
    let mut out = signal.emitter().unwrap();
    for _ in 0..10 {
        (0..30).for_each(|event| out.emit(event).unwrap());
        engine.run_until_idle().unwrap();
    }
    assert_eq!(signal.metrics().latency.unwrap().count, 300);
}

#[test]
fn latency_covers_the_wait_in_the_lane_and_the_listener() {
    let engine = manual(1);
    let signal = engine.signal::<u64>("s").sample_latency(1).build().unwrap();
    let busy = |limit: Duration| {
        let start = Instant::now();
        while start.elapsed() < limit {
            std::hint::spin_loop();
        }
    };
    let _subscription = signal.subscribe(move |_| busy(Duration::from_millis(2)));
    let mut out = signal.emitter().unwrap();
    out.emit(1).unwrap();
    busy(Duration::from_millis(3));
    engine.run_until_idle().unwrap();
    let latency = signal.metrics().latency.unwrap();
    assert_eq!(latency.count, 1);
    assert!(latency.p50 >= Duration::from_millis(5), "{latency:?}");
}

#[test]
fn reading_while_workers_record_loses_no_sample() {
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .workers_per_core(2)
        .pinning(Pinning::Off)
        .build()
        .unwrap();
    let builder = engine.signal::<u64>("s").sample_latency(8);
    let signal = builder.shard_by(|event| *event).build().unwrap();
    let _subscription = signal.subscribe_sharded(|_| |_: &u64| {});
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (signal, is_over) = (signal.clone(), Arc::clone(&is_over));
        std::thread::spawn(move || {
            let mut last = 0;
            while !is_over.load(Ordering::Relaxed) {
                let count = signal.metrics().latency.unwrap().count;
                assert!(count >= last, "{count} after {last}");
                last = count;
            }
        })
    };
    let mut out = signal.emitter().unwrap();
    for round in 0..100 {
        (0..64).for_each(|event| out.emit(event).unwrap());
        // At most eight samples are on their way: none finds its queue full.
        out.flush(LONG).unwrap();
        assert_eq!(signal.metrics().latency.unwrap().count, 8 * (round + 1));
    }
    is_over.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}
