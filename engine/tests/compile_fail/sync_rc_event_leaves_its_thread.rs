//! A signal does not make its events `Send`.

use corecast::SyncSignal;
use std::rc::Rc;

fn main() {
    let signal = SyncSignal::<Rc<u64>>::new();
    let event = Rc::new(7);
    std::thread::scope(|scope| {
        scope.spawn(|| signal.emit(&event));
    });
}
