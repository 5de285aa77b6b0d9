//! A context belongs to one call at a time.

use corecast::Context;

fn main() {
    let context = Context::none();
    let _second = context.clone();
}
