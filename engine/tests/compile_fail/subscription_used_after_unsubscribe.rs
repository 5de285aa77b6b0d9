//! A removal takes the subscription.

use corecast::SyncSignal;

fn main() {
    let signal = SyncSignal::<u64>::new();
    let subscription = signal.subscribe(|_| {});
    assert!(subscription.unsubscribe());
    assert!(!subscription.is_active());
}
