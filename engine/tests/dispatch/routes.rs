//! Which workers an event goes to.

use crate::support::{LONG, Log, engine, manual, worker};
use corecast::{Batch, Cores, Engine, Fences, RejectReason, WorkerId, WorkerListener};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn a_broadcast_gives_every_listener_every_event_whatever_its_worker() {
    let engine = engine(3);
    let signal = engine.signal::<u64>("s").capacity(16).build().unwrap();
    let logs: Vec<_> = (0..5).map(|_| Log::new()).collect();
    let subscriptions: Vec<_> = logs
        .iter()
        .map(|log| signal.subscribe(log.listener()))
        .collect();
    let mut out = signal.emitter().unwrap();
    (0..1000).for_each(|n| out.emit(n).unwrap());
    out.flush(LONG).unwrap();
    for log in &logs {
        assert_eq!(log.take(), (0..1000).collect::<Vec<_>>());
    }
    drop(subscriptions);
}

#[test]
fn an_event_goes_to_the_workers_with_a_listener_alone() {
    let engine = manual(4);
    let signal = engine.signal::<u64>("s").build().unwrap();
    let mut out = signal.emitter().unwrap();
    out.emit(0).unwrap();
    let on = |index| WorkerListener::new(|_: &u64| {}).on_worker(worker(index));
    let _first = signal.add(on(1)).unwrap();
    out.emit(1).unwrap();
    let second = signal.add(on(3)).unwrap();
    out.emit(2).unwrap();
    signal.emit(3).unwrap();
    drop(second);
    out.emit(4).unwrap();
    assert_eq!(engine.run_until_idle(), Ok(6));
    let delivered: Vec<_> = engine
        .metrics()
        .workers
        .iter()
        .map(|worker| worker.delivered)
        .collect();
    assert_eq!(delivered, [0, 4, 0, 2]);
    let metrics = signal.metrics();
    assert_eq!(
        (metrics.emitted, metrics.accepted),
        (5, 5),
        "each event counts once"
    );
    let report = engine.shutdown(LONG);
    assert_eq!(
        (report.accepted, report.delivered),
        (6, 6),
        "and a lane-event once per worker"
    );
}

/// Not `Clone`: it never needs to be on a route to one worker.
#[derive(Debug)]
struct Order {
    account: u64,
    number: u64,
}

#[test]
fn a_sharded_event_goes_to_one_worker_and_equal_keys_to_the_same() {
    let engine = engine(3);
    let signal = engine
        .signal::<Order>("orders")
        .capacity(64)
        .shard_by(|order| order.account)
        .build()
        .unwrap();
    let log = Log::new();
    let made = Log::new();
    let _subscription = signal.subscribe_sharded(|worker| {
        made.push(worker);
        let log = log.clone();
        move |order: &Order| log.push((worker, order.account, order.number))
    });
    assert_eq!(made.take(), [worker(0), worker(1), worker(2)]);
    let mut out = signal.emitter().unwrap();
    for number in 0..3000 {
        let account = number % 30;
        out.emit(Order { account, number }).unwrap();
    }
    out.flush(LONG).unwrap();
    // Any thread's shared emission goes by the same key.
    for account in 0..30 {
        let number = 3000 + account;
        signal.emit(Order { account, number }).unwrap();
    }
    assert_eq!(engine.shutdown(LONG).abandoned, 0);

    let seen = log.take();
    assert_eq!(seen.len(), 3030);
    let mut home: HashMap<u64, WorkerId> = HashMap::new();
    let mut last: HashMap<u64, u64> = HashMap::new();
    let mut numbers = HashSet::new();
    for (worker, account, number) in seen {
        assert_eq!(*home.entry(account).or_insert(worker), worker);
        assert!(numbers.insert(number), "event {number} came twice");
        let before = last.insert(account, number);
        assert!(before.is_none_or(|before| before < number), "out of order");
    }
    let used: HashSet<_> = home.into_values().collect();
    assert_eq!(used.len(), 3, "thirty keys spread over three workers");
}

#[test]
fn round_robin_takes_the_workers_in_turn() {
    let engine = manual(3);
    let signal = engine
        .signal::<Order>("orders")
        .round_robin()
        .build()
        .unwrap();
    let log = Log::new();
    let _subscription = signal.subscribe_sharded(|worker| {
        let log = log.clone();
        move |order: &Order| log.push((worker, order.number))
    });
    let mut out = signal.emitter().unwrap();
    for number in 0..7 {
        out.emit(Order { account: 0, number }).unwrap();
    }
    engine.run_until_idle().unwrap();
    let at = |index, numbers: &[u64]| {
        numbers
            .iter()
            .map(|n| (worker(index), *n))
            .collect::<Vec<_>>()
    };
    let expected = [at(0, &[0, 3, 6]), at(1, &[1, 4]), at(2, &[2, 5])].concat();
    assert_eq!(log.take(), expected);
    // Whoever emits through the signal takes turns as well.
    for number in 0..6 {
        signal.emit(Order { account: 0, number }).unwrap();
    }
    engine.run_until_idle().unwrap();
    let mut counts = [0; 3];
    log.take()
        .iter()
        .for_each(|(worker, _)| counts[worker.index()] += 1);
    assert_eq!(counts, [2, 2, 2]);
}

