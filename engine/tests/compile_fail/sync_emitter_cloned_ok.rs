//! Another emitter has a record of its own.

use corecast::SyncSignal;

pub(crate) fn main() {
    let signal = SyncSignal::<u64>::new();
    let _emitter = signal.emitter();
    let _second = signal.emitter();
}
