//! The auto traits of every public type.

#[path = "../../ring/tests/auto_traits/probe.rs"]
mod probe;

use corecast::*;
use probe::*;
use std::cell::Cell;
use std::rc::Rc;

auto_traits! {
    // Handles on a signal go anywhere, whatever its events: a synchronous one never lets them leave
    // their thread, and asynchronous ones are `Send`.
    SHARED => SyncSignal<Cell<u64>>, SyncSignal<Rc<u64>>, SyncSignal<str>,
        AsyncSignal<Cell<u64>>, AsyncSignal<Cell<u64>, Sharded<Cell<u64>>>,
        AsyncSignal<Cell<u64>, RoundRobin>, AsyncSignalBuilder<Cell<u64>>,
        AsyncSignalBuilder<Cell<u64>, Sharded<Cell<u64>>>, Sharded<Rc<u64>>, Subscription;
    // One thread at a time emits; a listener that is not yet added has one owner.
    OWNED => SyncEmitter<u64>, SyncEmitter<Rc<u64>>, Emitter<Cell<u64>>,
        Emitter<u64, Sharded<u64>>, Emitter<u64, RoundRobin>, Listener<u64>, Listener<Rc<u64>>,
        WorkerListener<u64>, WorkerListener<Rc<u64>>, EngineBuilder;
    // A panic's payload and a listener's error are `Send`, and somebody's closures.
    OWNED => Fault;
    ALL => Engine, FaultQueue, CircuitBreaker;
    // The events of a batch are in its worker's hands.
    UNPIN => Batch<'static, u64>, BatchIter<'static, u64>;
    ALL => SyncSignalBuilder<u64>, SyncSignalBuilder<Rc<u64>>, Broadcast, RoundRobin, EmitterError,
        SignalError, CancelToken, Context, Cores, CpuId, CpuSet, PinError, PinStatus, Pinning, PlacementError,
        ThreadError, CapacityError, Fences, WaitStrategy, EngineError, EngineMetrics, RunError,
        ShutdownReport, WorkerInfo, WorkerMetrics, WorkerState, BuildError, SubscribeError,
        WaitError, FaultKind, FaultPolicy, BreakerBuildError, BreakerError<u64>, BreakerMetrics, BreakerState,
        CircuitBreakerBuilder, WhenOpen, ListenerId, LaneMetrics, Latency, Rates, SignalMetrics,
        BatchRejected<u64>, FlushError, Overflow, RejectReason, Rejected<u64>, Delivery, WorkerId;
    SHARED => EmitError, BoxError;
    // As their event is.
    OWNED | UNWIND => Rejected<Cell<u64>>, BatchRejected<Cell<u64>>;
}

#[cfg(feature = "limits")]
mod limits {
    use crate::probe::{self, *};
    use corecast::*;

    auto_traits! {
        OWNED => Limited<Emitter<u64>>;
        SHARED => LimitedEmitError;
        ALL => RateLimit, LimitReason, LimitRejected<u64>, RateLimitError, RateLimitMetrics,
            RateRefusal;
    }
}

#[cfg(not(feature = "limits"))]
mod limits {
    pub(crate) const NAMED: &[&str] = &[
        "LimitReason LimitRejected Limited LimitedEmitError",
        "RateLimit RateLimitError RateLimitMetrics RateRefusal",
    ];
}

#[cfg(feature = "prometheus")]
mod prometheus {
    use crate::probe::{self, *};
    use corecast::prometheus::*;

    auto_traits! {
        SHARED => Endpoint, EndpointError;
        ALL => Exposition;
    }
}

#[cfg(feature = "serde")]
mod config {
    use crate::probe::{self, *};
    use corecast::config::*;

    auto_traits! {
        ALL => Config, EngineConfig, SignalConfig, SyncSignalConfig, UnknownSignal;
    }
}

#[cfg(feature = "tracing")]
mod trace {
    use crate::probe::{self, *};
    use corecast::trace::*;

    auto_traits! {
        ALL => Watch;
    }
}

#[test]
fn every_public_type_is_in_the_table() {
    let table = [NAMED, limits::NAMED].concat();
    let traits = ["OneWorker", "Route", "Routing", "Signal"];
    assert_complete(include_str!("../src/lib.rs"), &table, &traits);
    #[cfg(feature = "serde")]
    assert_complete(
        include_str!("../src/integrations/config/mod.rs"),
        config::NAMED,
        &[],
    );
    #[cfg(feature = "prometheus")]
    assert_complete(
        include_str!("../src/integrations/prometheus/mod.rs"),
        prometheus::NAMED,
        &[],
    );
}
