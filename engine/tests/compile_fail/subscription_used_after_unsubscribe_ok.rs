//! Before it there is something to ask.

use corecast::SyncSignal;

pub(crate) fn main() {
    let signal = SyncSignal::<u64>::new();
    let subscription = signal.subscribe(|_| {});
    assert!(subscription.is_active());
    assert!(subscription.unsubscribe());
}
