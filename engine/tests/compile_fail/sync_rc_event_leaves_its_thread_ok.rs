//! Its handles are `Send` and `Sync` for any event: an event never leaves its thread.

use corecast::SyncSignal;
use std::rc::Rc;

pub(crate) fn main() {
    let signal = SyncSignal::<Rc<u64>>::new();
    std::thread::scope(|scope| {
        scope.spawn(|| signal.emit(&Rc::new(7)));
    });
}
