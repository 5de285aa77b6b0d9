//! It may own what may go there.

use corecast::Engine;

pub(crate) fn main() {
    let mut seen = 0;
    let _engine = Engine::builder()
        .manual()
        .on_fault(move |_| {
            seen += 1;
            println!("{seen}");
        })
        .build();
}
