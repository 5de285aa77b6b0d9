use corecast::config::{Config, EngineConfig, SignalConfig, SyncSignalConfig};
use corecast::{Context, Cores, Engine, FaultPolicy, Fences, Overflow, Pinning, WaitStrategy};
use std::time::Duration;

fn config(text: &str) -> Config {
    toml::from_str(text).unwrap()
}

/// The message of a configuration that is refused when it is read.
fn refusal(text: &str) -> String {
    toml::from_str::<Config>(text).unwrap_err().to_string()
}

#[test]
fn every_option_is_read() {
    let config = config(
        r#"
        [engine]
        cores = "2,3,8-9"
        workers-per-core = 3
        wait = "spin-then-yield"
        wait-on = { 3 = "busy-spin", 8 = "backoff" }
        pinning = "required"
        fences = "full"
        manual = true
        thread-name = "md"

        [signals.ticks]
        capacity = 16384
        batch = 32
        overflow = { wait-for = "5ms" }
        fault-policy = { quarantine = { after = 7 } }
        sample-latency = 1000

        [sync-signals.orders]
        fault-policy = "propagate"
        reentrancy-limit = 4
        fences = "asymmetric"
        "#,
    );
    let EngineConfig {
        cores,
        workers_per_core,
        wait,
        wait_on,
        pinning,
        fences,
        manual,
        thread_name,
        ..
    } = config.engine;
    assert_eq!(cores, Some(Cores::list([2, 3, 8, 9])));
    assert_eq!(workers_per_core, Some(3));
    assert_eq!(wait, Some(WaitStrategy::spin_then_yield()));
    assert_eq!(
        wait_on.into_iter().collect::<Vec<_>>(),
        [(3, WaitStrategy::busy_spin()), (8, WaitStrategy::backoff())]
    );
    assert_eq!(pinning, Some(Pinning::Required));
    assert_eq!(fences, Some(Fences::Full));
    assert!(manual);
    assert_eq!(thread_name.as_deref(), Some("md"));
    let SignalConfig {
        capacity,
        batch,
        overflow,
        fault_policy,
        sample_latency,
        ..
    } = config.signals["ticks"];
    assert_eq!((capacity, batch), (Some(16384), Some(32)));
    assert_eq!(overflow, Some(Overflow::WaitFor(Duration::from_millis(5))));
    assert_eq!(fault_policy, Some(FaultPolicy::Quarantine { after: 7 }));
    assert_eq!(sample_latency, Some(1000));
    let SyncSignalConfig {
        fault_policy,
        reentrancy_limit,
        fences,
        ..
    } = config.sync_signals["orders"];
    assert_eq!(fault_policy, Some(FaultPolicy::Propagate));
    assert_eq!(reentrancy_limit, Some(4));
    assert_eq!(fences, Some(Fences::Asymmetric));
}

#[test]
fn cores_may_be_words_lists_and_numbers() {
    let cores = |text: &str| {
        config(&format!("engine.cores = {text}"))
            .engine
            .cores
            .unwrap()
    };
    assert_eq!(cores("\"all-but-one\""), Cores::default());
    assert_eq!(cores("\"all\""), Cores::all());
    assert_eq!(cores("\"physical\""), Cores::physical());
    assert_eq!(cores("\"4-6\""), Cores::list([4, 5, 6]));
    assert_eq!(cores("[7, 1]"), Cores::list([7, 1]));
    assert_eq!(cores("2"), Cores::count(2));
    let overflow = |text: &str| {
        let config = config(&format!("signals.s.overflow = {text}"));
        config.signals["s"].overflow.unwrap()
    };
    assert_eq!(overflow("\"wait\""), Overflow::Wait);
    assert_eq!(overflow("\"reject\""), Overflow::Reject);
    assert_eq!(overflow("\"drop-newest\""), Overflow::DropNewest);
    assert_eq!(
        overflow("{ wait-for = \"forever\" }"),
        Overflow::WaitFor(Duration::MAX)
    );
}

#[test]
fn an_empty_file_is_an_engine_with_the_builders_defaults() {
    assert_eq!(config(""), Config::default());
    let ours = format!("{:?}", EngineConfig::default().builder());
    assert_eq!(ours, format!("{:?}", Engine::builder()));
}

