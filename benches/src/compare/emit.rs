//! Synchronous rows: one thread emits, its listeners run at once.
//!
//! A contestant implements [`Emit`]; the emitting loop, its copies in different code layouts, the
//! pinning and the check of the sums are here, once, for all of them.

use std::hint;
use std::rc::Rc;
use std::time::{Duration, Instant};

use corecast_affinity::CpuId;

use crate::measure::{Lap, LapError, Pinned, Side};

use super::listeners::Listeners;

/// A way to call listeners.
pub trait Emit {
    /// What the report calls it.
    fn name(&self) -> &str;

    /// Calls every listener with `event`. To be inlined, so that a row compares what the compiler
    /// makes of each contestant's whole loop.
    ///
    /// # Errors
    ///
    /// When a listener refused the event; a lap ends with it.
    fn emit(&mut self, event: &u64) -> Result<(), LapError>;
}

/// A contestant of a synchronous row.
#[derive(Debug)]
pub struct EmitSide<E> {
    emit: E,
    listeners: Rc<Listeners>,
    cpu: CpuId,
    layout: usize,
}

impl<E: Emit> EmitSide<E> {
    /// `emit`, which calls `listeners`, on this CPU.
    #[must_use]
    pub fn new(emit: E, listeners: Rc<Listeners>, cpu: CpuId) -> Self {
        Self {
            emit,
            listeners,
            cpu,
            layout: 0,
        }
    }
}

/// An emitting loop.
type Loop<E> = fn(&mut E, u64) -> Result<Duration, LapError>;

impl<E: Emit> EmitSide<E> {
    /// The copies of the emitting loop.
    const LAYOUTS: [Loop<E>; 4] = [
        emit_all::<E, 0>,
        emit_all::<E, 1>,
        emit_all::<E, 2>,
        emit_all::<E, 3>,
    ];
}

impl<E: Emit> Side for EmitSide<E> {
    fn name(&self) -> &str {
        self.emit.name()
    }

    fn layouts(&self) -> usize {
        Self::LAYOUTS.len()
    }

    fn select_layout(&mut self, layout: usize) {
        self.layout = layout % Self::LAYOUTS.len();
    }

    fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
        let _pinned = Pinned::to(self.cpu)?;
        self.listeners.reset();
        let elapsed = Self::LAYOUTS[self.layout](&mut self.emit, ops)?;
        Ok(Lap {
            elapsed,
            checksum: self.listeners.sum(),
            latency: None,
        })
    }
}

/// The emitting loop. Copies differ in how many stores stand before it, and so in where it lies.
#[inline(never)]
fn emit_all<E: Emit, const LAYOUT: usize>(emit: &mut E, ops: u64) -> Result<Duration, LapError> {
    if LAYOUT > 0 {
        hint::black_box(LAYOUT);
    }
    if LAYOUT > 1 {
        hint::black_box((LAYOUT, LAYOUT));
    }
    if LAYOUT > 2 {
        hint::black_box((LAYOUT, LAYOUT, LAYOUT));
    }
    let start = Instant::now();
    for event in 0..ops {
        // The event is in memory and unknown to the optimiser, as in a real program.
        emit.emit(hint::black_box(&event))?;
    }
    Ok(start.elapsed())
}
