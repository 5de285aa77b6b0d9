//! The auto traits of every public type.

mod probe;

use corecast_ring::*;
use probe::*;
use std::cell::Cell;
use std::rc::Rc;

auto_traits! {
    // Events may be `Send` alone: one thread at a time has each.
    OWNED => Producer<Cell<u64>>, Consumer<Cell<u64>>, Claim<'static, Cell<u64>>,
        ClaimedSlot<'static, Cell<u64>>, ShortSlot<'static, Cell<u64>>,
        WrittenSlot<'static, Cell<u64>>;
    SHARED => SharedProducer<Cell<u64>>, Credit<'static, Cell<u64>>,
        SharedClaim<'static, Cell<u64>>, Monitor<Cell<u64>>;
    // What cannot leave its thread does not do so in a ring.
    UNPIN => Producer<Rc<u64>>, Consumer<Rc<u64>>, SharedProducer<Rc<u64>>, Monitor<Rc<u64>>,
        Claim<'static, Rc<u64>>, SharedClaim<'static, Rc<u64>>, Credit<'static, Rc<u64>>;
    ALL => RingOptions, CapacityError, ClaimError, ClaimRefused, PopError, PushError<u64>, Fences,
        FencePair, FenceError, FreeFence, Parker, Parked, Ticket, WaitStrategy, UnknownWaitStrategy, Idle;
}

#[test]
fn every_public_type_is_in_the_table() {
    assert_complete(include_str!("../../src/lib.rs"), NAMED, &["LightFence"]);
}
