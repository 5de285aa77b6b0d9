//! A synchronous listener is `Fn`.

use corecast::SyncSignal;

fn main() {
    let signal = SyncSignal::<u64>::new();
    let mut sum = 0;
    signal.subscribe(move |n| sum += n).detach();
}
