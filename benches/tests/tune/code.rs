//! The code to paste: it compiles, and builds what it says.

use corecast::{AsyncSignal, Engine};
use corecast_affinity::{Cores, allowed_cpus};
use corecast_lab::tune::{Configuration, builder_code};
use corecast_ring::WaitStrategy;

type Failure = Box<dyn std::error::Error>;

/// What pasted code builds.
type Built = Result<(Engine, AsyncSignal<Event>), Failure>;

#[derive(Clone)]
struct Event;

/// Makes a function of pasted code and keeps its text.
macro_rules! pasted {
    ($name:ident: $($code:tt)*) => {
        mod $name {
            use super::{Built, Event};

            pub(super) const TEXT: &str = stringify!($($code)*);

            pub(super) fn build() -> Built {
                $crate::code::returning! { $($code)* }
            }
        }
    };
}

/// The code, and then what its two names stand for.
macro_rules! returning {
    (use $($path:ident)::+ ::{$($names:tt)*}; let $engine:ident = $built:expr; let $events:ident = $signal:expr;) => {{
        use $($path)::+::{$($names)*};
        let $engine = $built;
        let $events = $signal;
        Ok(($engine, $events))
    }};
}
use returning;

pasted! { plain:
    use corecast::{Engine, Overflow, WaitStrategy};

    let engine = Engine::builder()
        .workers_per_core(2)
        .wait(WaitStrategy::spin_then_yield())
        .build()?;
    let events = engine
        .signal::<Event>("events")
        .capacity(1024)
        .batch(16)
        .overflow(Overflow::Wait)
        .build()?;
}

pasted! { on_all_cores:
    use corecast::{Cores, Engine, Overflow, WaitStrategy};

    let engine = Engine::builder()
        .cores(Cores::all())
        .workers_per_core(1)
        .wait(WaitStrategy::busy_spin())
        .build()?;
    let events = engine
        .signal::<Event>("events")
        .capacity(2)
        .batch(1)
        .overflow(Overflow::Wait)
        .build()?;
}

pasted! { on_physical_cores:
    use corecast::{Cores, Engine, Overflow, WaitStrategy};

    let engine = Engine::builder()
        .cores(Cores::physical())
        .workers_per_core(1)
        .wait(WaitStrategy::park())
        .build()?;
    let events = engine
        .signal::<Event>("events")
        .capacity(256)
        .batch(64)
        .overflow(Overflow::Wait)
        .build()?;
}

pasted! { on_listed_cores:
    use corecast::{Cores, Engine, Overflow, WaitStrategy};

    let engine = Engine::builder()
        .cores(Cores::list([0]))
        .workers_per_core(1)
        .wait(WaitStrategy::backoff())
        .build()?;
    let events = engine
        .signal::<Event>("events")
        .capacity(256)
        .batch(64)
        .overflow(Overflow::Wait)
        .build()?;
}

fn without_space(text: &str) -> String {
    text.split_whitespace().collect()
}

fn configuration(
    workers_per_core: usize,
    wait: WaitStrategy,
    capacity: usize,
    batch: usize,
) -> Configuration {
    Configuration {
        workers_per_core,
        wait,
        capacity,
        batch,
    }
}

/// The code of this configuration is the pasted text, and what it builds has these properties.
fn check(configuration: &Configuration, cores: Option<&Cores>, text: &str, build: fn() -> Built) {
    let code = builder_code(configuration, cores);
    assert_eq!(without_space(&code), without_space(text), "{code}");
    let (engine, events) = build().expect("the code builds an engine");
    let workers = engine.workers();
    let per_core = workers.iter().filter(|one| one.cpu == workers[0].cpu);
    assert_eq!(per_core.count(), configuration.workers_per_core);
    assert!(workers.iter().all(|one| one.wait == configuration.wait));
    events.subscribe(|_| {}).detach();
    let _emitter = events.emitter().expect("a lane of that capacity");
    let lanes = events.metrics().lanes;
    assert!(!lanes.is_empty());
    assert!(
        lanes
            .iter()
            .all(|lane| lane.capacity == configuration.capacity)
    );
}

#[test]
fn the_code_without_cores_builds_the_configuration() {
    let wanted = configuration(2, WaitStrategy::spin_then_yield(), 1024, 16);
    check(&wanted, None, plain::TEXT, plain::build);
}

#[test]
fn the_code_on_all_cores_builds_the_configuration() {
    let wanted = configuration(1, WaitStrategy::busy_spin(), 2, 1);
    check(
        &wanted,
        Some(&Cores::all()),
        on_all_cores::TEXT,
        on_all_cores::build,
    );
}

#[test]
fn the_code_on_physical_cores_builds_the_configuration() {
    let wanted = configuration(1, WaitStrategy::park(), 256, 64);
    let cores = Cores::physical();
    check(
        &wanted,
        Some(&cores),
        on_physical_cores::TEXT,
        on_physical_cores::build,
    );
}

#[test]
fn the_code_on_listed_cores_builds_the_configuration() {
    let wanted = configuration(1, WaitStrategy::backoff(), 256, 64);
    let code = builder_code(&wanted, Some(&Cores::list([2, 3, 8])));
    assert!(code.contains("Cores::list([2, 3, 8])"), "{code}");
    // The pasted code names CPU 0, which a process may be kept off.
    if allowed_cpus().contains(corecast_affinity::CpuId::new(0)) {
        let cores = Cores::list([0]);
        check(
            &wanted,
            Some(&cores),
            on_listed_cores::TEXT,
            on_listed_cores::build,
        );
    }
}
