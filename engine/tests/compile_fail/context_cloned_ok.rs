//! Its token is what others hold.

use corecast::Context;

pub(crate) fn main() {
    let context = Context::none();
    let token = context.cancel_token();
    let _second = token.clone();
}