#[test]
fn configured_engine_and_signals_behave_as_configured() {
    let config = config(
        r#"
        [engine]
        cores = 1
        workers-per-core = 2
        wait = "backoff"
        pinning = "off"
        thread-name = "configured"
        [signals.ticks]
        capacity = 4
        overflow = "reject"
        sample-latency = 1
        [sync-signals.orders]
        fault-policy = { quarantine = { after = 2 } }
        "#,
    );
    let engine = config.engine.builder().build().unwrap();
    let workers = engine.workers();
    assert_eq!(workers.len(), 2);
    for (index, worker) in workers.iter().enumerate() {
        assert_eq!(worker.thread, format!("configured-{index}"));
        assert_eq!(worker.wait, WaitStrategy::backoff());
        assert!(!worker.pinned);
    }
    let manual = Engine::builder()
        .cores(Cores::count(1))
        .manual()
        .build()
        .unwrap();
    let ticks = config
        .signal::<u64>(&manual, "ticks")
        .unwrap()
        .build()
        .unwrap();
    let _subscription = ticks.subscribe(|_| {});
    let mut out = ticks.emitter().unwrap();
    assert_eq!((0..10).take_while(|n| out.emit(*n).is_ok()).count(), 4);
    assert_eq!(ticks.metrics().lanes[0].capacity, 4);
    assert!(ticks.metrics().latency.is_some());

    let orders = config
        .sync_signal::<u64>("orders")
        .unwrap()
        .build()
        .unwrap();
    let _subscription = orders.subscribe_fallible(|_| Err("no"));
    for _ in 0..2 {
        assert!(orders.try_emit(&1, &Context::none()).is_err());
    }
    assert!(orders.is_empty(), "in quarantine");
    assert_eq!(orders.metrics().name.as_deref(), Some("orders"));
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line() {
    for (text, named) in [
        ("engine.wait = \"nap\"", "unknown wait strategy \"nap\""),
        ("engine.cores = \"some\"", "cores \"some\""),
        ("engine.cores = \"3-1\"", "3-1"),
        ("engine.cores = -1", "-1"),
        ("engine.cores = 1.5", "1.5"),
        ("engine.cores = [1, -2]", "-2"),
        ("engine.pinning = \"maybe\"", "`maybe`"),
        ("engine.fences = \"half\"", "`half`"),
        ("engine.workers-per-core = -3", "-3"),
        ("engine.wait-on = { x = \"park\" }", "\"x\""),
        ("engine.wait-on = { 1 = \"nap\" }", "\"nap\""),
        ("engine.cpus = 3", "`cpus`"),
        ("signals.s.capacity = \"big\"", "\"big\""),
        ("signals.s.overflow = \"explode\"", "`explode`"),
        (
            "signals.s.overflow = { wait-for = \"5 parsecs\" }",
            "\"5 parsecs\"",
        ),
        (
            "signals.s.fault-policy = { quarantine = { before = 1 } }",
            "before",
        ),
        ("signals.s.fault-policy = \"forgive\"", "`forgive`"),
        ("sync-signals.s.reentrancy-limit = 4294967296", "4294967296"),
    ] {
        let refusal = refusal(&format!("# First line.\n{text}\n"));
        assert!(refusal.contains(named), "{text}: {refusal}");
        assert!(refusal.contains("line 2"), "{text}: {refusal}");
    }
}

#[test]
fn what_is_impossible_is_the_builders_error_and_names_the_value() {
    let engine = |text: &str| {
        config(text)
            .engine
            .builder()
            .build()
            .unwrap_err()
            .to_string()
    };
    assert!(engine("engine.cores = 0").contains('0'));
    assert!(engine("engine.cores = [99999]").contains("99999"));
    assert!(engine("engine.cores = 9223372036854775807").contains("9223372036854775807"));
    assert!(engine("engine.workers-per-core = 0").contains('0'));
    assert!(engine("engine.thread-name = \"a\\u0000b\"").contains("a\\0b"));
    assert!(engine("engine.wait-on = { 99999 = \"park\" }").contains("99999"));
    let manual = Engine::builder()
        .cores(Cores::count(1))
        .manual()
        .build()
        .unwrap();
    let signal = |text: &str| {
        let config = config(text);
        let built = config.signal::<u64>(&manual, "s").unwrap().build();
        built.unwrap_err().to_string()
    };
    assert!(signal("signals.s.capacity = 1000").contains("1000"));
    assert!(signal("signals.s = { capacity = 8, batch = 9 }").contains('9'));
    assert!(signal("signals.s.fault-policy = \"propagate\"").contains("Propagate"));
    let sync = config("sync-signals.s.fault-policy = { quarantine = { after = 0 } }");
    let built = sync.sync_signal::<u64>("s").unwrap().build();
    assert!(built.unwrap_err().to_string().contains("after: 0"));
}

#[test]
fn a_signal_that_is_not_configured_is_named_with_those_that_are() {
    let config = config("signals.ticks = {}\nsignals.trades = {}");
    let manual = Engine::builder()
        .cores(Cores::count(1))
        .manual()
        .build()
        .unwrap();
    let error = config.signal::<u64>(&manual, "tikcs").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no signal \"tikcs\" is configured: one of ticks, trades"
    );
    let error = config.sync_signal::<u64>("orders").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no signal \"orders\" is configured: none is"
    );
}
