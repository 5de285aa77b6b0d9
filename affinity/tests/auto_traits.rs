//! The auto traits of every public type.

#[path = "../../ring/tests/auto_traits/probe.rs"]
mod probe;

use corecast_affinity::*;
use probe::*;
use std::cell::Cell;

auto_traits! {
    ALL => AllowedCpus, CpuId, CpuSet, Iter<'static>, ParseCpuListError, PinError, PlacementError,
        ReadError, ThreadError, PinCheck, PinStatus, Pinning, Cores, Placement, ThreadConfig, Cache,
        CacheKind, Core, CoreKind, Cpu, NumaNode, Package, TickClock, Ticks, Topology, TopologySource;
    // A pin is of the thread that made it.
    UNPIN | UNWIND | REF_UNWIND => CurrentPin;
    SHARED => PinnedThread<u64>, PinnedThread<Cell<u64>>;
}

#[test]
fn every_public_type_is_in_the_table() {
    assert_complete(include_str!("../src/lib.rs"), NAMED, &["Readme"]);
}
