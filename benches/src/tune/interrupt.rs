//! Ctrl-C.

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::Error;

/// What a shell reports of a command that Ctrl-C ended.
pub(super) const EXIT_CODE: u8 = 130;

static RAISED: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C is noted, for the sweep to end early and write what it has; a second
/// one ends the process.
///
/// # Errors
///
/// The system refuses the handler.
pub(super) fn heed() -> Result<(), Error> {
    static HEEDED: OnceLock<Result<(), String>> = OnceLock::new();
    let heeded = HEEDED.get_or_init(|| {
        ctrlc::set_handler(|| {
            // Relaxed: nothing but the flag itself is communicated.
            if RAISED.swap(true, Ordering::Relaxed) {
                process::exit(EXIT_CODE.into());
            }
        })
        .map_err(|error| format!("Ctrl-C cannot be heeded: {error}"))
    });
    heeded.clone().map_err(Error::from)
}

/// Whether Ctrl-C was pressed.
#[must_use]
pub(super) fn is_raised() -> bool {
    RAISED.load(Ordering::Relaxed)
}
