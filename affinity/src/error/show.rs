//! Pieces of messages.

use std::fmt;
use std::io;

/// `: Invalid argument (os error 22)`, or nothing.
pub(super) struct OsCause(pub(super) Option<i32>);

impl fmt::Display for OsCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(code) => write!(f, ": {}", io::Error::from_raw_os_error(code)),
            None => Ok(()),
        }
    }
}

/// Foreign text on one line of bounded length, control characters escaped.
pub(super) struct Excerpt<'a>(pub(super) &'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 80;
        let mut rest = self.0.chars();
        for character in rest.by_ref().take(SHOWN) {
            write!(f, "{}", character.escape_debug())?;
        }
        if rest.next().is_some() {
            f.write_str("…")?;
        }
        Ok(())
    }
}
