//! Two of one record would be in each other's way.

use corecast::SyncSignal;

fn main() {
    let signal = SyncSignal::<u64>::new();
    let emitter = signal.emitter();
    let _second = emitter.clone();
}