#[test]
fn a_sharded_batch_listener_gets_its_workers_runs() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").shard_by(|n| *n).build().unwrap();
    let each = Log::new();
    let runs = Log::new();
    let _each = signal.subscribe_sharded(|worker| {
        let log = each.clone();
        move |n: &u64| log.push((worker, *n))
    });
    let _runs = signal.subscribe_sharded_batch(|worker| {
        let log = runs.clone();
        move |batch: Batch<'_, u64>| log.push((worker, batch.iter().copied().collect::<Vec<_>>()))
    });
    let mut out = signal.emitter().unwrap();
    assert_eq!(out.emit_batch(0..100).unwrap(), 100);
    engine.run_until_idle().unwrap();
    let each = each.take();
    let runs = runs.take();
    assert!(runs.iter().any(|(_, run)| run.len() > 1));
    let one_by_one = |(worker, run): &(WorkerId, Vec<u64>)| {
        run.iter().map(|n| (*worker, *n)).collect::<Vec<_>>()
    };
    assert_eq!(runs.iter().flat_map(one_by_one).collect::<Vec<_>>(), each);
    let mut all: Vec<_> = each.into_iter().map(|(_, n)| n).collect();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

#[test]
fn an_event_whose_worker_has_no_listener_is_accepted_and_goes_nowhere() {
    let engine = manual(2);
    let signal = engine.signal::<u64>("s").round_robin().build().unwrap();
    let mut out = signal.emitter().unwrap();
    (0..4).for_each(|n| out.emit(n).unwrap());
    signal.emit(4).unwrap();
    assert_eq!(out.emit_batch(5..10).unwrap(), 5);
    assert_eq!(engine.run_until_idle(), Ok(0));
    let metrics = signal.metrics();
    assert_eq!(
        (metrics.emitted, metrics.accepted, metrics.delivered),
        (10, 10, 0)
    );
    assert_eq!(engine.shutdown(LONG).accepted, 0);
}

#[test]
fn signals_of_different_types_share_the_same_workers() {
    #[derive(Clone, PartialEq, Debug)]
    struct Trade {
        symbol: String,
        size: u32,
    }
    let engine = engine(2);
    let numbers = engine.signal::<u64>("numbers").capacity(8).build().unwrap();
    let texts = engine
        .signal::<String>("texts")
        .capacity(16)
        .build()
        .unwrap();
    let trades = engine
        .signal::<Trade>("trades")
        .capacity(4)
        .build()
        .unwrap();
    let shards = engine
        .signal::<Box<[u8]>>("shards")
        .capacity(8)
        .round_robin()
        .build()
        .unwrap();
    let (n, t, d, s) = (Log::new(), Log::new(), Log::new(), Log::new());
    let mut kept = Vec::new();
    for index in 0..2 {
        let at = |_: ()| worker(index);
        kept.push(
            numbers
                .add(WorkerListener::new(n.listener()).on_worker(at(())))
                .unwrap(),
        );
        kept.push(
            texts
                .add(WorkerListener::new(t.listener()).on_worker(at(())))
                .unwrap(),
        );
        kept.push(
            trades
                .add(WorkerListener::new(d.listener()).on_worker(at(())))
                .unwrap(),
        );
    }
    kept.push(shards.subscribe_sharded(|_| s.listener()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut out = numbers.emitter().unwrap();
            (0..500).for_each(|n| out.emit(n).unwrap());
        });
        scope.spawn(|| {
            let mut out = texts.emitter().unwrap();
            (0..500).for_each(|n| out.emit(format!("text {n}")).unwrap());
        });
        scope.spawn(|| {
            let mut out = trades.emitter().unwrap();
            for size in 0..500 {
                let symbol = format!("S{size}");
                out.emit(Trade { symbol, size }).unwrap();
            }
        });
        scope.spawn(|| {
            let mut out = shards.emitter().unwrap();
            (0..500_u32).for_each(|n| out.emit(n.to_le_bytes().into()).unwrap());
        });
    });
    let report = engine.shutdown(LONG);
    assert_eq!(
        (report.accepted, report.delivered, report.abandoned),
        (3500, 3500, 0)
    );
    let sorted = |mut all: Vec<u64>| {
        all.sort_unstable();
        all
    };
    let twice: Vec<u64> = (0..500).flat_map(|n| [n, n]).collect();
    assert_eq!(sorted(n.take()), twice);
    let number = |text: &String| text.strip_prefix("text ").unwrap().parse().unwrap();
    assert_eq!(sorted(t.take().iter().map(number).collect()), twice);
    let size = |trade: &Trade| {
        assert_eq!(trade.symbol, format!("S{}", trade.size));
        u64::from(trade.size)
    };
    assert_eq!(sorted(d.take().iter().map(size).collect()), twice);
    let number = |bytes: &[u8]| u64::from(u32::from_le_bytes(bytes.try_into().unwrap()));
    assert_eq!(
        sorted(s.take().iter().map(|event| number(event)).collect()),
        (0..500).collect::<Vec<_>>()
    );
}

#[test]
fn the_key_of_an_event_is_asked_for_once_and_never_by_a_closed_signal() {
    for fences in [Fences::default(), Fences::Full] {
        let builder = Engine::builder().cores(Cores::count(1)).workers_per_core(2);
        let engine = builder.fences(fences).manual().build().unwrap();
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        let key = move |n: &u64| {
            count.fetch_add(1, Ordering::Relaxed);
            *n
        };
        let signal = engine.signal::<u64>("s").capacity(64).shard_by(key);
        let signal = signal.build().unwrap();
        let _kept = signal.subscribe_sharded(|_| |_: &u64| {});
        let mut out = signal.emitter().unwrap();
        (0..20).for_each(|n| out.emit(n).unwrap());
        assert_eq!(asked.load(Ordering::Relaxed), 20, "{fences:?}");
        engine.shutdown(LONG);
        assert_eq!(out.emit(20).unwrap_err().reason, RejectReason::Closed);
        assert_eq!(asked.load(Ordering::Relaxed), 20, "{fences:?}");
    }
}
