//! How far a run has come, for somebody who watches.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar on standard error, or nothing.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Shows nothing.
    #[must_use]
    pub fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// A bar up to `total` records (or a count, where that is not known) if standard error is a
    /// terminal; else nothing.
    #[must_use]
    pub fn on_terminal(total: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self::hidden();
        }
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{bar:32} {human_pos} of {human_len} records, {per_sec}, {eta} left",
            ),
            None => (
                ProgressBar::no_length(),
                "{spinner} {human_pos} records, {per_sec}",
            ),
        };
        let style = ProgressStyle::with_template(template);
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// Shows that `records` have been dispatched.
    pub fn show(&self, records: u64) {
        self.0.set_position(records);
    }
}

impl Drop for Progress {
    /// Leaves the line to what is printed next.
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
