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
        Self::styled(bar, template)
    }

    /// A bar for a sweep of `total` milliseconds, as [`on_terminal`](Self::on_terminal).
    #[must_use]
    pub fn of_sweep(total: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Self::hidden();
        }
        let template = "{bar:32} {percent} %, {eta} left  {msg}";
        Self::styled(ProgressBar::new(total), template)
    }

    /// Whether nothing is shown.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.0.is_hidden()
    }

    /// Shows that so many of the total are done.
    pub fn show(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Shows what is under way.
    pub fn say(&self, what: String) {
        self.0.set_message(what);
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        let style = ProgressStyle::with_template(template);
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }
}

impl Drop for Progress {
    /// Leaves the line to what is printed next.
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
