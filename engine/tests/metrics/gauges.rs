use crate::LONG;
use corecast::{Cores, Engine, SyncSignal};
use std::sync::mpsc::channel;

fn manual() -> Engine {
    Engine::builder()
        .cores(Cores::count(1))
        .manual()
        .build()
        .unwrap()
}

#[test]
fn high_water_is_the_most_that_was_found_waiting_however_runs_are_cut() {
    for (capacity, batch, bursts) in [
        // Longer than a run, and not the first burst.
        (1024, 64, &[64, 500, 10][..]),
        (1024, 64, &[1, 1024, 65]),
        // A small ring's run is a quarter of it.
        (32, 32, &[32]),
        (8, 8, &[3, 7, 2]),
        // A batch larger than a run, and a small one.
        (1024, 512, &[300, 301]),
        (64, 4, &[5, 20, 19]),
    ] {
        let engine = manual();
        let builder = engine.signal::<usize>("s").capacity(capacity);
        let signal = builder.batch(batch).build().unwrap();
        let _subscription = signal.subscribe(|_| {});
        let mut out = signal.emitter().unwrap();
        let mut highest = 0;
        for &burst in bursts {
            (0..burst).for_each(|event| out.emit(event).unwrap());
            let lane = &signal.metrics().lanes[0];
            assert_eq!((lane.depth, lane.high_water), (burst, highest));
            engine.run_until_idle().unwrap();
            highest = highest.max(burst);
            let lane = &signal.metrics().lanes[0];
            assert_eq!(
                (lane.depth, lane.high_water),
                (0, highest),
                "capacity {capacity}, batch {batch}, after {burst}"
            );
        }
    }
}

#[test]
fn shared_lanes_have_depth_and_high_water_too() {
    let engine = manual();
    let signal = engine.signal::<u64>("s").capacity(256).build().unwrap();
    let _subscription = signal.subscribe(|_| {});
    (0..200).for_each(|event| signal.emit(event).unwrap());
    let lanes = signal.metrics().lanes;
    assert_eq!(
        (lanes.len(), lanes[0].shared, lanes[0].depth),
        (1, true, 200)
    );
    engine.run_until_idle().unwrap();
    let lanes = signal.metrics().lanes;
    assert_eq!((lanes[0].depth, lanes[0].high_water), (0, 200));
}

#[test]
fn bytes_grow_with_each_lane_and_shrink_when_it_is_gone() {
    let engine = manual();
    let signal = engine
        .signal::<[u64; 7]>("s")
        .capacity(512)
        .build()
        .unwrap();
    let _subscription = signal.subscribe(|_| {});
    let before = signal.metrics().bytes;
    let emitters = [signal.emitter().unwrap(), signal.emitter().unwrap()];
    let metrics = signal.metrics();
    let lanes: usize = metrics.lanes.iter().map(|lane| lane.bytes).sum();
    assert_eq!(metrics.lanes.len(), 2);
    assert!(lanes >= 2 * 512 * size_of::<[u64; 7]>(), "{lanes}");
    assert_eq!(metrics.bytes, before + lanes);
    assert_eq!(
        engine.metrics().bytes,
        metrics.bytes,
        "the engine's only signal"
    );
    drop(emitters);
    engine.run_until_idle().unwrap();
    let metrics = signal.metrics();
    assert_eq!((metrics.lanes.len(), metrics.bytes), (0, before));
}

#[test]
fn bytes_count_the_histograms_of_sampled_latencies() {
    let engine = manual();
    let plain = engine.signal::<u64>("plain").build().unwrap();
    let sampled = engine
        .signal::<u64>("sampled")
        .sample_latency(64)
        .build()
        .unwrap();
    let difference = sampled.metrics().bytes - plain.metrics().bytes;
    assert!(difference > 100_000, "{difference}");
}

#[test]
fn retired_arrays_are_those_that_a_walk_keeps_alive() {
    let signal = SyncSignal::<u64>::new();
    let (entered, is_inside) = channel();
    let (leave, may_leave) = channel::<()>();
    let may_leave = std::sync::Mutex::new(may_leave);
    let _blocks = signal.subscribe(move |_| {
        entered.send(()).unwrap();
        may_leave.lock().unwrap().recv().unwrap();
    });
    std::thread::scope(|scope| {
        let walk = scope.spawn(|| signal.emit(&1));
        is_inside.recv().unwrap();
        let before = signal.metrics();
        // The walk keeps the array that it began with and, through its pin, those after it.
        let during = [(); 3].map(|()| {
            signal.subscribe(|_| {}).detach();
            signal.metrics()
        });
        // Looked at when the walk is over, so that a failure does not leave it waiting.
        leave.send(()).unwrap();
        assert_eq!(walk.join().unwrap().delivered, 1);
        let retired = during.each_ref().map(|metrics| metrics.retired_arrays);
        assert_eq!(retired, [1, 2, 3].map(|more| before.retired_arrays + more));
        assert!(during[2].bytes > before.bytes);
    });
    signal.quiesce(LONG).unwrap();
    assert_eq!(signal.metrics().retired_arrays, 0);
    assert_eq!(signal.metrics().listeners, 4);
}

#[test]
fn signals_keep_their_order_in_the_engines_metrics_when_one_of_them_goes() {
    let engine = manual();
    let names = ["a", "b", "c", "d"];
    let mut signals: Vec<_> = names
        .iter()
        .map(|name| engine.signal::<u64>(*name).build().unwrap())
        .collect();
    drop(signals.remove(0));
    engine.run_until_idle().unwrap();
    let shown: Vec<_> = engine
        .metrics()
        .signals
        .into_iter()
        .filter_map(|one| one.name)
        .collect();
    assert_eq!(
        shown.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["b", "c", "d"]
    );
}

#[test]
fn an_engines_rates_are_those_of_its_signals_whichever_come_and_go() {
    let engine = manual();
    let failing = engine.signal::<u64>("namesake").build().unwrap();
    let goes = engine.signal::<u64>("namesake").build().unwrap();
    let stays = engine.signal::<u64>("namesake").build().unwrap();
    let _failing = failing.subscribe_fallible(|_| Err("no"));
    let _stays = stays.subscribe(|_| {});
    let emit = |signal: &corecast::AsyncSignal<u64>, events: u64| {
        (0..events).for_each(|event| signal.emit(event).unwrap());
        engine.run_until_idle().unwrap();
    };
    // What was before does not count.
    emit(&goes, 100);
    emit(&stays, 10);
    let before = engine.metrics();
    emit(&goes, 100);
    drop(goes);
    emit(&failing, 1);
    emit(&stays, 3);
    let comes = engine.signal::<u64>("namesake").build().unwrap();
    emit(&comes, 5);
    let rates = engine.metrics().since(&before);
    let seconds = rates.interval.as_secs_f64();
    assert!((rates.events_per_second * seconds - 9.0).abs() < 1e-6);
    assert!((rates.deliveries_per_second * seconds - 3.0).abs() < 1e-6);
    assert!((rates.error_rate - 0.25).abs() < 1e-9);
    assert_eq!(before.since(&before).events_per_second, 0.0);
}
