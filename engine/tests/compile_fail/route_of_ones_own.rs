//! Routes are sealed: an emitter relies on their choices.

use corecast::OneWorker;

struct Mine;

impl OneWorker for Mine {}

fn main() {
    let _ = Mine;
}
